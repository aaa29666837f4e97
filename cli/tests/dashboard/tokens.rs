//! Logging in, and what somebody with a token for some namespaces sees.

use crate::browser::{Browser, Look};
use crate::common::Place;
use crate::serving::{Log, Serving};

fn token(place: &Place, namespace: &str) -> (String, String) {
    let made = place.run(["token", "--name", namespace, "--namespace", namespace]);
    let made = made.expect_code(0).out;
    let token = made.lines().nth(2).unwrap().trim().to_owned();
    (token, made[made.find("[[token]]").unwrap()..].to_owned())
}

#[test]
fn a_token_is_asked_for_kept_and_given_back() {
    let place = Place::new();
    let (shop, shop_table) = token(&place, "shop");
    let (other, other_table) = token(&place, "bank");
    let tokens = format!("{shop_table}\n{other_table}");
    let serving = Serving::start_with(Log::shop(5), &tokens, &["--tokens", "tokens.toml"]);
    let browser = Browser::open(&serving.address, Look::Desktop);
    browser.go("/entity?name=shop/order/o-1003");
    browser.wait_text("h1", "Log in");
    browser.check("login");
    browser.fill("#token", "wrong\n");
    browser.wait_text("#wrong", "not known");
    let _told = browser.complaints();
    browser.fill("#token", &format!("{shop}\n"));
    // To where it was to go.
    browser.wait_text("h1", "o-1003");
    browser.wait_text("[data-field=status]", "placed");
    browser.go("/");
    browser.wait_text("table.kinds", "order");
    browser.wait("return document.querySelector('#rate svg')");
    browser.click("header form[action='/logout'] button");
    browser.wait_text("h1", "Log in");
    browser.go("/entities");
    browser.wait_text("h1", "Log in");
    // Somebody else sees nothing of it, and is not told that there is something.
    browser.fill("#token", &format!("{other}\n"));
    browser.wait_text("main", "Nothing found");
    for path in ["/entity?name=shop/order/o-1003", "/go?name=o-1003"] {
        browser.go(path);
        browser.wait_text("h1", "Nothing found");
    }
    for path in ["/", "/events", "/lifecycle", "/entities", "/lifecycle?namespace=shop&type=order"]
    {
        browser.go(path);
        browser.wait("return document.querySelector('.notice')");
        assert!(!browser.text("main").contains("o-1003"), "{path}");
    }
}
