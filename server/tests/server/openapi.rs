//! The OpenAPI document, and the server held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;

use jsonschema::Validator;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use crate::access::ROUTES;
use crate::support::{Answer, Running, event, token_table};

/// Requests for each operation.
const REQUESTS: u32 = 300;

fn server() -> Running {
    let tokens = token_table("all", "all-of-it", "\"*\"");
    let events = [
        event("shop/order/o-1", "placed", 100, 1),
        event("shop/order/o-1", "paid", 160, 2),
        event("shop/order/o-2/a b", "placed", 130, 3),
        event("bank/account/100% a/b?c", "open", 500, 4),
        event("statetrail/filter/node-1", "started", 600, 5),
    ];
    Running::start(&events, Some(&tokens))
}

const TOKEN: (&str, &str) = ("Authorization", "Bearer all-of-it");

fn document(server: &Running) -> Json {
    let answer = server.get_with("/api/v1/openapi.json", &[TOKEN]);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

/// Every documented path with its operation.
fn operations(document: &Json) -> Vec<(String, &Json)> {
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().map(|(path, item)| (path.clone(), &item["get"])).collect()
}

fn parameters<'a>(operation: &'a Json, place: &str) -> Vec<&'a str> {
    let all = operation["parameters"].as_array().expect("parameters").iter();
    all.filter(|one| one["in"] == place).map(|one| one["name"].as_str().expect("a name")).collect()
}

/// The path with parts that there are.
fn filled(path: &str) -> String {
    path.replace("{namespace}", "shop").replace("{type}", "order").replace("{id}", "o-1")
}

#[test]
fn the_document_has_every_route_and_every_parameter_and_no_other() {
    let server = server();
    let document = document(&server);
    assert_eq!(document["openapi"], "3.1.0");
    let documented: BTreeSet<String> =
        operations(&document).into_iter().map(|(path, _)| format!("/api/v1{path}")).collect();
    // The same list is asked without a token, and by somebody who may not see everything.
    let guarded = ROUTES.iter().map(|route| route.split('?').next().unwrap().to_owned());
    assert_eq!(
        documented.iter().map(|path| filled(path)).collect::<BTreeSet<_>>(),
        guarded.collect()
    );
    for (path, operation) in operations(&document) {
        // What a handler knows of, it tells whoever asks for something else.
        let known =
            server.get_with(&format!("/api/v1{}?part=o&no-such=1", filled(&path)), &[TOKEN]);
        let detail = known.json()["detail"].as_str().unwrap().to_owned();
        let unknown = if path == "/names" { "\"no-such\"" } else { "\"" };
        assert!(detail.contains(unknown), "{path}: {detail}");
        let names = detail.split_once("here; ").expect("the list").1;
        let names: BTreeSet<&str> = match names.strip_prefix("there are ") {
            Some(names) => names.split(", ").collect(),
            None => BTreeSet::new(),
        };
        assert_eq!(names, BTreeSet::from_iter(parameters(operation, "query")), "{path}");
        let in_path: Vec<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(in_path, parameters(operation, "path"), "{path}");
        for parameter in operation["parameters"].as_array().unwrap() {
            assert!(parameter["description"].as_str().is_some_and(|text| text.len() > 9));
            assert!(parameter["schema"]["type"].is_string(), "{path}: {parameter}");
        }
        for needed in ["summary", "description", "operationId"] {
            assert!(operation[needed].is_string(), "{path}: {needed}");
        }
    }
    let scheme = &document["components"]["securitySchemes"]["token"];
    assert_eq!((&scheme["type"], &scheme["scheme"]), (&json!("http"), &json!("bearer")));
}

#[test]
fn what_people_read_has_every_route_and_every_parameter_too() {
    let document = document(&server());
    let written = include_str!("../../../docs/api.md");
    for (path, operation) in operations(&document) {
        let shown = path.replace("{namespace}", "NAMESPACE").replace("{type}", "TYPE");
        let shown = format!("| `{}` |", shown.replace("{id}", "ID"));
        let row = written.lines().find(|line| line.starts_with(&shown));
        let row = row.unwrap_or_else(|| panic!("docs/api.md has no row {shown}"));
        for name in parameters(operation, "query") {
            let is_there = row.contains(&format!("`{name}`")) || row.contains("as `/events`");
            assert!(is_there, "{shown} {name}");
        }
    }
}

