//! What the filter tells about itself: events of the entity `statetrail/filter/NODE`.
//!
//! They go the way of all events, so what a filter did, by which rules, and what was wrong with them
//! can be asked at any moment like anything else. Only what has changed is told.

use std::collections::BTreeMap;

use statetrail_event::cloudevents::{Form, write_parts_as};
use statetrail_event::{Change, EntityName, EventRef, LineIdentity, Source, Time, Value, ValueRef};
use statetrail_rules::{RuleCount, RuleSet};

use crate::Counters;
use crate::rule_totals::{MATCHED, RuleTotals};

const NAMESPACE: &str = "statetrail";
const ENTITY_TYPE: &str = "filter";
const RULES_ERROR: &str = "rules_error";
/// Between two events that only tell new counts, in nanoseconds.
const COUNTS_EVERY: i64 = 60_000_000_000;

/// Whose entity it is.
#[derive(Debug, Default)]
enum Node {
    /// Not known yet: the first record that names its node decides.
    #[default]
    Unknown,
    /// Nothing is to be told.
    Off,
    Named(Box<str>),
}

/// Values by their fields.
type State = BTreeMap<String, Value>;

/// Tells about the filter.
#[derive(Debug, Default)]
pub(crate) struct Report {
    node: Node,
    started: Option<Time>,
    told_at: Option<Time>,
    /// What was told, by field.
    told: State,
    /// Revision and error as they were told.
    told_rules: Option<(u64, Option<Box<str>>)>,
    /// What became of the rules, by their numbers.
    rules: RuleTotals,
}

impl Report {
    /// Tells under this name from now on; nothing at all if it is empty or cannot be one. Returns whether it
    /// can, or is empty, which somebody wants.
    pub(crate) fn set_node(&mut self, node: &str) -> bool {
        let can = EntityName::check(NAMESPACE, ENTITY_TYPE, node).is_ok();
        self.node = if can { Node::Named(node.into()) } else { Node::Off };
        can || node.is_empty()
    }

    /// Takes the name from a record, if there is none yet. Returns whether it can be one, if it is taken.
    pub(crate) fn learn_node(&mut self, node: &str) -> bool {
        !matches!(self.node, Node::Unknown) || self.set_node(node)
    }

    /// Keeps the counts of rules that are about to go.
    pub(crate) fn rules_will_change(&mut self, rules: &RuleSet, counts: &[RuleCount]) {
        self.rules.will_change(rules, counts);
    }

    /// Tells everything anew the next time.
    pub(crate) fn forget(&mut self) {
        self.told = State::new();
        self.told_rules = None;
        self.rules.forget();
    }

    /// The full name of the entity, if there is one.
    pub(crate) fn write_key(&self, key: &mut Vec<u8>) {
        if let Node::Named(node) = &self.node {
            key.clear();
            for part in [NAMESPACE, "/", ENTITY_TYPE, "/", node] {
                key.extend_from_slice(part.as_bytes());
            }
        }
    }

    /// Appends an event to `out` if there is one to tell at that time. Returns whether there was.
    pub(crate) fn write(
        &mut self,
        out: &mut Vec<u8>,
        now: Time,
        error: Option<&str>,
        counters: &Counters,
        (rules, counts): (&RuleSet, &[RuleCount]),
    ) -> bool {
        let Node::Named(node) = &self.node else { return false };
        let passed = self.told_at.map_or(i64::MAX, |told| now.nanos().wrapping_sub(told.nanos()));
        let revision = rules.revision();
        let same_rules = matches!(&self.told_rules, Some((told, text)) if *told == revision && text.as_deref() == error);
        if same_rules && (0..COUNTS_EVERY).contains(&passed) {
            return false;
        }
        let name = match (same_rules, &self.told_rules) {
            (_, None) => "started",
            (false, Some(_)) => "rules-changed",
            (true, Some(_)) => "counted",
        };
        let started = *self.started.get_or_insert(now);
        let mut state = State::new();
        let mut put = |field: &str, value: Value| state.insert(field.to_owned(), value);
        put("started", Value::Text(started.to_string().into()));
        put("revision", Value::Text(format!("{revision:016x}").into()));
        put("rules", number(rules.rule_names().count() as u64));
        if let Some(error) = error {
            put(RULES_ERROR, Value::Text(error.into()));
        }
        for (field, count) in counts_of(counters) {
            put(field, number(count));
        }
        for (file, count) in self.rules.files(rules, counts) {
            put(&format!("{MATCHED}{file}"), number(count));
        }
        let mut changes = difference(&self.told, &state);
        if error.is_none() && self.told_rules.is_none() {
            // An earlier life of the filter may have told of one.
            changes.push(Change::unset(RULES_ERROR));
        }
        changes.extend(self.rules.changes(rules, counts));
        write_event(out, node, name, now, &changes);
        self.told = state;
        self.told_rules = Some((revision, error.map(Into::into)));
        self.told_at = Some(now);
        true
    }
}

