//! How the states or events of entities really followed each other.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use statetrail_event::{EntityName, State, Time};
use statetrail_store::{EventStore, Kind, KnownEvent, Order, TimelineQuery, TrailQuery};

use crate::QueryError;

/// Entities whose trails are read: those to which something happened last.
const SAMPLED_ENTITIES: usize = 500;
/// Events that are looked at to find them.
const SAMPLED_EVENTS: usize = 20_000;
/// The newest events of a trail that count.
const TRAIL_EVENTS: usize = 1_000;
/// Entities that are named for a step.
const NAMED: usize = 100;
/// Values or event names that are told apart: nobody could read more, and there may be as many steps
/// as their square.
const PLACES_MAX: usize = 200;
/// Trails that are read side by side.
const AT_ONCE: usize = 16;

/// What the steps of a lifecycle lead from and to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The values of this field.
    Field(String),
    /// The names of events.
    Event,
}

impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            By::Field(field) => write!(f, "the field {field:?}"),
            By::Event => f.write_str("events"),
        }
    }
}

/// What entities of one kind went through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lifecycle {
    /// How many entities were looked at.
    pub entities: usize,
    /// Whether there are others, to which nothing happened as lately.
    pub is_sample: bool,
    /// The values or event names, in the order of their names.
    pub places: Vec<Place>,
    /// The steps between them.
    pub steps: Vec<LifecycleStep>,
}

/// A value of the field, or an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The value or the event's name.
    pub name: String,
    /// How often entities came here.
    pub entered: u64,
    /// How often they went on from here.
    pub left: u64,
    /// How long they stayed before they went on, half of them shorter, in nanoseconds.
    pub median_stay: Option<i64>,
    /// The same, 19 of 20 of them shorter.
    pub long_stay: Option<i64>,
}

/// A step that entities took.
#[derive(Clone, Debug, PartialEq)]
pub struct LifecycleStep {
    /// Where from; `None` if it was the first that is known of them.
    pub from: Option<String>,
    /// Where to.
    pub to: String,
    /// How often.
    pub count: u64,
    /// How long it took, half of them shorter, in nanoseconds; `None` of first steps.
    pub median: Option<i64>,
    /// Entities that went that way; the first ones that were found if there are many.
    pub entities: Vec<EntityName>,
}

/// Reads what the entities of a kind went through, up to a moment.
///
/// # Errors
/// When the store does not answer; [`QueryError::TooManyPlaces`] when it goes by what has hundreds of
/// values, such as an amount.
pub async fn lifecycle(
    store: &dyn EventStore,
    kind: &Kind,
    by: &By,
    until: Time,
) -> Result<Lifecycle, QueryError> {
    let (names, is_sample) = lately_changed(store, kind, until).await?;
    let trails = stream::iter(&names).map(|name| newest_events(store, name, until));
    let mut trails = trails.buffered(AT_ONCE);
    let mut walks = Walks::default();
    // One after the other, so that no more than a few trails are held.
    for name in &names {
        if let Some(trail) = trails.try_next().await? {
            walks.add(name, &places_of(&trail, by));
            if walks.entered.len() > PLACES_MAX {
                return Err(QueryError::TooManyPlaces { by: by.clone(), most: PLACES_MAX });
            }
        }
    }
    Ok(Lifecycle { entities: names.len(), is_sample, ..walks.into_lifecycle() })
}

/// The entities of a kind to which something happened last, the newest first, and whether there
/// may be more.
async fn lately_changed(
    store: &dyn EventStore,
    kind: &Kind,
    until: Time,
) -> Result<(Vec<EntityName>, bool), QueryError> {
    const PAGE: usize = 2_000;
    let mut query = TimelineQuery {
        to: until,
        entities: kind.into(),
        order: Order::NewestFirst,
        limit: PAGE,
        ..TimelineQuery::default()
    };
    let (mut names, mut known) = (Vec::new(), std::collections::HashSet::new());
    let mut looked_at = 0;
    loop {
        let page = store.timeline(&query).await?;
        for event in page.iter().map(|known| &known.event) {
            if !known.insert(event.entity.clone()) {
                continue;
            }
            if names.len() == SAMPLED_ENTITIES {
                return Ok((names, true));
            }
            names.push(event.entity.clone());
        }
        looked_at += page.len();
        query.after = page.last().map(|known| statetrail_store::Place::of(&known.event));
        if page.len() < PAGE {
            return Ok((names, false));
        }
        if looked_at >= SAMPLED_EVENTS {
            return Ok((names, true));
        }
    }
}

