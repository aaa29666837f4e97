//! The trait that every store implements, and the words of its questions and answers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use async_trait::async_trait;
use statetrail_event::{EntityName, Event, MAX_ID_BYTES, OrderKey, State, Time, Value, ValueRef};

use crate::{ArrivalCursor, Arrivals, StoreError};

/// Keeps events for good and answers what happened.
///
/// What every store promises:
/// - An event is the same event whenever entity and [`OrderKey`] are the same. Writing it again
///   changes nothing, neither counts nor answers (invariant I3). Of several copies the earliest
///   known-at counts, so that no answer depends on the order in which copies arrive.
/// - The order in which events arrive and how they are batched change no answer (I1), and
///   neither do the shortcuts that a store keeps for long trails (I5).
/// - When [`append`](EventStore::append) returns, its events survive the death of the process
///   and every later question sees them. When it fails, some of them may be stored; appending
///   the same batch again is always right.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Stores a batch of events, in any order, of any entities.
    ///
    /// # Errors
    /// See [`StoreError`]; the batch may be appended again.
    async fn append(&self, batch: &[KnownEvent]) -> Result<Appended, StoreError>;

    /// The same without saying what was new, for whoever does not ask: a store that has to look
    /// for that spares itself the look.
    ///
    /// # Errors
    /// As [`append`](EventStore::append).
    async fn write(&self, batch: &[KnownEvent]) -> Result<(), StoreError> {
        self.append(batch).await.map(|_| ())
    }

    /// Does what makes later answers faster and can wait until after a write. Whoever writes for
    /// long calls it now and then; answers are right without it.
    ///
    /// # Errors
    /// When the store cannot be read or written; what was left undone is done later.
    async fn tend(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What writing came to so far. A store that sends no requests tells nothing.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    /// What is known of one entity, or `None` if it has no event.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn entity(&self, name: &EntityName) -> Result<Option<Entity>, StoreError>;

    /// The entities that pass the filter, in the order of their names, from the first one after
    /// `after`; at most `limit`, fewer only at the end.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn entities(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
    ) -> Result<Vec<Entity>, StoreError>;

    /// The same of those entities only whose current state may have a value in `field` with this
    /// [`equal_text`](statetrail_event::Value::equal_text): none that has one is missing, and
    /// others may be among them. `None` if the store knows no faster way to them than looking at
    /// every entity.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn entities_with(
        &self,
        _field: &str,
        _text: &str,
        _filter: &EntityFilter,
        _after: Option<&EntityName>,
        _limit: usize,
    ) -> Result<Option<Vec<Entity>>, StoreError> {
        Ok(None)
    }

    /// As [`entities`](EventStore::entities), but only those that pass the test; at most `limit`
    /// of them. A store may run the test before it has read all of an entity, so that those that
    /// do not pass cost little.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn entities_passing(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
        test: &EntityTest<'_>,
    ) -> Result<Vec<Entity>, StoreError> {
        let mut after = after.cloned();
        let mut found = Vec::new();
        while found.len() < limit {
            let mut page = self.entities(filter, after.as_ref(), TESTED_TOGETHER).await?;
            let is_last = page.len() < TESTED_TOGETHER;
            after = page.last().map(|entity| entity.name.clone());
            page.retain(|entity| entity.passes(test));
            found.append(&mut page);
            if is_last {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The names of entities of which only a part is known, in the order of names, at most
    /// `limit`; those of these namespaces alone, or of all if there are none. A store looks at
    /// nothing of other namespaces.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn names(
        &self,
        part: &NamePart<'_>,
        namespaces: Option<&BTreeSet<String>>,
        limit: usize,
    ) -> Result<Vec<EntityName>, StoreError>;

    /// A stretch of an entity's trail; empty if there is no such entity.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn trail(
        &self,
        name: &EntityName,
        query: &TrailQuery,
    ) -> Result<Vec<KnownEvent>, StoreError>;

    /// The state of an entity by its events up to and including the key `at`, or `None` if
    /// there are none. With `as_known_at`, only the events that were known by then count.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn state_at(
        &self,
        name: &EntityName,
        at: OrderKey,
        as_known_at: Option<Time>,
    ) -> Result<Option<State>, StoreError>;

    /// Events of all entities by time.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn timeline(&self, query: &TimelineQuery) -> Result<Vec<KnownEvent>, StoreError>;

    /// Every kind of entity of which there is one, in the order of their names.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn kinds(&self) -> Result<Vec<Kind>, StoreError> {
        let (mut kinds, mut after) = (Vec::new(), None);
        while let Some(entity) =
            self.entities(&EntityFilter::default(), after.as_ref(), 1).await?.pop()
        {
            let kind = Kind::of(&entity.name);
            after = kind.last_name();
            kinds.push(kind);
            if after.is_none() {
                break;
            }
        }
        Ok(kinds)
    }

    /// How many events happened in each stretch of `step` nanoseconds, by entity type and event
    /// name, in the order of time. No more is counted than the budget allows, from the end that the
    /// query's order begins with; its limit and place do not count.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn tally(
        &self,
        query: &TimelineQuery,
        step: i64,
        budget: TallyBudget,
    ) -> Result<Tally, StoreError> {
        tally_by_pages(self, query, step, budget).await
    }

    /// The place behind everything that has arrived by now.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn arrivals_end(&self) -> Result<ArrivalCursor, StoreError>;

    /// The next events that arrived after a place, in the order in which they arrived: by batches,
    /// whatever their times are, and those of a batch in an order that never changes. At most
    /// `limit`; fewer may come although there are more, none only if there are no more yet.
    ///
    /// Whoever goes on from [`Arrivals::next`] or from the cursor of an event gets every event
    /// that was stored after that place, and no event twice: a copy of an event that is there does
    /// not arrive. A store that does not look for copies when it is [written](EventStore::write)
    /// to says beside its own type which copies it may take for new ones.
    ///
    /// # Errors
    /// When the store cannot be read; [`StoreError::OtherCursor`] when the place is none of this
    /// store; [`StoreError::ArrivalsForgotten`] when so much time has passed that the store does
    /// not know any more what arrived since, and [`StoreError::ArrivalsLost`] when its servers have
    /// lost a part of it: never is anything left out silently.
    async fn arrivals(&self, after: &ArrivalCursor, limit: usize) -> Result<Arrivals, StoreError>;

    /// How much the store holds.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn counts(&self) -> Result<Counts, StoreError>;
}

