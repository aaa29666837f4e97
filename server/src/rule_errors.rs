//! On how many nodes a rule file has an error, as the filters tell it: for an alert, because a filter with an
//! error goes on with the rules before it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use statetrail_event::Time;
use statetrail_query::{Find, Found, Moment, fields_since_start, filter_kind};
use statetrail_store::{EntityFilter, EventStore};

use crate::access::Scope;
use crate::asker::Asker;
use crate::kept::Kept;
use crate::problem::Problem;

/// A filter tells something every minute while lines come. One that is not heard of for longer may be gone with
/// its node, and its last word would stay for ever.
const HEARD_OF_WITHIN: Duration = Duration::from_secs(3600);
/// How long a count is kept: who scrapes often has nothing read more often.
const COUNTED: Duration = Duration::from_secs(15);
/// Filters that are read at once.
const PAGE: usize = 200;

/// Counts the nodes.
pub(crate) struct RuleErrors(Kept<i64>);

impl RuleErrors {
    /// Nobody waits longer than `within` for the count.
    pub(crate) fn new(within: Duration) -> RuleErrors {
        RuleErrors(Kept::new(COUNTED, within))
    }

    /// How many nodes there are now.
    pub(crate) async fn count(&self, asker: &Asker) -> Result<i64, Problem> {
        let store = Arc::clone(asker.store());
        self.0.get(&Scope::All, asker.ask(move || async move { count(&*store).await })).await
    }
}

async fn count(store: &dyn EventStore) -> Result<i64, Problem> {
    let now = Time::nearest(Timestamp::now().as_nanosecond());
    let filter = EntityFilter::from(&filter_kind());
    let mut find = Find::new(store, filter, Vec::new(), Moment::at(now)).with_page(PAGE);
    let mut nodes = 0;
    while let Some(page) = find.next_page().await? {
        nodes += page.iter().filter(|filter| has_error(filter, now)).count();
    }
    Ok(i64::try_from(nodes).unwrap_or(i64::MAX))
}

fn has_error(filter: &Found, now: Time) -> bool {
    let silent_nanos = now.nanos().saturating_sub(filter.last.nanos());
    i128::from(silent_nanos) < HEARD_OF_WITHIN.as_nanos().cast_signed()
        && fields_since_start(&filter.state).any(|(field, _)| field == "rules_error")
}
