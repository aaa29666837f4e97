//! What one who asks too much, or too slowly, is told, and that others are served meanwhile.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use statetrail_server::Limits;

use crate::support::{Answer, Running, event, token_table};

/// Less than anything that ends a connection by itself.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_form_that_does_not_come_holds_no_connection() {
    let limits = Limits { connections: 1, body: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start_with(&[], Some(&token_table("a", "a", "\"*\"")), limits);
    let mut stalled = server.connect();
    let head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken=";
    stalled.write_all(head.as_bytes()).unwrap();
    let start = Instant::now();
    assert_eq!(server.get("/health/livez").status, 200);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let mut told = Vec::new();
    stalled.read_to_end(&mut told).unwrap();
    let told = Answer::read(&told);
    assert_eq!(told.status, 408);
    assert!(told.body.contains("did not come in time"), "{told:?}");
}

#[test]
fn what_is_no_form_of_ours_is_refused_on_a_page() {
    let server = Running::start(&[], Some(&token_table("a", "a", "\"*\"")));
    let post = |kind: &str, body: &str| {
        server.send(&format!(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let form = "application/x-www-form-urlencoded";
    for (kind, body, status) in [
        (form, format!("token={}", "a".repeat(10_000)), 413),
        ("application/json", "{}".to_owned(), 415),
        (form, "tokn=a".to_owned(), 422),
    ] {
        let answer = post(kind, &body);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains("<h1>This cannot be asked</h1>"), "{answer:?}");
    }
    assert_eq!(post(form, "token=a").status, 303);
}

#[test]
fn one_who_takes_an_answer_slowly_does_not_hold_it_for_good() {
    // More than the system itself holds for a connection.
    let long = |number| {
        let mut known = event("shop/order/o-1", "placed", 100, number);
        known.event.line = Some("x".repeat(60_000));
        known
    };
    let events: Vec<_> = (0..500).map(long).collect();
    let limits =
        Limits { connections: 1, sending: Duration::from_millis(500), ..Limits::default() };
    let server = Running::start_with(&events, None, limits);
    let whole = server.get("/api/v1/events?limit=500");
    assert_eq!((whole.status, whole.json()["events"].as_array().unwrap().len()), (200, 500));

    let mut slow = server.connect();
    slow.write_all(b"GET /api/v1/events?limit=500 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let start = Instant::now();
    assert_eq!(server.get("/health/livez").status, 200);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let mut taken = Vec::new();
    // The server has ended the connection, whatever the system makes of that.
    let _ = slow.read_to_end(&mut taken);
    assert!(taken.len() < whole.body.len(), "{} bytes came", taken.len());
}

#[test]
fn more_questions_than_may_be_asked_are_refused_and_readiness_is_not() {
    let limits = Limits { questions: 0, deadline: Duration::from_millis(100), ..Limits::default() };
    let server = Running::start_with(&[event("shop/order/o-1", "placed", 100, 1)], None, limits);
    let refused = server.get("/api/v1/kinds");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{refused:?}");
    let page = server.get("/entities");
    assert_eq!(page.status, 429);
    assert!(page.body.contains("<h1>No answer</h1>"), "{page:?}");
    assert_eq!(server.get("/health/readyz").body, "ready\n");
}

#[test]
fn a_question_that_takes_too_long_is_told_so() {
    let limits = Limits { deadline: Duration::from_millis(1), ..Limits::default() };
    // Every one of them is looked at.
    let events: Vec<_> = (0..20_000)
        .map(|number| event(&format!("shop/order/o-{number}"), "placed", 100, number))
        .collect();
    let server = Running::start_with(&events, None, limits);
    let late = server.get("/api/v1/entities?where=status%3Dpaid");
    assert_eq!(late.status, 504, "{late:?}");
    assert!(late.body.contains("not answered in time"), "{late:?}");
}

#[test]
fn more_than_may_follow_are_refused_until_one_goes() {
    let limits = Limits { followers: 1, ..Limits::default() };
    let server = Running::start_with(&[], None, limits);
    let first = server.follow("", None);
    let refused = server.get("/api/v1/follow");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{refused:?}");
    assert!(refused.body.contains("as many clients follow as may"), "{refused:?}");
    drop(first);
    let start = Instant::now();
    // A stream has no end, so it is only begun.
    let is_let_in = || {
        let mut stream = server.connect();
        stream.write_all(b"GET /api/v1/follow HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        &status == b"HTTP/1.1 200"
    };
    while !is_let_in() {
        assert!(start.elapsed() < Duration::from_secs(60), "nobody may follow any more");
        std::thread::yield_now();
    }
}

#[test]
fn more_connections_than_there_may_be_wait_for_one_that_goes() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Running::start_with(&[], None, limits);
    let mut first = server.connect();
    first.write_all(b"GET /health/livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut status = [0; 12];
    first.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| server.get("/health/livez"));
        // The first is served on, and nobody else.
        first.write_all(b"GET /api/v1/kinds HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut told = String::new();
        let mut bytes = [0; 4_096];
        while !told.ends_with("[]") {
            let count = first.read(&mut bytes).unwrap();
            told.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.join().unwrap().status, 200);
    });
}
