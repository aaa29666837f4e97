//! Who may see what.

use crate::support::{Answer, Running, event, token_table, within_a_minute};

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
    let late = before + &token_table("late", "late", "\"shop\"");
    std::fs::write(&path, &late).unwrap();
    within_a_minute("the new token is known", || ask() == 200);
    std::fs::write(&path, "nonsense").unwrap();
    let is_wrong = |told: &str| {
        let metrics = server.get("/metrics").body;
        metrics.contains(&format!("\nstatetrail_server_tokens_wrong {told}\n"))
    };
    within_a_minute("the wrong version is read", || is_wrong("1"));
    assert_eq!(ask(), 200);
    std::fs::write(&path, &late).unwrap();
    within_a_minute("it is right again", || is_wrong("0"));
    assert_eq!(ask(), 200);
}

#[test]
fn the_last_token_can_be_taken_away() {
    let server = server();
    let ask = || server.get_with("/api/v1/kinds", &[("Authorization", "Bearer all-of-it")]).status;
    let path = server.tokens_path();
    let tokens = std::fs::read_to_string(&path).unwrap();
    assert_eq!(ask(), 200);
    std::fs::write(&path, "# nobody\n").unwrap();
    within_a_minute("nobody may ask", || ask() == 401);
    std::fs::write(&path, &tokens).unwrap();
    within_a_minute("the tokens are back", || ask() == 200);
    std::fs::remove_file(&path).unwrap();
    within_a_minute("nobody may ask without the file", || ask() == 401);
    std::fs::write(&path, &tokens).unwrap();
    within_a_minute("the file is back", || ask() == 200);
}

/// Pages, and those of their parts that know of entities.
const PAGES: [&str; 11] = [
    "/",
    "/entities",
    "/entities?namespace=shop&type=order&sort=-last",
    "/entity?name=shop/order/o-1",
    "/events?from=1970-01-01",
    "/lifecycle?namespace=shop&type=order",
    "/part/kinds",
    "/part/newest",
    "/part/resting",
    "/part/filters",
    "/part/entity?name=shop/order/o-1",
];

#[test]
fn pages_ask_for_a_token_and_keep_it_in_a_cookie_that_no_script_reads() {
    let server = server();
    for page in PAGES {
        for cookie in [None, Some("statetrail=wrong"), Some("statetrail="), Some("other=all-of-it")]
        {
            let headers: Vec<_> = cookie.map(|cookie| ("Cookie", cookie)).into_iter().collect();
            let answer = server.get_with(page, &headers);
            match page.starts_with("/part/") {
                true => assert_eq!(answer.status, 401, "{page}"),
                false => {
                    assert_eq!(answer.status, 303, "{page}");
                    let to = answer.header("location").unwrap();
                    assert!(to.starts_with("/login?next=/"), "{to}");
                }
            }
            assert!(!answer.body.contains("o-1"), "{answer:?}");
        }
        let answer = server.get_with(page, &[("Cookie", "a=b; statetrail=all-of-it")]);
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{page}");
    }
    let log_in = |token: &str, next: &str| {
        post(&server, "/login", "localhost", "same-origin", &format!("token={token}&next={next}"))
    };
    let wrong = log_in("wrong", "/events");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    let right = log_in("shop-only", "/events%3Ftype%3Dorder");
    assert_eq!((right.status, right.header("location")), (303, Some("/events?type=order")));
    let cookie = right.header("set-cookie").unwrap();
    assert!(cookie.starts_with("statetrail=shop-only; path=/; httponly; samesite=lax"), "{cookie}");
    let elsewhere = log_in("shop-only", "//evil.example/");
    assert_eq!(elsewhere.header("location"), Some("/"));
}

fn post(server: &Running, path: &str, host: &str, site: &str, form: &str) -> Answer {
    let length = form.len();
    server.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: {site}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
    ))
}

#[test]
fn servers_of_one_host_do_not_put_out_each_others_cookies() {
    let server = server();
    for (host, name) in [
        ("localhost", "statetrail"),
        ("localhost:8080", "statetrail-8080"),
        ("[::1]:8081", "statetrail-8081"),
        ("[::1]", "statetrail"),
    ] {
        let answer = post(&server, "/login", host, "none", "token=shop-only");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.starts_with(&format!("{name}=shop-only;")), "{host}: {cookie}");
        let answer = post(&server, "/logout", host, "same-origin", "");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.starts_with(&format!("{name}=; ")), "{host}: {cookie}");
    }
    for (cookie, status) in [("statetrail-8081=shop-only", 303), ("statetrail-8080=shop-only", 200)]
    {
        let answer = server.send(&format!(
            "GET /events HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
        ));
        assert_eq!(answer.status, status, "{cookie}");
    }
}

