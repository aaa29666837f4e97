//! `cargo bench -p statetrail-benches`: one line of each kind through the shop's rules, for
//! finding out where time goes. The comparison with a rival is `make bench-extract`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use statetrail_benches::process::project_folder;
use statetrail_event::Time;
use statetrail_rules::{Extractor, Line, Origin, RuleSet, RuleText};

/// Lines of the kinds that the shop writes.
const LINES: [(&str, &str); 5] = [
    (
        "no-match",
        "2026-11-22T01:36:42.104Z  INFO 1 --- [nio-8080-exec-7] c.e.shop.checkout.HealthController    : health ok, 12 connections",
    ),
    (
        "text",
        "2026-11-22 02:04:32,076 INFO shipping.labels [worker-3] shipment s-7039 created for order o-1042 parcels=1 weight=6.68kg",
    ),
    (
        "json",
        r#"{"level":"info","time":"2026-11-22T01:44:46.146Z","pid":1,"msg":"payment captured","payment":{"id":"p-51042"},"order":{"id":"o-1042"},"captured":752.07,"risk":0.22,"three_d_secure":true}"#,
    ),
    (
        "logfmt",
        r#"ts=2026-11-22T01:37:02.913Z level=info caller=stock/service.go:88 msg="stock reserved" sku=sku-0052 qty=1 available=52 reserved=1 order=o-1042 warehouse=nbg-1"#,
    ),
    (
        "text-with-quotes",
        r#"2026-11-22T01:36:42.104Z  INFO 1 --- [nio-8080-exec-7] c.e.shop.checkout.OrderService       : order o-1042 placed by customer "Priya van den Berg" items=4 total=752.07 EUR gift=false"#,
    ),
];

fn lines(criterion: &mut Criterion) {
    let path = project_folder().join("fluent-bit/rules/shop.yaml");
    let text = std::fs::read_to_string(&path).expect("the shop's rules come with the project");
    let (mut rules, _) = RuleSet::parse(&[RuleText { name: "shop.yaml".to_owned(), text }]);
    let scope = rules.scope("shop", "app").expect("the shop's rules are for the shop");
    let origin = Origin::plain(Some("shop"), None, None);
    let mut extractor = Extractor::new();
    let mut out = Vec::new();
    let mut group = criterion.benchmark_group("line");
    for (name, text) in LINES {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let bytes = black_box(text.as_bytes());
                let line = Line { bytes, time: Time::from_nanos(1), position: 0, offset: None };
                extractor.write_json(&rules, scope, &origin, &line, &mut out)
            });
        });
        assert_eq!(out.is_empty(), name == "no-match", "{name} is not what its name says");
    }
}

criterion_group!(benches, lines);
criterion_main!(benches);
