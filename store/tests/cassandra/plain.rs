//! The suite on the store as it is.

use std::future::Future;
use std::pin::Pin;

use statetrail_store::EventStore;
use statetrail_store::cassandra::Patience;
use statetrail_store::suite::Subject;

use crate::cluster;

struct Plain;

impl Subject for Plain {
    fn opened_twice(&self) -> [Box<dyn EventStore>; 2] {
        cluster::opened::<2>(Patience::default()).map(|store| Box::new(store) as _)
    }

    fn random_runs(&self) -> u32 {
        cluster::RANDOM_RUNS
    }

    fn run(&self, test: Pin<Box<dyn Future<Output = ()> + '_>>) {
        cluster::run(test);
    }
}

statetrail_store::store_suite!(Plain);
