//! `statetrail demo`: a shop works through a day, its logs are imported, and every answer is
//! held against what the shop itself knows. Then the shop opens again, to be watched.

mod check;
mod live;
mod own_store;
mod tour;

use std::error::Error as _;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde::Serialize;
use statetrail_event::Time;
use statetrail_input::ReadSettings;
use statetrail_rules::{RuleSet, RuleText};
use statetrail_server::Settings;
use statetrail_shop::{
    ShopConfig, ShopError, Summary, Truth, TruthRecorder, generate_to_folder_with_truth,
};
use statetrail_store::{EventStore, StoreAddress};
use tempfile::TempDir;

use super::Questioner;
use super::import::append;
use super::serve::{Serving, no_threads, serve_until_a_signal};
use crate::args::DemoArgs;
use crate::clock::{Clock, time_of_timestamp};
use crate::failure::{Exit, Failure};
use crate::import::{Import, Imported, Lines, ProgressChoice, Report, grouped, plan};
use crate::output::{Output, OutputFormat};
use crate::rule_files::compile;
use crate::store_place::{create_store_at, demo_store_path, store_address, store_failure};
use crate::waiting::{block_on, start_runtime};
use check::{Checked, check};
use live::LiveShop;
use own_store::OwnStore;

/// The shop's rules travel with the binary, so that the demo runs anywhere.
const SHOP_RULES: &str = include_str!("../../../../fluent-bit/rules/shop.yaml");

/// Where the dashboard is, if nothing else is there.
const DASHBOARD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Lines of the shop's day.
const LINES: u64 = 100_000;
/// Lines in a thousand that reach their file late, and that reach it twice.
const LATE_PER_MILLE: f64 = 10.0;

/// What the demo did.
#[derive(Serialize)]
struct DemoReport {
    lines: u64,
    events: u64,
    orders: u64,
    moments: u64,
    differing: u64,
    seconds: f64,
    store: String,
    logs: Option<String>,
    trouble: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When a folder or the store cannot be used, or a state differs from the shop's.
pub fn run(
    args: &DemoArgs,
    store: Option<&str>,
    clock: &Clock,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let start = Instant::now();
    dashboard(args)?;
    let place = match store {
        Some(typed) => store_address(Some(typed))?,
        None => StoreAddress::Sqlite(demo_store_path()?),
    };
    let own = OwnStore::take(&place)?;
    let logs = LogFolder::create()?;
    let shop = open_shop(args, clock, logs.path())?;
    tell_day(&shop, &logs, output)?;
    let store = empty_store(&place, own.as_ref())?;
    let report = import(&*store, logs.path(), clock)?;
    tell_import(&report, output)?;
    let ask = Questioner::new(store, clock);
    let checked = check(&ask, &shop.truth, args.seed)?;
    tell_check(&checked, output)?;
    let kept = logs.end(args.keep);
    let demo = DemoReport {
        lines: report.lines,
        events: report.events_new,
        orders: shop.summary.orders,
        moments: checked.moments,
        differing: checked.differing,
        seconds: start.elapsed().as_secs_f64(),
        store: place.to_string(),
        logs: kept.map(|path| path.display().to_string()),
        trouble: shop.summary.trouble.as_ref().map(|trouble| trouble.order.to_string()),
    };
    if output.is_text() {
        tour::show(&shop, &demo.store, &ask, output)?;
        if let Some(logs) = &demo.logs {
            writeln!(output, "\nThe log files are kept in {logs}")?;
        }
        writeln!(output, "\nAll of this took {:.1} s.", demo.seconds)?;
    } else {
        demo.write(output)?;
    }
    let exit = checked.into_result()?;
    if args.once {
        return Ok(exit);
    }
    drop(ask);
    stay_open(args, &place, demo.orders, output)
}

/// Serves the dashboard, with a shop that keeps running.
fn stay_open(
    args: &DemoArgs,
    place: &StoreAddress,
    orders_before: u64,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    start_runtime().map_err(no_threads)?;
    let store: Arc<dyn EventStore> = Arc::from(create_store_at(place)?);
    let shop = LiveShop::open(Arc::clone(&store), shop_rules()?, args.seed, orders_before)?;
    if output.is_text() {
        writeln!(output, "\nThe shop has opened again and works until you end this.")?;
    }
    let settings = dashboard(args)?;
    let serving = Serving { settings, store, port_may_differ: args.listen.is_none() };
    let served = serve_until_a_signal(&serving, output);
    shop.close();
    served
}

/// How the dashboard is to be served. A demo has no tokens, so nobody else may reach it.
fn dashboard(args: &DemoArgs) -> Result<Settings, Failure> {
    let settings = Settings::local(args.listen.unwrap_or(DASHBOARD));
    settings.check().map_err(|error| {
        Failure::new(Exit::Usage, error).hint("statetrail serve takes --tokens; the demo does not")
    })?;
    Ok(settings)
}

fn shop_rules() -> Result<RuleSet, Failure> {
    compile(&[RuleText { name: "shop.yaml".to_owned(), text: SHOP_RULES.to_owned() }])
}

/// The shop's day: what it amounted to and what was true.
struct Shop {
    summary: Summary,
    truth: Truth,
    config: ShopConfig,
}

/// Lets the shop work through yesterday.
fn open_shop(args: &DemoArgs, clock: &Clock, folder: &Path) -> Result<Shop, Failure> {
    let config = ShopConfig {
        seed: args.seed,
        start: yesterday(clock),
        late_share: LATE_PER_MILLE / 1_000.0,
        repeat_share: LATE_PER_MILLE / 1_000.0,
        ..ShopConfig::one_day(LINES)
    };
    let mut recorder = TruthRecorder::default();
    let summary = generate_to_folder_with_truth(&config, folder, Some(&mut recorder))
        .map_err(|error| shop_failure(&error, folder))?;
    Ok(Shop { summary, truth: recorder.finish(), config })
}

fn shop_failure(error: &ShopError, folder: &Path) -> Failure {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let message = format!("{}: the shop cannot work there: {error}{cause}", folder.display());
    Failure::new(Exit::Failed, message)
        .hint("TMPDIR names the folder for temporary files; the logs take some 20 MB")
}

/// The start of yesterday in UTC, so that all of the shop's day is over.
fn yesterday(clock: &Clock) -> Time {
    let now = jiff::Timestamp::from_nanosecond(i128::from(clock.now().nanos()));
    let start = now.ok().and_then(|now| {
        let yesterday = now.to_zoned(TimeZone::UTC).checked_sub(1.day()).ok()?;
        yesterday.start_of_day().ok()
    });
    start.map_or(clock.now(), |start| time_of_timestamp(start.timestamp()))
}

/// An empty store at that place. The demo's own store is made anew; any other one must not
/// hold anything yet.
fn empty_store(
    place: &StoreAddress,
    own: Option<&OwnStore>,
) -> Result<Box<dyn EventStore>, Failure> {
    if let Some(own) = own {
        own.empty();
    }
    let store = create_store_at(place)?;
    let counts = block_on(store.counts()).map_err(store_failure)?;
    if counts.events > 0 {
        let message = format!("{place}: the demo needs a store without events");
        return Err(Failure::new(Exit::Store, message)
            .hint("--store sqlite:PATH may name a file that does not exist yet"));
    }
    Ok(store)
}

fn import(store: &dyn EventStore, folder: &Path, clock: &Clock) -> Result<Report, Failure> {
    let mut rules = shop_rules()?;
    let settings = ReadSettings {
        format: None,
        time_format: None,
        zone: clock.zone().clone(),
        now: clock.now(),
    };
    let import = Import {
        lines: Lines::OfLogs(plan(&log_files(folder)?, None, &mut rules)?, settings),
        rules,
        since: None,
        stop: Arc::default(),
        progress: ProgressChoice::Auto,
    };
    let Imported { report, store_failure } =
        import.run(|events| append(store, events).map_err(store_failure))?;
    match store_failure {
        Some(failure) => Err(failure),
        None => Ok(report),
    }
}

fn log_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("{}: cannot be read: {error}", folder.display()))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        files.push(entry.map_err(unreadable)?.path());
    }
    files.sort();
    Ok(files)
}

