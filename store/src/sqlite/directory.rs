//! Listing entities and finding their names.

use std::cell::Cell;
use std::collections::BTreeSet;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use statetrail_event::{EntityName, Time};

use super::entities::{ENTITY_COLUMNS, read_entity, read_name};
use super::failure::{Failure, read_blob};
use crate::codec::value_in_state;
use crate::prefix::prefix_end;
use crate::{Counts, Entity, EntityFilter, EntityTest, EntityView, Kind, NamePart};

/// Conditions joined by AND, with their parameters.
#[derive(Default)]
pub(super) struct Conditions {
    texts: Vec<String>,
    pub(super) parameters: Vec<SqlValue>,
}

impl Conditions {
    /// Adds a condition in which `?` stands for each parameter.
    pub(super) fn add(
        &mut self,
        text: &str,
        parameters: impl IntoIterator<Item = impl Into<SqlValue>>,
    ) {
        self.texts.push(text.to_owned());
        self.parameters.extend(parameters.into_iter().map(Into::into));
    }

    /// Adds what the filter asks of the row of `entities`.
    pub(super) fn add_filter(&mut self, filter: &EntityFilter) {
        if let Some(namespace) = &filter.namespace {
            self.add("entities.namespace = ?", [namespace.clone()]);
        }
        if let Some(entity_type) = &filter.entity_type {
            // Behind an unknown namespace, the index cannot be searched for the type; the sign
            // keeps SQLite from sorting by what it believes to be left of the order then.
            let sign = if filter.namespace.is_some() { "" } else { "+" };
            self.add(&format!("{sign}entities.entity_type = ?"), [entity_type.clone()]);
        }
        if let Some(prefix) = &filter.id_prefix {
            self.add("entities.entity_id >= ?", [prefix.clone()]);
            if let Some(end) = prefix_end(prefix) {
                self.add("entities.entity_id < ?", [end]);
            }
        }
    }

    /// The WHERE clause.
    pub(super) fn clause(&self) -> String {
        if self.texts.is_empty() {
            return String::new();
        }
        format!("WHERE {}", self.texts.join(" AND "))
    }
}

/// See [`EventStore::entities`](crate::EventStore::entities).
pub(super) fn list(
    connection: &Connection,
    filter: &EntityFilter,
    after: Option<&EntityName>,
    limit: usize,
) -> Result<Vec<Entity>, Failure> {
    list_rows(connection, filter, after, limit, |_| Ok(true))
}

/// See [`EventStore::entities_passing`](crate::EventStore::entities_passing).
pub(super) fn list_passing(
    connection: &Connection,
    filter: &EntityFilter,
    after: Option<&EntityName>,
    limit: usize,
    test: &EntityTest<'_>,
) -> Result<Vec<Entity>, Failure> {
    list_rows(connection, filter, after, limit, |row| row_passes(row, test))
}

fn list_rows(
    connection: &Connection,
    filter: &EntityFilter,
    after: Option<&EntityName>,
    limit: usize,
    mut passes: impl FnMut(&Row<'_>) -> Result<bool, Failure>,
) -> Result<Vec<Entity>, Failure> {
    let conditions = page_conditions(filter, after);
    let sql = format!(
        "SELECT {ENTITY_COLUMNS} FROM entities {} ORDER BY namespace, entity_type, entity_id",
        conditions.clause(),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(conditions.parameters))?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        if passes(row)? {
            found.push(read_entity(row)?);
        }
    }
    Ok(found)
}

/// Runs the test on a row of [`ENTITY_COLUMNS`] as it lies in the database.
fn row_passes(row: &Row<'_>, test: &EntityTest<'_>) -> Result<bool, Failure> {
    let state = read_blob(row, 6)?;
    let damage = Cell::new(None);
    let value = |field: &str| {
        value_in_state(state, field).unwrap_or_else(|unreadable| {
            damage.set(Some(unreadable));
            None
        })
    };
    let passes = test(&EntityView {
        first: Time::from_nanos(row.get(3)?),
        last: Time::from_nanos(row.get(4)?),
        known_by: Time::from_nanos(row.get(5)?),
        value: &value,
    });
    match damage.take() {
        Some(unreadable) => Err(unreadable.into()),
        None => Ok(passes),
    }
}

/// What the rows of a page fulfil, put so that the index leads to the page's first row: a page
/// must not cost more the more pages came before it.
fn page_conditions(filter: &EntityFilter, after: Option<&EntityName>) -> Conditions {
    let mut conditions = Conditions::default();
    let Some(after) = after else {
        conditions.add_filter(filter);
        return conditions;
    };
    let same = |part: &Option<String>, of_after: &str| part.as_deref() == Some(of_after);
    if !same(&filter.namespace, after.namespace()) {
        conditions.add(
            "(namespace, entity_type, entity_id) > (?, ?, ?)",
            [after.namespace(), after.entity_type(), after.id()].map(str::to_owned),
        );
    } else if !same(&filter.entity_type, after.entity_type()) {
        conditions.add(
            "(entity_type, entity_id) > (?, ?)",
            [after.entity_type(), after.id()].map(str::to_owned),
        );
    } else {
        conditions.add("entity_id > ?", [after.id().to_owned()]);
    }
    conditions.add_filter(filter);
    conditions
}

/// Whether a name holds the text `?1`.
const HOLDS_TEXT: &str = "instr(namespace || '/' || entity_type || '/' || entity_id, ?1) > 0";

