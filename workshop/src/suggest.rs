//! Rule files proposed from lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use statetrail_event::Event;
use statetrail_rules::{RuleSet, RuleText};

use crate::entity::{Kind, kinds, table};
use crate::format::format;
use crate::pattern::{Pattern, field_name, pattern_of};
use crate::template::{Parsed, Place, Source, Template, mine};
use crate::token::{Class, Token};
use crate::trial::Trial;
use crate::yaml::{quoted, sample_item};

/// A rule file that seems worth having.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The type of its entities; a guess that a person will better.
    pub entity_type: String,
    /// The file's name, made of the type.
    pub file: String,
    /// The rule file, its samples filled in.
    pub text: String,
    /// How many rules it has.
    pub rules: usize,
    /// How many entities the lines tell of by it.
    pub entities: usize,
    /// How many of the lines it takes.
    pub lines: usize,
    /// Some entities that live long, with how many events each has.
    pub examples: Vec<(String, usize)>,
}

/// Entities of which a suggestion tells.
const EXAMPLES: usize = 3;
/// A kind that explains less than this share of what the best one does is no suggestion.
const SCORE_MIN: f64 = 0.05;
/// Rules of a file.
const RULES_MAX: usize = 100;
/// Words of a rule's name.
const NAME_WORDS: usize = 5;
/// Rules that are moved before others because their lines were taken away.
const MOVES_MAX: usize = 1_000;

/// Proposes rule files for lines that are of one namespace, the one first that explains most of lives.
/// Lines with control characters are looked at, but are no samples.
pub fn suggest(lines: &[&str], namespace: &str, most: usize) -> Vec<Suggestion> {
    let sources: Vec<Source<'_>> = lines.iter().map(|line| Source::of(line)).collect();
    let parsed: Vec<Parsed<'_>> = sources.iter().map(Parsed::of).collect();
    let templates = mine(&parsed);
    let table = table(&parsed, &templates);
    let kinds = kinds(&parsed, &templates, &table);
    let mut least = 0.0;
    let mut all: Vec<Proposal> = Vec::new();
    let mut used: Vec<&Kind> = Vec::new();
    for kind in &kinds {
        if all.len() == most || kind.score < least {
            break;
        }
        if used.iter().any(|other| kind.is_within(other)) {
            continue;
        }
        let types = all.iter().map(|other| &*other.entity_type).collect();
        let proposal = Proposal::new(&parsed, kind, namespace, &types);
        if let Some(proposal) = proposal {
            if all.is_empty() {
                least = kind.score * SCORE_MIN;
            }
            all.push(proposal);
            used.push(kind);
        }
    }
    leave_lines(&mut all, &parsed);
    all.into_iter().filter_map(|proposal| proposal.finish(&parsed)).collect()
}

