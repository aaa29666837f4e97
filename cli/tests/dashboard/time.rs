//! Going through time.

use serde_json::json;

use crate::browser::{Browser, Look};
use crate::serving::{Log, Serving};

/// Sets the scrubber as dragging it does.
fn scrub(browser: &Browser, part: f64) {
    browser.run(&format!(
        "const time = document.getElementById('time'); time.value = {}; \
         ['input', 'change'].forEach((name) => time.dispatchEvent(new Event(name, {{ bubbles: true }})))",
        part * 1_000.0
    ));
}

#[test]
fn the_state_follows_the_scrubber_and_the_address_can_be_shared() {
    let log = Log::new()
        .change(0, "order/o-1", "placed", "first")
        .change(40_000, "order/o-1", "paid", "second")
        .change(100_000, "order/o-1", "shipped", "third");
    let serving = Serving::start(log);
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/entity?name=shop/order/o-1");
    browser.wait_text("[data-field=status]", "shipped");
    for (part, status, moved) in
        [(0.2, "placed", "status"), (0.6, "paid", "note"), (0.39, "placed", "status")]
    {
        scrub(&browser, part);
        browser.wait_text("[data-field=status]", status);
        browser.wait(&format!("return document.querySelector('[data-field={moved}].moved')"));
    }
    // Exactly at an event when it is close to one: the scrubber has fewer places than time.
    scrub(&browser, 0.401);
    browser.wait_text("[data-field=status]", "paid");
    assert!(browser.path().ends_with("&at=2026-11-22T10%3A00%3A40Z"), "{}", browser.path());
    // The line behind the field, and where it came from.
    browser.click("[data-field=status] summary");
    browser.wait_text("[data-field=status]", "change order/o-1 paid status=paid");
    browser.wait_text("[data-field=status]", "app-1.log");
    let other = Browser::open(&serving.address, Look::Phone);
    other.go(&browser.path());
    other.wait_text("[data-field=status]", "paid");
    other.wait_text("#shown-at", "10:00:40");
    // To the end of the line of time is now.
    scrub(&browser, 1.0);
    browser.wait_text("[data-field=status]", "shipped");
    browser.wait_text("#shown-at", "now");
    browser.check_quiet();
    other.check_quiet();
}

#[test]
fn two_moments_stand_side_by_side() {
    let serving = Serving::start(Log::shop(10));
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/entity?name=shop/order/o-1000&at=2026-11-22T10:00:02Z");
    browser.fill("input[name=with]", "2026-11-22T10:01:00Z\n");
    browser.wait_text("table.compared", "shipped");
    let differing = browser.run(
        "return [...document.querySelectorAll('table.compared tr.changed')].map((row) => row.innerText)",
    );
    assert!(differing.to_string().contains("placed"), "{differing}");
}

#[test]
fn a_stretch_of_the_histogram_is_looked_at_by_dragging_over_it() {
    let serving = Serving::start(Log::shop(100));
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/events?type=order&from=2026-11-22T10:00:00Z&to=2026-11-22T10:04:00Z");
    browser.wait("return document.querySelector('#histogram .band')");
    browser.drag("#histogram .chart", 0.25, 0.5);
    browser.wait("return location.search.includes('10%3A01')");
    browser.wait("return document.querySelector('#histogram .band')");
    let span = browser.run(
        "const { from, to } = document.getElementById('histogram').dataset; \
         return [Date.parse(from), Date.parse(to)].map((at) => (at - Date.parse('2026-11-22T10:00:00Z')) / 1000)",
    );
    let ends: Vec<f64> = span.as_array().unwrap().iter().map(|end| end.as_f64().unwrap()).collect();
    assert!((ends[0] - 60.0).abs() < 3.0 && (ends[1] - 120.0).abs() < 3.0, "{ends:?}");
    assert!(browser.path().contains("type=order"), "{}", browser.path());
    // A click leads to the entity at that moment.
    browser.click("#found tbody tr:last-child a.entity");
    browser.wait_text("#shown-at", "2026-11-22 10:01:");
    browser.check_quiet();
}

#[test]
fn a_trail_of_a_hundred_thousand_events_is_quick() {
    let mut log = Log::new();
    for number in 0..100_000 {
        log = log.change(number * 100, "order/o-1", &format!("s{}", number % 7), "x");
    }
    let serving = Serving::start(log);
    let browser = Browser::open(&serving.address, Look::Desktop);
    for path in
        ["/entity?name=shop/order/o-1", "/entity?name=shop/order/o-1&at=2026-11-22T11:00:00Z"]
    {
        browser.go(path);
        browser.wait("return document.querySelector('.state-table')");
        let elements = browser.run("return document.querySelectorAll('*').length");
        assert!(elements.as_u64().unwrap() < 3_000, "{elements}");
    }
    browser.wait_text("[data-field=amount]", "11:00:00");
    for part in [0.1, 0.5, 0.9] {
        scrub(&browser, part);
        let hour = ["10:16:", "11:23:", "12:29:"][(part * 2.5) as usize];
        browser.wait_text("#shown-at", hour);
    }
    let last = browser.run("return document.querySelectorAll('ol.trail > li').length");
    assert_eq!(last, json!(36));
    browser.check("entity-long");
}

#[test]
fn events_that_share_a_moment_are_all_reached() {
    let mut log = Log::new()
        .change(0, "order/o-1", "placed", "first")
        .change(5_000, "order/o-1", "checked", "second")
        .change(5_000, "order/o-1", "paid", "third");
    for number in 0..40 {
        log = log.change(9_000, "order/o-2", &format!("s{number}"), "x");
    }
    let log = log.change(1_000, "order/o-2", "placed", "at first");
    let serving = Serving::start(log);
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/entity?name=shop/order/o-1");
    browser.wait_text("[data-field=status]", "paid");
    browser.press("j");
    browser.wait_text("[data-field=status]", "placed");
    browser.press("k");
    browser.wait_text("[data-field=status]", "paid");
    browser.go("/entity?name=shop/order/o-2");
    browser.wait_text("#trail-title + ol + p", "very moment");
    browser.click("a[data-key=j]");
    browser.wait_text("[data-field=note]", "at first");
    browser.check_quiet();
}

#[test]
fn what_a_reader_has_opened_stays_open_when_something_happens() {
    let mut serving = Serving::start(Log::new().change(0, "order/o-1", "placed", "first"));
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/entity?name=shop/order/o-1");
    browser.click("[data-field=status] summary");
    browser.run("document.getElementById('at').focus()");
    browser.fill("#at", "-1");
    serving.import(Log::new().change(60_000, "order/o-1", "paid", "second"));
    browser.wait_text("[data-field=status]", "paid");
    browser.wait("return document.querySelector('[data-field=status] details').open");
    assert_eq!(browser.run("return document.getElementById('at').value"), json!("-1"));
}
