//! On how many nodes a rule file has an error, as the filters tell it: for an alert, because a filter goes on
//! without what it could not read.

use std::sync::Arc;
use std::time::Duration;

use statetrail_event::Time;
use statetrail_query::{Find, Found, Moment, RULES_ERROR, fields_since_start, filter_kind};
use statetrail_store::{EntityFilter, EventStore};

use crate::api::params::now;
use crate::asker::Asker;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// A filter tells something every minute while lines come. One that is not heard of for longer may be gone with
/// its node, and its last word would stay for ever.
const HEARD_OF_WITHIN_NANOS: i64 = 3_600_000_000_000;
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// Filters that are read at once.
const PAGE: usize = 200;

/// Counts the nodes again and again, for as long as the server runs: who asks what is measured does not wait for
/// the store. While that does not answer, the last count stays.
pub(crate) async fn keep_counting(asker: Asker, metrics: Arc<Metrics>) {
    loop {
        let store = Arc::clone(asker.store());
        if let Ok(nodes) = asker.ask(move || async move { count(&*store).await }).await {
            metrics.rule_errors.set(nodes);
        }
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

async fn count(store: &dyn EventStore) -> Result<i64, Problem> {
    let now = now();
    let filter = EntityFilter::from(&filter_kind());
    // As of all that is known: a node's clock may be ahead of ours.
    let mut find = Find::new(store, filter, Vec::new(), Moment::at(Time::MAX)).with_page(PAGE);
    let mut nodes = 0;
    while let Some(page) = find.next_page().await? {
        nodes += page.iter().filter(|filter| has_error(filter, now)).count();
    }
    Ok(i64::try_from(nodes).unwrap_or(i64::MAX))
}

fn has_error(filter: &Found, now: Time) -> bool {
    let silent_nanos = now.nanos().saturating_sub(filter.last.nanos());
    silent_nanos < HEARD_OF_WITHIN_NANOS
        && fields_since_start(&filter.state).any(|(field, _)| field == RULES_ERROR)
}
