//! Writes the sample shop's logs into a folder.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Parser;
use statetrail_event::Time;
use statetrail_shop::{
    Amount, Pace, ShopConfig, Summary, TruthJsonl, TruthSink, generate_to_folder_with_truth,
};

/// Write the logs of a sample web shop, one file per container, as in /var/log/containers
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Folder for the log files; it is created if need be
    folder: PathBuf,
    /// Decides everything that is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of lines to write [default: 100000, or no end with --rate]
    #[arg(long, conflicts_with = "orders")]
    lines: Option<u64>,
    /// Number of orders to work through, each to its end
    #[arg(long)]
    orders: Option<u64>,
    /// Lines per second, with the times of now; without it, as fast as possible
    #[arg(long, value_name = "LINES")]
    rate: Option<u32>,
    /// When the shop opens, such as 2026-11-22T00:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "rate", value_parser = parse_time)]
    start: Option<Time>,
    /// New orders per hour of the shop's time [default: what makes the lines fill a day]
    #[arg(long)]
    orders_per_hour: Option<u32>,
    /// Share of lines that change an entity, 0 to 1
    #[arg(long, default_value_t = 0.5)]
    matching_share: f64,
    /// How far a node's clock may be off, in milliseconds
    #[arg(long, default_value_t = 250)]
    skew_ms: u64,
    /// Share of lines that are written late, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    late_share: f64,
    /// How late such a line is at most, in seconds
    #[arg(long, default_value_t = 300)]
    late_within_s: u64,
    /// Share of lines that are written twice, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    repeat_share: f64,
    /// Also write every change of every entity into this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let config = config(&arguments)?;
    let summary = match &arguments.truth {
        None => generate_to_folder_with_truth(&config, &arguments.folder, None)?,
        Some(path) => {
            let file = File::create(path).with_context(|| format!("write {}", path.display()))?;
            let mut truth = TruthJsonl::new(BufWriter::new(file));
            let sink: &mut dyn TruthSink = &mut truth;
            let summary = generate_to_folder_with_truth(&config, &arguments.folder, Some(sink))?;
            truth.finish().with_context(|| format!("write {}", path.display()))?;
            summary
        }
    };
    report(&summary);
    Ok(())
}

fn parse_time(text: &str) -> Result<Time, statetrail_event::TimeError> {
    Time::parse_rfc3339(text)
}

fn config(arguments: &Arguments) -> Result<ShopConfig> {
    let amount = match (arguments.lines, arguments.orders, arguments.rate) {
        (Some(lines), _, _) => Amount::Lines(lines),
        (None, Some(orders), _) => Amount::Orders(orders),
        (None, None, Some(_)) => Amount::Lines(u64::MAX),
        (None, None, None) => ShopConfig::default().amount,
    };
    let default = match amount {
        Amount::Lines(lines) if arguments.rate.is_none() => ShopConfig::one_day(lines),
        Amount::Lines(_) | Amount::Orders(_) => ShopConfig::default(),
    };
    Ok(ShopConfig {
        seed: arguments.seed,
        start: match (arguments.start, arguments.rate) {
            (Some(start), _) => start,
            (None, Some(_)) => now()?,
            (None, None) => default.start,
        },
        amount,
        pace: arguments.rate.map_or(Pace::FullSpeed, Pace::LinesPerSecond),
        orders_per_hour: arguments.orders_per_hour.unwrap_or(default.orders_per_hour),
        orders_before: 0,
        matching_share: arguments.matching_share,
        skew: Duration::from_millis(arguments.skew_ms),
        late_share: arguments.late_share,
        late_within: Duration::from_secs(arguments.late_within_s),
        repeat_share: arguments.repeat_share,
        part_bytes: default.part_bytes,
    })
}

fn now() -> Result<Time> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("read the clock")?;
    Ok(Time::from_nanos(i64::try_from(now.as_nanos()).context("read the clock")?))
}

fn report(summary: &Summary) {
    println!(
        "{} lines, {} of them change an entity; {} orders",
        summary.lines,
        summary.changing_lines(),
        summary.orders
    );
    if let Some(trouble) = &summary.trouble {
        println!("an order that had trouble: {} ({})", trouble.order, trouble.story.join(", "));
    }
}
