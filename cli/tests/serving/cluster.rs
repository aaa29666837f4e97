//! Stores in a real Cassandra.

use statetrail_servers::Cassandra;
use statetrail_store::cassandra::CassandraStore;

use crate::common::Place;

/// The address of a keyspace of this process.
pub(crate) fn address(cassandra: &Cassandra, keyspace: &str) -> String {
    let nodes = cassandra.contact_points().join(",");
    format!("cassandra://{nodes}/serving_{keyspace}_{}", std::process::id())
}

/// Makes a store there.
pub(crate) fn migrate(place: &Place, address: &str) {
    let plan = ["--rate", "10", "--replication", "1", "--state-index"];
    place.run([&["migrate", "--store", address], &plan[..]].concat()).expect_code(0);
}

/// The store, for a test that writes by itself. Needs a runtime.
pub(crate) async fn open(address: &str) -> CassandraStore {
    CassandraStore::connect(&address.parse().unwrap()).await.unwrap()
}