/// Entities that a store without a way of its own tests together.
const TESTED_TOGETHER: usize = 500;
/// Events that a store without a way of its own counts together.
const COUNTED_TOGETHER: usize = 1_000;

/// An event and when it became known.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownEvent {
    /// The event.
    pub event: Event,
    /// When it was accepted for storing.
    pub known_at: Time,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Events that were stored.
    pub new: u64,
    /// Events that changed nothing: they were there already, copies within the batch included,
    /// or are older than the store keeps events.
    pub repeated: u64,
}

/// What came of writing since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Rows that were written, of all tables.
    pub rows: u64,
    /// Requests that took them there.
    pub requests: u64,
    /// Events that were older than the store keeps them, and so were not stored.
    pub too_old: u64,
}

/// What is known of an entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Its name.
    pub name: EntityName,
    /// Its state by all its events.
    pub state: State,
    /// The time of its first event.
    pub first: Time,
    /// The time of its last event.
    pub last: Time,
    /// None of its events became known after this moment.
    pub known_by: Time,
}

/// What decides whether an entity is wanted.
pub type EntityTest<'a> = dyn Fn(&EntityView<'_>) -> bool + Sync + 'a;

/// An [`Entity`] of which each field is read when it is asked for.
pub struct EntityView<'a> {
    /// See [`Entity::first`].
    pub first: Time,
    /// See [`Entity::last`].
    pub last: Time,
    /// See [`Entity::known_by`].
    pub known_by: Time,
    /// The value of a field, or `None` if it has none.
    pub value: &'a dyn Fn(&str) -> Option<ValueRef<'a>>,
}

impl Entity {
    fn passes(&self, test: &EntityTest<'_>) -> bool {
        let value = |field: &str| self.state.get(field).map(Value::as_ref);
        let Entity { first, last, known_by, .. } = *self;
        test(&EntityView { first, last, known_by, value: &value })
    }
}

/// Which entities are meant; a part that is `None` lets every entity pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntityFilter {
    /// The whole namespace.
    pub namespace: Option<String>,
    /// The whole type.
    pub entity_type: Option<String>,
    /// How the id begins.
    pub id_prefix: Option<String>,
}

