//! Every page, in every look.

use serde_json::json;

use crate::browser::{Browser, Look};
use crate::serving::{Log, Serving};

/// Name, address and what tells that it is all there.
const PAGES: [(&str, &str, &str); 14] = [
    (
        "overview",
        "/",
        "return document.querySelectorAll('#rate svg, .kinds tbody tr').length >= 2 \
        && !document.body.innerText.includes('Looking ')",
    ),
    (
        "entities",
        "/entities?namespace=shop&type=order",
        "return document.querySelectorAll('table.entities tbody tr').length == 100",
    ),
    (
        "entities-sorted",
        "/entities?namespace=shop&type=order&where=status%3Dpaid&sort=-.amount&at=2026-11-22T10:01:00Z",
        "return document.querySelector('[aria-sort=descending]')",
    ),
    (
        "entities-none",
        "/entities?namespace=shop&type=order&where=status%3Dlost",
        "return document.body.innerText.includes('Nothing found')",
    ),
    ("entity", "/entity?name=shop/order/o-1005", "return document.querySelector('#marks line')"),
    (
        "entity-then",
        "/entity?name=shop/order/o-1005&at=2026-11-22T10:00:20Z",
        "return document.querySelector('#marks line')",
    ),
    (
        "entity-compared",
        "/entity?name=shop/order/o-1005&at=2026-11-22T10:00:20Z&with=2026-11-22T10:03:00Z",
        "return document.querySelector('table.compared')",
    ),
    ("events", "/events", "return document.querySelector('#histogram svg')"),
    ("events-none", "/events?text=no+such+line", "return document.querySelector('#nothing')"),
    (
        "lifecycle",
        "/lifecycle?namespace=shop&type=order",
        "return document.querySelector('#graph svg')",
    ),
    (
        "lifecycle-step",
        "/lifecycle?namespace=shop&type=order&by=status&from=paid&to=cancelled",
        "return document.querySelector('ul.names li')",
    ),
    ("not-found", "/no/such/page", "return document.body.innerText.includes('Nothing found')"),
    (
        "several",
        "/go?name=order/o-10",
        "return document.body.innerText.includes('Several entities')",
    ),
    (
        "wrong",
        "/entities?where=%3D%3D",
        "return document.body.innerText.includes('cannot be asked')",
    ),
];

/// Pages that are refused are told so by the browser as well.
fn is_refused(name: &str) -> bool {
    matches!(name, "not-found" | "several" | "wrong")
}

#[test]
fn every_page_is_whole_on_a_desktop_in_the_dark_and_on_a_phone() {
    let serving = Serving::start(Log::shop(150));
    for look in Look::ALL {
        let browser = Browser::open(&serving.address, look);
        for (name, path, is_there) in PAGES {
            browser.go(path);
            browser.wait(is_there);
            if is_refused(name) {
                let said = browser.complaints();
                assert!(!said.is_empty() && said.iter().all(|said| said.contains("status of 4")));
            }
            browser.check(name);
        }
    }
}

#[test]
fn an_empty_store_says_what_to_do_and_fills_by_itself() {
    let mut serving = Serving::start(Log::new());
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/");
    browser.wait_text("main", "statetrail import");
    browser.check("overview-empty");
    for page in ["/entities", "/events", "/lifecycle"] {
        browser.go(page);
        browser.wait_text("main", "Nothing found");
    }
    browser.go("/");
    serving.import(Log::shop(3));
    browser.wait_text("table.kinds", "order");
    browser.check_quiet();
}