pub(crate) fn number(count: u64) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn counts_of(counters: &Counters) -> impl Iterator<Item = (&'static str, u64)> {
    [
        ("lines", counters.records),
        ("matched", counters.matched),
        ("unmatched", counters.unmatched),
        ("out_of_scope", counters.out_of_scope),
        ("failed", counters.failed),
        ("oversized", counters.oversized),
        ("without_line", counters.without_line),
        ("unreadable", counters.unreadable),
        ("passed_by", counters.passed_by),
        ("events", counters.events),
        ("failed_events", counters.failed_events),
        ("traps", counters.traps),
    ]
    .into_iter()
}

/// What makes the one state of the other.
fn difference(from: &State, to: &State) -> Vec<Change> {
    let changed = to.iter().filter(|(field, value)| from.get(*field) != Some(*value));
    let gone = from.keys().filter(|field| !to.contains_key(*field));
    let changed = changed.map(|(field, value)| Change::set(field.clone(), value.clone()));
    changed.chain(gone.map(|field| Change::unset(field.clone()))).collect()
}

fn write_event(out: &mut Vec<u8>, node: &str, name: &str, now: Time, changes: &[Change]) {
    let uri = Source::container_uri(NAMESPACE, ENTITY_TYPE, node);
    let identity = LineIdentity::new(LineIdentity::source_hash(&uri), now, b"");
    let event = EventRef {
        id: identity.event_id(0),
        namespace: NAMESPACE,
        entity_type: ENTITY_TYPE,
        entity_id: node,
        name,
        time: now,
        source: &uri,
        node: Some(node),
        ..EventRef::default()
    };
    // Events that wait go with a reply in JSON, as a text in it.
    write_parts_as(Form::Quoted, out, &event, &mut |writer| {
        for change in changes {
            let value: Option<ValueRef<'_>> = change.value.as_ref().map(Value::as_ref);
            writer(&change.field, value);
        }
    });
}

/// Puts an event behind those of a line: a CloudEvents batch, if there are others.
pub(crate) fn append_event(events: &mut Vec<u8>, own: &[u8]) {
    match events.first() {
        None => return events.extend_from_slice(own),
        Some(b'[') => {
            events.pop();
        }
        Some(_) => events.insert(0, b'['),
    }
    events.push(b',');
    events.extend_from_slice(own);
    events.push(b']');
}

#[cfg(test)]
mod tests {
    use statetrail_event::{State, cloudevents};
    use statetrail_rules::RuleText;

    use super::*;
    use crate::{Filter, Mode, Reply};

    const SECOND: i64 = 1_000_000_000;

    fn rule_file(name: &str, verb: &str) -> RuleText {
        let text = format!(
            "namespaces: [shop]\nrules:\n  - name: {verb}\n    match: 'order <order> {verb}'\n    \
             emit: [{{entity: order/<order>, event: {verb}}}]\n    samples:\n      \
             - line: 'order o-1 {verb}'\n        events: [{{entity: order/o-1, event: {verb}}}]\n"
        );
        RuleText { name: name.to_owned(), text }
    }

    /// A filter, and what its reports add up to.
    struct Told {
        filter: Filter,
        state: State,
        names: Vec<String>,
        now: i64,
    }

    impl Told {
        fn new(files: &[RuleText]) -> Told {
            let mut filter = Filter::default();
            assert_eq!(filter.reload(files), []);
            Told { filter, state: State::new(), names: Vec::new(), now: SECOND }
        }

        /// Takes a line after some seconds; returns how many events of its own came with it.
        fn line(&mut self, seconds: i64, line: &str, error: Option<&str>) -> usize {
            self.now += seconds * SECOND;
            self.filter.report(Time::from_nanos(self.now), error);
            let record = format!(r#"{{"log":"{line}"}}"#);
            let reply = self.filter.process(Mode::Events, b"host.app", 5, 0, record.as_bytes());
            let Some(reply) = reply.text() else { return 0 };
            let reply: serde_json::Value = serde_json::from_slice(reply).expect("replies are JSON");
            let events = reply["event"].as_str().expect("a text");
            let events = cloudevents::read(events.as_bytes()).expect("CloudEvents");
            let own = events.iter().filter(|event| event.entity.namespace() == NAMESPACE);
            assert_eq!(
                reply["key"],
                events[0].entity.as_str(),
                "the first one's entity is the key"
            );
            for event in own.clone() {
                assert_eq!(event.entity.as_str(), "statetrail/filter/node-1");
                self.names.push(event.name.clone());
                self.state.apply(event.key(), &event.changes);
            }
            own.count()
        }

        fn field(&self, field: &str) -> String {
            let value = self.state.get(field).map(ToString::to_string);
            value.unwrap_or_default()
        }
    }

