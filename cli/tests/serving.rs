//! `statetrail serve` and `token`: the real binary, asked over its port.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use common::Place;
use serde_json::Value;

struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start<const N: usize>(place: &Place, args: [&str; N]) -> Serving {
        let mut child = place.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let address = told["address"].as_str().unwrap().trim_start_matches("http://").to_owned();
        Serving { child, address }
    }

    fn get(&self, path: &str, token: Option<&str>) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        write!(stream, "GET {path} HTTP/1.0\r\n{token}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(mut self) -> Option<i32> {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_log_is_imported_and_asked_over_http() {
    let place = Place::with_log();
    let serving = Serving::start(&place, ["serve", "--listen", "127.0.0.1:0", "-o", "jsonl"]);
    let path = "/api/v1/state/shop/order/o-1042?at=2026-11-22T10:03:07Z";
    let answer = serving.get(path, None);
    assert!(answer.contains("200 OK") && answer.contains("\"status\":\"paid\""), "{answer}");
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_token_that_was_made_lets_in() {
    let place = Place::with_log();
    let made = place.run(["token", "--name", "on-call", "--namespace", "shop"]);
    let made = made.expect_code(0).out;
    let token = made.lines().nth(2).unwrap().trim().to_owned();
    let table = &made[made.find("[[token]]").unwrap()..];
    place.write("tokens.toml", table);
    let args = ["serve", "--listen", "127.0.0.1:0", "--tokens", "tokens.toml", "-o", "jsonl"];
    let serving = Serving::start(&place, args);
    assert!(serving.get("/api/v1/kinds", None).contains("401"));
    assert!(serving.get("/api/v1/kinds", Some(&token)).contains("order"));
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
