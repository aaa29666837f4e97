//! Events of all entities by time.
//!
//! The table `timeline` leads from moments to events; what it cannot tell of an event is read
//! from `events`, for a page of candidates at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use scylla::response::query_result::QueryRowsResult;
use statetrail_event::{EntityName, OrderKey, Time};

use super::connect::Failure;
use super::merge::Merge;
use super::registered::SPAN;
use super::rows::{EventColumns, read_event, read_key, read_name, signed};
use super::{CassandraStore, at_once};
use crate::store::TallyCounter;
use crate::{KnownEvent, Order, Tally, TallyBudget, TimelineQuery};

/// Events that are read together, of one partition or several.
const CANDIDATES: usize = 500;
/// Events of a request, all of one partition.
const KEYS_A_REQUEST: usize = 100;

/// A row of `timeline`; ordered as the timeline is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    key: OrderKey,
    namespace: String,
    subject: String,
    name: String,
}

/// The values of a slice of the timeline.
type SliceValues<'v> = (i32, i64, &'v str, i64, i64, &'v [u8], i64, i64, &'v [u8]);

fn read_places(page: &QueryRowsResult) -> Result<Vec<Place>, Failure> {
    let mut places = Vec::with_capacity(page.rows_num());
    for row in page.rows::<(i64, i64, &[u8], &str, &str, &str)>()? {
        let (time, seq, id, namespace, subject, name) = row?;
        places.push(Place {
            key: read_key(time, seq, id)?,
            namespace: namespace.to_owned(),
            subject: subject.to_owned(),
            name: name.to_owned(),
        });
    }
    Ok(places)
}

fn read_places_reversed(page: &QueryRowsResult) -> Result<Vec<Reverse<Place>>, Failure> {
    Ok(read_places(page)?.into_iter().map(Reverse).collect())
}

/// One span, merged in either direction.
enum Places<'s, 'v> {
    OldestFirst(Merge<'s, SliceValues<'v>, Place>),
    NewestFirst(Merge<'s, SliceValues<'v>, Reverse<Place>>),
}

impl Places<'_, '_> {
    async fn next(&mut self) -> Result<Option<Place>, Failure> {
        match self {
            Places::OldestFirst(merge) => merge.next().await,
            Places::NewestFirst(merge) => Ok(merge.next().await?.map(|Reverse(place)| place)),
        }
    }
}

impl CassandraStore {
    /// See [`EventStore::timeline`](crate::EventStore::timeline).
    pub(super) async fn read_timeline(
        &self,
        query: &TimelineQuery,
    ) -> Result<Vec<KnownEvent>, Failure> {
        let mut found = Vec::new();
        let (mut from, mut to) = (OrderKey::start_of(query.from), OrderKey::end_of(query.to));
        if let Some(after) = &query.after {
            match query.order {
                Order::OldestFirst => from = from.max(after.key),
                Order::NewestFirst => to = to.min(after.key),
            }
        }
        if from > to || query.limit == 0 {
            return Ok(found);
        }
        let namespaces = self.namespaces_of(query).await?;
        let spans = self.spans(query.order, from.time, to.time).await?;
        for span in spans {
            let mut places = self.places(query, span, &namespaces, (&from, &to)).await?;
            while self.next_candidates(query, &mut places, &mut found).await? {}
            if found.len() >= query.limit {
                break;
            }
        }
        found.truncate(query.limit);
        Ok(found)
    }

    /// See [`EventStore::tally`](crate::EventStore::tally), for what the timeline tells alone.
    pub(super) async fn tally_places(
        &self,
        query: &TimelineQuery,
        step: i64,
        budget: TallyBudget,
    ) -> Result<Tally, Failure> {
        let query = TimelineQuery { after: None, limit: CANDIDATES, ..query.clone() };
        let (from, to) = (OrderKey::start_of(query.from), OrderKey::end_of(query.to));
        let namespaces = self.namespaces_of(&query).await?;
        let spans = self.spans(query.order, from.time, to.time).await?;
        let mut counter = TallyCounter::new(step, budget);
        for span in spans {
            let mut places = self.places(&query, span, &namespaces, (&from, &to)).await?;
            while let Some(place) = places.next().await? {
                if !is_candidate(&query, &place) || !self.is_kept(&place) {
                    continue;
                }
                let (entity_type, _) = place.subject.split_once('/').unwrap_or(("", ""));
                if !counter.add(place.key.time, entity_type, &place.name, 1) {
                    return Ok(counter.finish());
                }
            }
        }
        Ok(counter.finish())
    }

