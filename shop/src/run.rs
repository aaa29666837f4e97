//! A run from its settings to its summary.

use crate::config::ShopConfig;
use crate::error::ShopError;
use crate::journal::Journal;
use crate::simulation::Simulation;
use crate::sink::LineSink;
use crate::summary::Summary;
use crate::truth::TruthSink;

/// Runs the shop, handing every log line to `lines` and every change to `truth`.
///
/// # Errors
/// When a setting makes no sense, or `lines` or `truth` fails.
pub fn generate(
    config: &ShopConfig,
    lines: &mut dyn LineSink,
    truth: Option<&mut dyn TruthSink>,
) -> Result<Summary, ShopError> {
    config.check()?;
    let mut journal = Journal::new(config, lines);
    if let Some(sink) = truth {
        journal.tell_truth(sink);
    }
    let mut simulation = Simulation::new(config, journal);
    simulation.run();
    let orders = simulation.orders_placed();
    let trouble = simulation.trouble;
    let lines_of_kind = simulation.journal.close().map_err(ShopError::Sink)?;
    Ok(Summary { lines: lines_of_kind.iter().sum(), lines_of_kind, orders, trouble })
}