    #[test]
    fn the_state_is_what_the_filter_has_counted() {
        let mut told = Told::new(&[rule_file("a.yaml", "paid"), rule_file("b.yaml", "sent")]);
        told.filter.set_node("node-1");
        assert_eq!(told.line(0, "order o-1 paid", None), 1);
        assert_eq!(told.line(59, "order o-1 paid", None), 0, "too early");
        assert_eq!(told.line(1, "nothing", None), 1, "a line without events carries it too");
        assert_eq!(told.line(1, "order o-1 sent", None), 0);
        assert_eq!(told.line(1, "order o-1 sent", Some("b.yaml:1:1: x")), 1, "at once");
        assert_eq!(told.field("rules_error"), "b.yaml:1:1: x");
        let revision = told.field("revision");
        assert_eq!(told.filter.reload(&[rule_file("b.yaml", "due")]), []);
        assert_eq!(told.line(1, "order o-1 due", None), 1);
        assert_ne!(told.field("revision"), revision);
        assert_eq!(told.line(60, "order o-1 due", None), 1);
        assert_eq!(told.names, ["started", "counted", "rules-changed", "rules-changed", "counted"]);
        // The line that carries an event is not in it yet.
        for (field, value) in [
            ("lines", "6"),
            ("matched", "5"),
            ("unmatched", "1"),
            ("events", "5"),
            ("matched.a.yaml", "2"),
            ("matched.b.yaml", "3"),
            ("rules", "1"),
            ("rules_error", ""),
        ] {
            assert_eq!(told.field(field), value, "{field}");
        }
    }

    #[test]
    fn nothing_is_told_without_a_name_or_when_it_is_not_wanted() {
        let files = [rule_file("a.yaml", "paid")];
        let mut told = Told::new(&files);
        assert_eq!(told.line(100, "order o-1 paid", None), 0);
        told.filter.set_node("");
        let with_node = br#"{"log":"x","kubernetes":{"namespace_name":"shop","container_name":"c","host":"node-1"}}"#;
        told.filter.process(Mode::Events, b"x", 5, 0, with_node);
        assert_eq!(told.line(100, "order o-1 paid", None), 0, "it is off");

        let mut told = Told::new(&files);
        told.filter.process(Mode::Events, b"x", 5, 0, with_node);
        assert_eq!(told.line(100, "order o-1 paid", None), 1, "a record names the node");
        // A record that goes on as it came must not be turned into something else.
        told.now += 100 * SECOND;
        told.filter.report(Time::from_nanos(told.now), None);
        let reply = told.filter.process(Mode::Annotate, b"x", 5, 0, br#"{"log":"x"}"#);
        assert_eq!(reply, Reply::PassInput);
    }

    #[test]
    fn a_name_that_cannot_be_an_id_is_said_once() {
        for (by_record, node) in
            [(false, "node\t1"), (true, "node\t1"), (false, ""), (true, "node-1")]
        {
            let mut filter = Filter::default();
            filter.reload(&[rule_file("a.yaml", "paid")]);
            if !by_record {
                filter.set_node(node);
            }
            let record = format!(
                r#"{{"log":"x","kubernetes":{{"namespace_name":"shop","container_name":"c","host":"{}"}}}}"#,
                node.escape_default()
            );
            filter.process(Mode::Events, b"x", 5, 0, record.as_bytes());
            assert_eq!(filter.take_notice().is_some(), node == "node\t1", "{node}");
            filter.process(Mode::Events, b"y", 5, 0, record.as_bytes());
            assert_eq!(filter.take_notice(), None, "{node}");
        }
    }

    #[test]
    fn events_that_no_reply_can_hold_are_not_sent() {
        let mut filter = Filter::default();
        filter.reload(&[rule_file("a.yaml", "paid")]);
        // Whether the record is JSON to its end shows only when it is written.
        let record = br#"{"log":"order o-1 paid","x":01}"#;
        assert_eq!(filter.process(Mode::Annotate, b"x", 5, 0, record), Reply::PassInput);
        filter.process(Mode::Annotate, b"x", 5, 0, br#"{"log":"order o-1 paid"}"#);
        let Counters { matched, failed, events, failed_events, .. } = *filter.counters();
        assert_eq!((matched, failed, events, failed_events), (1, 1, 1, 1));
    }

    #[test]
    fn an_event_joins_those_of_a_line() {
        for (events, expected) in
            [("", "{own}"), ("{a}", "[{a},{own}]"), ("[{a},{b}]", "[{a},{b},{own}]")]
        {
            let mut events = events.as_bytes().to_vec();
            append_event(&mut events, b"{own}");
            assert_eq!(String::from_utf8_lossy(&events), expected);
        }
    }
}
