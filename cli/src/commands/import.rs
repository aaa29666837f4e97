//! `statetrail import`: logs in, events kept.

use statetrail_input::{Format, ReadSettings};
use statetrail_rules::RuleSet;
use statetrail_store::{EventStore, KnownEvent, StoreError};

use crate::args::ImportArgs;
use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::import::{Import, Imported, KeptLines, Lines, Report, plan, stop_on_interrupt};
use crate::output::Output;
use crate::rule_files::{compile, read_rule_texts};
use crate::store_place::{
    create_store_at, open_source, store_address, store_failure, typed_address,
};
use crate::waiting::block_on;

/// What to do when it broke off.
const REPEAT: &str = "import again to complete it; nothing is added twice";

/// Runs the command.
///
/// # Errors
/// When the rules, a log or the other store cannot be used, or the store takes no more.
pub fn run(
    args: ImportArgs,
    store: Option<&str>,
    clock: &Clock,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut rules = compile(&read_rule_texts(&args.rules)?)?;
    let since = clock.optional_moment("--since", args.since.as_deref())?;
    let lines = match &args.from {
        Some(from) => Lines::Kept(kept_lines(from, args.namespace.as_deref(), store)?),
        None => lines_of_logs(&args, &mut rules, clock)?,
    };
    let is_of_store = matches!(lines, Lines::Kept(_));
    let store = create_store_at(&store_address(store)?)?;
    let (stop, progress) = (stop_on_interrupt()?, args.progress);
    let import = Import { lines, rules, since, stop, progress };
    let append = |events: &[KnownEvent]| append(&*store, events).map_err(to_be_repeated);
    let Imported { report, store_failure } = import.run(append)?;
    report.write(output)?;
    match store_failure {
        Some(failure) => Err(failure),
        None => end(&report, is_of_store),
    }
}

fn lines_of_logs(args: &ImportArgs, rules: &mut RuleSet, clock: &Clock) -> Result<Lines, Failure> {
    let logs = plan(&args.files, args.namespace.as_deref(), rules)?;
    if logs.iter().all(|log| log.scope.is_none()) {
        return Err(no_rules(args.namespace.as_deref()));
    }
    let settings = ReadSettings {
        format: args.format.map(Format::from),
        time_format: args.time_format.clone(),
        zone: clock.zone().clone(),
        now: clock.now(),
    };
    Ok(Lines::OfLogs(logs, settings))
}

/// The lines of the store that was typed, to be kept in another one.
fn kept_lines(
    from: &str,
    namespace: Option<&str>,
    store: Option<&str>,
) -> Result<KeptLines, Failure> {
    let address = typed_address("--from", from)?;
    if address.is_same_place(&store_address(store)?) {
        let message = format!("{address} is both where lines are read and where events shall go");
        return Err(Failure::new(Exit::Usage, message)
            .hint("what old rules made stays as it is, so events by other rules need a store of their own:")
            .hint("name another one with --store, such as --store sqlite:by-new-rules.db"));
    }
    let namespace = namespace.map(str::to_owned);
    Ok(KeptLines { store: open_source(&address)?, address, namespace })
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
    if is_damaged { failure } else { failure.hint(REPEAT) }
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

/// The report is written; what is left is to tell what was wrong with the logs, or the store that
/// was read in their place.
fn end(report: &Report, is_of_store: bool) -> Result<Exit, Failure> {
    let errors: Vec<&str> = report.logs.iter().filter_map(|log| log.error.as_deref()).collect();
    if !errors.is_empty() {
        let told = errors.join("\n");
        return Err(match is_of_store {
            true => Failure::new(Exit::Store, told).hint(REPEAT),
            false => Failure::new(Exit::Failed, told),
        });
    }
    Ok(if report.interrupted { Exit::Interrupted } else { Exit::Done })
}
