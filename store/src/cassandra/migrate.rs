//! Making a store, once, checking it at every later start, and taking one of an older version to
//! this one.

use std::collections::BTreeMap;

use scylla::client::session::Session;

use super::address::Address;
use super::connect::{Failure, Purpose, connect};
use super::reasons;
use super::schema::{Replication, VERSION, step, tables};
use super::settings::{Plan, Settings, Standing, version_of, version_rows};
use crate::StoreError;

/// What [`migrate()`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Migrated {
    /// The store is new.
    Created(Settings),
    /// It was there, made with the same settings.
    Unchanged(Settings),
    /// It was there, of an older version, and has this one's now.
    Upgraded {
        /// The version that it had.
        from: i64,
        /// Its settings, which stay.
        settings: Settings,
    },
}

/// Creates keyspace, tables and settings, or checks that they are there and fit, and adds what an
/// older version lacks. May be repeated, also after it was interrupted. Waits until the nodes
/// agree on what there is.
///
/// # Errors
/// When the cluster cannot be reached, does not agree in time, does not allow it, or holds a
/// store of a version that is not known or with other settings.
pub async fn migrate(address: &Address, plan: &Plan) -> Result<Migrated, StoreError> {
    let place = address.place();
    let session = connect(address, Purpose::Migrate).await?;
    let keyspace = &address.keyspace;
    // A node that has not heard of a table yet would make it once more, under another id, and one
    // that has not heard of the store would take other settings.
    let agreed = session.await_schema_agreement().await;
    agreed.map_err(|error| reasons::of_disagreement(&error).at(&place))?;
    if let Some(Stored { version, standing, settings }) = stored(&session, keyspace, &place).await?
    {
        check_replication(&session, keyspace, &settings.plan.replication, &place).await?;
        let differences = settings.differences(plan);
        if !differences.is_empty() {
            return Err(StoreError::OtherSettings { place, differences });
        }
        if standing == Standing::Usable {
            return Ok(Migrated::Unchanged(settings));
        }
        upgrade(&session, keyspace, version).await.map_err(|failure| failure.at(&place))?;
        return Ok(Migrated::Upgraded { from: version, settings });
    }
    let settings = Settings::new(plan.clone());
    create(&session, keyspace, &settings).await.map_err(|failure| failure.at(&place))?;
    check_replication(&session, keyspace, &plan.replication, &place).await?;
    finish(&session, keyspace).await.map_err(|failure| failure.at(&place))?;
    Ok(Migrated::Created(settings))
}

async fn create(session: &Session, keyspace: &str, settings: &Settings) -> Result<(), Failure> {
    let replication = settings.plan.replication.cql();
    let statement =
        format!("CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}");
    session.query_unpaged(statement, ()).await?;
    for statement in tables(keyspace, settings.plan.state_index) {
        session.query_unpaged(statement, ()).await?;
    }
    for (name, value) in settings.rows() {
        let statement = format!("INSERT INTO {keyspace}.settings (name, value) VALUES (?, ?)");
        session.query_unpaged(statement, (name, value)).await?;
    }
    Ok(())
}

/// Adds what each version since has added.
async fn upgrade(session: &Session, keyspace: &str, from: i64) -> Result<(), Failure> {
    for statement in (from + 1..=VERSION).flat_map(|version| step(version, keyspace)) {
        session.query_unpaged(statement, ()).await?;
    }
    finish(session, keyspace).await
}

async fn finish(session: &Session, keyspace: &str) -> Result<(), Failure> {
    let statement = format!("INSERT INTO {keyspace}.settings (name, value) VALUES (?, ?)");
    for row in version_rows() {
        session.query_unpaged(&*statement, row).await?;
    }
    Ok(())
}

/// A store that is there.
pub(super) struct Stored {
    version: i64,
    standing: Standing,
    settings: Settings,
}

impl Stored {
    /// Its settings, if this program can work with it as it is.
    ///
    /// # Errors
    /// When it has to be taken to this version first.
    pub(super) fn usable(self, place: &str) -> Result<Settings, StoreError> {
        if self.standing == Standing::Usable {
            return Ok(self.settings);
        }
        let place = place.to_owned();
        Err(StoreError::Outdated { place, found: self.version, supported: VERSION })
    }
}

/// The store in a keyspace, or `None` if there is none yet.
///
/// # Errors
/// When its settings cannot be read, or are of a version that is not known.
pub(super) async fn stored(
    session: &Session,
    keyspace: &str,
    place: &str,
) -> Result<Option<Stored>, StoreError> {
    let rows = match read_rows(session, keyspace).await {
        Ok(rows) => rows,
        Err(Failure::Missing) => return Ok(None),
        Err(failure) => return Err(failure.at(place)),
    };
    let damaged = |detail| StoreError::Damaged { place: place.to_owned(), detail };
    let Some((version, standing)) = version_of(&rows).map_err(damaged)? else { return Ok(None) };
    if standing == Standing::Unknown {
        let place = place.to_owned();
        return Err(StoreError::OtherFormat { place, found: version, supported: VERSION });
    }
    let settings = Settings::of_rows(&rows).map_err(damaged)?;
    Ok(Some(Stored { version, standing, settings }))
}

async fn read_rows(session: &Session, keyspace: &str) -> Result<BTreeMap<String, String>, Failure> {
    let statement = format!("SELECT name, value FROM {keyspace}.settings");
    let result = session.query_unpaged(statement, ()).await?.into_rows_result()?;
    let rows = result.rows::<(String, String)>()?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The keyspace has the copies that were stated: one that was made or altered by hand may not.
///
/// # Errors
/// When it has others.
pub(super) async fn check_replication(
    session: &Session,
    keyspace: &str,
    stated: &Replication,
    place: &str,
) -> Result<(), StoreError> {
    let found = read_replication(session, keyspace).await.map_err(|failure| failure.at(place))?;
    if found == stated.options() {
        return Ok(());
    }
    let found: Vec<String> = found.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let differences =
        vec![format!("replication is {stated}, but the keyspace has {}", found.join(","))];
    Err(StoreError::OtherSettings { place: place.to_owned(), differences })
}

async fn read_replication(
    session: &Session,
    keyspace: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let statement = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let result = session.query_unpaged(statement, (keyspace,)).await?.into_rows_result()?;
    let row = result.rows::<(BTreeMap<String, String>,)>()?.next().transpose()?;
    let mut options = row.map(|(options,)| options).unwrap_or_default();
    options.remove("class");
    Ok(options)
}
