//! A server over Cassandra answers as one over a file, byte by byte, and as the shop says.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use statetrail_event::{Change, Event, EventId, Source, Time};
use statetrail_servers::Cassandra;
use statetrail_shop::{ShopConfig, Truth, TruthRecorder, generate_to_folder_with_truth};
use statetrail_store::sqlite::SqliteStore;
use statetrail_store::{EventStore, KnownEvent, TimelineQuery};
use tokio::runtime::Runtime;

use crate::cluster::{address, migrate, open};
use crate::common::{Place, project_file};
use crate::support::{Answer, Serving, encoded};

/// A few hundred orders.
const LINES: u64 = 10_000;
/// Events that are written together.
const BATCH: usize = 2_000;
/// Moments at which states are compared with the shop's.
const MOMENTS: usize = 1_000;
/// After everything that happens here. The present would be another one for each server.
const LATER: &str = "2030-01-01T00:00:00Z";

/// One server over a file and one over a cluster, with the same events.
struct Both {
    of_file: Serving,
    of_cluster: Serving,
    /// The routes that were asked for.
    asked: RefCell<BTreeSet<String>>,
}

impl Both {
    /// The answer of both. The present is part of some pages, so the file's server is asked before
    /// and after.
    fn same(&self, path: &str) -> Answer {
        let route = path.split('?').next().unwrap();
        self.asked.borrow_mut().insert(route.to_owned());
        for _ in 0..5 {
            let before = self.of_file.get(path);
            let of_cluster = self.of_cluster.get(path);
            if before == self.of_file.get(path) {
                assert_eq!(of_cluster, before, "{path}");
                return of_cluster;
            }
        }
        panic!("{path} is answered differently each time");
    }

    fn same_json(&self, path: &str) -> Json {
        let answer = self.same(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// What stands on all pages of a list; the path has a parameter already.
    fn same_pages(&self, path: &str, items: &str) -> Vec<Json> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.same_json(&format!("/api/v1{path}{after}"));
            all.extend(page[items].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={}", encoded(next)),
                None => return all,
            }
        }
    }
}

/// What the shop's logs give, and some filters that tell about themselves, each event known
/// some time after it happened.
fn events(place: &Place) -> (Vec<KnownEvent>, Truth) {
    let config = ShopConfig { late_share: 0.01, repeat_share: 0.01, ..ShopConfig::one_day(LINES) };
    let mut recorder = TruthRecorder::default();
    let logs = place.path("logs");
    generate_to_folder_with_truth(&config, &logs, Some(&mut recorder)).unwrap();
    std::fs::copy(project_file("fluent-bit/rules/shop.yaml"), place.path("shop.yaml")).unwrap();
    let files = std::fs::read_dir(&logs).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path().display().to_string()).collect();
    let import = ["import", "--store", "sqlite:imported.db", "--rules", "shop.yaml"];
    place.run(import.into_iter().chain(files.iter().map(String::as_str))).expect_code(0);
    let store = SqliteStore::open_read_only(&place.path("imported.db")).unwrap();
    let mut events = pollster::block_on(store.timeline(&TimelineQuery::default())).unwrap();
    let first = events[0].event.time;
    events.extend((0..30).map(|number| of_filter(first, number)));
    for (number, known) in events.iter_mut().enumerate() {
        let late = number as i64 * 7_919 % 3_600 * 1_000_000_000;
        known.known_at = Time::from_nanos(known.event.time.nanos() + late);
    }
    (events, recorder.finish())
}

