//! What is answered, over the same few events.

use std::time::SystemTime;

use serde_json::{Value as Json, json};
use statetrail_event::{Change, Value};
use statetrail_store::KnownEvent;

use crate::support::{Running, event, within_a_minute};

fn events() -> Vec<KnownEvent> {
    vec![
        event("shop/order/o-1", "placed", 100, 1),
        event("shop/order/o-1", "paid", 160, 2),
        event("shop/order/o-1", "shipped", 400, 3),
        event("shop/order/o-2", "placed", 130, 4),
        event("shop/order/o-2", "paid", 250, 5),
        event("bank/account/100% a/b?c", "open", 500, 6),
    ]
}

#[test]
fn states_at_any_moment() {
    let server = Running::start(&events(), None);
    for (path, status) in [
        ("shop/order/o-1?at=1970-01-01T00:02:39Z", "placed"),
        ("shop/order/o-1?at=1970-01-01T00:02:40Z", "paid"),
        ("shop/order/o-1?at=1970-01-01%2000:06", "paid"),
        ("shop/order/o-1", "shipped"),
        ("bank/account/100%25%20a/b%3Fc", "open"),
    ] {
        let answer = server.get(&format!("/api/v1/state/{path}"));
        assert_eq!((answer.status, &answer.json()["state"]["status"]), (200, &status.into()));
    }
    let early = server.get("/api/v1/state/shop/order/o-1?at=1970-01-01T00:01:00Z");
    assert_eq!(early.status, 404);
    assert!(early.json()["detail"].as_str().unwrap().contains("no event at or before"));
}

