//! What was produced, and what has to be in the store because of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use statetrail_event::{EntityName, Event, OrderKey, State, Time};
use statetrail_store::{Counts, Entity, KnownEvent};

use super::{Contents, Topic, events, message};

/// Every event that was produced, once, with the time of its earliest message.
#[derive(Default)]
pub(crate) struct Produced {
    trails: BTreeMap<EntityName, BTreeMap<OrderKey, KnownEvent>>,
}

impl Produced {
    /// Sends these events in one message with that timestamp.
    pub(crate) fn send(
        &mut self,
        topic: &Topic,
        key: Option<&[u8]>,
        events: &[Event],
        millis: i64,
    ) {
        topic.send_at(Some(millis), key, Some(&message(events)), &[]);
        let known_at = Time::from_nanos(millis * 1_000_000);
        for event in events {
            let trail = self.trails.entry(event.entity.clone()).or_default();
            let known = KnownEvent { event: event.clone(), known_at };
            let known = trail.entry(event.key()).or_insert(known);
            known.known_at = known.known_at.min(known_at);
        }
    }

    /// And what was produced by another load, of other events.
    pub(crate) fn add(&mut self, other: Produced) {
        for (name, trail) in other.trails {
            self.trails.entry(name).or_default().extend(trail);
        }
    }

    /// What a store has to hold then, worked out without one.
    pub(crate) fn contents(&self) -> Contents {
        let trails: Vec<Vec<KnownEvent>> =
            self.trails.values().map(|trail| trail.values().cloned().collect()).collect();
        let mut timeline: Vec<KnownEvent> = trails.iter().flatten().cloned().collect();
        timeline.sort_by_key(|known| known.event.key());
        let answers = Contents::questions(&trails).into_iter().map(|(trail, at, as_known_at)| {
            let counts = |known: &&KnownEvent| {
                known.event.key() <= at && as_known_at.is_none_or(|moment| known.known_at <= moment)
            };
            fold(trails[trail].iter().filter(counts))
        });
        let states = answers.collect();
        let entities = self.trails.iter().map(|(name, trail)| entity(name, trail)).collect();
        let counts = Counts { entities: trails.len() as u64, events: timeline.len() as u64 };
        Contents { counts, entities, trails, timeline, states }
    }
}

fn entity(name: &EntityName, trail: &BTreeMap<OrderKey, KnownEvent>) -> Entity {
    let times = || trail.keys().map(|key| key.time);
    Entity {
        name: name.clone(),
        // Against the order of time: the fold does not depend on it.
        state: fold(trail.values().rev()).unwrap(),
        first: times().min().unwrap(),
        last: times().max().unwrap(),
        known_by: trail.values().map(|known| known.known_at).max().unwrap(),
    }
}

fn fold<'a>(events: impl Iterator<Item = &'a KnownEvent>) -> Option<State> {
    let mut state = None;
    for KnownEvent { event, .. } in events {
        state.get_or_insert_with(State::new).apply(event.key(), &event.changes);
    }
    state
}

/// A moment within the hour before the test for each number, later ones among earlier ones.
pub(crate) fn known_millis(number: u64) -> i64 {
    static AN_HOUR_AGO: LazyLock<i64> = LazyLock::new(|| {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        (now - Duration::from_secs(3600)).as_millis() as i64
    });
    *AN_HOUR_AGO + (number * 7919 % 3_000_000) as i64
}

/// Produces the events with these numbers at a steady pace; one message in ten has three of them.
pub(crate) fn load(topic: &Topic, numbers: Range<u64>, events_a_second: u32) -> Produced {
    let mut produced = Produced::default();
    let begun = Instant::now();
    let mut next = numbers.start;
    while next < numbers.end {
        let size = if next.is_multiple_of(12) { 3 } else { 1 };
        let end = numbers.end.min(next + size);
        let together = events(next..end);
        let key = together[0].entity.as_str().as_bytes();
        produced.send(topic, Some(key), &together, known_millis(next));
        let due = Duration::from_secs(end - numbers.start) / events_a_second;
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        next = end;
    }
    topic.flush();
    produced
}