/// The folder of the shop's log files, removed at the end unless it is to be kept.
struct LogFolder(TempDir);

impl LogFolder {
    fn create() -> Result<LogFolder, Failure> {
        let folder = tempfile::Builder::new().prefix("statetrail-demo-").tempdir();
        folder.map(LogFolder).map_err(|error| {
            Failure::new(Exit::Failed, format!("no folder for the shop's logs: {error}"))
                .hint("TMPDIR names the folder for temporary files")
        })
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn end(self, keep: bool) -> Option<PathBuf> {
        keep.then(|| self.0.keep())
    }
}

fn tell_day(shop: &Shop, logs: &LogFolder, output: &mut Output<'_>) -> Result<(), Failure> {
    if !output.is_text() {
        return Ok(());
    }
    let files = log_files(logs.path())?.len();
    writeln!(
        output,
        "A shop worked through a day: {} orders, {} log lines of {files} containers.",
        grouped(shop.summary.orders),
        grouped(shop.summary.lines),
    )?;
    output.flush()?;
    Ok(())
}

fn tell_import(report: &Report, output: &mut Output<'_>) -> Result<(), Failure> {
    if !output.is_text() {
        return Ok(());
    }
    let seconds = Duration::from_secs_f64(report.seconds).as_secs_f32();
    writeln!(
        output,
        "Imported in {seconds:.1} s: {} events, {} lines without one.",
        grouped(report.events_new),
        grouped(report.unmatched),
    )?;
    output.flush()?;
    Ok(())
}

fn tell_check(checked: &Checked, output: &mut Output<'_>) -> Result<(), Failure> {
    if !output.is_text() {
        return Ok(());
    }
    let moments = grouped(checked.moments);
    if checked.differing == 0 {
        let all = output.style.good("all equal");
        writeln!(output, "Compared {moments} states with the shop's own truth: {all}.")?;
    } else {
        let differing = output.style.bad(format!("{} differ", grouped(checked.differing)));
        writeln!(output, "Compared {moments} states with the shop's own truth: {differing}!")?;
    }
    output.flush()?;
    Ok(())
}

impl DemoReport {
    fn write(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        if output.format != OutputFormat::Csv {
            return output.document(self);
        }
        output.csv_row([
            "lines",
            "events",
            "orders",
            "moments",
            "differing",
            "seconds",
            "store",
            "logs",
            "trouble",
        ])?;
        output.csv_row([
            self.lines.to_string(),
            self.events.to_string(),
            self.orders.to_string(),
            self.moments.to_string(),
            self.differing.to_string(),
            self.seconds.to_string(),
            self.store.clone(),
            self.logs.clone().unwrap_or_default(),
            self.trouble.clone().unwrap_or_default(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stopped_the_shop_is_told() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let failure = shop_failure(&ShopError::Sink(full), Path::new("/small"));
        let Failure::Told { message, hints, .. } = failure else { panic!("nothing is told") };
        assert!(
            message.starts_with("/small: ") && message.ends_with("no storage space"),
            "{message}"
        );
        assert!(hints[0].contains("TMPDIR"));
    }
}
