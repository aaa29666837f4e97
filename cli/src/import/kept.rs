//! The reading half of an import from another store: the lines that it kept, by other rules.
//!
//! A line stands in a store with each of its events. Those of all lines with the same time and
//! position follow each other in the timeline, so one moment's lines are gathered, each once, before
//! they are extracted: none is read twice, and no more is held than a page and a moment.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use statetrail_event::{Event, EventId, LineIdentity, SEQ_INDEX_BITS, Source, Time, seq_of};
use statetrail_rules::{Extractor, Line, Origin, RuleSet, ScopeId};
use statetrail_store::{
    EntityFilter, EventStore, KnownEvent, Place, StoreAddress, StoreError, TimelineQuery,
};

use super::batch::{Filling, LogPart};
use crate::waiting::block_on;

/// What stands for the format of lines that a store kept.
pub(super) const KEPT: &str = "store";
/// Events of a page: the first ones, and the least and the most, by what their lines take.
const PAGE_FIRST: usize = 500;
const PAGE_LEAST: usize = 50;
const PAGE_MOST: usize = 5_000;
/// Bytes of lines that a page shall have.
const PAGE_BYTES: usize = 8 << 20;
/// Sources that are remembered. Pods come and go, and those of the past do not come again.
const SOURCES_MAX: usize = 10_000;

/// A store whose lines are read.
pub struct KeptLines {
    /// The store.
    pub store: Box<dyn EventStore>,
    /// Where it is.
    pub address: StoreAddress,
    /// Only lines of this namespace.
    pub namespace: Option<String>,
}

/// Everything that the reading half needs.
pub(super) struct Reextraction {
    pub(super) lines: KeptLines,
    pub(super) rules: RuleSet,
    /// Lines from before that time are passed over.
    pub(super) since: Option<Time>,
    /// Set to end early, after the line under way.
    pub(super) stop: Arc<AtomicBool>,
}

impl Reextraction {
    /// Reads all lines, or as far as nobody wants it to stop.
    pub(super) fn run(self, filling: Filling<'_>) {
        let Reextraction { lines, rules, since, stop } = self;
        let part = LogPart { format: Some(KEPT), ..LogPart::default() };
        let extractor = Extractor::new();
        let (sources, moment) = (Sources::default(), Moment::default());
        let mut worker = Worker { stop, rules, filling, extractor, sources, moment, part };
        match worker.read(&lines, since) {
            Ok(()) => worker.part.ended = !worker.stopped(),
            Err(error) => worker.part.error = Some(error.to_string()),
        }
        worker.send();
    }
}

struct Worker<'a> {
    stop: Arc<AtomicBool>,
    rules: RuleSet,
    filling: Filling<'a>,
    extractor: Extractor,
    sources: Sources,
    moment: Moment,
    part: LogPart,
}

impl Worker<'_> {
    fn stopped(&self) -> bool {
        self.filling.abandoned || self.stop.load(Ordering::Relaxed)
    }

    /// Reads the store's timeline, page by page.
    fn read(&mut self, lines: &KeptLines, since: Option<Time>) -> Result<(), StoreError> {
        let mut query = TimelineQuery {
            from: since.unwrap_or(Time::MIN),
            entities: EntityFilter {
                namespace: lines.namespace.clone(),
                ..EntityFilter::default()
            },
            limit: PAGE_FIRST,
            ..TimelineQuery::default()
        };
        loop {
            let page = block_on(lines.store.timeline(&query))?;
            let is_last = page.len() < query.limit;
            query.after = page.last().map(|known| Place::of(&known.event));
            query.limit = next_page_length(&page);
            for known in page {
                if self.stopped() {
                    return Ok(());
                }
                self.take(known);
            }
            if is_last {
                self.end_moment();
                return Ok(());
            }
        }
    }

    /// Takes in the next event of the timeline.
    fn take(&mut self, known: KnownEvent) {
        let event = &known.event;
        let is_made = event.rule.is_some() && event.line.is_some();
        if !is_made || self.sources.of(&event.source, &mut self.rules).is_none() {
            self.part.passed_over += 1;
            return;
        }
        let place = (event.time, position(event));
        if self.moment.place != Some(place) {
            self.end_moment();
            self.moment.place = Some(place);
        }
        self.moment.take(known);
    }

    /// Gives the lines of a moment to the rules.
    fn end_moment(&mut self) {
        for KnownEvent { event, known_at } in self.moment.end() {
            if self.stopped() {
                return;
            }
            self.extract(&event, known_at);
            if self.filling.is_full() || self.filling.is_old() {
                self.send();
            }
        }
    }

    /// Gives the line of an event to the rules. Whoever knew the line could know what it says, so its
    /// events have been known as long as it has.
    fn extract(&mut self, event: &Event, known_at: Time) {
        let bytes = event.line.as_deref().unwrap_or_default().as_bytes();
        self.part.stored_bytes += bytes.len() as u64;
        let Some((origin, Some(scope))) = self.sources.of(&event.source, &mut self.rules) else {
            return self.part.counts.unmatched();
        };
        self.part.has_rules = true;
        let (time, position, offset) = (event.time, position(event), event.offset);
        let line = Line { bytes, time, position, offset };
        let events = &mut self.filling.events;
        let outcome = self.extractor.events(&self.rules, *scope, origin, &line, events);
        self.filling.known_since(known_at);
        self.filling.count(bytes.len(), &outcome, &mut self.part.counts);
    }

    fn send(&mut self) {
        self.filling.batch.parts.push(self.part.clone());
        self.filling.send(self.extractor.counts());
    }
}

