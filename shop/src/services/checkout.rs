//! The checkout service: text, as Spring Boot writes it.

use crate::fleet::Service;
use crate::journal::{Journal, flag, int, number, text, unset};
use crate::kind::LineKind;
use crate::simulation::order::Order;
use crate::text::{Hundredths, LineText, Quoted};

pub(crate) fn order_placed(journal: &mut Journal<'_>, order: &Order) {
    let total = Hundredths(order.total_cents);
    journal.write(Service::Checkout, LineKind::OrderPlaced, |line| {
        begin(line, "INFO", "OrderService");
        write!(
            line,
            "order {} placed by customer {} items={} total={} {} gift={}",
            order.entity(),
            Quoted(&order.customer),
            order.pieces(),
            total,
            order.currency,
            order.gift
        );
    });
    journal.change(
        order.entity(),
        &[
            text("status", "placed"),
            text("customer", &order.customer),
            int("items", order.pieces()),
            number("total", total.number()),
            text("currency", order.currency),
            flag("gift", order.gift),
        ],
    );
}

pub(crate) fn delivery_note(journal: &mut Journal<'_>, order: &Order, note: &str) {
    journal.write(Service::Checkout, LineKind::DeliveryNote, |line| {
        begin(line, "INFO", "OrderService");
        write!(line, "order {} delivery note: {note}", order.entity());
    });
    journal.change(order.entity(), &[text("note", note)]);
}

pub(crate) fn delivery_note_removed(journal: &mut Journal<'_>, order: &Order) {
    journal.write(Service::Checkout, LineKind::DeliveryNoteRemoved, |line| {
        begin(line, "INFO", "OrderService");
        write!(line, "order {} delivery note removed", order.entity());
    });
    journal.change(order.entity(), &[unset("note")]);
}

pub(crate) fn address_changed(journal: &mut Journal<'_>, order: &Order, address: &str, agent: u32) {
    journal.write(Service::Checkout, LineKind::AddressChanged, |line| {
        begin(line, "INFO", "SupportController");
        write!(
            line,
            "order {} address changed to {address} by support agent {agent}",
            order.entity()
        );
    });
    journal.change(order.entity(), &[text("address", address)]);
}

pub(crate) fn order_cancelled(journal: &mut Journal<'_>, order: &Order, reason: &str) {
    journal.write(Service::Checkout, LineKind::OrderCancelled, |line| {
        begin(line, "WARN", "OrderService");
        write!(line, "order {} cancelled: {reason}", order.entity());
    });
    journal.change(
        order.entity(),
        &[text("status", "cancelled"), text("reason", reason), unset("problem")],
    );
}

/// `rating` is in tenths of a star.
pub(crate) fn order_completed(journal: &mut Journal<'_>, order: &Order, minutes: i64, rating: i64) {
    journal.write(Service::Checkout, LineKind::OrderCompleted, |line| {
        begin(line, "INFO", "OrderService");
        write!(
            line,
            "order {} completed after {}h{}m rating={}.{}",
            order.entity(),
            minutes / 60,
            minutes % 60,
            rating / 10,
            rating % 10
        );
    });
    journal.change(
        order.entity(),
        &[text("status", "completed"), number("rating", rating as f64 / 10.0)],
    );
}

/// What Spring Boot puts before every message.
pub(crate) fn begin(line: &mut LineText, level: &str, logger: &str) {
    line.push_iso_time();
    write!(line, " {level:>5} 1 --- [nio-8080-exec-7] c.e.shop.checkout.{logger:<18} : ");
}
