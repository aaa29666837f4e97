//! `statetrail import`: logs in, events kept.

use std::sync::{Arc, Mutex, PoisonError};

use statetrail_input::{Format, ReadSettings};
use statetrail_rules::RuleSet;
use statetrail_store::{EventStore, KnownEvent, StoreAddress, StoreError};

use crate::args::ImportArgs;
use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::import::{Extent, Import, Imported, KeptLines, Lines, Report, plan, stop_on_interrupt};
use crate::output::Output;
use crate::rule_files::{compile, none_applies, none_applies_to, read_rule_texts};
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
    let target = Target { address: store_address(store)?, store: Mutex::default() };
    if matches!(lines, Lines::OfLogs(..)) {
        target.store()?;
    }
    let (stop, progress) = (stop_on_interrupt()?, args.progress);
    let import = Import { lines, rules, since, stop, progress };
    let append = |events: &[KnownEvent]| append(&*target.store()?, events).map_err(to_be_repeated);
    let Imported { report, store_failure } = import.run(append)?;
    if let (Some(from), None) = (&args.from, &store_failure)
        && let Some(failure) = nothing_kept(from, &args, &report)
    {
        return Err(failure);
    }
    report.write(output)?;
    match store_failure {
        Some(failure) => Err(failure),
        None => end(&report, args.from.is_some()),
    }
}

/// The store that events go to. It is made when the first of them come, so that one in which nothing
/// would be is not made.
struct Target {
    address: StoreAddress,
    store: Mutex<Option<Arc<dyn EventStore>>>,
}

impl Target {
    fn store(&self) -> Result<Arc<dyn EventStore>, Failure> {
        // What is in there is whole, whatever another thread died of.
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        match &*store {
            Some(store) => Ok(Arc::clone(store)),
            None => Ok(Arc::clone(store.insert(create_store_at(&self.address)?.into()))),
        }
    }
}

fn lines_of_logs(args: &ImportArgs, rules: &mut RuleSet, clock: &Clock) -> Result<Lines, Failure> {
    let logs = plan(&args.files, args.namespace.as_deref(), rules)?;
    if logs.iter().all(|log| log.scope.is_none()) {
        return Err(none_applies(&args.rules, args.namespace.as_deref()));
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
    if store.is_none() {
        let message = "--from needs --store: nothing says where the events shall go";
        return Err(in_a_store_of_its_own(message));
    }
    if address.is_same_place(&store_address(store)?) {
        let message = format!("{address} is both where lines are read and where events shall go");
        return Err(in_a_store_of_its_own(&message));
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

fn in_a_store_of_its_own(message: &str) -> Failure {
    Failure::new(Exit::Usage, message)
        .hint("what old rules made stays as it is, so events by other rules need a store of their own:")
        .hint("name it with --store, such as --store sqlite:by-new-rules.db")
}

/// Why nothing came of the lines of a store that was read to its end, if they cannot have been meant:
/// it keeps none that was asked for, or no rule file is for the namespaces of those that it keeps.
fn nothing_kept(from: &str, args: &ImportArgs, report: &Report) -> Option<Failure> {
    let was_read = report.logs.iter().all(|log| log.extent == Extent::Whole);
    if !was_read || report.logs.iter().any(|log| log.has_rules) {
        return None;
    }
    if report.lines > 0 {
        let hint = "a line stays in its namespace: name that in the rule files";
        return Some(none_applies_to(&args.rules, &format!("a line of {from}"), hint));
    }
    let mut message = format!("{from} keeps no line");
    if let Some(namespace) = &args.namespace {
        message.push_str(&format!(" of the namespace {namespace:?}"));
    }
    if let Some(since) = &args.since {
        message.push_str(&format!(" since {since}"));
    }
    let hint = format!("see what it has: statetrail events --store {from}");
    Some(Failure::new(Exit::NotFound, message).hint(hint))
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
