//! Events like those of a shop: many orders that live for a moment, each with a dozen events,
//! beside a few things of long life.

use std::sync::Arc;

use statetrail_event::{Change, EntityName, Event, EventId, LineIdentity, Source, Time};
use statetrail_store::KnownEvent;

/// Events without end, the same ones in every run. About 400 bytes each, with a line of about
/// 200 bytes.
pub struct Workload {
    random: u64,
    number: u64,
    long_lived: u64,
    sources: [Arc<Source>; PODS as usize],
    rule: Arc<str>,
}

const PODS: u64 = 4;
/// Orders that are under way at the same time.
const ORDERS_AT_ONCE: u64 = 2_000;
const EVENTS_OF_AN_ORDER: u64 = 12;
/// Of so many events, one belongs to a thing of long life.
const LONG_LIVED_SHARE: u64 = 10;

impl Workload {
    /// A workload with so many entities that live on.
    pub fn new(long_lived: u64) -> Workload {
        let source = |pod| {
            Arc::new(Source {
                uri: format!("/shop/checkout-{pod}/app"),
                node: Some("node-1".into()),
                file: Some(format!("/var/log/containers/checkout-{pod}_shop_app.log")),
            })
        };
        Workload {
            random: 0x9e37_79b9_7f4a_7c15,
            number: 0,
            long_lived,
            sources: std::array::from_fn(source),
            rule: "shop.yaml/order-step".into(),
        }
    }

    /// The next events.
    pub fn batch(&mut self, events: usize) -> Vec<KnownEvent> {
        (0..events).map(|_| self.next_event()).collect()
    }

    fn below(&mut self, limit: u64) -> u64 {
        // Xorshift: fast, and the same everywhere.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    fn next_event(&mut self) -> KnownEvent {
        let number = self.number;
        self.number += 1;
        let (entity_type, id) = if number.is_multiple_of(LONG_LIVED_SHARE) {
            ("stock", format!("sku-{}", self.below(self.long_lived)))
        } else {
            let newest = number / EVENTS_OF_AN_ORDER;
            ("order", format!("o-{}", newest + self.below(ORDERS_AT_ONCE)))
        };
        let amount = self.below(100_000) as i64;
        let step = ["created", "paid", "packed", "shipped"][self.below(4) as usize];
        let time = Time::from_nanos(1_790_000_000_000_000_000 + number as i64 * 1_000_000);
        let pod = self.below(PODS);
        let line = format!(
            "{time} INFO [checkout-worker-{pod}] com.example.shop.orders.OrderService - \
             {entity_type} {id} {step} amount={amount} EUR by card, customer c-{:08}, \
             request {:016x}, took {} ms",
            self.below(10_000_000),
            self.below(u64::MAX),
            self.below(900),
        );
        let source = self.sources[pod as usize].clone();
        let identity =
            LineIdentity::new(LineIdentity::source_hash(&source.uri), time, line.as_bytes());
        let event = Event {
            id: identity.event_id(0),
            entity: EntityName::new("shop", entity_type, &id)
                .expect("namespace, type and id are short words"),
            name: step.into(),
            time,
            seq: 0,
            changes: vec![
                Change::set("status", step),
                Change::set("amount", amount),
                Change::set("method", "card"),
            ],
            source,
            offset: Some(number * 200),
            rule: Some(self.rule.clone()),
            line: Some(line),
        };
        KnownEvent { event, known_at: time }
    }
}

/// One entity's trail: the `number`-th event a second after the one before.
pub fn trail(entity: &EntityName, events: u64) -> Vec<KnownEvent> {
    trail_every(entity, events, 1)
}

/// The same with so many seconds from one event to the next.
pub fn trail_every(entity: &EntityName, events: u64, seconds: u64) -> Vec<KnownEvent> {
    (0..events).map(|number| trail_event(entity, number, seconds)).collect()
}

fn trail_event(entity: &EntityName, number: u64, seconds: u64) -> KnownEvent {
    let after = (number * seconds) as i64 * 1_000_000_000;
    let time = Time::from_nanos(1_790_000_000_000_000_000 + after);
    let step = ["counted", "reserved", "released", "moved"][(number % 4) as usize];
    let event = Event {
        id: EventId(u128::from(number).to_be_bytes()),
        entity: entity.clone(),
        name: step.into(),
        time,
        seq: 0,
        changes: vec![Change::set("status", step), Change::set("amount", number as i64)],
        source: Source { uri: "/shop/stock-1/app".into(), ..Source::default() }.into(),
        offset: Some(number * 200),
        rule: Some("shop.yaml/stock".into()),
        line: Some(format!("{time} INFO {entity} {step} amount={number} {:>120}", "in aisle 7")),
    };
    KnownEvent { event, known_at: time }
}