/// A request for one operation.
#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Values that a parameter may have.
fn valid(path: &str, name: &str) -> &'static [&'static str] {
    match (path, name) {
        (_, "at") => &["1971-01-01T00:03:00Z", "-15m", "yesterday 14:00", "2026-11-22"],
        (_, "as_known_at") => &["1971-01-01T00:03:00Z", "-15m"],
        (_, "from") => &["1970-01-01T00:01:00Z", "1970-01-01 00:00:30"],
        (_, "to") => &["1970-01-01T01:00:00Z", "1970-01-01 00:10"],
        (_, "namespace") => &["shop", "bank", "statetrail"],
        (_, "type") => &["order", "account", "filter"],
        (_, "id") => &["o-1", "o-2/a b", "100% a/b?c", "node-1"],
        (_, "prefix") => &["o-", "n"],
        (_, "event") => &["paid", "placed"],
        (_, "text") => &["alert(2)", "<script>"],
        (_, "where") => &["status=paid", "!refund", "n>=2"],
        (_, "limit") => &["1", "2", "1000"],
        (_, "order") => &["oldest", "newest"],
        (_, "part") => &["o", "order"],
        (_, "by") => &["event", "status", "n"],
        (_, "step") => &["10s", "1m", "1h", "1d"],
        ("/events", "after") => &["160000000000.0.00000000000000020000000000000000.shop/order/o-1"],
        ("/follow", "after" | "Last-Event-ID") => &["s0", "s2"],
        (path, "after") if path.starts_with("/trail") => {
            &["100000000000.0.00000000000000010000000000000000"]
        }
        (_, "after") => &["shop/order/o-1", "shop/a/b"],
        (_, "If-None-Match") => &["*", "W/\"1\""],
        (path, name) => panic!("no valid value of {name} of {path}"),
    }
}

fn valid_value(path: &str, name: &str) -> BoxedStrategy<String> {
    prop::sample::select(valid(path, name)).prop_map(encoded).boxed()
}

/// What stands in a URL where a value should be.
fn odd_value() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "\\PC{0,40}".prop_map(|text| encoded(&text)),
        2 => prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<String>()),
        2 => "[!$%'-.0-;=@-_a-z|~]{0,20}",
        1 => prop::sample::select(&["", "%zz", "%ff", "%", "%2", "%00", "..", ".", "%2F", "+", "*"][..])
            .prop_map(str::to_owned),
        1 => (1_000..8_000_usize).prop_map(|length| "x".repeat(length)),
        1 => any::<i64>().prop_map(|number| number.to_string()),
    ]
    .boxed()
}

fn value(path: &str, name: &str, is_odd: bool) -> BoxedStrategy<String> {
    if is_odd { odd_value() } else { valid_value(path, name) }
}

fn requests(path: &str, operation: &Json) -> BoxedStrategy<Asked> {
    let parts: Vec<BoxedStrategy<(String, String)>> = parameters(operation, "path")
        .into_iter()
        .map(|name| {
            let (name, path) = (name.to_owned(), path.to_owned());
            let odd = prop::bool::weighted(0.15);
            let part = odd.prop_flat_map(move |odd| (Just(name.clone()), value(&path, &name, odd)));
            part.boxed()
        })
        .collect();
    let names: Vec<String> =
        parameters(operation, "query").into_iter().map(str::to_owned).collect();
    let of = path.to_owned();
    let needed = if path == "/names" { vec!["part".to_owned()] } else { Vec::new() };
    let query =
        (prop::sample::subsequence(names.clone(), 0..=names.len()), prop::bool::weighted(0.4))
            .prop_flat_map(move |(mut some, odd)| {
                if !odd {
                    some.extend(
                        needed
                            .iter()
                            .filter(|name| !some.contains(name))
                            .cloned()
                            .collect::<Vec<_>>(),
                    );
                }
                let mut pairs: Vec<BoxedStrategy<String>> = Vec::new();
                for name in some {
                    let key = if odd {
                        prop_oneof![9 => Just(name.clone()), 1 => odd_value()].boxed()
                    } else {
                        Just(name.clone()).boxed()
                    };
                    let value = (
                        prop::bool::weighted(0.4),
                        value(&of, &name, true),
                        value(&of, &name, false),
                    );
                    let value = value.prop_map(
                        move |(is_odd, odd_one, right)| {
                            if odd && is_odd { odd_one } else { right }
                        },
                    );
                    pairs.push(
                        (key, value).prop_map(|(key, value)| format!("{key}={value}")).boxed(),
                    );
                }
                pairs
            })
            .prop_map(|pairs| pairs.join("&"));
    let method = prop_oneof![
        12 => Just("GET"),
        1 => Just("HEAD"),
        3 => prop::sample::select(&["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "ODD"][..]),
    ];
    let token = prop_oneof![
        10 => Just(Some("Bearer all-of-it".to_owned())),
        1 => Just(None),
        1 => "[!-~]{0,30}".prop_map(|text| Some(format!("Bearer {text}"))),
    ];
    let of = path.to_owned();
    let header = match parameters(operation, "header").as_slice() {
        ["If-None-Match"] => prop_oneof![
            4 => Just(None),
            1 => prop_oneof![Just("*".to_owned()), "[!-~]{1,20}"].prop_map(|value| Some(("If-None-Match", value))),
        ]
        .boxed(),
        ["Last-Event-ID"] => prop_oneof![
            4 => Just(None),
            1 => prop_oneof![Just("s1".to_owned()), "[!-~]{0,20}"].prop_map(|value| Some(("Last-Event-ID", value))),
        ]
        .boxed(),
        other => panic!("{of} has other headers: {other:?}"),
    };
    (parts, query, method, token, header)
        .prop_map(move |(parts, query, method, token, header)| {
            let path = parts.iter().fold(of.clone(), |path, (name, value)| {
                path.replace(&format!("{{{name}}}"), value)
            });
            let mut headers: Vec<_> =
                token.map(|token| ("Authorization", token)).into_iter().collect();
            headers.extend(header);
            Asked { method, path, query, headers }
        })
        .boxed()
}

/// Sends a request; of a stream only the head is read.
fn send(server: &Running, request: &[u8]) -> Option<Answer> {
    let mut stream = server.connect();
    // A server that has said no need not read all.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut bytes = [0; 4_096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&bytes[..count]),
        }
        let text = String::from_utf8_lossy(&answer);
        if text.split_once("\r\n\r\n").is_some_and(|(head, _)| head.contains("text/event-stream")) {
            break;
        }
    }
    (!answer.is_empty()).then(|| Answer::read(&answer))
}

