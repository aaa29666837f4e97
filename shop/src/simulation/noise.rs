//! Lines that change nothing: probes, access logs, garbage collection, debug output, traces.

use crate::dice::{Dice, Purpose};
use crate::entity::EntityType;
use crate::fleet::Service;
use crate::journal::Journal;
use crate::kind::LineKind;
use crate::services::{checkout, inventory, notification, payment, shipping, tracking};
use crate::simulation::courier::COURIERS;
use crate::simulation::order::FIRST_ORDER;
use crate::simulation::stock::ITEMS;
use crate::sink::Stream;

pub(crate) struct Noise {
    dice: Dice,
    collections: u64,
}

/// The lines of a Java stack trace after the first.
const JAVA_FRAMES: &[&str] = &[
    "\tat com.example.shop.checkout.CartClient.load(CartClient.java:118)",
    "\tat com.example.shop.checkout.OrderService.place(OrderService.java:74)",
    "\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)",
    "Caused by: java.net.SocketTimeoutException: Read timed out after 2000 ms",
    "\t... 41 common frames omitted",
];

/// The lines of a Python traceback after the first.
const PYTHON_FRAMES: &[&str] = &[
    "  File \"/app/shipping/labels.py\", line 212, in render",
    "    page = self.printer.page(shipment, size=\"A6\")",
    "  File \"/app/shipping/printer.py\", line 55, in page",
    "    raise PrinterBusy(f\"printer {self.name} is busy\")",
    "shipping.printer.PrinterBusy: printer label-2 is busy",
];

impl Noise {
    pub(crate) fn new(seed: u64) -> Noise {
        Noise { dice: Dice::new(seed, Purpose::Noise), collections: 0 }
    }

    /// Writes one line, or all lines of a trace.
    pub(crate) fn make(&mut self, journal: &mut Journal<'_>, newest_order: u32) {
        let order = FIRST_ORDER + self.dice.below(newest_order.saturating_sub(FIRST_ORDER) + 1);
        match self.dice.below(1_000) {
            0..260 => self.access(journal),
            260..400 => probe(journal),
            400..410 => self.upstream_error(journal),
            410..430 => readiness(journal),
            430..470 => self.collection(journal),
            470..510 => self.connection_pool(journal),
            510..590 => self.order_loaded(journal, order),
            590..594 => trace(journal, Service::Checkout, LineKind::StackTrace),
            594..660 => self.provider_call(journal),
            660..680 => token_refreshed(journal),
            680..690 => circuit_state(journal),
            690..780 => self.request_served(journal),
            780..840 => self.cache_miss(journal),
            840..860 => heartbeat(journal),
            860..910 => queue_polled(journal),
            910..945 => self.route_planned(journal),
            945..949 => trace(journal, Service::Shipping, LineKind::Traceback),
            949..965 => self.queue_depth(journal),
            965..980 => template_rendered(journal, order),
            980..999 => self.courier_ping(journal),
            _ => self.payload_dump(journal),
        }
    }

    fn access(&mut self, journal: &mut Journal<'_>) {
        let (a, b) = (self.dice.below(256), self.dice.below(256));
        let path = self.dice.pick(&["/", "/cart", "/orders", "/items?page=2", "/api/v1/orders"]);
        let status = self.dice.pick(&["200", "200", "200", "201", "304", "404", "503"]);
        let (bytes, millis) = (self.dice.below(40_000), self.dice.below(2_000));
        journal.write(Service::Gateway, LineKind::AccessLog, |line| {
            write!(line, "10.244.{a}.{b} - - [");
            line.push_iso_time();
            write!(
                line,
                "] \"GET {path} HTTP/1.1\" {status} {bytes} \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\" {}.{:03}",
                millis / 1_000,
                millis % 1_000
            );
        });
    }

    fn upstream_error(&mut self, journal: &mut Journal<'_>) {
        let pod = journal.any_pod(Service::Gateway);
        let connection = self.dice.below(1_000_000);
        journal.write_on(pod, Stream::Stderr, LineKind::UpstreamError, |line| {
            line.push_iso_time();
            write!(
                line,
                " [error] 29#29: *{connection} upstream timed out (110: Operation timed out) while reading response header from upstream, request: \"POST /api/v1/orders HTTP/1.1\""
            );
        });
    }

    fn collection(&mut self, journal: &mut Journal<'_>) {
        self.collections += 1;
        let (before, micros) = (self.dice.below(200) + 40, self.dice.below(9_000) + 1_000);
        let collection = self.collections;
        journal.write(Service::Checkout, LineKind::GarbageCollection, |line| {
            line.push("[");
            line.push_iso_time();
            write!(
                line,
                "][info][gc] GC({collection}) Pause Young (Normal) (G1 Evacuation Pause) {before}M->{}M(256M) {}.{:03}ms",
                before / 3,
                micros / 1_000,
                micros % 1_000
            );
        });
    }

    fn connection_pool(&mut self, journal: &mut Journal<'_>) {
        let active = self.dice.below(10);
        journal.write(Service::Checkout, LineKind::ConnectionPool, |line| {
            checkout::begin(line, "DEBUG", "HikariPool");
            write!(
                line,
                "HikariPool-1 - Pool stats (total=10, active={active}, idle={}, waiting=0)",
                10 - active
            );
        });
    }

    fn order_loaded(&mut self, journal: &mut Journal<'_>, order: u32) {
        let millis = self.dice.below(90) + 1;
        journal.write(Service::Checkout, LineKind::OrderLoaded, |line| {
            checkout::begin(line, "DEBUG", "OrderRepository");
            write!(
                line,
                "order {} loaded in {millis} ms, status=cached",
                EntityType::Order.number(order)
            );
        });
    }

