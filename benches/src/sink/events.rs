//! Events of about 400 bytes on the wire, the same ones in every run of one kind.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use statetrail_event::{Change, EntityName, Event, LineIdentity, Source, Time};

/// How events are spread over entities and namespaces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The name of the case.
    pub name: &'static str,
    /// How many entities there are.
    pub entities: u64,
    /// How many namespaces they are in.
    pub namespaces: u64,
    /// 1 spreads events evenly; with 4, half of them are of a sixteenth of the entities.
    pub skew: i32,
}

/// The spreads that are measured.
pub const SPREADS: [Spread; 4] = [
    Spread { name: "entities-20k", entities: 20_000, namespaces: 1, skew: 1 },
    Spread { name: "entities-2m", entities: 2_000_000, namespaces: 1, skew: 1 },
    Spread { name: "skewed-20k", entities: 20_000, namespaces: 1, skew: 4 },
    Spread { name: "namespaces-200", entities: 20_000, namespaces: 200, skew: 1 },
];

/// What the clock says, as the moment from which events happen.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time::from_nanos(since.unwrap_or_default().as_nanos() as i64)
}

/// Events without end.
pub struct Events {
    random: u64,
    number: u64,
    spread: Spread,
    start: Time,
    sources: Vec<Arc<Source>>,
    rule: Arc<str>,
}

/// Nanoseconds from one event to the next.
const STEP: i64 = 10_000;
const PODS: u64 = 4;
const STEPS: [&str; 4] = ["created", "paid", "packed", "shipped"];

impl Events {
    /// The events of that spread, from that moment on.
    pub fn new(spread: Spread, start: Time) -> Events {
        let source = |number: u64| {
            let (namespace, pod) = (number / PODS, number % PODS);
            Arc::new(Source {
                uri: format!("/shop-{namespace}/checkout-{pod}/app"),
                node: Some("node-1".into()),
                file: None,
            })
        };
        Events {
            random: 0x9e37_79b9_7f4a_7c15,
            number: 0,
            spread,
            start,
            sources: (0..spread.namespaces * PODS).map(source).collect(),
            rule: "shop.yaml/order-step".into(),
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        // Xorshift: fast, and the same everywhere.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    fn entity(&mut self) -> u64 {
        let place = self.below(1 << 32) as f64 / f64::from(1u32 << 16) / f64::from(1u32 << 16);
        (place.powi(self.spread.skew) * self.spread.entities as f64) as u64
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let number = self.number;
        self.number += 1;
        let entity = self.entity();
        let namespace = entity % self.spread.namespaces;
        let time = Time::from_nanos(self.start.nanos() + number as i64 * STEP);
        let step = STEPS[self.below(4) as usize];
        let (amount, customer) = (self.below(100_000) as i64, self.below(10_000_000));
        let pod = self.below(PODS);
        let line = format!(
            "{time} INFO [worker-{pod}] OrderService - order o-{entity} {step} amount={amount} by \
             card, customer c-{customer:08}"
        );
        let source = self.sources[(namespace * PODS + pod) as usize].clone();
        let hash = LineIdentity::source_hash(&source.uri);
        let namespace = format!("shop-{namespace}");
        Some(Event {
            id: LineIdentity::new(hash, time, line.as_bytes()).event_id(0),
            entity: EntityName::new(&namespace, "order", &format!("o-{entity}"))
                .expect("namespace, type and id are short words"),
            name: step.into(),
            time,
            seq: 0,
            changes: vec![Change::set("status", step), Change::set("amount", amount)],
            source,
            offset: None,
            rule: Some(self.rule.clone()),
            line: Some(line),
        })
    }
}