/// The checks of bodies, by path, status and content type.
struct Bodies(BTreeMap<(String, String), BTreeMap<String, Option<Validator>>>);

impl Bodies {
    fn of(document: &Json) -> Bodies {
        let mut bodies = BTreeMap::new();
        for (path, operation) in operations(document) {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let mut types = BTreeMap::new();
                for (name, content) in response["content"].as_object().into_iter().flatten() {
                    let mut schema = content["schema"].clone();
                    schema["components"] = document["components"].clone();
                    let options = jsonschema::draft202012::options().should_validate_formats(true);
                    let check = options.build(&schema).expect("a schema");
                    types.insert(name.clone(), name.ends_with("json").then_some(check));
                }
                bodies.insert((path.clone(), status.clone()), types);
            }
        }
        Bodies(bodies)
    }

    fn check(
        &self,
        path: &str,
        status: &str,
        answer: &Answer,
        has_body: bool,
    ) -> Result<(), String> {
        let types = self.0.get(&(path.to_owned(), status.to_owned()));
        let types = types.ok_or("this status is not documented")?;
        let Some(name) = answer.header("content-type") else {
            return if types.is_empty() { Ok(()) } else { Err("no content type".to_owned()) };
        };
        let check = types.get(name).ok_or("this content type is not documented")?;
        match check {
            Some(check) if has_body => {
                check.validate(&answer.json()).map_err(|error| error.to_string())
            }
            _ => Ok(()),
        }
    }
}

fn check(server: &Running, bodies: &Bodies, path: &str, asked: &Asked) -> Result<u16, String> {
    let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
    let mut request = format!(
        "{} /api/v1{}{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
        asked.method, asked.path
    );
    for (name, value) in &asked.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let answer = send(server, (request + "\r\n").as_bytes()).ok_or("no answer")?;
    let status = answer.status;
    let failed = |why: String| format!("{why}: {asked:?} {answer:?}");
    if status >= 500 {
        return Err(failed("the server failed".to_owned()));
    }
    let has_body = asked.method != "HEAD";
    let is_known = asked.headers.contains(&("Authorization", "Bearer all-of-it".to_owned()));
    let is_no_route = asked.path.ends_with('/');
    let is_read = matches!(asked.method, "GET" | "HEAD");
    // What no operation can document: another route, another method.
    let expected = match (is_known, is_no_route, is_read) {
        (false, _, _) => Some(401),
        (_, true, _) => Some(404),
        (_, _, false) => Some(405),
        _ => None,
    };
    if let Some(expected) = expected {
        let is_so = status == expected && (!has_body || answer.json()["status"] == expected);
        if !is_so || answer.header("content-type") != Some("application/problem+json") {
            return Err(failed(format!("{expected} was to come")));
        }
        if status == 405 && answer.header("allow") != Some("get,head") {
            return Err(failed("it does not say what is allowed".to_owned()));
        }
        return Ok(status);
    }
    bodies.check(path, &status.to_string(), &answer, has_body).map_err(failed)?;
    Ok(status)
}