#[test]
fn a_trail_is_paged_in_both_directions() {
    let server = Running::start(&events(), None);
    for (order, expected) in [("oldest", [1, 2, 3]), ("newest", [3, 2, 1])] {
        let (mut numbers, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/trail/shop/order/o-1?order={order}&limit=1{after}");
            let page = server.get(&path).json();
            for step in page["events"].as_array().unwrap() {
                assert_eq!(step["state"]["status"], step["event"]);
                numbers.push(step["set"]["n"].as_u64().unwrap());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(numbers, expected);
    }
    assert_eq!(server.get("/api/v1/trail/shop/order/o-3").status, 404);
}

#[test]
fn blame_and_diff() {
    let server = Running::start(&events(), None);
    let blamed = server.get("/api/v1/blame/shop/order/o-1?at=1970-01-01T00:03:00Z").json();
    let status = blamed["fields"].as_array().unwrap().iter().find(|f| f["field"] == "status");
    assert_eq!(status.unwrap()["by"]["event"], "paid");
    assert!(status.unwrap()["by"]["line"].as_str().unwrap().contains("<script>"));
    let path = "/api/v1/diff/shop/order/o-1?from=1970-01-01T00:03:00Z&to=1970-01-01T01:00:00Z";
    let changes = server.get(path).json()["changes"].clone();
    assert_eq!(changes[1]["from"], "paid");
    assert_eq!(changes[1]["to"], "shipped");
}

#[test]
fn entities_by_state_then_and_now() {
    let server = Running::start(&events(), None);
    let names = |path: &str| -> Vec<String> {
        let mut names = Vec::new();
        let mut after = String::new();
        loop {
            let page = server.get(&format!("/api/v1/entities?{path}&limit=1{after}")).json();
            let entities = page["entities"].as_array().unwrap();
            names.extend(entities.iter().map(|one| one["entity"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => {
                    after = format!(
                        "&after={}",
                        next.replace('%', "%25").replace(' ', "+").replace('?', "%3F")
                    )
                }
                None => return names,
            }
        }
    };
    let all = ["bank/account/100% a/b?c", "shop/order/o-1", "shop/order/o-2"];
    assert_eq!(names(""), all);
    assert_eq!(names("type=order"), all[1..]);
    assert_eq!(names("type=order&where=status%3Dpaid"), all[2..]);
    assert_eq!(names("type=order&where=status%3Dpaid&at=1970-01-01T00:03:00Z"), all[1..2]);
    assert_eq!(names("prefix=o-2"), all[2..]);
    assert_eq!(names("namespace=nowhere"), [""; 0]);
    assert_eq!(server.get("/api/v1/names?part=o-").json().as_array().unwrap().len(), 2);
}

#[test]
fn events_and_their_counts() {
    let server = Running::start(&events(), None);
    let (mut numbers, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/events?type=order&limit=2{after}")).json();
        let events = page["events"].as_array().unwrap();
        numbers.extend(events.iter().map(|event| event["set"]["n"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(numbers, [3, 5, 2, 4, 1]);
    let found = server.get("/api/v1/events?text=alert(5)&event=paid").json();
    assert_eq!(found["events"].as_array().unwrap().len(), 1);
    let counts = server.get("/api/v1/counts?step=1m&type=order").json();
    let counted: Vec<(String, u64)> = counts["counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| {
            let event = count["event"].as_str().unwrap();
            (
                format!("{} {event}", count["start"].as_str().unwrap()),
                count["events"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counted[0], ("1970-01-01T00:01:00Z placed".to_owned(), 1));
    assert_eq!(counted.iter().map(|(_, events)| events).sum::<u64>(), 5);
    assert_eq!(counts["is_cut"], false);
}

#[test]
fn counts_of_any_length_have_only_so_many_stretches() {
    // One event in each second, in more seconds than there may be stretches.
    let all: Vec<_> =
        (0..2_001).map(|number| event("shop/order/o-1", "placed", number as i64, number)).collect();
    let server = Running::start(&all, None);
    for (query, status) in [
        ("step=1s", 422),
        ("step=1s&from=1900-01-01", 422),
        ("step=1s&to=1970-01-01T00:33:19Z", 200),
        ("step=1s&from=1970-01-01T00:00:01Z", 200),
        ("step=2s", 200),
    ] {
        let answer = server.get(&format!("/api/v1/counts?{query}"));
        assert_eq!(answer.status, status, "{query}: {answer:?}");
    }
    let page = server.get("/api/v1/events?from=1900-01-01&to=2100-01-01&limit=5");
    assert_eq!(page.json()["events"].as_array().unwrap().len(), 5);
}

#[test]
fn kinds_and_lifecycles() {
    let server = Running::start(&events(), None);
    let kinds = server.get("/api/v1/kinds").json();
    assert_eq!(kinds[1]["type"], "order");
    assert_eq!((&kinds[1]["entities"], &kinds[1]["state_field"]), (&2.into(), &"status".into()));
    assert_eq!(kinds[1]["states"][0]["entities"], 1);
    let lifecycle = server.get("/api/v1/lifecycle/shop/order").json();
    let paid = lifecycle["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["from"] == "placed" && step["to"] == "paid")
        .unwrap();
    assert_eq!((&paid["count"], &paid["median_seconds"]), (&2.into(), &60.0.into()));
    let by_event = server.get("/api/v1/lifecycle/shop/order?by=event").json();
    assert_eq!((&by_event["by"], &by_event["entities"]), (&"event".into(), &2.into()));
}

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let server = Running::start(&events(), None);
    for (path, status, said) in [
        ("/api/v1/entities?tpye=order", 400, "tpye"),
        ("/api/v1/entities?limit=0", 400, "1 to 1000"),
        ("/api/v1/entities?limit=1001", 400, "1 to 1000"),
        ("/api/v1/entities?where=status%3D%3Dpaid", 400, "=="),
        ("/api/v1/entities?at=soon", 400, "no moment"),
        ("/api/v1/events?from=11:00&to=10:00", 400, "after"),
        ("/api/v1/events?after=x", 400, "next"),
        ("/api/v1/counts?from=2000-01-01&to=2001-01-01&step=1s", 422, "2000"),
        ("/api/v1/counts?step=-1s", 400, "length of time"),
        ("/api/v1/follow?after=%20", 400, "place"),
        ("/api/v1/follow?after=c1.2", 400, "place"),
        ("/api/v1/state/shop/order/%00", 400, "id"),
        ("/api/v1/names", 400, "part is missing"),
        ("/api/v1/nothing", 404, "no such route"),
        ("/api/v1/state/shop/order", 404, "no such route"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert!(answer.body.contains(said), "{path}: {}", answer.body);
    }
    assert_eq!(
        server
            .send("POST /api/v1/kinds HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .status,
        405
    );
    assert_eq!(server.send("nonsense\r\n\r\n").status, 400);
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200_000));
    assert!((400..500).contains(&server.send(&long).status));
}

#[test]
fn a_lifecycle_has_only_so_many_places() {
    // Every event sets `n` to another number, over several entities.
    let all: Vec<_> = (0..200)
        .map(|number| {
            let entity = format!("shop/order/o-{}", number % 7);
            event(&entity, "placed", number as i64, number)
        })
        .collect();
    let server = Running::start(&all, None);
    let path = "/api/v1/lifecycle/shop/order?by=n";
    assert_eq!(server.get(path).json()["places"].as_array().unwrap().len(), 200);
    server.append(&[event("shop/order/o-1", "placed", 900, 900)]);
    let refused = server.get(path);
    assert_eq!(refused.status, 422, "{refused:?}");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("\"n\" with so many values") && detail.contains("200"), "{detail}");
    assert_eq!(server.get("/api/v1/lifecycle/shop/order?by=status").status, 200);
}

/// An event as a filter tells it of itself.
fn told(node: &str, name: &str, seconds: i64, changes: &[(&str, Value)]) -> KnownEvent {
    let mut known = event(&format!("statetrail/filter/{node}"), name, seconds, 1);
    let set = |(field, value): &(&str, Value)| Change::set(*field, value.clone());
    known.event.changes = changes.iter().map(set).collect();
    known.event.id.0[15] = seconds as u8;
    known
}

#[test]
fn what_filters_tell_about_themselves() {
    let text = |text: &str| Value::text(text);
    let started = [
        ("started", text("1970-01-01T00:01:00Z")),
        ("revision", text("00000000000000aa")),
        ("rules", Value::Int(7)),
        ("lines", Value::Int(100)),
        ("matched", Value::Int(40)),
        ("matched.shop.yaml", Value::Int(30)),
        ("matched.bank.yaml", Value::Int(10)),
        ("matched.shop.yaml/paid", Value::Int(20)),
        ("failed.shop.yaml/paid", Value::Int(2)),
    ];
    let later = [
        ("lines", Value::Int(200)),
        ("matched.shop.yaml", Value::Int(90)),
        ("matched.shop.yaml/a/b", Value::Int(70)),
        ("redacted.shop.yaml/a/b", Value::Int(1)),
        ("rules_error", text("bank.yaml:1:1: x")),
    ];
    let server = Running::start(
        &[
            told("node-1", "started", 60, &started),
            told("node-1", "counted", 120, &later),
            told("node-2", "started", 90, &started),
            event("shop/filter/node-3", "placed", 1, 1),
        ],
        None,
    );
    let all = server.get("/api/v1/filters").json();
    assert_eq!((all["filters"].as_array().unwrap().len(), &all["next"]), (2, &Json::Null));
    assert_eq!(
        all["filters"][0],
        json!({
            "node": "node-1",
            "started": "1970-01-01T00:01:00Z",
            "revision": "00000000000000aa",
            "rules": 7,
            "error": "bank.yaml:1:1: x",
            "counters": {"lines": 200, "matched": 40},
            "rule_files": [
                {"file": "bank.yaml", "matched": 10, "rules": []},
                {"file": "shop.yaml", "matched": 90, "rules": [
                    {"rule": "a/b", "matched": 70, "failed": 0, "redacted": 1},
                    {"rule": "paid", "matched": 20, "failed": 2, "redacted": 0},
                ]},
            ],
            "first": "1970-01-01T00:01:00Z",
            "last": "1970-01-01T00:02:00Z",
        })
    );
    let before = server.get("/api/v1/filters?at=1970-01-01T00:01:10Z").json();
    assert_eq!(before["filters"][0]["counters"]["lines"], 100);
    assert_eq!(before["filters"][0]["error"], Json::Null);
    let first = server.get("/api/v1/filters?limit=1").json();
    assert_eq!(first["next"], "statetrail/filter/node-1");
    let rest = server.get("/api/v1/filters?after=statetrail/filter/node-1").json();
    assert_eq!(rest["filters"][0]["node"], "node-2");
}

#[test]
fn nodes_with_errors_in_their_rules_are_counted_for_an_alert() {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    let errors = [("rules_error", Value::text("bank.yaml:1:1: x"))];
    let mended = |node: &str, seconds| {
        let mut known = told(node, "rules-changed", seconds, &[]);
        known.event.changes = vec![Change::unset("rules_error")];
        known
    };
    let server = Running::start(
        &[
            told("wrong", "rules-changed", now - 600, &errors),
            told("good", "counted", now - 60, &[("lines", Value::Int(1))]),
            told("mended", "rules-changed", now - 700, &errors),
            mended("mended", now - 300),
            told("gone", "rules-changed", now - 86_400, &errors),
            event("shop/order/wrong", "placed", now - 60, 1),
        ],
        None,
    );
    let is_counted = || {
        let metrics = server.get("/metrics").body;
        metrics.contains("\nstatetrail_server_filters_with_rule_errors 1\n")
    };
    within_a_minute("they are counted", is_counted);
}

#[test]
fn an_answer_as_of_now_is_the_same_until_something_happens() {
    let server = Running::start(&events(), None);
    let paths = [
        "/api/v1/state/shop/order/o-1",
        "/api/v1/blame/shop/order/o-1",
        "/api/v1/diff/shop/order/o-1?from=1970-01-01T00:03:00Z",
        "/api/v1/entities?type=order",
    ];
    let tag_of = |path: &str| server.get(path).header("etag").unwrap().replace("w/", "W/");
    let tags = paths.map(tag_of);
    for (path, tag) in paths.iter().zip(&tags) {
        let again = server.get_with(path, &[("If-None-Match", tag)]);
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    // A moment that was asked for is a part of the answer.
    let [one, other] = ["00:07:00", "00:08:00"]
        .map(|at| tag_of(&format!("/api/v1/state/shop/order/o-1?at=1970-01-01T{at}Z")));
    assert_ne!(one, other);
    server.append(&[event("shop/order/o-1", "returned", 900, 9)]);
    for (path, tag) in paths.iter().zip(&tags) {
        assert_eq!(server.get_with(path, &[("If-None-Match", tag)]).status, 200, "{path}");
    }
}

#[test]
fn every_answer_is_safe_in_a_browser_and_spares_what_is_known() {
    let server = Running::start(&events(), None);
    let answer = server.get("/api/v1/kinds");
    assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let tag = answer.header("etag").unwrap().replace("w/", "W/");
    let again = server.get_with("/api/v1/kinds", &[("If-None-Match", &tag)]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    server.append(&[event("shop/order/o-9", "placed", 900, 9)]);
    let changed = server.get_with("/api/v1/kinds", &[("If-None-Match", &tag)]);
    assert_eq!(changed.status, 200);
    let packed = server.get_with("/api/v1/events", &[("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(server.get("/health/livez").body, "live\n");
    assert_eq!(server.get("/health/readyz").body, "ready\n");
    let metrics = server.get("/metrics").body;
    let counted = metrics.lines().any(|line| {
        line.starts_with("statetrail_server_requests_total{")
            && ["/api/v1/kinds", "304", " 1"].iter().all(|part| line.contains(part))
    });
    assert!(counted, "{metrics}");
}
