//! Rules tried on lines: which rule matched, what it captured, what came of it; or what was lacking.

use std::ops::Range;

use statetrail_event::{Event, Time};
use statetrail_rules::{Extractor, Line, NearMiss, Origin, RuleCount, RuleSet, ScopeId};

/// Rules at work on the lines of one place.
pub struct Trial {
    rules: RuleSet,
    scope: Option<ScopeId>,
    origin: Origin,
    extractor: Extractor,
}

/// A rule that matched, and what it captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedRule {
    /// The rule, as events carry it.
    pub rule: String,
    /// What it captured, in the order of its match.
    pub captures: Vec<Capture>,
}

/// A part of a line that a rule has a name for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The name.
    pub name: String,
    /// The value as text; `None` where an optional part was missing or it does not fit its type.
    pub text: Option<String>,
    /// Where it stands, in bytes of the line as rules see it; `None` where it has another form there.
    pub place: Option<Range<usize>>,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The rules that matched.
    pub matched: Vec<MatchedRule>,
    /// The events of the line.
    pub events: Vec<Event>,
    /// Events that could not be made: a value does not fit its type, or a name is not allowed.
    pub failed: u32,
    /// The line as rules saw it, if something in it was starred out.
    pub redacted: Option<String>,
}

impl Trial {
    /// Tries rules on lines of a namespace, or on plain lines of which it is not known.
    pub fn new(mut rules: RuleSet, namespace: Option<&str>) -> Trial {
        let origin = Origin::plain(namespace, None, None);
        let scope = rules.scope_of_origin(&origin);
        Trial { rules, scope, origin, extractor: Extractor::new() }
    }

    /// Tries the rules of a file where its samples are taken to be from.
    pub fn of_file(mut rules: RuleSet) -> Trial {
        let (namespace, container) = rules.sample_place().unwrap_or_default();
        let scope = rules.scope(&namespace, &container);
        let origin = Origin::plain(Some(&namespace), None, None);
        Trial { rules, scope, origin, extractor: Extractor::new() }
    }

    /// Whether any rule applies to the lines.
    pub fn has_rules(&self) -> bool {
        self.scope.is_some()
    }

    /// Tries the rules on a line; times do not matter here.
    pub fn line(&mut self, line: &[u8]) -> Tried {
        let mut tried =
            Tried { matched: Vec::new(), events: Vec::new(), failed: 0, redacted: None };
        let Some(scope) = self.scope else { return tried };
        self.extractor.matches(&self.rules, scope, line, &mut |found| {
            let captures = found.captures().zip(found.places()).map(|((name, value), place)| {
                let text = value.map(|value| value.to_value().to_string());
                Capture { name: name.to_owned(), text, place }
            });
            let rule = found.rule_name().to_owned();
            tried.matched.push(MatchedRule { rule, captures: captures.collect() });
            if found.is_redacted() {
                tried.redacted = Some(String::from_utf8_lossy(found.line()).into_owned());
            }
        });
        (tried.events, tried.failed) = self.events(line);
        tried
    }

    /// The names of the rules that match a line, in order.
    pub fn takers(&mut self, line: &[u8]) -> Vec<String> {
        let mut takers = Vec::new();
        let Some(scope) = self.scope else { return takers };
        self.extractor.matches(&self.rules, scope, line, &mut |found| {
            takers.push(found.rule_name().to_owned());
        });
        takers
    }

    /// The rule that is nearest to a line which none matches, and what the line lacks for it.
    pub fn near_miss(&mut self, line: &[u8]) -> Option<NearMiss> {
        self.extractor.near_miss(&self.rules, self.scope?, line)
    }

    /// The events of a line, and how many could not be made.
    pub fn events(&mut self, line: &[u8]) -> (Vec<Event>, u32) {
        let mut events = Vec::new();
        let Some(scope) = self.scope else { return (events, 0) };
        let line = Line { bytes: line, time: Time::from_nanos(0), position: 0, offset: None };
        let outcome = self.extractor.events(&self.rules, scope, &self.origin, &line, &mut events);
        (events, outcome.failed)
    }

    /// The rules, to ask for their names and places.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// How often each rule was at work on the lines so far, in the order in which they stand in the
    /// files.
    pub fn counts(&self) -> Vec<(&str, RuleCount)> {
        let counts = self.extractor.counts();
        let count = |number: usize| counts.get(number).copied().unwrap_or_default();
        self.rules.rule_names().enumerate().map(|(number, name)| (name, count(number))).collect()
    }
}

#[cfg(test)]
mod tests {
    use statetrail_rules::RuleText;

    use super::*;