#[test]
fn whatever_is_asked_the_answer_is_a_documented_one() {
    let server = server();
    let document = document(&server);
    let bodies = Bodies::of(&document);
    for (path, operation) in operations(&document) {
        let seen = Mutex::new(BTreeSet::new());
        let config = Config { cases: REQUESTS, failure_persistence: None, ..Config::default() };
        let ran = TestRunner::new(config).run(&requests(&path, operation), |asked| {
            let status = check(&server, &bodies, &path, &asked).map_err(TestCaseError::fail)?;
            seen.lock().unwrap().insert(status);
            Ok(())
        });
        ran.unwrap_or_else(|error| panic!("{path}: {error}"));
        let seen = seen.into_inner().unwrap();
        let mut wanted = BTreeSet::from([200, 400, 401, 405]);
        if operation["responses"].get("404").is_some() {
            wanted.insert(404);
        }
        // A document may be asked for with wrong parameters only by their names.
        if parameters(operation, "query").is_empty() {
            wanted.remove(&400);
        }
        assert!(seen.is_superset(&wanted), "{path}: only {seen:?} came");
    }
    assert_eq!(server.get("/health/livez").status, 200);
}

#[test]
fn wrong_encodings_and_methods_and_routes_are_problems() {
    let server = server();
    for (request, status, said) in [
        ("GET /api/v1/state/shop/order/%zz", 400, "hexadecimal"),
        ("GET /api/v1/state/shop/order/a%2", 400, "hexadecimal"),
        ("GET /api/v1/state/shop/%ff/a", 400, "UTF-8"),
        ("GET /api/v1/lifecycle/shop/%ff", 400, "UTF-8"),
        ("GET /api/v1/lifecycle/shop/%", 400, "hexadecimal"),
        ("GET /api/v1/entities?prefix=%ff", 400, "UTF-8"),
        ("GET /api/v1/entities?prefix=%zz", 400, "hexadecimal"),
        ("GET /api/v1/state//order/a", 400, "namespace"),
        ("GET /api/v1/lifecycle//order", 400, "empty"),
        ("GET /api/v1/state/shop/order/", 404, "no such route"),
        ("GET /api/nothing", 404, "no such route"),
        ("POST /api/v1/kinds", 405, "only reads"),
        ("DELETE /api/v1/state/shop/order/o-1", 405, "only reads"),
        ("PUT /metrics", 405, "only reads"),
    ] {
        let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let answer = server.send(&format!("{head}{}: {}\r\n\r\n", TOKEN.0, TOKEN.1));
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{request}");
        assert_eq!(answer.json()["status"], status, "{request}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(said), "{request}: {answer:?}");
    }
}

#[test]
fn no_head_and_no_length_ends_the_server() {
    let server = server();
    let text = "[ -~\\r\\n\\t]{0,200}".prop_map(String::into_bytes);
    let line = ("[A-Z ]{0,9}", "[ -~]{0,60}", "(HTTP/1.1|HTTP/9|)", "[ -~\\r\\n:]{0,80}");
    let heads = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        text,
        line.prop_map(|(method, target, version, headers)| {
            format!("{method} /api/v1/{target} {version}\r\n{headers}\r\n\r\n").into_bytes()
        }),
        (9_000..150_000_usize, any::<bool>()).prop_map(|(length, in_query)| {
            let begin = if in_query { "events?text=" } else { "state/shop/order/" };
            let (long, token) = ("x".repeat(length), TOKEN.1);
            format!("GET /api/v1/{begin}{long} HTTP/1.1\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n").into_bytes()
        }),
        (1..300_usize).prop_map(|count| {
            let headers = "X-Odd: y\r\n".repeat(count);
            format!("GET /api/v1/kinds HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").into_bytes()
        }),
    ];
    let config = Config { cases: REQUESTS, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&heads, |head| {
        let mut stream = server.connect();
        let _ = stream.write_all(&head);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        if !answer.is_empty() {
            let answer = Answer::read(&answer);
            prop_assert!(answer.status < 500, "{:?}: {answer:?}", String::from_utf8_lossy(&head));
        }
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(server.get_with("/api/v1/kinds", &[TOKEN]).status, 200);
}