/// Lets each file leave lines to those that are tried after it: files count in the order of their names.
fn leave_lines(all: &mut [Proposal], lines: &[Parsed<'_>]) {
    let mut order: Vec<&mut Proposal> = all.iter_mut().collect();
    order.sort_by(|one, other| one.entity_type.cmp(&other.entity_type));
    for number in 0..order.len() {
        let (before, behind) = order.split_at_mut(number + 1);
        before[number].leave_lines_to(behind, lines);
    }
}

/// A rule in the making.
struct Draft {
    name: String,
    pattern: Pattern,
    /// Whether other rules may take its lines, too.
    goes_on: bool,
    /// How many lines gave rise to it.
    lines: usize,
    /// A line for the sample.
    sample: usize,
    events: Vec<Event>,
}

/// A rule file in the making.
struct Proposal {
    namespace: String,
    entity_type: String,
    drafts: Vec<Draft>,
}

impl Proposal {
    fn new(
        lines: &[Parsed<'_>],
        kind: &Kind,
        namespace: &str,
        taken: &BTreeSet<&str>,
    ) -> Option<Proposal> {
        let entity_type = unique(type_name(lines, &kind.events), |name| taken.contains(&**name));
        let drafts = drafts(lines, kind, &entity_type);
        let mut proposal = Proposal { namespace: namespace.to_owned(), entity_type, drafts };
        proposal.drop_faulty(lines);
        proposal.order(lines);
        proposal.fill_samples(lines);
        proposal.keep_the_most_frequent();
        // Verbs that were taken for ids have as many rules as there are things.
        let tells_apart = kind.class != Class::Word
            || proposal.drafts.len() <= proposal.taken(lines).entities.len();
        (tells_apart && !proposal.drafts.is_empty()).then_some(proposal)
    }

    /// Of very many rules, those that take most lines are worth reading.
    fn keep_the_most_frequent(&mut self) {
        let mut lines: Vec<usize> = self.drafts.iter().map(|draft| draft.lines).collect();
        lines.sort_unstable_by(|one, other| other.cmp(one));
        if let Some(least) = lines.get(RULES_MAX) {
            self.drafts.retain(|draft| draft.lines > *least);
        }
    }

    /// Lets rules go on whose lines other proposals take as well, so that all can be used together.
    fn leave_lines_to(&mut self, others: &[&mut Proposal], lines: &[Parsed<'_>]) {
        let mut trials: Vec<Trial> = others.iter().filter_map(|other| other.trial(lines)).collect();
        for draft in &mut self.drafts {
            let line = lines[draft.sample].line;
            draft.goes_on =
                trials.iter_mut().any(|trial| !trial.takers(line.as_bytes()).is_empty());
        }
        let Some(mut trial) = self.trial(lines) else { return };
        for draft in &mut self.drafts {
            // A line that another rule of the same file would take then is not left.
            draft.goes_on &= trial.events(lines[draft.sample].line.as_bytes()).0 == draft.events;
        }
    }

    /// Moves rules whose sample an earlier one takes before that one.
    fn order(&mut self, lines: &[Parsed<'_>]) {
        let takers = self.takers(lines);
        let mut order: Vec<usize> = (0..takers.len()).collect();
        for _ in 0..MOVES_MAX {
            let wrong = (0..order.len()).find_map(|place| {
                let of = &takers[order[place]];
                let before = order[..place].iter().position(|other| of.contains(other))?;
                Some((place, before))
            });
            let Some((place, before)) = wrong else { break };
            let moved = order.remove(place);
            order.insert(before, moved);
        }
        let mut drafts: Vec<Option<Draft>> = self.drafts.drain(..).map(Some).collect();
        self.drafts =
            order.into_iter().filter_map(|number| drafts.get_mut(number)?.take()).collect();
    }

    /// For each rule, which others match its sample.
    fn takers(&mut self, lines: &[Parsed<'_>]) -> Vec<BTreeSet<usize>> {
        self.drafts.iter_mut().for_each(|draft| draft.goes_on = true);
        let trial = self.trial(lines);
        self.drafts.iter_mut().for_each(|draft| draft.goes_on = false);
        let Some(mut trial) = trial else { return Vec::new() };
        let numbers: HashMap<&str, usize> =
            self.drafts.iter().enumerate().map(|(number, draft)| (&*draft.name, number)).collect();
        let of = |(number, draft): (usize, &Draft)| {
            let names = trial.takers(lines[draft.sample].line.as_bytes());
            let takers = names.iter().filter_map(|name| numbers.get(short_name(name)).copied());
            takers.filter(|taker| *taker != number).collect()
        };
        self.drafts.iter().enumerate().map(of).collect()
    }

    /// Leaves out rules that have a fault of their own.
    fn drop_faulty(&mut self, lines: &[Parsed<'_>]) {
        if self.trial(lines).is_some() {
            return;
        }
        let (namespace, entity_type) = (self.namespace.clone(), self.entity_type.clone());
        self.drafts = std::mem::take(&mut self.drafts)
            .into_iter()
            .filter_map(|draft| {
                let (namespace, entity_type) = (namespace.clone(), entity_type.clone());
                let alone = Proposal { namespace, entity_type, drafts: vec![draft] };
                let is_sound = alone.trial(lines).is_some();
                alone.drafts.into_iter().next().filter(|_| is_sound)
            })
            .collect();
    }

    /// Runs each sample. A rule whose sample gives nothing, or that another takes, is of no use.
    fn fill_samples(&mut self, lines: &[Parsed<'_>]) {
        let Some(mut trial) = self.trial(lines) else {
            self.drafts.clear();
            return;
        };
        self.drafts.retain_mut(|draft| {
            let line = lines[draft.sample].line.as_bytes();
            (draft.events, _) = trial.events(line);
            let takers = trial.takers(line);
            let is_own = takers.first().is_some_and(|taker| short_name(taker) == draft.name);
            !draft.events.is_empty() && is_own
        });
    }

    /// The rule file at work; `None` if it has faults.
    fn trial(&self, lines: &[Parsed<'_>]) -> Option<Trial> {
        let text = RuleText { name: "suggested.yaml".to_owned(), text: self.text(lines) };
        let trial = Trial::new(RuleSet::parse(&[text]).0, Some(&self.namespace));
        trial.has_rules().then_some(trial)
    }

    fn taken(&self, lines: &[Parsed<'_>]) -> Taken {
        self.trial(lines).map(|trial| Taken::by(trial, lines)).unwrap_or_default()
    }

    fn finish(self, lines: &[Parsed<'_>]) -> Option<Suggestion> {
        let taken = self.taken(lines);
        let mut examples: Vec<(String, usize)> = taken.entities.into_iter().collect();
        examples.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let entities = examples.len();
        examples.truncate(EXAMPLES);
        (entities > 0).then(|| Suggestion {
            file: format!("{}.yaml", self.entity_type),
            text: usual_form(self.text(lines)),
            rules: self.drafts.len(),
            entity_type: self.entity_type,
            entities,
            lines: taken.lines,
            examples,
        })
    }

    /// The rule file.
    fn text(&self, lines: &[Parsed<'_>]) -> String {
        let entity_type = &self.entity_type;
        let id = capture_name(entity_type);
        let mut text = String::new();
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            text,
            "# Suggested from {} lines: look at names, types and states, drop what is of no use.",
            lines.len()
        );
        let _ = writeln!(text, "namespaces: [{}]", quoted(&self.namespace));
        text.push_str("rules:\n");
        for (number, draft) in self.drafts.iter().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            let name = &draft.name;
            let _ = writeln!(text, "  - name: {name}");
            let _ = writeln!(text, "    match: {}", draft.pattern.text);
            if draft.goes_on {
                text.push_str("    continue: true\n");
            }
            text.push_str("    emit:\n");
            let _ = writeln!(text, "      - entity: {}", quoted(&format!("{entity_type}/<{id}>")));
            let _ = writeln!(text, "        event: {name}");
            let mut set = Vec::new();
            if !draft.pattern.fields.iter().any(|field| field == "state") {
                set.push(format!("state: {name}"));
            }
            set.extend(draft.pattern.fields.iter().map(|field| format!("{field}: <{field}>")));
            let _ = writeln!(text, "        set: {{{}}}", set.join(", "));
            if !draft.events.is_empty() {
                text.push_str("    samples:\n");
                text.push_str(&sample_item(6, lines[draft.sample].line, &draft.events));
            }
        }
        text
    }
}

/// What most lines call the thing: the word before its ids.
fn type_name(lines: &[Parsed<'_>], events: &[(Template, Place)]) -> String {
    let mut votes: BTreeMap<String, usize> = BTreeMap::new();
    let mut voters = 0;
    for (template, place) in events {
        let named = |line: &usize| name_at(&lines[*line], *place);
        let (first, last) = (&template.lines[0], &template.lines[template.lines.len() - 1]);
        let Some(name) = named(first) else { continue };
        voters += template.lines.len();
        if named(last).as_ref() == Some(&name) {
            *votes.entry(name).or_default() += template.lines.len();
        }
    }
    let best = votes.into_iter().max_by(|one, other| one.1.cmp(&other.1).then(other.0.cmp(&one.0)));
    best.filter(|(_, lines)| 2 * lines > voters)
        .map_or_else(|| "thing".to_owned(), |(name, _)| name.replace('_', "-"))
}

fn name_at(line: &Parsed<'_>, place: Place) -> Option<String> {
    let chunk = line.number_of(place.chunk);
    let token = place.token.and_then(|token| line.words.chunk(chunk).get(token));
    let start = token.map_or(line.words.span(chunk).start, |token| token.start);
    // A level or a logger before the message names nothing.
    let behind = if place.chunk < 0 { 0 } else { line.words.span(line.message).start };
    field_name(line, start, behind).or_else(|| token.and_then(prefix_of))
}

/// `blk` of `blk_1608`.
fn prefix_of(id: &Token<'_>) -> Option<String> {
    let id = (id.class == Class::Id).then_some(id.text)?;
    let end = id.find(|character: char| !character.is_ascii_alphabetic())?;
    (end >= 2).then(|| id[..end].to_ascii_lowercase())
}

fn unique(name: String, is_taken: impl Fn(&String) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or(name)
}

fn drafts(lines: &[Parsed<'_>], kind: &Kind, entity_type: &str) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    let id = capture_name(entity_type);
    let mut events: Vec<_> = kind.events.iter().collect();
    events.sort_by_key(|(template, _)| template.lines[0]);
    for (template, place) in events {
        let pattern = pattern_of(lines, template, *place, &id, kind.class);
        let is_plain = |line: &&usize| !lines[**line].line.chars().any(char::is_control);
        let Some(sample) = template.lines.iter().find(is_plain) else { continue };
        if drafts.iter().any(|draft| draft.pattern.text == pattern.text) {
            continue;
        }
        let name = unique(rule_name(&pattern.words, entity_type), |name| {
            drafts.iter().any(|draft| draft.name == *name)
        });
        drafts.push(Draft {
            name,
            pattern,
            goes_on: false,
            lines: template.lines.len(),
            sample: *sample,
            events: Vec::new(),
        });
    }
    drafts
}

/// The type as a capture may be called.
fn capture_name(entity_type: &str) -> String {
    entity_type.replace('-', "_")
}

/// A name of the words that tell what happened.
fn rule_name(words: &[String], entity_type: &str) -> String {
    const EMPTY: [&str; 16] = [
        "a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "the", "to", "was",
        "with", "has",
    ];
    let mut name: Vec<String> = Vec::new();
    for word in words {
        let word: String =
            word.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let word = word.trim_matches('-').to_ascii_lowercase();
        if !word.is_empty()
            && !EMPTY.contains(&&*word)
            && word != entity_type
            && name.len() < NAME_WORDS
        {
            name.push(word);
        }
    }
    if name.is_empty() { "seen".to_owned() } else { name.join("-") }
}

/// The text as `rules fmt` writes it.
fn usual_form(text: String) -> String {
    format(&text).unwrap_or(text)
}

/// A rule's name without its file.
fn short_name(rule: &str) -> &str {
    rule.rsplit_once('/').map_or(rule, |(_, name)| name)
}

/// What a rule file makes of lines.
#[derive(Default)]
struct Taken {
    lines: usize,
    /// Each with its events.
    entities: HashMap<String, usize>,
}

impl Taken {
    fn by(mut trial: Trial, lines: &[Parsed<'_>]) -> Taken {
        let mut taken = Taken::default();
        for line in lines {
            let (events, _) = trial.events(line.line.as_bytes());
            taken.lines += usize::from(!events.is_empty());
            let names: BTreeSet<&str> = events.iter().map(|event| event.entity.as_str()).collect();
            for name in names {
                *taken.entities.entry(name.to_owned()).or_default() += 1;
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use statetrail_rules::check;

    use super::*;

    #[test]
    fn structured_lines_are_matched_by_their_fields() {
        let lines: Vec<String> = (0..6)
            .flat_map(|number| {
                [
                    format!(r#"{{"ts":"x","msg":"order placed","order":{{"id":"o-{number}","total":5.5}}}}"#),
                    format!(r#"{{"ts":"x","msg":"parcel for o-{number} handed to <DHL>, 3 kg"}}"#),
                ]
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let suggested = suggest(&lines, "shop", 3);
        assert_eq!(suggested.len(), 1);
        assert_eq!((suggested[0].entities, suggested[0].lines, suggested[0].rules), (6, 12, 2));
        let text = &suggested[0].text;
        assert!(
            text.contains(
                "match: {json: {msg: order placed, order.id: <order>, order.total: <total>}}"
            ),
            "{text}"
        );
        assert!(text.contains("handed to <<DHL>, <"), "{text}");
    }

    /// Lines that differ in one word are alike; if it changes within a life, they are several events.
    #[test]
    fn words_that_change_within_a_life_are_events() {
        let forms: [fn(usize, &str) -> String; 3] = [
            |number, verb| format!("10:00:00 INFO The order A{number} has been {verb} by shop"),
            |number, verb| format!("state of order o-{number} changed to {verb}"),
            |number, verb| format!(r#"{{"msg":"order {verb}","orderId":"A{number}","amount":5}}"#),
        ];
        for form in forms {
            let lives = (1_000..1_020).flat_map(|number| {
                ["placed", "paid", "packed", "shipped"].map(|verb| form(number, verb))
            });
            let lines: Vec<String> = lives.collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let suggested = suggest(&lines, "shop", 3);
            let found = suggested.first().map(|it| (it.entities, it.lines, it.rules));
            assert_eq!(found, Some((20, 80, 4)), "{}", lines[0]);
        }
    }

    #[test]
    fn names_without_digits_are_ids_too() {
        let names = ["ann", "bob", "eve", "joe", "sue", "tom", "ute"];
        let lines: Vec<String> = names
            .iter()
            .flat_map(|name| {
                ["logs in", "asks for help", "logs out"].map(|what| format!("user {name} {what}"))
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let suggested = suggest(&lines, "shop", 3);
        let found = suggested.first().map(|it| (&*it.entity_type, it.entities, it.rules));
        assert_eq!(found, Some(("user", 7, 3)), "{suggested:#?}");
    }

    /// The days of a log come back in lines of every form.
    #[test]
    fn dates_are_no_ids() {
        let forms: [fn(usize, &str) -> String; 9] = [
            |day, what| format!("alternatives 2026-11-{day} 10:00:0{}: {what}", day % 10),
            |day, what| format!("202611{day} 10:00:00 INFO {what}"),
            |day, what| format!("{day}.11.2026 10:00:00 INFO {what}"),
            |day, what| format!("2026/11/{day} 10:00:00 INFO {what}"),
            |day, what| format!("Sun-{day}-November 10:00:00 INFO {what}"),
            |day, what| format!("10:00:00 INFO {what} since 2026-11-{day}T0{}:00:00Z", day % 10),
            |day, what| format!("10:00:00 INFO {what} of {day}.11.2026"),
            |day, what| format!("10:00:00 INFO {what} of 2026.11.{day}"),
            |day, what| format!("10:00:00 INFO {what} of 202611{day}"),
        ];
        for form in forms {
            let days = (10..20).flat_map(|day| {
                ["run with x", "link y updated", "z removed"].map(|what| form(day, what))
            });
            let lines: Vec<String> = days.collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let suggested = suggest(&lines, "shop", 3);
            assert!(suggested.is_empty(), "{}: {suggested:#?}", lines[0]);
        }
    }

    /// Eight digits that count something are ids, also where some of them could be days.
    #[test]
    fn numbers_that_are_not_all_days_are_ids() {
        let numbers = (20_261_120..20_261_140).flat_map(|number| {
            ["placed", "paid by card", "was sent"].map(|what| format!("order {number} {what}"))
        });
        let lines: Vec<String> = numbers.collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let suggested = suggest(&lines, "shop", 3);
        assert_eq!(suggested.first().map(|it| it.entities), Some(20), "{suggested:#?}");
    }

    #[test]
    fn several_files_work_together() {
        let lines: Vec<String> = (1000..1012)
            .flat_map(|number| {
                let (order, cart) = (number, number / 2);
                [
                    format!("cart c-{cart} becomes order o-{order}"),
                    format!("order o-{order} is paid"),
                    format!("cart c-{cart} is empty now"),
                ]
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let suggested = suggest(&lines, "shop", 3);
        assert_eq!(suggested.len(), 2, "{suggested:#?}");
        let texts: Vec<RuleText> = suggested
            .iter()
            .map(|it| RuleText { name: it.file.clone(), text: it.text.clone() })
            .collect();
        assert_eq!(check(&texts), []);
        let of = |file: &str| suggested.iter().find(|it| it.file == file).unwrap();
        assert!(of("cart.yaml").text.contains("continue: true"), "{suggested:#?}");
        assert!(!of("order.yaml").text.contains("continue: true"), "it is tried last");
    }

    proptest::proptest! {
        #[test]
        fn what_is_suggested_can_be_used(
            lines in proptest::collection::vec(
                "([0-9]{2}:[0-9]{2}:[0-9]{2} )?(INFO )?(\\[[a-z]{1,2}\\] )?[a-c\u{fc}'\"<>^$:= {}]{0,12}(id|o|\u{fc})[-_=:. ][0-9]{1,4}[ ,:a-c$^<'\u{e9}]{0,9}",
                0..30,
            ),
        ) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let suggested = suggest(&lines, "shop", 5);
            let texts: Vec<RuleText> = suggested
                .iter()
                .map(|it| RuleText { name: it.file.clone(), text: it.text.clone() })
                .collect();
            let errors: Vec<String> = check(&texts)
                .iter()
                .filter(|it| it.severity == statetrail_rules::Severity::Error)
                .map(ToString::to_string)
                .collect();
            proptest::prop_assert!(errors.is_empty(), "{}", errors.join("\n"));
        }
    }
}