/// See [`EventStore::names`](crate::EventStore::names).
pub(super) fn names(
    connection: &Connection,
    part: &NamePart<'_>,
    namespaces: Option<&BTreeSet<String>>,
    limit: usize,
) -> Result<Vec<EntityName>, Failure> {
    match (part, namespaces) {
        (NamePart::Anywhere(text), None) => {
            select_names(connection, HOLDS_TEXT, params![text], limit)
        }
        (NamePart::Anywhere(text), Some(namespaces)) => {
            let condition = format!("namespace = ?2 AND {HOLDS_TEXT}");
            one_after_the_other(namespaces.iter().map(Ok), limit, |namespace, left| {
                select_names(connection, &condition, params![text, namespace], left)
            })
        }
        (part, namespaces) => {
            let wanted = |kind: &(String, String)| {
                namespaces.is_none_or(|namespaces| namespaces.contains(&kind.0))
            };
            let kinds =
                kinds_in_order(connection).filter(|kind| kind.as_ref().map_or(true, &wanted));
            one_after_the_other(kinds, limit, |(namespace, entity_type), left| {
                names_of_kind(connection, &namespace, &entity_type, part, left)
            })
        }
    }
}

/// The names of one after the other, up to `limit` in all.
fn one_after_the_other<T>(
    parts: impl Iterator<Item = Result<T, Failure>>,
    limit: usize,
    names: impl Fn(T, usize) -> Result<Vec<EntityName>, Failure>,
) -> Result<Vec<EntityName>, Failure> {
    let mut found = Vec::new();
    for part in parts {
        let left = limit - found.len();
        if left == 0 {
            break;
        }
        found.extend(names(part?, left)?);
    }
    Ok(found)
}

fn kinds_in_order(
    connection: &Connection,
) -> impl Iterator<Item = Result<(String, String), Failure>> {
    let mut after = None;
    std::iter::from_fn(move || {
        let kind = next_kind(connection, after.take()).transpose()?;
        after = kind.as_ref().ok().cloned();
        Some(kind)
    })
}

/// The first pair of namespace and type after that one. There are few pairs however many
/// entities there are, so walking over them spares an index over all ids.
fn next_kind(
    connection: &Connection,
    after: Option<(String, String)>,
) -> Result<Option<(String, String)>, Failure> {
    let (namespace, entity_type) = after.unwrap_or_default();
    let kind = connection
        .prepare_cached(
            "SELECT namespace, entity_type FROM entities
             WHERE (namespace, entity_type) > (?1, ?2)
             ORDER BY namespace, entity_type LIMIT 1",
        )?
        .query_row([namespace, entity_type], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(kind)
}

fn names_of_kind(
    connection: &Connection,
    namespace: &str,
    entity_type: &str,
    part: &NamePart<'_>,
    limit: usize,
) -> Result<Vec<EntityName>, Failure> {
    let of_kind = "namespace = ?1 AND entity_type = ?2";
    match part {
        NamePart::Subject { entity_type: wanted, .. } if *wanted != entity_type => Ok(Vec::new()),
        NamePart::Subject { id, .. } | NamePart::Id(id) => {
            let condition = format!("{of_kind} AND entity_id = ?3");
            select_names(connection, &condition, params![namespace, entity_type, id], limit)
        }
        NamePart::IdPrefix(prefix) => match prefix_end(prefix) {
            Some(end) => {
                let condition = format!("{of_kind} AND entity_id >= ?3 AND entity_id < ?4");
                let parameters = params![namespace, entity_type, prefix, end];
                select_names(connection, &condition, parameters, limit)
            }
            None => {
                let condition = format!("{of_kind} AND entity_id >= ?3");
                let parameters = params![namespace, entity_type, prefix];
                select_names(connection, &condition, parameters, limit)
            }
        },
        NamePart::Anywhere(_) => Ok(Vec::new()),
    }
}

fn select_names(
    connection: &Connection,
    condition: &str,
    parameters: &[&dyn rusqlite::ToSql],
    limit: usize,
) -> Result<Vec<EntityName>, Failure> {
    let sql = format!(
        "SELECT namespace, entity_type, entity_id FROM entities WHERE {condition}
         ORDER BY namespace, entity_type, entity_id LIMIT {}",
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_name(row, 0)?);
    }
    Ok(found)
}

/// See [`EventStore::kinds`](crate::EventStore::kinds). Looks each kind up behind the one before
/// it, so that the entities of a kind are not read.
pub(super) fn kinds(connection: &Connection) -> Result<Vec<Kind>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT namespace, entity_type FROM entities WHERE (namespace, entity_type) > (?, ?)
         ORDER BY namespace, entity_type LIMIT 1",
    )?;
    let mut kinds: Vec<Kind> = Vec::new();
    loop {
        let (namespace, entity_type) =
            kinds.last().map_or(("", ""), |kind| (&*kind.namespace, &*kind.entity_type));
        let next = statement
            .query_row(params![namespace, entity_type], |row| {
                Ok(Kind { namespace: row.get(0)?, entity_type: row.get(1)? })
            })
            .optional()?;
        match next {
            Some(kind) => kinds.push(kind),
            None => return Ok(kinds),
        }
    }
}

/// See [`EventStore::counts`](crate::EventStore::counts).
pub(super) fn counts(connection: &Connection) -> Result<Counts, Failure> {
    let sql = "SELECT count(*), coalesce(sum(events), 0) FROM entities";
    let counts = connection
        .query_row(sql, [], |row| Ok(Counts { entities: row.get(0)?, events: row.get(1)? }))?;
    Ok(counts)
}