#[test]
fn other_sites_log_nobody_in_or_out() {
    let server = server();
    for path in ["/login", "/logout"] {
        for site in ["cross-site", "same-site"] {
            let answer = post(&server, path, "localhost", site, "token=shop-only");
            assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{path} {site}");
        }
    }
    assert_eq!(server.get_with("/login", &[("Sec-Fetch-Site", "cross-site")]).status, 200);
}

#[test]
fn who_is_logged_in_can_log_out_on_every_page() {
    let server = server();
    let logged_in = [("Cookie", "statetrail=shop-only")];
    let pages = PAGES.iter().filter(|page| !page.starts_with("/part/"));
    for page in pages.chain(&["/no-such-page", "/entity?name=shop/order/none", "/events?from=x"]) {
        let answer = server.get_with(page, &logged_in);
        assert!(answer.body.contains("action=\"/logout\""), "{page}: {answer:?}");
    }
    for page in ["/login", "/no-such-page"] {
        let answer = server.get(page);
        assert!(!answer.body.contains("action=\"/logout\""), "{page}: {answer:?}");
    }
    let without = Running::start(&[event("shop/order/o-1", "placed", 100, 1)], None);
    assert!(!without.get("/").body.contains("action=\"/logout\""));
}

#[test]
fn a_name_that_fits_several_leads_to_the_moment_that_was_typed() {
    let server = Running::start(
        &[event("shop/order/o-1", "placed", 100, 1), event("bank/order/o-1", "paid", 100, 2)],
        None,
    );
    let answer = server.get("/go?name=o-1&at=1970-01-01T00:01:40Z");
    assert_eq!(answer.status, 409);
    for name in ["shop", "bank"] {
        let link = format!("/entity?name={name}/order/o-1&amp;at=1970-01-01T00:01:40Z");
        assert!(answer.body.contains(&link), "{answer:?}");
    }
}

#[test]
fn an_empty_value_is_a_place_of_a_lifecycle_and_not_where_entities_are_first_seen() {
    let events = [event("shop/order/o-1", "", 100, 1), event("shop/order/o-1", "paid", 200, 2)];
    let server = Running::start(&events, None);
    let page = "/lifecycle?namespace=shop&type=order&by=status";
    assert!(server.get(page).body.contains("by=status&amp;from=&amp;to=paid"));
    let went = server.get(&format!("{page}&from=&to=paid"));
    assert!(went.body.contains("name=shop/order/o-1"), "{went:?}");
    let never = server.get(&format!("{page}&to=paid"));
    assert!(!never.body.contains("name=shop/order/o-1"), "{never:?}");
}

#[test]
fn pages_show_nothing_of_other_namespaces() {
    let server = server();
    for page in PAGES {
        let shop = server.get_with(page, &[("Cookie", "statetrail=shop-only")]);
        assert_eq!(shop.status, 200, "{page}");
        assert!(!shop.body.contains("secret") && !shop.body.contains("bank"), "{page}: {shop:?}");
        let bank = server.get_with(page, &[("Cookie", "statetrail=bank-only")]);
        assert!(!bank.body.contains(">paid<"), "{page}: {bank:?}");
    }
    for page in ["/go?name=o-1", "/go?name=shop/order/o-1"] {
        let found = server.get_with(page, &[("Cookie", "statetrail=shop-only")]);
        assert_eq!(found.header("location"), Some("/entity?name=shop/order/o-1"));
    }
    let hidden = server.get_with("/go?name=shop/order/o-1", &[("Cookie", "statetrail=bank-only")]);
    assert_eq!(hidden.status, 404, "{hidden:?}");
}

#[test]
fn without_tokens_only_names_of_this_machine_are_answered_to() {
    let server = Running::start(&[event("shop/order/o-1", "placed", 100, 1)], None);
    let ask = |path: &str, host: &str| {
        let host = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        server.send(&host).status
    };
    for path in ["/", "/api/v1/kinds"] {
        for own in ["localhost", "LOCALHOST:80", "127.0.0.1:9", "[::1]:80"] {
            assert_eq!(ask(path, own), 200, "{own}");
        }
        let from_elsewhere = |mode: &str| {
            let headers = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode)];
            server.get_with(path, &headers).status
        };
        assert_eq!((from_elsewhere("navigate"), from_elsewhere("no-cors")), (200, 403), "{path}");
        for other in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""] {
            assert_eq!(ask(path, other), 421, "{other}");
        }
    }
}

