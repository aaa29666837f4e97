//! A store that does not answer.

use crate::browser::{Browser, Look};
use crate::serving::{Log, Serving};

#[test]
fn a_store_that_is_gone_is_told_on_each_page() {
    let serving = Serving::start(Log::shop(5));
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/");
    browser.wait_text("table.kinds", "order");
    for end in ["", "-wal", "-shm"] {
        // Not all of them need be there.
        let _ = std::fs::write(serving.place.path(&format!("store.db{end}")), "gone");
    }
    for path in ["/", "/entities", "/events", "/lifecycle", "/entity?name=shop/order/o-1003"] {
        browser.go(path);
        browser.wait_text("h1", "No answer");
        browser.wait_text("main", "the store does not answer");
    }
    let _told = browser.complaints();
    browser.check("no-answer");
}