/// The newest events of a trail, oldest first.
async fn newest_events(
    store: &dyn EventStore,
    name: &EntityName,
    until: Time,
) -> Result<Vec<KnownEvent>, QueryError> {
    let query = TrailQuery {
        to: std::ops::Bound::Included(statetrail_event::OrderKey::end_of(until)),
        order: Order::NewestFirst,
        limit: TRAIL_EVENTS,
        ..TrailQuery::default()
    };
    let mut events = store.trail(name, &query).await?;
    events.reverse();
    Ok(events)
}

/// Where a trail came by, and when. Of a value that is set again, only the first time counts.
fn places_of(trail: &[KnownEvent], by: &By) -> Vec<(String, Time)> {
    let mut places: Vec<(String, Time)> = Vec::new();
    let mut state = State::new();
    for event in trail.iter().map(|known| &known.event) {
        let place = match by {
            By::Event => Some(event.name.clone()),
            By::Field(field) => {
                state.apply(event.key(), &event.changes);
                state.get(field).map(ToString::to_string)
            }
        };
        let is_new = *by == By::Event || places.last().map(|(name, _)| name) != place.as_ref();
        if let Some(place) = place.filter(|_| is_new) {
            places.push((place, event.time));
        }
    }
    places
}

/// What is known of the walks of many entities.
#[derive(Default)]
struct Walks {
    entered: BTreeMap<String, u64>,
    steps: BTreeMap<(Option<String>, String), Taken>,
}

#[derive(Default)]
struct Taken {
    count: u64,
    durations: Vec<i64>,
    entities: Vec<EntityName>,
}

impl Walks {
    fn add(&mut self, name: &EntityName, places: &[(String, Time)]) {
        let mut before: Option<&(String, Time)> = None;
        for place in places {
            *self.entered.entry(place.0.clone()).or_default() += 1;
            let from = before.map(|(name, _)| name.clone());
            let taken = self.steps.entry((from, place.0.clone())).or_default();
            taken.count += 1;
            taken
                .durations
                .extend(before.map(|(_, since)| place.1.nanos().saturating_sub(since.nanos())));
            if taken.entities.len() < NAMED && taken.entities.last() != Some(name) {
                taken.entities.push(name.clone());
            }
            before = Some(place);
        }
    }

    fn into_lifecycle(self) -> Lifecycle {
        let Walks { entered, steps } = self;
        let mut stays: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for ((from, _), taken) in &steps {
            if let Some(from) = from {
                stays.entry(from).or_default().extend(&taken.durations);
            }
        }
        let places = entered.iter().map(|(name, entered)| {
            let mut stays = stays.remove(name.as_str()).unwrap_or_default();
            stays.sort_unstable();
            Place {
                name: name.clone(),
                entered: *entered,
                left: stays.len() as u64,
                median_stay: portion_of(&stays, 50),
                long_stay: portion_of(&stays, 95),
            }
        });
        let places = places.collect();
        let steps = steps.into_iter().map(|((from, to), mut taken)| {
            taken.durations.sort_unstable();
            let median = portion_of(&taken.durations, 50);
            LifecycleStep { from, to, count: taken.count, median, entities: taken.entities }
        });
        Lifecycle { places, steps: steps.collect(), ..Lifecycle::default() }
    }
}

/// The number that so many in a hundred of them do not exceed.
fn portion_of(sorted: &[i64], percent: usize) -> Option<i64> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}