#[test]
fn what_pages_are_made_of_is_kept_for_good_and_everything_else_asked_again() {
    let server = Running::start(&[event("shop/order/o-1", "placed", 100, 1)], None);
    let page = server.get("/");
    assert_eq!(page.header("cache-control"), Some("no-cache, private"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    let mut assets = 0;
    for asset in page.body.split('"').filter(|text| text.starts_with("/assets/")) {
        let answer = server.get(asset);
        assert_eq!(answer.status, 200, "{asset}");
        assert!(answer.header("cache-control").unwrap().contains("immutable"), "{asset}");
        assert!(!answer.body.contains("VERSION"), "{asset}");
        assets += 1;
    }
    assert!(assets >= 4, "{}", page.body);
    for missing in ["/assets/style.css", "/assets/..%2f..%2fCargo.toml", "/assets/x-style.css"] {
        assert_eq!(server.get(missing).status, 404, "{missing}");
    }
}

#[test]
fn events_of_several_namespaces_with_the_same_key_are_paged_without_loss() {
    let tokens = token_table("some", "some-of-it", "\"bank\", \"shop\", \"yard\"");
    let server = Running::start(&[], Some(&tokens));
    // The order in which a store sees them first is not that of their names.
    let names = ["shop/order/b", "yard/order/a", "bank/order/b", "shop/order/a", "bank/order/a"];
    for name in names {
        server.append(&[event(name, "placed", 100, 1), event(name, "paid", 200, 2)]);
    }
    for order in ["oldest", "newest"] {
        for limit in 1..4 {
            let (mut found, mut after) = (Vec::new(), String::new());
            loop {
                let path = format!("/api/v1/events?order={order}&limit={limit}{after}");
                let page = server.get_with(&path, &[("Authorization", "Bearer some-of-it")]).json();
                for one in page["events"].as_array().unwrap() {
                    found.push(format!("{} {}", one["event"], one["entity"]));
                }
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            let distinct: std::collections::BTreeSet<_> = found.iter().collect();
            assert_eq!((found.len(), distinct.len()), (10, 10), "{order} {limit}: {found:?}");
        }
    }
}

#[test]
fn a_token_that_is_taken_away_ends_its_streams() {
    const WITHIN: std::time::Duration = std::time::Duration::from_secs(30);
    let server = server();
    let follow = |token: &str| {
        let mut stream = server.connect();
        let head = format!("GET /api/v1/follow HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n");
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        std::io::BufRead::lines(std::io::BufReader::new(stream))
    };
    let (mut taken, mut kept) = (follow("shop-only"), follow("bank-only"));
    let until = |lines: &mut std::io::Lines<_>, begin: &str| {
        lines.map(Result::unwrap).find(|line: &String| line.starts_with(begin))
    };
    assert!(until(&mut taken, "event: place").is_some());
    assert!(until(&mut kept, "event: place").is_some());
    std::fs::write(server.tokens_path(), token_table("bank", "bank-only", "\"bank\"")).unwrap();
    let start = std::time::Instant::now();
    // What goes on arriving must not keep it from being looked at.
    let mut number = 100;
    let ended = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut lines = taken.map(Result::unwrap);
            let is_end = |line: &String| line == "event: problem" || start.elapsed() > WITHIN;
            let problem = lines.find(is_end).unwrap();
            let why = lines.next().unwrap();
            (problem, why, lines.find(|line| !line.is_empty()))
        });
        while !reading.is_finished() && start.elapsed() < WITHIN {
            number += 1;
            server.append(&[event("shop/order/o-2", "placed", 900, number)]);
        }
        reading.join().unwrap()
    });
    let (problem, why, rest) = ended;
    assert_eq!(problem, "event: problem");
    assert_eq!((why.as_str(), rest), ("data: the token is not in force any more", None));
    server.append(&[event("bank/order/o-2", "placed", 900, 1)]);
    assert!(until(&mut kept, "data: {").is_some_and(|line| line.contains("bank/order/o-2")));
}
