//! Cassandra is stopped, or silent, while people ask.

use std::thread;
use std::time::{Duration, Instant};

use statetrail_servers::{Cassandra, CassandraOptions, Server};

use crate::cluster::{address, migrate};
use crate::common::{LOG, Place};
use crate::support::{Answer, Followed, Serving, Told, wait_until};

/// What a server promises, and some time for a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(30 + 10);

const API: [&str; 11] = [
    "/api/v1/kinds",
    "/api/v1/entities?at=2030-01-01",
    "/api/v1/names?part=o-",
    "/api/v1/lifecycle/shop/order?at=2030-01-01",
    "/api/v1/state/shop/order/o-1042?at=2026-11-22T10:03:07Z",
    "/api/v1/trail/shop/order/o-1042",
    "/api/v1/blame/shop/order/o-1042?at=2030-01-01",
    "/api/v1/diff/shop/order/o-1042?to=2030-01-01",
    "/api/v1/events",
    "/api/v1/counts",
    "/api/v1/filters?at=2030-01-01",
];
const PAGES: [&str; 5] = [
    "/",
    "/entities",
    "/entity?name=shop/order/o-1042&at=2026-11-22T10:03:07Z",
    "/events",
    "/lifecycle?namespace=shop&type=order",
];
/// Begins or ends an outage.
type Act = fn(&Server);
const OUTAGES: [(&str, Act, Act); 3] = [
    ("stopped", |node| node.stop().unwrap(), |node| node.restart().unwrap()),
    ("killed", |node| node.kill().unwrap(), |node| node.restart().unwrap()),
    ("silent", |node| node.pause().unwrap(), |node| node.resume().unwrap()),
];
/// What needs no store.
const ALWAYS: [&str; 4] = ["/health/livez", "/metrics", "/api/v1/openapi.json", "/login"];

/// Asks for all paths side by side; each answer has to come in time.
fn ask(serving: &Serving, paths: &[&'static str]) -> Vec<(&'static str, Answer)> {
    thread::scope(|scope| {
        let ask = |path: &&'static str| {
            let path = *path;
            scope.spawn(move || {
                let begun = Instant::now();
                let answer = serving.get(path);
                assert!(begun.elapsed() < DEADLINE, "{path}: {:?}", begun.elapsed());
                (path, answer)
            })
        };
        let asked: Vec<_> = paths.iter().map(ask).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

fn assert_no_answers(serving: &Serving, nodes: &str) {
    for (path, answer) in ask(serving, &["/health/readyz"]) {
        assert_eq!(answer.status, 503, "{path}: {answer:?}");
        assert!(answer.body.starts_with("not ready: the store "), "{answer:?}");
    }
    for (path, answer) in ask(serving, &API) {
        assert!([503, 504].contains(&answer.status), "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], answer.status, "{path}");
        assert!(problem["detail"].as_str().unwrap().starts_with("the store "), "{path}: {problem}");
        assert_eq!(answer.header("retry-after").is_some(), answer.status == 503, "{path}");
        assert!(!answer.body.contains(nodes), "where the store is: {answer:?}");
    }
    for (path, answer) in ask(serving, &PAGES) {
        assert!([503, 504].contains(&answer.status), "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(answer.body.contains("<h1>No answer</h1>"), "{path}: {answer:?}");
        assert!(!answer.body.contains(nodes), "where the store is: {answer:?}");
    }
    for (path, answer) in ask(serving, &["/api/v1/follow"]) {
        assert!([503, 504].contains(&answer.status), "{path}: {answer:?}");
    }
    for (path, answer) in ask(serving, &ALWAYS) {
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

/// The stream says why it ends.
fn assert_ends(followed: &mut Followed) {
    loop {
        match followed.next() {
            Some(Told::Place) => {}
            Some(Told::Problem(detail)) => {
                assert!(detail.starts_with("the store "), "{detail}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(followed.next(), None);
}

#[test]
fn a_server_says_that_cassandra_is_away_and_answers_again() {
    // What was stored outlives a SIGKILL.
    let options = CassandraOptions { survives_kill: true, ..CassandraOptions::default() };
    let cassandra = Cassandra::start_with(1, &options).unwrap();
    let node = cassandra.node(0).unwrap();
    let nodes = &*cassandra.contact_points()[0];
    let (place, address) = (Place::new(), address(&cassandra, "outage"));
    migrate(&place, &address);
    let import = |log: &str| {
        place.write("app.log", log);
        let import = ["import", "--store", &address, "--rules", "rules.yaml", "app.log"];
        place.run(import).expect_code(0);
    };
    import(LOG);
    let serving = Serving::start(&place, &["--store", &address]);
    let paths: Vec<&'static str> = API.into_iter().chain(PAGES).chain(["/health/readyz"]).collect();
    let mut before = ask(&serving, &paths);
    assert!(before.iter().all(|(_, answer)| answer.status == 200), "{before:?}");

    let mut followed = Followed::start(&serving, "", None);
    for (number, (what, begin, end)) in OUTAGES.into_iter().enumerate() {
        begin(node);
        assert_no_answers(&serving, nodes);
        assert_ends(&mut followed);
        assert!(serving.log().contains(nodes), "{what}: the log says where the store is");
        end(node);
        wait_until("it is ready again", || serving.get("/health/readyz").status == 200);
        assert_eq!(ask(&serving, &paths), before, "{what}");
        // Who comes back misses nothing.
        import(&format!("2099-11-22 11:00:0{number} order o-3000 cancelled\n"));
        followed = Followed::start(&serving, "", Some(&followed.place));
        let told = followed.take(1);
        assert_eq!(told[0]["entity"], "shop/order/o-3000", "{what}: {told:?}");
        // What the overview counts is kept for a while.
        let entities = &serving.get("/api/v1/kinds").json()[0]["entities"];
        let counted = format!("<td class=\"number\">{entities}</td>");
        let counts_it = || serving.get("/part/kinds").body.contains(&counted);
        wait_until("the overview counts it", counts_it);
        before = ask(&serving, &paths);
    }
    assert_eq!(serving.end(), Some(0));
}
