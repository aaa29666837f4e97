//! What the command line says about a server.

use std::net::TcpListener;

use crate::common::Place;
use crate::support::{Serving, token};

#[test]
fn a_log_is_imported_and_asked_over_http() {
    let place = Place::with_log();
    let serving = Serving::start(&place, &[]);
    let answer = serving.get("/api/v1/state/shop/order/o-1042?at=2026-11-22T10:03:07Z");
    assert_eq!((answer.status, &answer.json()["state"]["status"]), (200, &"paid".into()));
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_token_that_was_made_lets_in() {
    let place = Place::with_log();
    let (token, table) = token(&place);
    place.write("tokens.toml", table);
    let serving = Serving::start(&place, &["--tokens", "tokens.toml"]);
    assert_eq!(serving.get("/api/v1/kinds").status, 401);
    let answer =
        serving.get_with("/api/v1/kinds", &[("Authorization", &format!("Bearer {token}"))]);
    assert!(answer.status == 200 && answer.body.contains("order"), "{answer:?}");
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn what_cannot_be_served_is_told() {
    let place = Place::with_log();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    place.write("tokens.toml", "[[token]]\nname = \"x\"\n");
    for (args, code, said) in [
        (vec!["serve", "--listen", "0.0.0.0:0"], 2, "needs --tokens"),
        (vec!["serve", "--listen", &taken], 1, "cannot be used"),
        (vec!["serve", "--listen", "here"], 2, "--listen"),
        (vec!["serve", "--tokens", "tokens.toml"], 2, "sha256 is missing"),
        (vec!["serve", "--tokens", "nowhere.toml"], 2, "nowhere.toml"),
        (vec!["serve", "--tls-cert", "c.pem"], 2, "--tls-key"),
        (vec!["serve", "--tls-cert", "c.pem", "--tls-key", "k.pem"], 2, "c.pem"),
        (vec!["serve", "--store", "sqlite:nowhere.db"], 5, "no store"),
    ] {
        let output = place.command(args.clone()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(said), "{args:?}: {told}");
    }
}
