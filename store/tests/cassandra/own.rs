//! What only the Cassandra store has: being made, being opened, and what can be wrong with it.

use scylla::statement::Consistency;
use statetrail_store::StoreError;
use statetrail_store::cassandra::{Address, CassandraStore, Migrated, Plan, migrate};

use crate::cluster::{address, assert_told, block_on, plan, session};

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

/// Makes a store, has something done to its keyspace, and tells how it is refused then.
fn refused_after(keyspace: &str, statement: &str) -> StoreError {
    // So that copies on nodes that are not there do not matter.
    let address = Address { consistency: Consistency::One, ..address(keyspace) };
    block_on(async {
        migrate(&address, &plan()).await.unwrap();
        let statement = statement.replace("KEYSPACE_NAME", &address.keyspace);
        session().await.query_unpaged(statement, ()).await.unwrap();
        let again = migrate(&address, &plan()).await.unwrap_err();
        let refused = CassandraStore::connect(&address).await.unwrap_err();
        assert_eq!(again.to_string(), refused.to_string());
        assert!(!refused.is_retryable(), "{refused}");
        refused
    })
}

#[test]
fn a_store_of_another_version_is_refused() {
    for (keyspace, usable_by) in [
        ("newer", "UPDATE KEYSPACE_NAME.settings SET value = '7' WHERE name = 'schema_usable_by'"),
        ("unmarked", "DELETE FROM KEYSPACE_NAME.settings WHERE name = 'schema_usable_by'"),
    ] {
        let newer = format!(
            "BEGIN BATCH {usable_by};
             UPDATE KEYSPACE_NAME.settings SET value = '7' WHERE name = 'schema_version';
             APPLY BATCH"
        );
        let refused = refused_after(keyspace, &newer);
        assert!(matches!(refused, StoreError::OtherFormat { found: 7, .. }), "{refused:?}");
        assert_told(&refused, &["cassandra://", "has format 7", "use a newer statetrail"]);
    }
    let unreadable = "UPDATE KEYSPACE_NAME.settings SET value = 'x' WHERE name = 'schema_version'";
    let refused = refused_after("unreadable", unreadable);
    assert_told(&refused, &["damaged: the setting schema_version cannot be \"x\""]);
}

#[test]
fn a_damaged_setting_is_named() {
    for (keyspace, statement, said) in [
        (
            "many",
            "UPDATE KEYSPACE_NAME.settings SET value = 'many' WHERE name = 'shards'",
            "the setting shards cannot be \"many\"",
        ),
        (
            "gone",
            "DELETE FROM KEYSPACE_NAME.settings WHERE name = 'retention'",
            "the setting retention is missing",
        ),
    ] {
        let refused = refused_after(keyspace, statement);
        assert!(matches!(refused, StoreError::Damaged { .. }), "{refused:?}");
        assert_told(&refused, &[&*address(keyspace).place(), said]);
    }
}

#[test]
fn a_keyspace_with_other_copies_than_stated_is_refused() {
    for (keyspace, options, said) in [
        ("strategy", "'class': 'NetworkTopologyStrategy', 'datacenter1': 1", "datacenter1=1"),
        ("copies", "'class': 'SimpleStrategy', 'replication_factor': 2", "replication_factor=2"),
    ] {
        let alter = format!("ALTER KEYSPACE KEYSPACE_NAME WITH replication = {{{options}}}");
        let refused = refused_after(keyspace, &alter);
        assert!(matches!(refused, StoreError::OtherSettings { .. }), "{refused:?}");
        assert_told(&refused, &["replication is 1, but the keyspace has", said]);
    }
}

#[test]
fn a_table_that_is_gone_is_told() {
    let address = address("dropped");
    block_on(async {
        migrate(&address, &plan()).await.unwrap();
        let drop = format!("DROP TABLE {}.timeline", address.keyspace);
        session().await.query_unpaged(drop, ()).await.unwrap();
        let refused = CassandraStore::connect(&address).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotMigrated { .. }), "{refused:?}");
        assert_told(&refused, &["statetrail migrate --store cassandra://"]);
    });
}
