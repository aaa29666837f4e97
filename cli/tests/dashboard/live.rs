//! What happens comes to the page by itself.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::browser::{Browser, Look};
use crate::serving::{Log, Serving};

#[test]
fn events_arrive_on_every_page_that_is_open() {
    let mut serving = Serving::start(Log::shop(5));
    let overview = Browser::open(&serving.address, Look::Desktop);
    overview.go("/");
    overview.wait_text("table.kinds", "order");
    let entity = Browser::open(&serving.address, Look::Desktop);
    entity.go("/entity?name=shop/order/o-1003");
    entity.wait_text("[data-field=status]", "placed");
    let events = Browser::open(&serving.address, Look::Desktop);
    events.go("/events?type=order");
    events.click("#tail");
    // Whoever follows is told a place first: what comes from now on is not missed.
    events.wait("return document.querySelector('#tail-table[data-follows]')");

    serving.import(Log::new().change(400_000, "order/o-1003", "refunded", "too late"));
    entity.wait_text("[data-field=status]", "refunded");
    entity.wait_text("[data-field=note]", "too late");
    overview.wait_text("table.kinds", "refunded");
    overview.wait_text("table.events", "refunded");
    events.wait_text("#tail-rows", "refunded");
    events.click("#pause");
    serving.import(Log::new().change(899_000, "courier/c-9", "free", "").change(
        900_000,
        "order/o-88",
        "placed",
        "x",
    ));
    events.wait_text("#pause", "new");
    assert!(!events.text("#tail-rows").contains("o-88"));
    events.check("events-tail");
    events.click("#pause");
    events.wait_text("#tail-rows", "o-88");
    // One that is filtered out does not come.
    assert!(!events.text("#tail-rows").contains("courier"));
    for browser in [overview, entity, events] {
        browser.check_quiet();
    }
}

#[test]
fn pages_go_on_when_the_server_was_away() {
    let mut serving = Serving::start(Log::shop(5));
    let entity = Browser::open(&serving.address, Look::Desktop);
    entity.go("/entity?name=shop/order/o-1003");
    entity.wait_text("[data-field=status]", "placed");
    let overview = Browser::open(&serving.address, Look::Desktop);
    overview.go("/");
    serving.kill();
    entity.wait_text("#freshness", "Not up to date");
    overview.wait_text("#freshness", "Not up to date");
    // What comes while the server is away is not missed.
    serving.import(Log::new().change(400_000, "order/o-1003", "refunded", "too late"));
    serving.start_again();
    entity.wait_text("[data-field=status]", "refunded");
    overview.wait_text("table.events", "refunded");
    for browser in [entity, overview] {
        browser.wait("return document.getElementById('freshness').textContent === ''");
    }
}

/// Answers that the server is not there, as what stands in front of one does, until that was told to
/// so many who wanted to follow.
fn stand_in_front(listen: &str, followers: usize) {
    let listener = TcpListener::bind(listen).unwrap();
    let mut told = 0;
    while told < followers {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = String::new();
        let _ = BufReader::new(&stream).read_line(&mut asked);
        told += usize::from(asked.starts_with("GET /api/v1/follow"));
        let no =
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(no.as_bytes());
    }
}

/// A page that follows and has shown order/o-71, and its server, which was killed then.
fn tail_of_a_server_that_went_away() -> (Serving, Browser) {
    let mut serving = Serving::start(Log::shop(5));
    let events = Browser::open(&serving.address, Look::Desktop);
    events.go("/events?type=order");
    events.click("#tail");
    events.wait("return document.querySelector('#tail-table[data-follows]')");
    serving.import(Log::new().change(400_000, "order/o-71", "placed", ""));
    events.wait_text("#tail-rows", "o-71");
    serving.kill();
    (serving, events)
}

#[test]
fn the_live_tail_goes_on_where_it_was_when_the_server_was_away() {
    let (mut serving, events) = tail_of_a_server_that_went_away();
    events.wait_text("#freshness", "the server does not answer");
    serving.import(Log::new().change(500_000, "order/o-72", "placed", ""));
    stand_in_front(serving.address.trim_start_matches("http://"), 6);
    serving.start_again();
    events.wait_text("#tail-rows", "o-72");
    events.wait("return document.getElementById('freshness').textContent === ''");
    let rows = events.text("#tail-rows");
    assert!(!rows.contains("may be missing"), "{rows}");
    assert_eq!(rows.matches("shop/order/o-71").count(), 1, "{rows}");
}

#[test]
fn a_live_tail_says_when_it_cannot_go_on_where_it_was() {
    let (mut serving, events) = tail_of_a_server_that_went_away();
    // Another store stands in its place, in which less has arrived.
    serving.remove_store();
    serving.import(Log::new().change(400_000, "order/o-1", "placed", ""));
    serving.start_again();
    events.wait_text("#tail-rows", "Events may be missing here");
    events.wait("return document.getElementById('freshness').textContent === ''");
    serving.import(Log::new().change(500_000, "order/o-73", "placed", ""));
    events.wait_text("#tail-rows", "o-73");
}

#[test]
fn the_demo_ends_with_a_shop_that_is_at_work() {
    let place = crate::common::Place::new();
    let arguments = ["demo", "--listen", "127.0.0.1:0"];
    let mut command = place.command(arguments);
    command.stdout(std::process::Stdio::piped());
    command.env("STATETRAIL_STORE", "sqlite:demo.db");
    let mut child = command.spawn().unwrap();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(out).map_while(Result::ok);
    let address = lines.find_map(|line| {
        let rest = line.strip_prefix("Dashboard at ")?;
        rest.split(',').next().map(str::to_owned)
    });
    let address = address.expect("it tells its address");
    let browser = Browser::open(&address, Look::Desktop);
    browser.go("/");
    browser.wait_text("table.kinds", "courier");
    let newest = browser.text("table.events tbody tr");
    browser.wait(&format!(
        "return document.querySelector('table.events tbody tr').innerText !== {}",
        serde_json::json!(newest)
    ));
    browser.wait("return document.querySelectorAll('#rate rect').length > 2");
    browser.wait("return !document.body.innerText.includes('Looking ')");
    browser.check("overview-demo");
    let process = child.id().to_string();
    assert!(
        std::process::Command::new("kill").args(["-TERM", &process]).status().unwrap().success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
