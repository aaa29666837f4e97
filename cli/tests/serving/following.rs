//! Events as they arrive in Cassandra: each once, whichever server tells of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;
use statetrail_event::{Change, Event, EventId, Source, Time};
use statetrail_servers::Cassandra;
use statetrail_store::cassandra::CassandraStore;
use statetrail_store::{EventStore, KnownEvent};
use tokio::runtime::Runtime;

use crate::cluster::{address, migrate, open};
use crate::common::{LOG, Place};
use crate::support::{Followed, Serving, Told};

/// The number of events that the usual log gives.
const OF_LOG: usize = 8;

/// A store, and two who write into it: the import, and one that writes as the sink does.
struct Written {
    place: Place,
    address: String,
    runtime: Runtime,
    store: CassandraStore,
}

impl Written {
    fn new(keyspace: &str) -> Written {
        let (place, runtime) = (Place::new(), Runtime::new().unwrap());
        let address = address(Cassandra::shared().unwrap(), keyspace);
        migrate(&place, &address);
        let store = runtime.block_on(open(&address));
        Written { place, address, runtime, store }
    }

    fn serve(&self) -> Serving {
        Serving::start(&self.place, &["--store", &self.address])
    }

    fn import(&self, log: &str) {
        self.place.write("app.log", log);
        let import = ["import", "--store", &self.address, "--rules", "rules.yaml", "app.log"];
        self.place.run(import).expect_code(0);
    }

    fn write(&self, numbers: std::ops::Range<u64>) {
        let events: Vec<_> = numbers.map(event).collect();
        self.runtime.block_on(self.store.write(&events)).unwrap();
    }
}

/// One of a few parcels moves, in no order of time.
fn event(number: u64) -> KnownEvent {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let seconds = 1_795_000_000 + (number * 7_919 % 100_000) as i64;
    let time = Time::from_nanos(seconds * 1_000_000_000);
    let event = Event {
        id: EventId(id),
        entity: format!("shop/parcel/s-{}", number % 20).parse().unwrap(),
        name: "moved".to_owned(),
        time,
        seq: 0,
        changes: vec![Change::set("number", number as i64)],
        source: Arc::new(Source { uri: "/shop/pod/app".to_owned(), ..Source::default() }),
        offset: None,
        rule: None,
        line: Some(format!("parcel s-{} moved, \"{number}\"", number % 20)),
    };
    KnownEvent { event, known_at: time }
}

fn ids(events: &[Json]) -> BTreeSet<String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

/// Every event that the server knows of.
fn stored(serving: &Serving) -> Vec<Json> {
    let page = serving.get("/api/v1/events?limit=1000&order=oldest").json();
    assert_eq!(page["next"], Json::Null);
    page["events"].as_array().unwrap().clone()
}

#[test]
fn every_event_arrives_once_across_restarts_of_the_server() {
    let written = Written::new("follow");
    written.write(0..10);
    let serving = written.serve();
    let mut followed = Followed::start(&serving, "", None);
    // What was there before is not told of.
    written.import(LOG);
    let mut told = followed.take(OF_LOG);
    written.write(10..60);
    written.write(60..100);
    // The server is killed while there is more to be told.
    told.extend(followed.take(37));
    drop(serving);
    // Some of it may be under way still.
    let mut place = followed.place.clone();
    while let Some(Told::Event(event)) = followed.next() {
        told.push(event);
        place.clone_from(&followed.place);
    }
    written.write(100..150);
    written.import("2026-11-22 11:00:00 order o-3000 placed amount=1 by ann\n");
    let serving = written.serve();
    let mut followed = Followed::start(&serving, "", Some(&place));
    let missed = OF_LOG + 90 + 50 + 1 - told.len();
    told.extend(followed.take(missed));
    // Nothing is told again, and what comes now is told at once.
    written.write(80..151);
    written.import("2026-11-22 11:01:00 order o-3000 paid by card\n");
    told.extend(followed.take(3));
    // Another server goes on from a place of this one.
    let (other, place) = (written.serve(), followed.place.clone());
    written.write(151..170);
    told.extend(Followed::start(&other, "", Some(&place)).take(19));
    let count = OF_LOG + 160 + 3;
    assert_eq!((told.len(), ids(&told).len()), (count, count), "an event was told twice");

    let stored = stored(&other);
    assert_eq!(stored.len(), count + 10);
    let told: BTreeSet<String> = told.iter().map(Json::to_string).collect();
    let not_told = stored.iter().filter(|event| !told.contains(&event.to_string()));
    let not_told: BTreeSet<_> =
        not_told.map(|event| event["set"]["number"].as_u64().unwrap()).collect();
    assert_eq!(not_told, (0..10).collect(), "only what was there before is not told of");
    // From a place without a server's memory all comes again, once.
    let again = Followed::start(&serving, "", Some(&place)).take(19);
    assert_eq!(ids(&again).len(), 19);
}

#[test]
fn only_what_is_asked_for_arrives() {
    let written = Written::new("filtered");
    let serving = written.serve();
    let follow = |query| Followed::start(&serving, query, None);
    let mut orders = follow("?type=order&event=paid");
    let mut parcels = follow("?type=parcel&prefix=s-7");
    let mut text = follow("?namespace=shop&text=%2233%22");
    written.write(0..40);
    written.import(LOG);
    let numbers = |events: Vec<Json>| -> BTreeSet<_> {
        events.iter().map(|event| event["set"]["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(parcels.take(2)), BTreeSet::from([7, 27]));
    assert_eq!(numbers(text.take(1)), BTreeSet::from([33]));
    let paid = orders.take(2);
    let paid: BTreeSet<_> = paid.iter().map(|event| event["entity"].as_str().unwrap()).collect();
    assert_eq!(paid, BTreeSet::from(["shop/order/o-1042", "shop/order/o-1043"]));
}
