//! `statetrail migrate`: makes a store in a cluster.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use statetrail_store::StoreAddress;
use statetrail_store::cassandra::{self, Migrated, Plan, Retention, Settings};

use crate::args::MigrateArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, OutputFormat};
use crate::store_place::{prepare_for, store_address, store_failure};
use crate::waiting::block_on;

/// What became of the store.
#[derive(Serialize)]
struct MigrateReport {
    store: String,
    created: bool,
    settings: BTreeMap<&'static str, String>,
}

/// Runs the command.
///
/// # Errors
/// When the store is none in Cassandra, cannot be made, or was made with other settings.
pub fn run(
    args: &MigrateArgs,
    store: Option<&str>,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let address = store_address(store)?;
    let StoreAddress::Cassandra(cluster) = &address else {
        let message = format!("{address}: a store in a file makes itself, with the first import");
        return Err(Failure::new(Exit::Usage, message)
            .hint("name a cluster: --store cassandra://HOST:9042/KEYSPACE"));
    };
    let plan = plan(args)?;
    prepare_for(&address)?;
    let migrated = block_on(cassandra::migrate(cluster, &plan)).map_err(store_failure)?;
    let (created, settings) = match migrated {
        Migrated::Created(settings) => (true, settings),
        Migrated::Unchanged(settings) => (false, settings),
    };
    write(&address, created, &settings, output)?;
    Ok(Exit::Done)
}

fn plan(args: &MigrateArgs) -> Result<Plan, Failure> {
    let mut retention = Retention::default();
    for text in &args.retention {
        retention.state(text).map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    Ok(Plan {
        rate: args.rate,
        replication: args.replication.clone(),
        retention,
        state_index: args.state_index,
    })
}

fn write(
    address: &StoreAddress,
    created: bool,
    settings: &Settings,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let settings = settings.rows().into_iter().collect();
    let report = MigrateReport { store: address.to_string(), created, settings };
    if !output.is_text() {
        return report.write(output);
    }
    match created {
        true => writeln!(output, "{address}: made")?,
        false => writeln!(output, "{address}: is there, as stated; nothing changed")?,
    }
    for (name, value) in &report.settings {
        writeln!(output, "  {name:<16} {value}")?;
    }
    Ok(())
}

impl MigrateReport {
    fn write(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        if output.format != OutputFormat::Csv {
            return output.document(self);
        }
        output.csv_row(["store", "created"].into_iter().chain(self.settings.keys().copied()))?;
        let values = self.settings.values().cloned();
        output.csv_row([self.store.clone(), self.created.to_string()].into_iter().chain(values))
    }
}