/// The part of an entity's name that a person typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamePart<'a> {
    /// The whole id, in any namespace and type.
    Id(&'a str),
    /// The whole type and the whole id, in any namespace.
    Subject {
        /// The type.
        entity_type: &'a str,
        /// The id.
        id: &'a str,
    },
    /// The beginning of the id, in any namespace and type.
    IdPrefix(&'a str),
    /// Any part of the full name. A store may have to look at every entity.
    Anywhere(&'a str),
}

/// Every entity of a kind.
impl From<&Kind> for EntityFilter {
    fn from(kind: &Kind) -> EntityFilter {
        EntityFilter {
            namespace: Some(kind.namespace.clone()),
            entity_type: Some(kind.entity_type.clone()),
            id_prefix: None,
        }
    }
}

/// A type of entity in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// The namespace.
    pub namespace: String,
    /// The type.
    pub entity_type: String,
}

impl Kind {
    /// The kind of an entity.
    pub fn of(name: &EntityName) -> Kind {
        let (namespace, entity_type) = (name.namespace(), name.entity_type());
        Kind { namespace: namespace.to_owned(), entity_type: entity_type.to_owned() }
    }

    /// A name that no entity of this kind comes after; `None` if the kind is none that a name
    /// can have.
    fn last_name(&self) -> Option<EntityName> {
        let id = char::MAX.to_string();
        let id = id.repeat(MAX_ID_BYTES / id.len());
        EntityName::new(&self.namespace, &self.entity_type, &id).ok()
    }
}

/// Counts events by reading them, page by page.
pub(crate) async fn tally_by_pages(
    store: &(impl EventStore + ?Sized),
    query: &TimelineQuery,
    step: i64,
    budget: TallyBudget,
) -> Result<Tally, StoreError> {
    // One more than is counted tells whether there are more.
    let limit = usize::try_from(budget.events.saturating_add(1)).unwrap_or(usize::MAX);
    let limit = limit.min(COUNTED_TOGETHER);
    let mut query = TimelineQuery { after: None, limit, ..query.clone() };
    let mut counter = TallyCounter::new(step, budget);
    loop {
        let page = store.timeline(&query).await?;
        for event in page.iter().map(|known| &known.event) {
            if !counter.add(event.time, event.entity.entity_type(), &event.name, 1) {
                return Ok(counter.finish());
            }
        }
        if page.len() < limit {
            return Ok(counter.finish());
        }
        query.after = page.last().map(|known| Place::of(&known.event));
    }
}

/// How much is counted at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyBudget {
    /// Events.
    pub events: u64,
    /// Stretches of time in which there are events.
    pub stretches: usize,
}

impl TallyBudget {
    /// Everything.
    pub const ALL: TallyBudget = TallyBudget { events: u64::MAX, stretches: usize::MAX };
}

/// Counts events into a [`Tally`].
pub(crate) struct TallyCounter {
    step: i64,
    budget: TallyBudget,
    counted: u64,
    starts: BTreeSet<i64>,
    /// By start, type and name.
    counts: BTreeMap<(i64, String, String), u64>,
    is_cut: bool,
    is_too_fine: bool,
}

impl TallyCounter {
    pub(crate) fn new(step: i64, budget: TallyBudget) -> TallyCounter {
        TallyCounter {
            step: step.max(1),
            budget,
            counted: 0,
            starts: BTreeSet::new(),
            counts: BTreeMap::new(),
            is_cut: false,
            is_too_fine: false,
        }
    }

    /// Counts events, or says that the budget does not allow it: there is nothing more to count.
    pub(crate) fn add(&mut self, time: Time, entity_type: &str, name: &str, events: u64) -> bool {
        self.is_cut |= self.counted >= self.budget.events;
        let start = time.nanos().div_euclid(self.step).saturating_mul(self.step);
        let is_new = !self.starts.contains(&start);
        self.is_too_fine |= is_new && self.starts.len() >= self.budget.stretches;
        if self.is_cut || self.is_too_fine {
            return false;
        }
        if is_new {
            self.starts.insert(start);
        }
        let key = (start, entity_type.to_owned(), name.to_owned());
        *self.counts.entry(key).or_default() += events;
        self.counted += events;
        true
    }