    const RULES: &str = "
namespaces: [shop]
rules:
  - name: paid
    match: 'order <order> payment accepted amount=<amount:number> by <method>'
    emit:
      - {entity: order/<order>, event: paid, set: {amount: <amount>, method: <method>}}
  - name: moved
    match: {json: {msg: 'parcel <parcel> moved', to.city: <city>}}
    emit:
      - {entity: parcel/<parcel>, event: moved, set: {city: '<city:int>'}}
  - name: ended
    match: '^<id> has ended$'
    emit: [{entity: 'job/<id>', event: ended}]
";

    fn trial() -> Trial {
        let text = RuleText { name: "shop.yaml".to_owned(), text: RULES.to_owned() };
        let (rules, faults) = RuleSet::parse(&[text]);
        assert!(faults.is_empty(), "{faults:?}");
        Trial::new(rules, Some("shop"))
    }

    #[test]
    fn a_line_that_matches_tells_what_it_gave() {
        let mut trial = trial();
        let tried = trial.line(b"x order o-1 payment accepted amount=12.50 by card");
        let captures = &tried.matched[0].captures;
        let value = |name: &str| {
            captures.iter().find(|known| known.name == name).and_then(|it| it.text.clone())
        };
        assert_eq!(tried.matched[0].rule, "shop.yaml/paid");
        assert_eq!((value("order"), value("amount")), (Some("o-1".into()), Some("12.5".into())));
        let places: Vec<_> = captures.iter().map(|capture| capture.place.clone()).collect();
        assert_eq!(places, [Some(8..11), Some(36..41), Some(45..49)]);
        assert_eq!((tried.events.len(), tried.failed), (1, 0));
        let tried = trial.line(br#"{"msg":"parcel p moved","to":{"city":"Rom"}}"#);
        assert_eq!((tried.matched.len(), tried.events.len(), tried.failed), (1, 0, 1));
        let counts: Vec<u64> = trial.counts().iter().map(|(_, count)| count.matched).collect();
        assert_eq!(counts, [1, 1, 0]);
    }

    #[test]
    fn a_line_that_almost_matches_tells_what_it_lacks() {
        for (line, rule, field, place, expected) in [
            (
                "order o-1 payment accepted amount=much by card",
                "paid",
                None,
                Some(34),
                "`<amount:number>`",
            ),
            ("order o-1 payment accepted amount=5 from card", "paid", None, Some(36), "`by `"),
            ("order o-1 payment refused", "paid", None, Some(18), "`accepted amount=`"),
            ("Order o-1 payment accepted amount=5 by x", "paid", None, None, "`order `"),
            (
                r#"{"msg":"parcel p moved"}"#,
                "moved",
                Some("to.city"),
                None,
                "this field, which the line does not have",
            ),
            (
                r#"{"msg":"parcel p went","to":{"city":"Rom"}}"#,
                "moved",
                Some("msg"),
                Some(9),
                "`moved`",
            ),
            ("j-1 has ended badly", "ended", None, Some(13), "the end"),
        ] {
            let near = trial().near_miss(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            let found = (&*near.rule, near.field.as_deref(), near.place, &*near.expected);
            assert_eq!(found, (&*format!("shop.yaml/{rule}"), field, place, expected), "{line}");
        }
        for line in ["nothing of the kind", "", "{\"level\":1}"] {
            assert_eq!(trial().near_miss(line.as_bytes()), None, "{line}");
        }
    }

    /// Of rules that a line has equally much of, the first one is told; of others, the nearest.
    #[test]
    fn the_nearest_rule_is_told() {
        let rule = |name: &str, text: &str| {
            format!(
                "  - {{name: {name}, match: '{text}', emit: [{{entity: 'x/<x>', event: e}}]}}\n"
            )
        };
        let rules = [
            rule("far", "order <x> was sent by mail to town"),
            rule("near", "order <x> was sent by train"),
            rule("same", "order <x> was sent by plane"),
        ];
        let text = format!("namespaces: [shop]\nrules:\n{}", rules.concat());
        let text = RuleText { name: "shop.yaml".to_owned(), text };
        let (rules, faults) = RuleSet::parse(&[text]);
        assert!(faults.is_empty(), "{faults:?}");
        let near = Trial::new(rules, None).near_miss(b"order o-1 was sent by sea").unwrap();
        assert_eq!(near.rule, "shop.yaml/near");
    }

    proptest::proptest! {
        #[test]
        fn any_line_can_be_tried(line in "[ <>a-z{}\":=0-9]{0,40}|order .{0,20} payment accepted .{0,20}") {
            let (mut trial, line) = (trial(), line.as_bytes());
            trial.line(line);
            proptest::prop_assert!(trial.near_miss(line).is_none_or(|near| near.place <= Some(line.len())));
        }
    }
}
