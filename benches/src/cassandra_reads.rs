//! The rivals of questions to Cassandra: the bare driver selects the same rows, steps through
//! them and throws them away. Where they lie is looked up before the clock runs.

use std::collections::HashMap;

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use scylla::client::session::Session;
use scylla::response::query_result::QueryRowsResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;
use statetrail_event::{EntityName, Time};
use statetrail_store::cassandra::Layout;

/// Requests that are under way at a time, as many as the store allows itself.
const AT_ONCE: usize = 32;
const PAGE_ROWS: i32 = 1_000;
const KEYS_A_REQUEST: usize = 100;

/// The bare driver, on the tables of a store.
pub struct CassandraReads {
    session: Session,
    layout: Layout,
    events_until: PreparedStatement,
    page: PreparedStatement,
    entity: PreparedStatement,
    entities: PreparedStatement,
    entities_with: PreparedStatement,
    timeline: PreparedStatement,
    events: PreparedStatement,
}

/// Where the rows of an entity lie.
#[derive(Clone, Debug)]
pub struct Home {
    entity: EntityName,
    shard: i32,
    buckets: Vec<i64>,
}

/// The key of an event as `events` is asked for it.
type Key = (String, i64, i64, Vec<u8>);

impl CassandraReads {
    /// Prepares the statements.
    ///
    /// # Errors
    /// When Cassandra refuses.
    pub async fn of_store(
        session: Session,
        keyspace: &str,
        layout: Layout,
    ) -> Result<CassandraReads> {
        let prepare = async |text: &str| {
            let mut prepared = session.prepare(text.replace("KS", keyspace)).await?;
            prepared.set_page_size(PAGE_ROWS);
            anyhow::Ok(prepared)
        };
        Ok(CassandraReads {
            events_until: prepare(
                "SELECT time, seq, id, known_at, changes FROM KS.events
                 WHERE shard = ? AND bucket = ? AND entity = ? AND time <= ?",
            )
            .await?,
            page: prepare(
                "SELECT time, seq, id, known_at, name, changes, origin, line FROM KS.events
                 WHERE shard = ? AND bucket = ? AND entity = ? AND time <= ?
                 ORDER BY entity DESC, time DESC, seq DESC, id DESC LIMIT ?",
            )
            .await?,
            entity: prepare(
                "SELECT first, last, state FROM KS.entities WHERE shard = ? AND entity = ?",
            )
            .await?,
            entities: prepare(
                "SELECT entity, first, last, state FROM KS.entities
                 WHERE shard = ? AND entity >= ? AND entity < ?",
            )
            .await?,
            entities_with: prepare(
                "SELECT entity, first, last, state FROM KS.entities
                 WHERE shard = ? AND entity >= ? AND entity < ? AND fields[?] = ?",
            )
            .await?,
            timeline: prepare(
                "SELECT time, seq, id, subject, name FROM KS.timeline
                 WHERE shard = ? AND span = ? AND namespace = ? AND time >= ? AND time <= ?",
            )
            .await?,
            events: prepare(
                "SELECT entity, time, seq, id, known_at, name, changes, origin, line FROM KS.events
                 WHERE shard = ? AND bucket = ? AND (entity, time, seq, id) IN ?",
            )
            .await?,
            session,
            layout,
        })
    }

    /// Looks up where an entity lies.
    ///
    /// # Errors
    /// When it is nowhere.
    pub async fn home(&self, keyspace: &str, entity: &EntityName) -> Result<Home> {
        let statement = format!(
            "SELECT shard, buckets FROM {keyspace}.entities WHERE entity = ? ALLOW FILTERING"
        );
        let result = self.session.query_unpaged(statement, (entity.as_str(),)).await?;
        let (shard, mut buckets) =
            result.into_rows_result()?.single_row::<(i32, Vec<i64>)>().context("the entity")?;
        buckets.sort_unstable();
        Ok(Home { entity: entity.clone(), shard, buckets })
    }

    /// Every event of an entity up to that time. Returns their number.
    ///
    /// # Errors
    /// When Cassandra does not answer.
    pub async fn events_until(&self, home: &Home, until: Time) -> Result<u64> {
        let last = until.nanos().div_euclid(self.layout.bucket_seconds as i64 * 1_000_000_000);
        let reads = home.buckets.iter().filter(|bucket| **bucket <= last).map(|bucket| {
            let values = (home.shard, *bucket, home.entity.as_str(), until.nanos());
            self.step_through(&self.events_until, values, |rows| {
                let mut count = 0;
                for row in rows.rows::<(i64, i64, &[u8], i64, Option<&[u8]>)>()? {
                    count += u64::from(!row?.2.is_empty());
                }
                Ok(count)
            })
        });
        self.sum(reads).await
    }

    /// The last events before that time, with their lines and sources; all of one bucket.
    ///
    /// # Errors
    /// When Cassandra does not answer.
    pub async fn page_before(&self, home: &Home, until: Time, limit: i32) -> Result<u64> {
        let bucket = until.nanos().div_euclid(self.layout.bucket_seconds as i64 * 1_000_000_000);
        let values = (home.shard, bucket, home.entity.as_str(), until.nanos(), limit);
        self.step_through(&self.page, values, |rows| {
            type Columns<'r> =
                (i64, i64, &'r [u8], i64, &'r str, Option<&'r [u8]>, &'r [u8], Option<&'r str>);
            let mut count = 0;
            for row in rows.rows::<Columns<'_>>()? {
                count += u64::from(!row?.2.is_empty());
            }
            Ok(count)
        })
        .await
    }

