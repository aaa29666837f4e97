//! Following: nothing lost, nothing twice.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use statetrail_store::KnownEvent;

use crate::support::{Running, event};

/// Events of 50 entities whose times go back and forth.
fn events(numbers: std::ops::Range<u64>) -> Vec<KnownEvent> {
    let one = |number: u64| {
        let seconds = (number * 7_919 % 100_000) as i64;
        event(&format!("shop/order/o-{}", number % 50), "moved", seconds, number)
    };
    numbers.map(one).collect()
}

#[test]
fn what_arrives_is_told_in_the_order_of_arrival() {
    let server = Running::start(&events(0..10), None);
    let mut followed = server.follow("", None);
    assert_eq!(followed.next(), None, "the place comes first");
    for batch in 1..6 {
        server.append(&events(batch * 10..batch * 10 + 10));
        let told: BTreeSet<u64> = followed.take(10).into_iter().collect();
        assert_eq!(told, (batch * 10..batch * 10 + 10).collect());
    }
    // What was there is no event that arrives.
    server.append(&events(0..60));
    server.append(&events(60..61));
    assert_eq!(followed.take(1), [60]);
}

#[test]
fn who_comes_back_gets_what_came_meanwhile() {
    let server = Running::start(&[], None);
    let mut place = String::from("s0");
    let mut told = Vec::new();
    for round in 0..20 {
        server.append(&events(round * 30..round * 30 + 30));
        // Ends in the middle of what is there.
        let mut followed = server.follow("", Some(&place));
        told.extend(followed.take(17));
        place = followed.place;
    }
    told.extend(server.follow("", Some(&place)).take(20 * 30 - 20 * 17));
    let distinct: BTreeSet<u64> = told.iter().copied().collect();
    assert_eq!((told.len(), distinct), (600, (0..600).collect()));
}

#[test]
fn only_what_is_asked_for() {
    let server = Running::start(&[], None);
    let mut one = server.follow("?prefix=o-7&type=order", None);
    let mut text = server.follow("?text=alert(33)", None);
    assert_eq!((one.next(), text.next()), (None, None));
    server.append(&events(0..100));
    // Within a batch the order is the store's own.
    assert_eq!(BTreeSet::from_iter(one.take(2)), BTreeSet::from([7, 57]));
    assert_eq!(text.take(1), [33]);
}

/// The sizes of the pieces that come, until so many events came.
fn pieces(server: &Running, query: &str, events: usize) -> (Vec<usize>, BTreeSet<u64>) {
    let mut stream = server.connect();
    let head = format!("GET /api/v1/follow{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("as it was asked for");
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).expect("as it was asked for");
    }
    let (mut sizes, mut numbers, mut told) = (Vec::new(), BTreeSet::new(), 0);
    while told < events {
        line.clear();
        stream.read_line(&mut line).expect("as it was asked for");
        let size = usize::from_str_radix(line.trim_end(), 16).expect("as it was asked for");
        let mut piece = vec![0; size + 2];
        stream.read_exact(&mut piece).expect("as it was asked for");
        sizes.push(size);
        for data in String::from_utf8(piece).expect("as it was asked for").lines() {
            if let Some(json) = data.strip_prefix("data: {") {
                let event: serde_json::Value =
                    serde_json::from_str(&format!("{{{json}")).expect("as it was asked for");
                numbers.insert(event["set"]["n"].as_u64().expect("as it was asked for"));
                told += 1;
            }
        }
    }
    assert_eq!(told, numbers.len(), "an event was told twice");
    (sizes, numbers)
}

#[test]
fn what_is_sent_at_once_is_bounded() {
    const EVENTS: u64 = 1_200;
    let long = |numbers: std::ops::Range<u64>| -> Vec<KnownEvent> {
        let mut events = events(numbers);
        for (index, known) in events.iter_mut().enumerate() {
            // One of them is longer than a piece may be.
            let length = if index == 77 { 100_000 } else { 1_500 };
            known.event.line = Some("x".repeat(length));
        }
        events
    };
    let check = |(sizes, numbers): (Vec<usize>, BTreeSet<u64>), expected: std::ops::Range<u64>| {
        assert_eq!(numbers, expected.collect());
        let large: Vec<_> = sizes.iter().filter(|size| **size > 64 << 10).collect();
        assert!(large.len() <= 1 && large.iter().all(|size| **size < 110_000), "{sizes:?}");
        assert!(sizes.len() < 100, "pieces are not that small: {sizes:?}");
    };
    let server = Running::start(&long(0..EVENTS), None);
    // From the store, and from what all share.
    check(pieces(&server, "?after=s0", EVENTS as usize), 0..EVENTS);
    let mut shared = server.follow("", None);
    assert_eq!(shared.next(), None);
    let place = shared.place.clone();
    server.append(&long(EVENTS..2 * EVENTS));
    assert_eq!(shared.take(EVENTS as usize).len(), EVENTS as usize);
    let query = format!("?after={place}");
    check(pieces(&server, &query, EVENTS as usize), EVENTS..2 * EVENTS);
}

#[test]
fn one_who_stands_still_holds_nobody_up_and_many_get_everything() {
    const EVENTS: u64 = 60_000;
    let server = Running::start(&[], None);
    let stalled = server.follow("", None);
    let mut clients: Vec<_> = (0..20).map(|_| server.follow("", None)).collect();
    for client in &mut clients {
        assert_eq!(client.next(), None);
    }
    let wrong = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for mut client in clients {
            let (server, wrong) = (&server, &wrong);
            scope.spawn(move || {
                let mut told = BTreeSet::new();
                let mut again = 0;
                while told.len() < EVENTS as usize {
                    match client.next() {
                        Some(number) if !told.insert(number) => {
                            wrong.store(true, Ordering::Relaxed)
                        }
                        _ => {}
                    }
                    // Now and then the connection breaks.
                    if told.len() / 20_000 > again {
                        again += 1;
                        let place = client.place.clone();
                        client = server.follow("", Some(&place));
                    }
                }
            });
        }
        scope.spawn(|| {
            for batch in 0..EVENTS / 500 {
                server.append(&events(batch * 500..batch * 500 + 500));
            }
        });
    });
    assert!(!wrong.load(Ordering::Relaxed), "an event was told twice");
    // The one that stood still finds everything when it goes on, be it after it was let go.
    let (mut stalled, mut told) = (stalled, BTreeSet::new());
    while told.len() < EVENTS as usize {
        match stalled.next_if_any() {
            Some(Some(number)) => assert!(told.insert(number), "{number} was told twice"),
            Some(None) => {}
            None => {
                let place = stalled.place.clone();
                stalled = server.follow("", Some(&place));
            }
        }
    }
}
