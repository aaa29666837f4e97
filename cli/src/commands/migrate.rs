//! `statetrail migrate`: makes a store in a cluster, or takes one of an older version to this one.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use statetrail_store::StoreAddress;
use statetrail_store::cassandra::{self, Migrated, Plan, Retention};

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
    /// The version that it had, if it was an older one.
    upgraded_from: Option<i64>,
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
    let (created, upgraded_from, settings) = match migrated {
        Migrated::Created(settings) => (true, None, settings),
        Migrated::Unchanged(settings) => (false, None, settings),
        Migrated::Upgraded { from, settings } => (false, Some(from), settings),
    };
    let settings = settings.rows().into_iter().collect();
    MigrateReport { store: address.to_string(), created, upgraded_from, settings }.write(output)?;
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

impl MigrateReport {
    fn write(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        if output.is_text() {
            return self.write_text(output);
        }
        if output.format != OutputFormat::Csv {
            return output.document(self);
        }
        let names = ["store", "created", "upgraded_from"].into_iter();
        output.csv_row(names.chain(self.settings.keys().copied()))?;
        let from = self.upgraded_from.map(|from| from.to_string()).unwrap_or_default();
        let values = [self.store.clone(), self.created.to_string(), from].into_iter();
        output.csv_row(values.chain(self.settings.values().cloned()))
    }

    fn write_text(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        let store = &self.store;
        match (self.created, self.upgraded_from) {
            (true, _) => writeln!(output, "{store}: made")?,
            (false, Some(from)) => {
                writeln!(output, "{store}: had format {from}, has this one's now")?
            }
            (false, None) => writeln!(output, "{store}: is there, as stated; nothing changed")?,
        }
        for (name, value) in &self.settings {
            writeln!(output, "  {name:<16} {value}")?;
        }
        Ok(())
    }
}