/// The lines with one time and position, each with the event of it that became known first.
#[derive(Default)]
struct Moment {
    place: Option<(Time, u64)>,
    lines: Vec<KnownEvent>,
    /// Where each line stands in `lines`, by what makes it the same line.
    by_identity: HashMap<EventId, usize>,
}

impl Moment {
    fn take(&mut self, known: KnownEvent) {
        let KnownEvent { event, known_at } = &known;
        let source = LineIdentity::source_hash(&event.source.uri);
        let line = event.line.as_deref().unwrap_or_default();
        let line = LineIdentity::new(source, event.time, line.as_bytes());
        // The id of the line's first event, whether there is one or not, stands for the line.
        match self.by_identity.entry(line.event_id(seq_of(position(event), 0))) {
            Entry::Occupied(there) => {
                let first = &mut self.lines[*there.get()];
                if *known_at < first.known_at {
                    *first = known;
                }
            }
            Entry::Vacant(free) => {
                free.insert(self.lines.len());
                self.lines.push(known);
            }
        }
    }

    fn end(&mut self) -> Vec<KnownEvent> {
        self.by_identity.clear();
        std::mem::take(&mut self.lines)
    }
}

/// Where lines come from, and which rules apply there.
#[derive(Default)]
struct Sources(HashMap<Source, Option<(Origin, Option<ScopeId>)>>);

impl Sources {
    /// The origin of a source's lines, and what applies to them; `None` if it is no log.
    fn of(&mut self, source: &Source, rules: &mut RuleSet) -> Option<&(Origin, Option<ScopeId>)> {
        if !self.0.contains_key(source) {
            if self.0.len() >= SOURCES_MAX {
                self.0.clear();
            }
            let origin = Origin::of_source(source).map(|origin| {
                let scope = rules.scope_of_origin(&origin);
                (origin, scope)
            });
            self.0.insert(source.clone(), origin);
        }
        self.0.get(source)?.as_ref()
    }
}

/// The place of an event's line among those of its source with the same time.
fn position(event: &Event) -> u64 {
    event.seq >> SEQ_INDEX_BITS
}

/// How many events the next page shall have, if their lines are as long as those of this one.
fn next_page_length(page: &[KnownEvent]) -> usize {
    let line = |known: &KnownEvent| known.event.line.as_ref().map_or(0, String::len);
    let bytes: usize = page.iter().map(line).sum();
    (page.len() * PAGE_BYTES / bytes.max(1)).clamp(PAGE_LEAST, PAGE_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str, seq: u64, known_at: i64) -> KnownEvent {
        let event = Event {
            id: EventId::default(),
            entity: "shop/order/o-1".parse().unwrap(),
            name: "paid".to_owned(),
            time: Time::from_nanos(5),
            seq,
            changes: Vec::new(),
            source: Arc::new(Source { uri: "/shop".to_owned(), ..Source::default() }),
            offset: None,
            rule: Some("shop.yaml/paid".into()),
            line: Some(line.to_owned()),
        };
        KnownEvent { event, known_at: Time::from_nanos(known_at) }
    }

    #[test]
    fn a_line_of_several_events_is_known_since_the_first_of_them() {
        let mut moment = Moment::default();
        for (line, index, known_at) in [("a", 0, 7), ("b", 0, 9), ("a", 1, 6), ("a", 2, 8)] {
            moment.take(event(line, 256 + index, known_at));
        }
        let lines: Vec<_> =
            moment.end().into_iter().map(|it| (it.event.line, it.known_at)).collect();
        let line = |text: &str, known_at| (Some(text.to_owned()), Time::from_nanos(known_at));
        assert_eq!(lines, [line("a", 6), line("b", 9)]);
        assert!(moment.end().is_empty());
    }

    #[test]
    fn pages_are_shorter_where_lines_are_longer() {
        let page = |bytes: usize| vec![event(&"x".repeat(bytes), 0, 0); 10];
        let lengths = [0, 200, 80_000, 1 << 20].map(|bytes| next_page_length(&page(bytes)));
        assert_eq!(lengths, [PAGE_MOST, PAGE_MOST, 104, PAGE_LEAST]);
        assert_eq!(next_page_length(&[]), PAGE_LEAST);
    }
}
