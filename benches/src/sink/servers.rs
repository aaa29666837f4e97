//! Kafka, Cassandra and what they used.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use statetrail_servers::{Cassandra, CassandraOptions, Kafka, KafkaOptions, Server};
use statetrail_store::cassandra::{Address, Plan, Retention, migrate};

use crate::process::cpu_time_of;

/// The pools of Cassandra's that write tables anew.
const BEHIND_THE_SCENES: [&str; 2] = ["CompactionExecutor", "MemtableFlushWriter"];
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The servers of a run.
pub struct Servers {
    /// Where messages wait.
    pub kafka: Kafka,
    /// One node.
    pub cassandra: Cassandra,
}

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// From its start to its end.
    pub wall: Duration,
    /// CPU time of whoever did it.
    pub own: Duration,
    /// CPU time of Cassandra.
    pub cassandra: Duration,
    /// CPU time of Kafka.
    pub kafka: Duration,
    /// Most memory resident of whoever did it, in bytes; 0 if it was not asked.
    pub resident: u64,
}

/// Measures from its start on.
pub struct Watch<'s> {
    start: Instant,
    cassandra: &'s Server,
    cassandra_before: Duration,
    kafka: &'s Server,
    kafka_before: Duration,
    own_before: Duration,
}

impl Servers {
    /// Starts both.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start() -> Result<Servers> {
        let options = CassandraOptions {
            heap_mib: 1_024,
            for_measuring: true,
            ..CassandraOptions::default()
        };
        let cassandra = Cassandra::start_with(1, &options)?;
        let options =
            KafkaOptions { heap_mib: 512, for_measuring: true, ..KafkaOptions::default() };
        Ok(Servers { kafka: Kafka::start_with(&options)?, cassandra })
    }

    /// The address of a keyspace.
    ///
    /// # Errors
    /// Never, as long as the name is a keyspace's.
    pub fn address(&self, keyspace: &str) -> Result<Address> {
        let nodes = self.cassandra.contact_points().join(",");
        Ok(format!("cassandra://{nodes}/{keyspace}").parse()?)
    }

    /// Makes a store for that rate.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn make_store(&self, keyspace: &str, rate: u64) -> Result<Address> {
        let address = self.address(keyspace)?;
        let plan = Plan {
            rate,
            replication: "1".parse()?,
            retention: Retention::default(),
            state_index: false,
        };
        migrate(&address, &plan).await?;
        Ok(address)
    }

    /// A session of the bare driver.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn session(&self) -> Result<Session> {
        let nodes = self.cassandra.contact_points();
        SessionBuilder::new().known_nodes(nodes).build().await.context("a session")
    }

    /// Waits until Cassandra has no more to do for what was written before, a minute at most.
    ///
    /// # Errors
    /// When it does not tell what it is doing.
    pub async fn settle(&self) -> Result<()> {
        let session = self.session().await?;
        let begun = Instant::now();
        while works_behind_the_scenes(&session).await? && begun.elapsed() < SETTLED_WITHIN {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Begins to measure the work of this process.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn watch(&self) -> Result<Watch<'_>> {
        let (cassandra, kafka) = (self.cassandra.node(0)?, self.kafka.server()?);
        Ok(Watch {
            start: Instant::now(),
            cassandra,
            cassandra_before: cassandra.cpu_time()?,
            kafka,
            kafka_before: kafka.cpu_time()?,
            own_before: cpu_of_this_process()?,
        })
    }
}

impl Watch<'_> {
    /// What this process and the servers used since.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn used(&self) -> Result<Used> {
        Ok(Used {
            wall: self.start.elapsed(),
            own: cpu_of_this_process()? - self.own_before,
            cassandra: self.cassandra.cpu_time()? - self.cassandra_before,
            kafka: self.kafka.cpu_time()? - self.kafka_before,
            resident: 0,
        })
    }
}

/// Whether Cassandra compacts or flushes tables.
async fn works_behind_the_scenes(session: &Session) -> Result<bool> {
    let asked = "SELECT name, active_tasks, pending_tasks FROM system_views.thread_pools";
    let result = session.query_unpaged(asked, ()).await?.into_rows_result()?;
    for row in result.rows::<(&str, i32, i32)>()? {
        let (name, active, pending) = row?;
        if BEHIND_THE_SCENES.contains(&name) && active + pending > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn cpu_of_this_process() -> Result<Duration> {
    cpu_time_of(std::process::id()).context("this system does not tell a process's CPU time")
}