#[test]
fn what_a_log_line_holds_is_shown_and_never_run() {
    let hostile = "<script>document.title='run'</script><img src=x onerror=document.title='run'>";
    let log = Log::new()
        .change(0, "order/a<b>&'", "<i>placed</i>", hostile)
        .change(900, "order/50%25/a/../b?c#d", "placed", "x")
        .change(1_800, "order/50%25/a/../b?c#d", "paid", hostile);
    let serving = Serving::start(log);
    let browser = Browser::open(&serving.address, Look::Desktop);
    for path in ["/", "/entities", "/events"] {
        browser.go(path);
        browser.wait_text("main", "50%25");
        assert_ne!(browser.run("return document.title"), json!("run"), "{path}");
    }
    browser.go("/lifecycle?namespace=shop&type=order");
    browser.wait("return document.querySelector('#graph svg')");
    browser.wait_text("main", "<i>placed</i>");
    browser.go("/events");
    browser.wait_text("main", hostile);
    browser.check("events-hostile");
    // From the list to the entity, whose name has everything that an address takes amiss.
    browser.go("/entities?namespace=shop&type=order&prefix=50%25");
    browser.click("table.entities tbody a.entity");
    browser.wait_text("h1", "50%25/a/../b?c#d");
    browser.wait_text(".state-table", "paid");
    browser.click(".state-table details summary");
    browser.wait_text(".state-table", hostile);
    browser.check("entity-hostile");
    assert_ne!(browser.run("return document.title"), json!("run"));
    browser.click("a.step[data-key=j]");
    browser.wait_text("[data-field=note]", "x");
    browser.go("/entity?name=shop/order/a%3Cb%3E%26%27");
    browser.wait_text("h1", "a<b>&'");
    assert_ne!(browser.run("return document.title"), json!("run"));
    browser.check_quiet();
}

#[test]
fn an_entity_is_found_by_a_part_of_its_name_and_by_keys() {
    let serving = Serving::start(Log::shop(20));
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/");
    browser.press("/");
    assert_eq!(browser.run("return document.activeElement.id"), json!("go-name"));
    browser.fill("#go-at", "2026-11-22T10:00:10Z");
    browser.fill("#go-name", "1004\n");
    browser.wait_text("h1", "o-1004");
    browser.wait_text("[data-field=status]", "placed");
    browser.press("k");
    browser.wait_text("[data-field=status]", "paid");
    browser.press("j");
    browser.wait_text("[data-field=status]", "placed");
    browser.run("history.back()");
    browser.wait_text("[data-field=status]", "paid");
    browser.check_quiet();
}

#[test]
fn fifty_thousand_entities_are_listed_sorted_and_counted() {
    let mut log = Log::new();
    for number in 0..50_000 {
        log = log.change(number, &format!("order/o-{number:05}"), "placed", "x");
    }
    let serving = Serving::start(log);
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/");
    browser.wait_text("table.kinds", "50,000");
    browser.go("/entities?namespace=shop&type=order");
    browser.wait_text("table.entities", "o-00099");
    browser.click("a[rel=next]");
    browser.wait_text("table.entities", "o-00199");
    assert!(!browser.text("table.entities").contains("o-00099"));
    browser.click("th:last-child a");
    browser.wait_text("table.entities tbody tr:first-child", "o-49999");
    browser.check("entities-many");
}

#[test]
fn all_of_time_is_drawn_and_names_are_searched_within_a_type() {
    let serving = Serving::start(Log::shop(200));
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/events");
    browser.wait("return document.querySelector('#histogram svg')");
    browser.click("main nav.steps a:nth-of-type(5)");
    browser.wait("return location.search.includes('1970') && document.querySelector('#histogram svg') !== null");
    let first = browser.run("return document.getElementById('histogram').dataset.from");
    assert_eq!(first, json!("2026-11-22T10:00:00Z"));
    // Of every type there are names with a 1.
    browser.go("/entities?namespace=shop&type=order&text=1&sort=-.amount");
    browser.wait_text("main", "100, and there are more");
    let names = browser.text("table.entities tbody");
    assert!(!names.contains("courier"), "{names}");
    browser.go("/entities?namespace=shop&type=order&text=-11&where=status%3Dcancelled");
    browser.wait_text("table.entities", "o-1104");
    assert_eq!(
        browser.run("return document.querySelectorAll('table.entities tbody tr').length"),
        json!(10)
    );
    browser.check_quiet();
}