    fn provider_call(&mut self, journal: &mut Journal<'_>) {
        let millis = self.dice.below(900) + 20;
        journal.write(Service::Payment, LineKind::ProviderCall, |line| {
            payment::begin(line, "debug", "provider call");
            write!(line, r#","method":"POST","url":"https://pay.example/v2/authorizations","status":201,"ms":{millis}}}"#);
        });
    }

    fn request_served(&mut self, journal: &mut Journal<'_>) {
        let micros = self.dice.below(50_000);
        journal.write(Service::Inventory, LineKind::RequestServed, |line| {
            inventory::begin(line, "info", "request served");
            write!(line, " method=POST path=/v1/reservations status=200 took={micros}us");
        });
    }

    fn cache_miss(&mut self, journal: &mut Journal<'_>) {
        let item = EntityType::Item.number(self.dice.below(ITEMS) + 1);
        let available = self.dice.below(300);
        journal.write(Service::Inventory, LineKind::CacheMiss, |line| {
            inventory::begin(line, "debug", "cache miss");
            write!(line, " sku={item} available={available} ttl=30s");
        });
    }

    fn route_planned(&mut self, journal: &mut Journal<'_>) {
        let shipment = EntityType::Shipment.number(7_001 + self.dice.below(500));
        let stops = self.dice.below(20) + 2;
        journal.write(Service::Shipping, LineKind::RoutePlanned, |line| {
            shipping::begin(line, "DEBUG", "shipping.routes");
            write!(line, "route for shipment {shipment} planned, {stops} stops");
        });
    }

    fn queue_depth(&mut self, journal: &mut Journal<'_>) {
        let depth = self.dice.below(50);
        journal.write(Service::Notification, LineKind::QueueDepth, |line| {
            notification::begin(line, "DEBUG");
            write!(line, r#", "message": "queue depth", "queue": "mails", "depth": {depth}}}"#);
        });
    }

    fn courier_ping(&mut self, journal: &mut Journal<'_>) {
        let courier = EntityType::Courier.number(self.dice.below(COURIERS) + 1);
        let millis = self.dice.below(800);
        journal.write(Service::Tracking, LineKind::CourierPing, |line| {
            tracking::begin(line, "ping");
            write!(line, " courier={courier} rtt={millis}ms");
        });
    }

    fn payload_dump(&mut self, journal: &mut Journal<'_>) {
        // Rare among the rare: such a line is as long as a hundred others.
        if !self.dice.percent(10) {
            return self.access(journal);
        }
        let entries = self.dice.below(300) + 350;
        journal.write(Service::Payment, LineKind::PayloadDump, |line| {
            payment::begin(line, "debug", "provider payload");
            payment::write_answer(line, entries);
            line.push("}");
        });
    }
}

fn probe(journal: &mut Journal<'_>) {
    journal.write(Service::Gateway, LineKind::HealthCheck, |line| {
        line.push("10.244.0.1 - - [");
        line.push_iso_time();
        line.push("] \"GET /healthz HTTP/1.1\" 200 2 \"-\" \"kube-probe/1.34\" 0.000");
    });
}

fn readiness(journal: &mut Journal<'_>) {
    journal.write(Service::Checkout, LineKind::ReadinessChanged, |line| {
        checkout::begin(line, "DEBUG", "AvailabilityBean");
        line.push("Application availability state ReadinessState is still ACCEPTING_TRAFFIC");
    });
}

fn trace(journal: &mut Journal<'_>, service: Service, kind: LineKind) {
    let (first, frames) = match kind {
        LineKind::StackTrace => {
            ("com.example.shop.checkout.CartException: cart could not be loaded", JAVA_FRAMES)
        }
        _ => ("Traceback (most recent call last):", PYTHON_FRAMES),
    };
    let pod = journal.any_pod(service);
    journal.write_on(pod, Stream::Stderr, kind, |line| line.push(first));
    for frame in frames {
        journal.write_on(pod, Stream::Stderr, kind, |line| line.push(frame));
    }
}

fn token_refreshed(journal: &mut Journal<'_>) {
    journal.write(Service::Payment, LineKind::TokenRefreshed, |line| {
        payment::begin(line, "info", "token refreshed");
        line.push(r#","expires_in":3600,"scope":"payments refunds"}"#);
    });
}

fn circuit_state(journal: &mut Journal<'_>) {
    journal.write(Service::Payment, LineKind::CircuitState, |line| {
        payment::begin(line, "warn", "circuit half open");
        line.push(r#","provider":"pay.example","failures":5,"retry":true}"#);
    });
}

fn heartbeat(journal: &mut Journal<'_>) {
    journal.write(Service::Inventory, LineKind::LeaderHeartbeat, |line| {
        inventory::begin(line, "debug", "leader heartbeat");
        line.push(" lease=inventory-leader renewed=true");
    });
}

fn queue_polled(journal: &mut Journal<'_>) {
    journal.write(Service::Shipping, LineKind::QueuePolled, |line| {
        shipping::begin(line, "DEBUG", "shipping.queue");
        line.push("polled 0 messages in 20000 ms");
    });
}

fn template_rendered(journal: &mut Journal<'_>, order: u32) {
    let order = EntityType::Order.number(order);
    journal.write(Service::Notification, LineKind::TemplateRendered, |line| {
        notification::begin(line, "DEBUG");
        write!(
            line,
            r#", "message": "template order-paid rendered", "order.id": "{order}", "ms": 4}}"#
        );
    });
}
