//! Listing entities and finding their names.
//!
//! Names lie spread over all shards, sorted in each. Within one kind, a pair of namespace and
//! type, the order of the texts is the order of the ids, so a list goes kind by kind, merging
//! the shards.

use std::collections::BTreeSet;

use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use statetrail_event::{EntityName, State, Time};

use super::connect::Failure;
use super::merge::Merge;
use super::registered::BUCKET;
use super::rows::read_name;
use super::trail::{Cells, read_state};
use super::{CassandraStore, at_once};
use crate::prefix::prefix_end;
use crate::{Counts, Entity, EntityFilter, NamePart};

/// A pair of namespace and type.
pub(super) type Kind = (String, String);
/// The values of a slice of one shard: names from, up to.
type SliceValues<'v> = (i32, &'v str, &'v str);

/// The values of the same, and of a field with its text.
type SliceWithValues<'v> = (i32, &'v str, &'v str, &'v str, &'v str);

/// An entity as it stands in a list, ordered by its name.
struct Listed {
    name: EntityName,
    first: Option<Time>,
    last: Time,
    state: State,
}

impl PartialEq for Listed {
    fn eq(&self, other: &Listed) -> bool {
        self.name == other.name
    }
}

impl Eq for Listed {}

impl PartialOrd for Listed {
    fn partial_cmp(&self, other: &Listed) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Listed {
    fn cmp(&self, other: &Listed) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

fn read_listed(page: &QueryRowsResult) -> Result<Vec<Listed>, Failure> {
    let mut listed = Vec::with_capacity(page.rows_num());
    for row in page.rows::<(&str, Option<i64>, Option<i64>, Cells<'_>)>()? {
        let (name, first, Some(last), cells) = row? else { continue };
        listed.push(Listed {
            name: read_name(name)?,
            first: first.map(Time::from_nanos),
            last: Time::from_nanos(last),
            state: read_state(cells, Time::MIN)?,
        });
    }
    Ok(listed)
}

/// Names, each with the time of the last event.
pub(super) fn read_names(page: &QueryRowsResult) -> Result<Vec<(EntityName, Time)>, Failure> {
    let mut names = Vec::with_capacity(page.rows_num());
    for row in page.rows::<(&str, Option<i64>)>()? {
        let (name, Some(last)) = row? else { continue };
        names.push((read_name(name)?, Time::from_nanos(last)));
    }
    Ok(names)
}

/// The names of a kind from one text up to another, exclusive.
pub(super) fn name_range((namespace, entity_type): &Kind, id_prefix: &str) -> (String, String) {
    let from = format!("{namespace}/{entity_type}/{id_prefix}");
    // There is a text above every one that holds a slash.
    let to = prefix_end(&from).unwrap_or_default();
    (from, to)
}

impl CassandraStore {
    /// The kinds, in order.
    pub(super) async fn kinds(&self) -> Result<Vec<Kind>, Failure> {
        let shard = self.settings().layout.first_shard;
        let result = self.session().execute_unpaged(&self.statements().kinds, (shard,)).await?;
        let rows = result.into_rows_result()?;
        Ok(rows.rows::<Kind>()?.collect::<Result<_, _>>()?)
    }

    /// See [`EventStore::entities`](crate::EventStore::entities), and with the text of a field
    /// [`EventStore::entities_with`](crate::EventStore::entities_with).
    pub(super) async fn list(
        &self,
        filter: &EntityFilter,
        after: Option<&EntityName>,
        limit: usize,
        with: Option<(&str, &str)>,
    ) -> Result<Vec<Entity>, Failure> {
        let mut found = Vec::new();
        let wanted = |part: &Option<String>, of_kind: &str| {
            part.as_deref().is_none_or(|wanted| wanted == of_kind)
        };
        for kind in self.kinds().await? {
            if !wanted(&filter.namespace, &kind.0) || !wanted(&filter.entity_type, &kind.1) {
                continue;
            }
            let (mut from, to) = name_range(&kind, filter.id_prefix.as_deref().unwrap_or(""));
            if let Some(after) = after {
                let kind_after = (after.namespace(), after.entity_type());
                match kind_after.cmp(&(&kind.0, &kind.1)) {
                    std::cmp::Ordering::Greater => continue,
                    // The least text after a text is the one with a NUL behind it.
                    std::cmp::Ordering::Equal => from = from.max(format!("{after}\0")),
                    std::cmp::Ordering::Less => {}
                }
            }
            if found.len() >= limit {
                break;
            }
            let slices = self.slices(&from, &to);
            let (session, wanted) = (self.session(), limit - found.len());
            match with {
                None => {
                    let statement = &self.statements().entities;
                    let listed =
                        Merge::begin(session, statement, slices, read_listed, wanted).await?;
                    self.take_listed(listed, limit, &mut found).await?;
                }
                Some((field, text)) => {
                    let statement = &self.statements().entities_with;
                    let slices: Vec<SliceWithValues<'_>> = slices
                        .into_iter()
                        .map(|(shard, from, to)| (shard, from, to, field, text))
                        .collect();
                    let listed =
                        Merge::begin(session, statement, slices, read_listed, wanted).await?;
                    self.take_listed(listed, limit, &mut found).await?;
                }
            }
        }
        Ok(found)
    }

    /// Adds the entities of a list, until there are `limit`.
    async fn take_listed(
        &self,
        mut listed: Merge<'_, impl SerializeRow + Send + Sync, Listed>,
        limit: usize,
        found: &mut Vec<Entity>,
    ) -> Result<(), Failure> {
        while found.len() < limit
            && let Some(Listed { name, first, last, mut state }) = listed.next().await?
        {
            let horizon = self.horizon(name.namespace());
            if last < horizon {
                continue;
            }
            if horizon > Time::MIN {
                state.forget_before(horizon);
            }
            let first = first.unwrap_or(last).max(horizon).min(last);
            found.push(Entity { name, state, first, last, known_by: Time::MAX });
        }
        Ok(())
    }

    /// The same stretch of names in every shard.
    fn slices<'v>(&self, from: &'v str, to: &'v str) -> Vec<SliceValues<'v>> {
        if from >= to {
            return Vec::new();
        }
        self.settings().layout.shard_numbers().map(|shard| (shard, from, to)).collect()
    }

    /// See [`EventStore::names`](crate::EventStore::names).
    pub(super) async fn find_names(
        &self,
        part: &NamePart<'_>,
        namespaces: Option<&BTreeSet<String>>,
        limit: usize,
    ) -> Result<Vec<EntityName>, Failure> {
        let mut kinds = self.kinds().await?;
        kinds.retain(|(namespace, _)| {
            namespaces.is_none_or(|namespaces| namespaces.contains(namespace))
        });
        let mut found = match *part {
            NamePart::Id(id) => self.names_that_exist(&kinds, None, id).await?,
            NamePart::Subject { entity_type, id } => {
                self.names_that_exist(&kinds, Some(entity_type), id).await?
            }
            NamePart::IdPrefix(prefix) => self.names_with(&kinds, prefix, "", limit).await?,
            NamePart::Anywhere(text) => self.names_with(&kinds, "", text, limit).await?,
        };
        found.truncate(limit);
        Ok(found)
    }

    /// The entities with that id, of that type if there is one.
    async fn names_that_exist(
        &self,
        kinds: &[Kind],
        wanted_type: Option<&str>,
        id: &str,
    ) -> Result<Vec<EntityName>, Failure> {
        let possible: Vec<EntityName> = kinds
            .iter()
            .filter(|(_, entity_type)| wanted_type.is_none_or(|wanted| wanted == entity_type))
            .filter_map(|(namespace, entity_type)| EntityName::new(namespace, entity_type, id).ok())
            .collect();
        let looks = possible.into_iter().map(|name| self.if_it_exists(name)).collect();
        Ok(at_once::ordered(looks).await?.into_iter().flatten().collect())
    }

    async fn if_it_exists(&self, name: EntityName) -> Result<Option<EntityName>, Failure> {
        let values = (self.settings().layout.home(&name).shard, name.as_str());
        let result = self.session().execute_unpaged(&self.statements().entity_name, values).await?;
        let found = read_names(&result.into_rows_result()?)?;
        let horizon = self.horizon(name.namespace());
        Ok(found.iter().any(|(_, last)| *last >= horizon).then_some(name))
    }

    /// Names whose id begins with a text, and that hold another one anywhere.
    async fn names_with(
        &self,
        kinds: &[Kind],
        id_prefix: &str,
        text: &str,
        limit: usize,
    ) -> Result<Vec<EntityName>, Failure> {
        let mut found = Vec::new();
        for kind in kinds {
            if found.len() >= limit {
                break;
            }
            let (from, to) = name_range(kind, id_prefix);
            let statement = &self.statements().entity_names;
            let slices = self.slices(&from, &to);
            let wanted = limit - found.len();
            let mut names =
                Merge::begin(self.session(), statement, slices, read_names, wanted).await?;
            while found.len() < limit
                && let Some((name, last)) = names.next().await?
            {
                if name.as_str().contains(text) && last >= self.horizon(name.namespace()) {
                    found.push(name);
                }
            }
        }
        Ok(found)
    }

    /// See [`EventStore::counts`](crate::EventStore::counts).
    pub(super) async fn count(&self) -> Result<Counts, Failure> {
        let layout = self.settings().layout;
        let statement = &self.statements().count_entities;
        let counts =
            layout.shard_numbers().map(|shard| self.count_one(statement, (shard,))).collect();
        let entities = at_once::unordered(counts).await?.into_iter().sum();
        let statement = &self.statements().count_events;
        let mut events = 0;
        for bucket in self.periods(BUCKET, i64::MIN, i64::MAX).await? {
            let counts = layout
                .shard_numbers()
                .map(|shard| self.count_one(statement, (shard, bucket)))
                .collect();
            events += at_once::unordered(counts).await?.into_iter().sum::<u64>();
        }
        Ok(Counts { entities, events })
    }

    async fn count_one(
        &self,
        statement: &scylla::statement::prepared::PreparedStatement,
        values: impl scylla::serialize::row::SerializeRow,
    ) -> Result<u64, Failure> {
        let result = self.session().execute_unpaged(statement, values).await?;
        let rows = result.into_rows_result()?;
        let count = rows.rows::<(i64,)>()?.next().transpose()?.map_or(0, |(count,)| count);
        Ok(count.unsigned_abs())
    }

    /// The numbers of the buckets or spans in a range, both ends inclusive, in order.
    pub(super) async fn periods(
        &self,
        kind: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<i64>, Failure> {
        let values = (self.settings().layout.first_shard, kind, from, to);
        let result = self.session().execute_unpaged(&self.statements().periods, values).await?;
        let rows = result.into_rows_result()?;
        let numbers = rows.rows::<(i64,)>()?.map(|row| row.map(|(number,)| number));
        Ok(numbers.collect::<Result<_, _>>()?)
    }
}
