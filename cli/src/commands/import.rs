//! `statetrail import`: logs in, events kept.

use std::sync::Arc;

use statetrail_input::{Format, ReadSettings};
use statetrail_store::{EventStore, KnownEvent, StoreError};

use crate::args::ImportArgs;
use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::import::{Import, Imported, Report, plan, stop_on_interrupt};
use crate::output::Output;
use crate::rule_files::{compile, read_rule_texts};
use crate::store_place::{create_store, store_failure};
use crate::waiting::block_on;

/// Runs the command.
///
/// # Errors
/// When the rules or a log cannot be used, or the store takes no more.
pub fn run(
    args: ImportArgs,
    store: Option<&str>,
    clock: &Clock,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut rules = compile(&read_rule_texts(&args.rules)?)?;
    let logs = plan(&args.files, args.namespace.as_deref(), &mut rules)?;
    if logs.iter().all(|log| log.scope.is_none()) {
        return Err(no_rules(args.namespace.as_deref()));
    }
    let since = clock.optional_moment("--since", args.since.as_deref())?;
    let store = create_store(store)?;
    let import = Import {
        logs,
        rules: Arc::new(rules),
        settings: ReadSettings {
            format: args.format.map(Format::from),
            time_format: args.time_format,
            zone: clock.zone().clone(),
            now: clock.now(),
        },
        since,
        stop: stop_on_interrupt()?,
        progress: args.progress,
    };
    let append = |events: &[KnownEvent]| append(&*store, events).map_err(to_be_repeated);
    let Imported { report, store_failure } = import.run(append)?;
    report.write(output)?;
    match store_failure {
        Some(failure) => Err(failure),
        None => end(&report),
    }
}

/// Stores events. Returns how many are new.
///
/// # Errors
/// When the store does not take them.
pub fn append(store: &dyn EventStore, batch: &[KnownEvent]) -> Result<u64, StoreError> {
    block_on(store.append(batch)).map(|appended| appended.new)
}

/// What the store said, and what to do with the import.
fn to_be_repeated(error: StoreError) -> Failure {
    // A damaged store takes nothing more, and its message says what to do.
    let is_damaged = matches!(error, StoreError::Damaged { .. });
    let failure = store_failure(error);
    if is_damaged {
        failure
    } else {
        failure.hint("import again to complete it; nothing is added twice")
    }
}

fn no_rules(namespace: Option<&str>) -> Failure {
    let (message, hint) = match namespace {
        Some(namespace) => (
            format!("no rule file applies to the namespace {namespace:?}"),
            "name one of the namespaces of the rule files, or add one to them",
        ),
        None => (
            "no rule file applies to these logs".to_owned(),
            "say which namespace they are of: --namespace NAME",
        ),
    };
    Failure::new(Exit::NotFound, message).hint(hint)
}

/// The report is written; what is left is to tell what was wrong with the logs.
fn end(report: &Report) -> Result<Exit, Failure> {
    let errors: Vec<&str> = report.logs.iter().filter_map(|log| log.error.as_deref()).collect();
    if !errors.is_empty() {
        return Err(Failure::new(Exit::Failed, errors.join("\n")));
    }
    Ok(if report.interrupted { Exit::Interrupted } else { Exit::Done })
}
