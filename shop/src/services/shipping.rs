//! The shipping service: text, as Python's logging writes it.

use crate::entity::ShopEntity;
use crate::fleet::Service;
use crate::journal::{Journal, flag, int, number, text, unset};
use crate::kind::LineKind;
use crate::simulation::order::Order;
use crate::text::{Hundredths, LineText, Quoted};

pub(crate) fn shipment_created(journal: &mut Journal<'_>, order: &Order) {
    let weight = Hundredths(order.weight_hundredths);
    journal.write(Service::Shipping, LineKind::ShipmentCreated, |line| {
        begin(line, "INFO", "shipping.labels");
        write!(
            line,
            "shipment {} created for order {} parcels={} weight={weight}kg",
            order.shipment(),
            order.entity(),
            order.parcels
        );
    });
    journal.change(
        order.shipment(),
        &[
            text("status", "created"),
            text("order", &order.entity().to_string()),
            int("parcels", order.parcels),
            number("weight_kg", weight.number()),
        ],
    );
    journal.change(order.entity(), &[text("shipment", &order.shipment().to_string())]);
}

pub(crate) fn handed_over(
    journal: &mut Journal<'_>,
    order: &Order,
    courier: ShopEntity,
    depot: &str,
    dock: u32,
) {
    journal.write(Service::Shipping, LineKind::ShipmentHandedOver, |line| {
        begin(line, "INFO", "shipping.dispatch");
        write!(
            line,
            "shipment {} for order {} handed over to courier {courier} at {depot} [dock {dock}]",
            order.shipment(),
            order.entity()
        );
    });
    journal.change(
        order.shipment(),
        &[
            text("status", "in-transit"),
            text("courier", &courier.to_string()),
            text("location", depot),
        ],
    );
    journal.change(order.entity(), &[text("status", "shipped")]);
}

/// `temperature` is in tenths of a degree Celsius.
pub(crate) fn scanned(journal: &mut Journal<'_>, order: &Order, place: &str, temperature: i64) {
    journal.write(Service::Shipping, LineKind::ShipmentScanned, |line| {
        begin(line, "INFO", "shipping.scanner");
        let sign = if temperature < 0 { "-" } else { "" };
        let size = temperature.abs();
        write!(
            line,
            "SCAN|{}|{place}|{}/{}|{sign}{}.{}",
            order.shipment(),
            order.hop,
            order.hops,
            size / 10,
            size % 10
        );
    });
    journal.change(
        order.shipment(),
        &[
            text("location", place),
            int("hop", order.hop),
            int("hops", order.hops),
            number("temperature", temperature as f64 / 10.0),
        ],
    );
}

pub(crate) fn stuck(
    journal: &mut Journal<'_>,
    order: &Order,
    place: &str,
    minutes: i64,
    reason: &str,
) {
    journal.write(Service::Shipping, LineKind::ShipmentStuck, |line| {
        begin(line, "WARNING", "shipping.watchdog");
        write!(
            line,
            "shipment {} (order {}) stuck at {place} for {minutes} min: {reason}",
            order.shipment(),
            order.entity()
        );
    });
    journal.change(
        order.shipment(),
        &[
            text("status", "stuck"),
            flag("stuck", true),
            text("location", place),
            int("delay_minutes", minutes),
            text("problem", reason),
        ],
    );
    journal.change(order.entity(), &[text("problem", &format!("shipment stuck: {reason}"))]);
}

pub(crate) fn released(journal: &mut Journal<'_>, order: &Order) {
    journal.write(Service::Shipping, LineKind::ShipmentReleased, |line| {
        begin(line, "INFO", "shipping.watchdog");
        write!(line, "shipment {} (order {}) moving again", order.shipment(), order.entity());
    });
    journal.change(
        order.shipment(),
        &[text("status", "in-transit"), unset("stuck"), unset("problem"), unset("delay_minutes")],
    );
    journal.change(order.entity(), &[unset("problem")]);
}

pub(crate) fn delivered(journal: &mut Journal<'_>, order: &Order, recipient: &str, signed: bool) {
    journal.write(Service::Shipping, LineKind::ShipmentDelivered, |line| {
        begin(line, "INFO", "shipping.dispatch");
        write!(
            line,
            "shipment {} (order {}) delivered to {} signed={}",
            order.shipment(),
            order.entity(),
            Quoted(recipient),
            signed
        );
    });
    journal.change(
        order.shipment(),
        &[
            text("status", "delivered"),
            text("received_by", recipient),
            flag("signed", signed),
            unset("temperature"),
        ],
    );
    journal.change(order.entity(), &[text("status", "delivered")]);
}

pub(crate) fn returned(journal: &mut Journal<'_>, order: &Order, reason: &str) {
    journal.write(Service::Shipping, LineKind::ShipmentReturned, |line| {
        begin(line, "WARNING", "shipping.dispatch");
        write!(
            line,
            "shipment {} (order {}) returned to sender: {reason}",
            order.shipment(),
            order.entity()
        );
    });
    journal.change(order.shipment(), &[text("status", "returned"), text("problem", reason)]);
    journal.change(order.entity(), &[text("status", "returned"), text("problem", reason)]);
}

/// What Python's logging puts before every message.
pub(crate) fn begin(line: &mut LineText, level: &str, logger: &str) {
    line.push_python_time();
    write!(line, " {level} {logger} [worker-3] ");
}