    /// The row of an entity.
    ///
    /// # Errors
    /// When Cassandra does not answer.
    pub async fn entity(&self, home: &Home) -> Result<u64> {
        let values = (home.shard, home.entity.as_str());
        self.step_through(&self.entity, values, |rows| {
            type Columns<'r> = (Option<i64>, Option<i64>, HashMap<&'r str, &'r [u8]>);
            let mut count = 0;
            for row in rows.rows::<Columns<'_>>()? {
                count += row?.2.len() as u64;
            }
            Ok(count)
        })
        .await
    }

    /// The rows of all entities whose names begin so, or of those that have the value in the
    /// field. Returns how many.
    ///
    /// # Errors
    /// When Cassandra does not answer.
    pub async fn entities(&self, names: (&str, &str), with: Option<(&str, &str)>) -> Result<u64> {
        let (from, to) = names;
        let count = |rows: &QueryRowsResult| {
            type Columns<'r> = (&'r str, Option<i64>, Option<i64>, HashMap<&'r str, &'r [u8]>);
            let mut count = 0;
            for row in rows.rows::<Columns<'_>>()? {
                count += u64::from(!row?.0.is_empty());
            }
            Ok(count)
        };
        let shards = 0..self.layout.shards as i32;
        match with {
            None => {
                let read = |shard| self.step_through(&self.entities, (shard, from, to), count);
                self.sum(shards.map(read)).await
            }
            Some((field, text)) => {
                let read = |shard| {
                    let values = (shard, from, to, field, text);
                    self.step_through(&self.entities_with, values, count)
                };
                self.sum(shards.map(read)).await
            }
        }
    }

    /// The places of a stretch of the timeline, and the events at these places.
    ///
    /// # Errors
    /// When Cassandra does not answer.
    pub async fn timeline(
        &self,
        namespace: &str,
        (from, to): (Time, Time),
        homes: &HashMap<String, Home>,
    ) -> Result<u64> {
        let span =
            |time: Time| time.nanos().div_euclid(self.layout.span_seconds as i64 * 1_000_000_000);
        let slices = (span(from)..=span(to)).flat_map(|span| {
            (0..self.layout.timeline_shards as i32).map(move |shard| (shard, span))
        });
        let reads = slices.map(|(shard, span)| async move {
            let values = (shard, span, namespace, from.nanos(), to.nanos());
            self.places(namespace, values).await
        });
        let places: Vec<Vec<Key>> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let mut partitions: HashMap<(i32, i64), Vec<Key>> = HashMap::new();
        for key in places.into_iter().flatten() {
            let home = homes.get(&key.0).context("an entity of this bench")?;
            let bucket = key.1.div_euclid(self.layout.bucket_seconds as i64 * 1_000_000_000);
            partitions.entry((home.shard, bucket)).or_default().push(key);
        }
        let requests = partitions.iter().flat_map(|((shard, bucket), keys)| {
            keys.chunks(KEYS_A_REQUEST).map(|keys| (*shard, *bucket, keys))
        });
        let reads = requests.map(|values| {
            self.step_through(&self.events, values, |rows| {
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
                let mut count = 0;
                for row in rows.rows::<Columns<'_>>()? {
                    count += u64::from(!row?.0.is_empty());
                }
                Ok(count)
            })
        });
        self.sum(reads.collect::<Vec<_>>()).await
    }

    async fn places(&self, namespace: &str, values: impl SerializeRow) -> Result<Vec<Key>> {
        let mut places = Vec::new();
        let mut next = Some(PagingState::start());
        while let Some(state) = next {
            let (result, more) =
                self.session.execute_single_page(&self.timeline, &values, state).await?;
            for row in result.into_rows_result()?.rows::<(i64, i64, &[u8], &str, &str)>()? {
                let (time, seq, id, subject, _) = row?;
                places.push((format!("{namespace}/{subject}"), time, seq, id.to_vec()));
            }
            next = more_pages(more);
        }
        Ok(places)
    }

    async fn sum(
        &self,
        reads: impl IntoIterator<Item = impl Future<Output = Result<u64>>>,
    ) -> Result<u64> {
        let counts: Vec<u64> = stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(counts.into_iter().sum())
    }

    async fn step_through(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
        page: impl Fn(&QueryRowsResult) -> Result<u64>,
    ) -> Result<u64> {
        let mut count = 0;
        let mut next = Some(PagingState::start());
        while let Some(state) = next {
            let (result, more) =
                self.session.execute_single_page(statement, &values, state).await?;
            count += page(&result.into_rows_result()?)?;
            next = more_pages(more);
        }
        Ok(count)
    }
}

fn more_pages(response: PagingStateResponse) -> Option<PagingState> {
    match response {
        PagingStateResponse::HasMorePages { state } => Some(state),
        PagingStateResponse::NoMorePages => None,
    }
}