    pub(crate) fn finish(self) -> Tally {
        let counts = self.counts.into_iter().map(|((start, entity_type, name), events)| {
            TallyCount { start: Time::from_nanos(start), entity_type, name, events }
        });
        Tally { counts: counts.collect(), is_cut: self.is_cut, is_too_fine: self.is_too_fine }
    }
}

/// Events counted over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The counts that are not 0, in the order of time, then type, then name.
    pub counts: Vec<TallyCount>,
    /// Whether there are more events than the budget has.
    pub is_cut: bool,
    /// Whether there are events in more stretches than the budget has. Counting ended there.
    pub is_too_fine: bool,
}

impl Tally {
    /// How many events were counted.
    pub fn events(&self) -> u64 {
        self.counts.iter().map(|count| count.events).sum()
    }

    /// Takes in what was counted of other events, as long as there are no more than so many
    /// stretches in all.
    pub fn add(&mut self, other: Tally, stretches: usize) {
        // Starts of stretches stay what they are.
        let mut counter = TallyCounter::new(1, TallyBudget { stretches, ..TallyBudget::ALL });
        for count in self.counts.iter().chain(&other.counts) {
            if !counter.add(count.start, &count.entity_type, &count.name, count.events) {
                break;
            }
        }
        let all = counter.finish();
        self.counts = all.counts;
        self.is_cut |= other.is_cut;
        self.is_too_fine |= other.is_too_fine || all.is_too_fine;
    }
}

/// How many events of one name happened to entities of one type in one stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyCount {
    /// The start of the stretch, a multiple of its length.
    pub start: Time,
    /// The type of the entities.
    pub entity_type: String,
    /// The name of the events.
    pub name: String,
    /// How many.
    pub events: u64,
}

/// Which way to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// In the order of time.
    #[default]
    OldestFirst,
    /// Against it.
    NewestFirst,
}

/// Which part of a trail to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailQuery {
    /// The lower end.
    pub from: Bound<OrderKey>,
    /// The upper end.
    pub to: Bound<OrderKey>,
    /// Leave out what became known after this moment.
    pub as_known_at: Option<Time>,
    /// From which end to read.
    pub order: Order,
    /// At most so many events; fewer come only at the end.
    pub limit: usize,
}

/// The whole trail, oldest first, in one answer.
impl Default for TrailQuery {
    fn default() -> TrailQuery {
        TrailQuery {
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            as_known_at: None,
            order: Order::OldestFirst,
            limit: usize::MAX,
        }
    }
}

/// Which events of all entities to read. They come in the order of their keys, those with the same
/// key in that of their namespaces, and within a namespace in an order that never changes: so the
/// timelines of namespaces can be merged, and each goes on behind a [`Place`] in any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineQuery {
    /// The first moment.
    pub from: Time,
    /// The last moment, inclusive.
    pub to: Time,
    /// Only entities of this namespace and type, with this beginning of the id.
    pub entities: EntityFilter,
    /// Only events with this name.
    pub name: Option<String>,
    /// Only events whose line holds this text, upper and lower case told apart.
    pub text: Option<String>,
    /// Leave out what became known after this moment.
    pub as_known_at: Option<Time>,
    /// From which end to read.
    pub order: Order,
    /// Go on after this event of an earlier page (before it, newest first).
    pub after: Option<Place>,
    /// At most so many events; fewer come only at the end.
    pub limit: usize,
}

/// The whole timeline, oldest first, in one answer.
impl Default for TimelineQuery {
    fn default() -> TimelineQuery {
        TimelineQuery {
            from: Time::MIN,
            to: Time::MAX,
            entities: EntityFilter::default(),
            name: None,
            text: None,
            as_known_at: None,
            order: Order::OldestFirst,
            after: None,
            limit: usize::MAX,
        }
    }
}

/// The place of an event in the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The event's key.
    pub key: OrderKey,
    /// The event's entity.
    pub entity: EntityName,
}

impl Place {
    /// The place of that event.
    pub fn of(event: &Event) -> Place {
        Place { key: event.key(), entity: event.entity.clone() }
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entities with at least one event.
    pub entities: u64,
    /// Events.
    pub events: u64,
}
