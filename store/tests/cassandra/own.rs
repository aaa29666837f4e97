//! What only the Cassandra store has: being made, being opened, and what can be wrong with it.

use statetrail_store::StoreError;
use statetrail_store::cassandra::{CassandraStore, Migrated, Plan, migrate};

use crate::cluster::{address, block_on, plan};

#[test]
fn a_store_is_made_once_and_stays_as_it_was_made() {
    let address = address("made");
    block_on(async {
        let missing = CassandraStore::connect(&address).await.unwrap_err();
        assert!(matches!(missing, StoreError::NotMigrated { .. }), "{missing}");
        assert!(missing.to_string().contains("statetrail migrate --store cassandra://"));
        let made = migrate(&address, &plan()).await.unwrap();
        let Migrated::Created(settings) = made else { panic!("{made:?}") };
        assert_eq!(
            migrate(&address, &plan()).await.unwrap(),
            Migrated::Unchanged(settings.clone())
        );
        let store = CassandraStore::connect(&address).await.unwrap();
        assert_eq!(store.settings(), &settings);

        let other = Plan { rate: 100_000, replication: "3".parse().unwrap(), ..plan() };
        let refused = migrate(&address, &other).await.unwrap_err();
        let StoreError::OtherSettings { differences, .. } = &refused else { panic!("{refused}") };
        assert_eq!(differences, &["rate is 10, not 100000", "replication is 1, not 3"]);
    });
}