    /// The spans between two moments, in that order.
    async fn spans(&self, order: Order, from: Time, to: Time) -> Result<Vec<i64>, Failure> {
        let layout = &self.settings().layout;
        let mut spans = self.periods(SPAN, layout.span(from), layout.span(to)).await?;
        if order == Order::NewestFirst {
            spans.reverse();
        }
        Ok(spans)
    }

    /// The namespaces in which there may be events that are asked for.
    async fn namespaces_of(&self, query: &TimelineQuery) -> Result<Vec<String>, Failure> {
        let wanted = |part: &Option<String>, of_kind: &str| {
            part.as_deref().is_none_or(|wanted| wanted == of_kind)
        };
        let mut kinds = self.kinds().await?;
        kinds.retain(|(namespace, entity_type)| {
            wanted(&query.entities.namespace, namespace)
                && wanted(&query.entities.entity_type, entity_type)
        });
        let mut namespaces: Vec<String> =
            kinds.into_iter().map(|(namespace, _)| namespace).collect();
        namespaces.dedup();
        Ok(namespaces)
    }

    async fn places<'s, 'v>(
        &'s self,
        query: &TimelineQuery,
        span: i64,
        namespaces: &'v [String],
        (from, to): (&'v OrderKey, &'v OrderKey),
    ) -> Result<Places<'s, 'v>, Failure> {
        let shards = self.settings().layout.timeline_shard_numbers();
        let mut slices: Vec<SliceValues<'v>> = Vec::new();
        for shard in shards {
            slices.extend(namespaces.iter().map(|namespace| {
                let (from_seq, to_seq) = (signed(from.seq), signed(to.seq));
                let (from_id, to_id) = (from.id.0.as_slice(), to.id.0.as_slice());
                let (from, to) = (from.time.nanos(), to.time.nanos());
                (shard, span, namespace.as_str(), from, from_seq, from_id, to, to_seq, to_id)
            }));
        }
        let (session, wanted) = (self.session(), query.limit.min(CANDIDATES));
        Ok(match query.order {
            Order::OldestFirst => {
                let statement = &self.statements().timeline;
                Places::OldestFirst(
                    Merge::begin(session, statement, slices, read_places, wanted).await?,
                )
            }
            Order::NewestFirst => {
                let statement = &self.statements().timeline_descending;
                Places::NewestFirst(
                    Merge::begin(session, statement, slices, read_places_reversed, wanted).await?,
                )
            }
        })
    }

    /// Adds the events of the next candidates that are asked for, and says whether there may
    /// be more.
    async fn next_candidates(
        &self,
        query: &TimelineQuery,
        places: &mut Places<'_, '_>,
        found: &mut Vec<KnownEvent>,
    ) -> Result<bool, Failure> {
        let wanted = query.limit.saturating_sub(found.len());
        if wanted == 0 {
            return Ok(false);
        }
        let mut candidates = Vec::new();
        let mut exhausted = false;
        while candidates.len() < wanted.min(CANDIDATES) {
            match places.next().await? {
                Some(place) if is_candidate(query, &place) && self.is_kept(&place) => {
                    candidates.push(place);
                }
                Some(_) => {}
                None => {
                    exhausted = true;
                    break;
                }
            }
        }
        let events = self.events_at(candidates).await?;
        found.extend(events.into_iter().filter(|known| is_wanted(query, known)));
        Ok(!exhausted)
    }

    fn is_kept(&self, place: &Place) -> bool {
        place.key.time >= self.horizon(&place.namespace)
    }

    /// The events of these places, in the same order. A place may have no event: it is being
    /// written.
    async fn events_at(&self, places: Vec<Place>) -> Result<Vec<KnownEvent>, Failure> {
        let mut keys = Vec::with_capacity(places.len());
        for Place { key, namespace, subject, .. } in places {
            keys.push((read_name(&format!("{namespace}/{subject}"))?, key));
        }
        Ok(self.events_of(&keys).await?.into_iter().flatten().collect())
    }

