//! Who may see what.

use crate::support::{Running, event, token_table};

pub(crate) const ROUTES: [&str; 13] = [
    "/api/v1/kinds",
    "/api/v1/entities",
    "/api/v1/names?part=o",
    "/api/v1/lifecycle/shop/order",
    "/api/v1/state/shop/order/o-1",
    "/api/v1/trail/shop/order/o-1",
    "/api/v1/blame/shop/order/o-1",
    "/api/v1/diff/shop/order/o-1",
    "/api/v1/events",
    "/api/v1/counts",
    "/api/v1/follow?after=s0",
    "/api/v1/filters",
    "/api/v1/openapi.json",
];

fn server() -> Running {
    let tokens = token_table("all", "all-of-it", "\"*\"")
        + &token_table("shop", "shop-only", "\"shop\"")
        + &token_table("bank", "bank-only", "\"bank\"");
    let events = [
        event("shop/order/o-1", "placed", 100, 1),
        event("bank/order/o-1", "secret", 200, 2),
        event("shop/order/o-1", "paid", 300, 3),
    ];
    Running::start(&events, Some(&tokens))
}

#[test]
fn nothing_is_answered_without_a_token() {
    let server = server();
    for route in ROUTES {
        for header in [
            None,
            Some("Bearer wrong"),
            Some("Bearer "),
            Some("Basic YWxsOm9m"),
            Some("all-of-it"),
            Some("Bearer all-of-it-"),
        ] {
            let headers: Vec<_> =
                header.map(|value| ("Authorization", value)).into_iter().collect();
            let answer = server.get_with(route, &headers);
            assert_eq!(answer.status, 401, "{route} {header:?}");
            assert_eq!(answer.header("www-authenticate"), Some("bearer"));
            assert!(!answer.body.contains("o-1"), "{answer:?}");
        }
    }
    for open in ["/health/livez", "/health/readyz", "/metrics"] {
        assert_eq!(server.get(open).status, 200, "{open}");
    }
}

#[test]
fn other_namespaces_are_not_there() {
    let server = server();
    for route in
        ROUTES.iter().filter(|route| !route.contains("follow") && !route.contains("openapi"))
    {
        let ask = |token: &str, route: &str| {
            server.get_with(route, &[("Authorization", &format!("Bearer {token}"))])
        };
        let (shop, bank) = (ask("shop-only", route), ask("bank-only", route));
        assert_eq!(shop.status, 200, "{route}: {shop:?}");
        assert!(!shop.body.contains("secret") && !shop.body.contains("bank"), "{route}: {shop:?}");
        assert!(!bank.body.contains("paid"), "{route}: {bank:?}");
        // What may not be seen is answered exactly as what is not there.
        if route.contains("/shop/order/o-1") {
            let nothing = ask("bank-only", &route.replace("o-1", "o-7"));
            assert_eq!(bank.status, nothing.status, "{route}");
            let until = |body: &str| body.split(" before ").next().unwrap_or_default().to_owned();
            assert_eq!(until(&bank.body), until(&nothing.body.replace("o-7", "o-1")), "{route}");
        }
    }
    let all = server.get_with("/api/v1/events", &[("Authorization", "bearer all-of-it")]).json();
    assert_eq!(all["events"].as_array().unwrap().len(), 3);
    for path in ["/api/v1/state/shop/order/..%2F..%2Fbank", "/api/v1/../../metrics/../api/v1/kinds"]
    {
        let answer = server.get_with(path, &[("Authorization", "Bearer shop-only")]);
        assert!((400..500).contains(&answer.status) && !answer.body.contains("secret"));
    }
}

#[test]
fn who_follows_gets_their_namespaces_only() {
    let server = server();
    let headers = [("Authorization", "Bearer nobody")];
    assert_eq!(server.get_with("/api/v1/follow", &headers).status, 401);
    let mut stream = server.connect();
    let request = "GET /api/v1/follow?after=s0 HTTP/1.0\r\nAuthorization: Bearer shop-only\r\n\r\n";
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stream));
    let mut seen = String::new();
    while !seen.contains("\"event\":\"paid\"") {
        seen.push_str(&lines.next().unwrap().unwrap());
    }
    assert!(seen.contains("placed") && !seen.contains("secret"), "{seen}");
}

#[test]
fn a_changed_file_of_tokens_counts_without_a_restart() {
    let server = server();
    let ask = || server.get_with("/api/v1/kinds", &[("Authorization", "Bearer late")]).status;
    assert_eq!(ask(), 401);
    let path = server.tokens_path();
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, before + &token_table("late", "late", "\"shop\"")).unwrap();
    let start = std::time::Instant::now();
    while ask() != 200 {
        assert!(start.elapsed().as_secs() < 60, "the new token is not known");
        std::thread::yield_now();
    }
    std::fs::write(&path, "nonsense").unwrap();
    assert_eq!(ask(), 200);
}