/// One of five nodes tells of its filter.
fn of_filter(first: Time, number: i64) -> KnownEvent {
    let node = number % 5;
    let mut id = [0xf1; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let mut changes = vec![
        Change::set("revision", &*format!("r{}", number / 10)),
        Change::set("rules", number),
        Change::set("lines", number * 1_000),
        Change::set("matched.shop.yaml", number * 300),
    ];
    changes.push(match number % 3 {
        0 => Change::set("rules_error", "shop.yaml:7: no such field"),
        _ => Change::unset("rules_error"),
    });
    let time = Time::from_nanos(first.nanos() + number * 60_000_000_000);
    let event = Event {
        id: EventId(id),
        entity: format!("statetrail/filter/node-{node}").parse().unwrap(),
        name: "reported".to_owned(),
        time,
        seq: 0,
        changes,
        source: Arc::new(Source { uri: "/statetrail".to_owned(), ..Source::default() }),
        offset: None,
        rule: None,
        line: None,
    };
    KnownEvent { event, known_at: time }
}

/// Writes them into both stores, and serves those.
fn serve(place: &Place, events: &[KnownEvent]) -> Both {
    let cluster = address(Cassandra::shared().unwrap(), "same");
    migrate(place, &cluster);
    let of_file = SqliteStore::open(&place.path("store.db")).unwrap();
    Runtime::new().unwrap().block_on(async {
        let of_cluster = open(&cluster).await;
        for batch in events.chunks(BATCH) {
            of_file.append(batch).await.unwrap();
            of_cluster.write(batch).await.unwrap();
        }
    });
    drop(of_file);
    Both {
        of_file: Serving::start(place, &[]),
        of_cluster: Serving::start(place, &["--store", &cluster]),
        asked: RefCell::default(),
    }
}

/// What the questions are about.
struct Subject {
    /// An order from the middle of the day.
    order: String,
    /// The entity with the longest trail.
    longest: String,
    /// The event in the middle of all.
    middle: Time,
    events: usize,
}

impl Subject {
    fn of(events: &[KnownEvent]) -> Subject {
        let mut lengths: BTreeMap<&str, usize> = BTreeMap::new();
        for known in events {
            *lengths.entry(known.event.entity.as_str()).or_default() += 1;
        }
        let (longest, length) = lengths.into_iter().max_by_key(|(_, length)| *length).unwrap();
        assert!(length > 50, "{longest} has {length} events");
        let half = &events[events.len() / 2..];
        let order = half.iter().find(|known| known.event.entity.entity_type() == "order").unwrap();
        Subject {
            order: order.event.entity.to_string(),
            longest: longest.to_owned(),
            middle: half[0].event.time,
            events: events.len(),
        }
    }

    fn id(&self) -> &str {
        self.order.rsplit('/').next().unwrap()
    }

    /// The middle, so many seconds later.
    fn moment(&self, later: i64) -> String {
        Time::from_nanos(self.middle.nanos() + later * 1_000_000_000).to_string()
    }
}

#[test]
fn a_server_over_cassandra_answers_as_one_over_a_file() {
    let place = Place::new();
    let (events, truth) = events(&place);
    let both = serve(&place, &events);
    let subject = Subject::of(&events);
    one_entity(&both, &subject);
    entities(&both, &subject);
    events_by_time(&both, &subject);
    what_is_refused(&both, &subject);
    every_route_was_asked(&both);
    pages(&both, &subject);
    states_are_the_shops(&both, &truth);
    assert_eq!((both.of_file.end(), both.of_cluster.end()), (Some(0), Some(0)));
}

fn one_entity(both: &Both, subject: &Subject) {
    let (middle, hour_before, hour_after) =
        (subject.moment(0), subject.moment(-3_600), subject.moment(3_600));
    for name in [&subject.order, &subject.longest] {
        for at in [LATER, &middle, &hour_before, &hour_after, "1970-01-01"] {
            for known_at in ["", &format!("&as_known_at={middle}")] {
                for route in ["state", "blame"] {
                    both.same(&format!("/api/v1/{route}/{name}?at={at}{known_at}"));
                }
            }
        }
        for span in [
            &format!("to={middle}"),
            &format!("from={middle}&to={LATER}"),
            &format!("from={hour_before}&to={hour_after}"),
            &format!("from={hour_after}&to={hour_before}"),
            &format!("from={hour_before}&to={LATER}&as_known_at={middle}"),
        ] {
            both.same(&format!("/api/v1/diff/{name}?{span}"));
        }
        let trail = |query: &str| both.same_pages(&format!("/trail/{name}?{query}"), "events");
        let oldest = trail("order=oldest&limit=7");
        let mut newest = trail("order=newest&limit=9");
        newest.reverse();
        assert_eq!(newest, oldest, "{name}");
        for order in ["oldest", "newest"] {
            let part = trail(&format!("order={order}&limit=5&from={hour_before}&to={hour_after}"));
            assert!(part.len() < oldest.len(), "{name}");
            trail(&format!("order={order}&limit=5&as_known_at={middle}"));
        }
    }
    let all = both.same_pages(&format!("/trail/{}?limit=1000", subject.longest), "events");
    assert!(all.len() > 50);
}

fn entities(both: &Both, subject: &Subject) {
    let kinds = both.same_json("/api/v1/kinds");
    for counted in kinds.as_array().unwrap() {
        let text = |field: &str| counted[field].as_str().unwrap();
        let (namespace, kind) = (text("namespace"), text("type"));
        let path = format!("/entities?namespace={namespace}&type={kind}&at={LATER}&limit=20");
        let found = both.same_pages(&path, "entities").len() as u64;
        assert_eq!(counted["entities"], found, "{path}");
        assert!(found > 20 || namespace != "shop" || kind != "order", "it has several pages");
        both.same_json(&format!("/api/v1/lifecycle/{namespace}/{kind}?at={LATER}"));
    }
    let at = subject.moment(0);
    for asked in ["by=event", "by=status", "by=no-such-field", &format!("at={at}")] {
        both.same_json(&format!("/api/v1/lifecycle/shop/order?{asked}"));
    }
    let (middle, prefix) = (subject.moment(0), &subject.id()[..4]);
    let find = |query: &str| both.same_pages(&format!("/entities?limit=30&{query}"), "entities");
    for query in [
        format!("at={LATER}"),
        format!("at={middle}"),
        format!("at={middle}&as_known_at={middle}"),
        format!("prefix={prefix}&at={LATER}"),
        format!("namespace=shop&type=order&prefix={prefix}&at={middle}"),
    ] {
        assert!(!find(&query).is_empty(), "{query}");
    }
    for at in [LATER, &middle] {
        for (conditions, is_found) in [
            (&["status=completed"][..], true),
            (&["status!=completed"], true),
            (&["status=completed", "total>50"], true),
            (&["!note"], true),
            (&["status=no-such-status"], false),
        ] {
            let conditions: Vec<_> =
                conditions.iter().map(|text| format!("&where={}", encoded(text))).collect();
            let found = find(&format!("type=order&at={at}{}", conditions.concat()));
            assert_eq!(!found.is_empty(), is_found, "{conditions:?} at {at}");
        }
    }
    for (part, limit) in [(subject.id(), 100), ("o-1", 100), ("order/o-1", 7), ("no-such", 100)] {
        both.same_json(&format!("/api/v1/names?part={part}&limit={limit}"));
    }
    let filters = both.same_pages(&format!("/filters?at={LATER}&limit=2"), "filters");
    assert_eq!(filters.len(), 5);
    both.same_json(&format!("/api/v1/filters?at={middle}&as_known_at={middle}"));
}

fn events_by_time(both: &Both, subject: &Subject) {
    let oldest = both.same_pages("/events?order=oldest&limit=1000", "events");
    let mut newest = both.same_pages("/events?order=newest&limit=777", "events");
    newest.reverse();
    assert_eq!(oldest.len(), subject.events);
    assert!(oldest == newest, "both directions show the same");
    let (from, to) = (subject.moment(-1_800), subject.moment(1_800));
    let filters = [
        format!("from={from}&to={to}"),
        format!("from={to}"),
        format!("to={from}"),
        "namespace=shop".to_owned(),
        "namespace=statetrail".to_owned(),
        "type=payment".to_owned(),
        format!("type=order&prefix={}", &subject.id()[..4]),
        "event=placed".to_owned(),
        format!("text={}", subject.id()),
        format!("as_known_at={to}"),
        format!("from={from}&to={to}&type=order&event=paid&as_known_at={to}"),
        "namespace=nowhere".to_owned(),
    ];
    for filter in filters {
        let mut found = Vec::new();
        for order in ["oldest", "newest"] {
            found.push(
                both.same_pages(&format!("/events?{filter}&order={order}&limit=500"), "events"),
            );
        }
        found[1].reverse();
        assert_eq!(found[0], found[1], "{filter}");
        assert_eq!(found[0].is_empty(), filter == "namespace=nowhere", "{filter}");
        let mut counted = BTreeSet::new();
        for step in ["1m", "1d"] {
            let counts = both.same_json(&format!("/api/v1/counts?{filter}&step={step}"));
            let counts = counts["counts"].as_array().unwrap().iter();
            counted.insert(counts.map(|count| count["events"].as_u64().unwrap()).sum::<u64>());
        }
        assert_eq!(counted, BTreeSet::from([found[0].len() as u64]), "{filter}");
    }
}

fn what_is_refused(both: &Both, subject: &Subject) {
    for (path, status) in [
        (format!("state/shop/order/no-such-order?at={LATER}"), 404),
        (format!("state/{}?at=1970-01-01", subject.order), 404),
        ("trail/shop/order/no-such-order".to_owned(), 404),
        (format!("trail/{}?after=wrong", subject.order), 400),
        ("counts?step=1s".to_owned(), 422),
        ("lifecycle/shop".to_owned(), 404),
        ("entities?tpye=order".to_owned(), 400),
    ] {
        let answer = both.same(&format!("/api/v1/{path}"));
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
}

/// The document is made of the routes, so it knows of one that nobody asks here. What arrives is
/// followed in `following.rs`.
fn every_route_was_asked(both: &Both) {
    let document = both.same_json("/api/v1/openapi.json");
    let asked = both.asked.borrow();
    for path in document["paths"].as_object().unwrap().keys() {
        let start = format!("/api/v1{}", path.split('{').next().unwrap());
        let was_asked = asked.iter().any(|asked| asked.starts_with(&start));
        assert!(was_asked || path == "/follow", "{path}");
    }
}

fn pages(both: &Both, subject: &Subject) {
    let (order, longest, id) = (&subject.order, &subject.longest, subject.id());
    let (at, other) = (subject.moment(0), subject.moment(-3_600));
    let kind = "namespace=shop&type=order";
    for path in [
        "/".to_owned(),
        "/part/kinds".to_owned(),
        "/part/newest".to_owned(),
        "/part/resting".to_owned(),
        "/part/filters".to_owned(),
        "/entities".to_owned(),
        format!("/entities?{kind}"),
        format!("/entities?{kind}&after={order}"),
        format!("/entities?{kind}&at={at}&as_known_at={at}"),
        format!("/entities?{kind}&where=status%3Dcompleted&sort=-.total"),
        format!("/entities?{kind}&sort=-last"),
        format!("/entities?text={id}"),
        format!("/entities?prefix={}", &id[..4]),
        format!("/entity?name={order}"),
        format!("/entity?name={order}&at={at}&with={other}"),
        format!("/entity?name={longest}&at={at}&as_known_at={at}"),
        format!("/part/entity?name={longest}&at={other}"),
        "/events".to_owned(),
        format!("/events?from={other}&to={at}"),
        format!("/events?from={other}&to={at}&order=oldest&type=payment"),
        format!("/events?from=1970-01-01&text={id}"),
        format!("/events?{kind}&event=placed&as_known_at={at}"),
        "/lifecycle".to_owned(),
        format!("/lifecycle?{kind}"),
        format!("/lifecycle?{kind}&by=event&at={at}"),
        format!("/lifecycle?{kind}&by=total"),
        "/login".to_owned(),
    ] {
        let page = both.same(&path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    }
    for (path, status) in [
        (format!("/go?name={id}"), 303),
        ("/go?name=o-1".to_owned(), 409),
        ("/go?name=no-such-order".to_owned(), 404),
        ("/entity?name=shop/order/no-such-order".to_owned(), 404),
        ("/entities?where=%3D".to_owned(), 400),
        ("/nowhere".to_owned(), 404),
    ] {
        let page = both.same(&path);
        assert_eq!(page.status, status, "{path}: {page:?}");
    }
    let shown = both.same(&format!("/entity?name={order}&at={LATER}"));
    assert!(shown.body.contains("completed") || shown.body.contains("cancelled"), "{shown:?}");
}

fn states_are_the_shops(both: &Both, truth: &Truth) {
    for (entity, time) in truth.moments(7, MOMENTS) {
        let path = format!("/api/v1/state/{}?at={time}", encoded(entity.as_str()));
        let answer = both.of_cluster.get(&path);
        let state = match answer.status {
            404 => json!({}),
            _ => answer.json()["state"].take(),
        };
        assert_eq!(state, json!(truth.state_at(&entity, time)), "{entity} at {time}: {answer:?}");
    }
    let kinds = both.of_cluster.get("/api/v1/kinds").json();
    let kinds = kinds.as_array().unwrap().iter().filter(|kind| kind["namespace"] == "shop");
    let entities: u64 = kinds.map(|kind| kind["entities"].as_u64().unwrap()).sum();
    assert_eq!(entities, truth.entities().len() as u64);
}