    /// The events of these entities with these keys, in the same order; `None` for each that is
    /// not there. Each may be asked for once.
    pub(super) async fn events_of(
        &self,
        order: &[(EntityName, OrderKey)],
    ) -> Result<Vec<Option<KnownEvent>>, Failure> {
        let layout = self.settings().layout;
        let mut partitions: BTreeMap<(i32, i64), Vec<(EntityName, OrderKey)>> = BTreeMap::new();
        for (name, key) in order {
            let partition = (layout.home(name).shard, layout.bucket(key.time));
            partitions.entry(partition).or_default().push((name.clone(), *key));
        }
        let requests: Vec<_> = partitions
            .iter()
            .flat_map(|(partition, keys)| {
                keys.chunks(KEYS_A_REQUEST).map(|keys| (*partition, keys))
            })
            .collect();
        let requests = requests
            .into_iter()
            .map(|(partition, keys)| self.events_among(partition, keys))
            .collect();
        let found = at_once::unordered(requests).await?.into_iter().flatten();
        let mut events: HashMap<(EntityName, OrderKey), KnownEvent> =
            found.map(|known| ((known.event.entity.clone(), known.event.key()), known)).collect();
        Ok(order.iter().map(|place| events.remove(place)).collect())
    }

    async fn events_among(
        &self,
        (shard, bucket): (i32, i64),
        keys: &[(EntityName, OrderKey)],
    ) -> Result<Vec<KnownEvent>, Failure> {
        let values = (shard, bucket, key_tuples(keys.iter().map(|(name, key)| (name, *key))));
        let statement = &self.statements().events_among;
        let result = self.session().execute_unpaged(statement, values).await?;
        type Columns<'r> = (
            &'r str,
            i64,
            i64,
            &'r [u8],
            i64,
            &'r str,
            Option<&'r [u8]>,
            &'r [u8],
            Option<&'r str>,
        );
        let mut events = Vec::with_capacity(keys.len());
        for row in result.into_rows_result()?.rows::<Columns<'_>>()? {
            let (entity, time, seq, id, known_at, name, changes, origin, line) = row?;
            let columns: EventColumns<'_> = (time, seq, id, known_at, name, changes, origin, line);
            events.push(read_event(read_name(entity)?, columns)?);
        }
        Ok(events)
    }
}

/// Keys as the statements take them that look for several events of one partition.
pub(super) fn key_tuples<'k>(
    keys: impl Iterator<Item = (&'k EntityName, OrderKey)>,
) -> Vec<(&'k str, i64, i64, Vec<u8>)> {
    keys.map(|(name, key)| (name.as_str(), key.time.nanos(), signed(key.seq), key.id.0.to_vec()))
        .collect()
}

/// What the row of the timeline tells already.
fn is_candidate(query: &TimelineQuery, place: &Place) -> bool {
    let (entity_type, id) = place.subject.split_once('/').unwrap_or((&place.subject, ""));
    query.name.as_ref().is_none_or(|name| *name == place.name)
        && query.entities.entity_type.as_ref().is_none_or(|wanted| wanted == entity_type)
        && query.entities.id_prefix.as_ref().is_none_or(|prefix| id.starts_with(prefix.as_str()))
        && is_behind(query, place)
}

/// Whether the place comes after the one to go on from.
fn is_behind(query: &TimelineQuery, place: &Place) -> bool {
    let Some(after) = &query.after else { return true };
    let here = (place.key, place.namespace.as_str(), place.subject.as_str());
    let there = (after.key, after.entity.namespace(), after.entity.subject());
    match query.order {
        Order::OldestFirst => here > there,
        Order::NewestFirst => here < there,
    }
}

/// What only the event tells.
fn is_wanted(query: &TimelineQuery, known: &KnownEvent) -> bool {
    let has =
        |text: &String| known.event.line.as_ref().is_some_and(|line| line.contains(text.as_str()));
    query.text.as_ref().is_none_or(has)
        && query.as_known_at.is_none_or(|moment| known.known_at <= moment)
}
