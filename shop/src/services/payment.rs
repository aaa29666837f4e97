//! The payment service: JSON.

use crate::fleet::Service;
use crate::journal::{Journal, flag, int, number, text, unset};
use crate::kind::LineKind;
use crate::simulation::order::Order;
use crate::text::{Hundredths, LineText, Quoted};

pub(crate) fn requested(journal: &mut Journal<'_>, order: &Order) {
    let amount = Hundredths(order.total_cents);
    journal.write(Service::Payment, LineKind::PaymentRequested, |line| {
        begin(line, "info", "authorizing payment");
        write!(
            line,
            r#","payment":{{"id":"{}","amount":{amount},"method":"{}"}},"order":{{"id":"{}"}},"attempt":{}"#,
            order.payment(),
            order.method,
            order.entity(),
            order.attempts
        );
        if order.method == "card" {
            // Of the number that providers give out for tests.
            write!(
                line,
                r#","card":{{"number":"4000 0000 0000 {:04}","holder":{}}}"#,
                order.number % 10_000,
                Quoted(&order.customer)
            );
        }
        line.push("}");
    });
    journal.change(
        order.payment(),
        &[
            text("status", "authorizing"),
            text("order", &order.entity().to_string()),
            number("amount", amount.number()),
            text("method", order.method),
            int("attempts", order.attempts),
        ],
    );
    journal.change(
        order.entity(),
        &[text("status", "awaiting-payment"), text("payment", &order.payment().to_string())],
    );
}

pub(crate) fn declined(journal: &mut Journal<'_>, order: &Order, reason: &str) {
    journal.write(Service::Payment, LineKind::PaymentDeclined, |line| {
        begin(line, "warn", "payment declined");
        write_ids(line, order);
        write!(line, r#","attempt":{},"reason":{}}}"#, order.attempts, Quoted(reason));
    });
    journal.change(order.payment(), &[text("status", "declined"), text("reason", reason)]);
    journal.change(order.entity(), &[text("status", "payment-failed"), text("problem", reason)]);
}

pub(crate) fn retried(journal: &mut Journal<'_>, order: &Order) {
    journal.write(Service::Payment, LineKind::PaymentRetried, |line| {
        begin(line, "info", "retrying payment");
        write_ids(line, order);
        write!(line, r#","attempt":{},"method":"{}"}}"#, order.attempts, order.method);
    });
    journal.change(
        order.payment(),
        &[
            text("status", "authorizing"),
            text("method", order.method),
            int("attempts", order.attempts),
            unset("reason"),
        ],
    );
    journal.change(order.entity(), &[text("status", "awaiting-payment"), unset("problem")]);
}

pub(crate) fn held_for_review(journal: &mut Journal<'_>, order: &Order, risk: Hundredths) {
    journal.write(Service::Payment, LineKind::PaymentReviewed, |line| {
        begin(line, "warn", "payment held for review");
        write_ids(line, order);
        write!(line, r#","risk":{risk}}}"#);
    });
    journal.change(
        order.payment(),
        &[text("status", "in-review"), number("risk", risk.number()), flag("review", true)],
    );
    journal.change(order.entity(), &[flag("on_hold", true)]);
}

pub(crate) fn review_cleared(journal: &mut Journal<'_>, order: &Order, reviewer: &str) {
    journal.write(Service::Payment, LineKind::PaymentCleared, |line| {
        begin(line, "info", "review cleared");
        write_ids(line, order);
        write!(line, r#","reviewer":{}}}"#, Quoted(reviewer));
    });
    journal.change(order.payment(), &[text("reviewer", reviewer), unset("review")]);
    journal.change(order.entity(), &[unset("on_hold")]);
}

/// What the provider answered to a capture.
pub(crate) struct Capture {
    pub(crate) risk: Hundredths,
    pub(crate) three_d_secure: bool,
    /// How often the provider's answer repeats itself within the line.
    pub(crate) answer_entries: u32,
}

pub(crate) fn captured(journal: &mut Journal<'_>, order: &Order, capture: &Capture) {
    let amount = Hundredths(order.total_cents);
    journal.write(Service::Payment, LineKind::PaymentCaptured, |line| {
        begin(line, "info", "payment captured");
        if capture.answer_entries > 0 {
            write_answer(line, capture.answer_entries);
        }
        write_ids(line, order);
        write!(
            line,
            r#","captured":{amount},"risk":{},"three_d_secure":{}}}"#,
            capture.risk, capture.three_d_secure
        );
    });
    journal.change(
        order.payment(),
        &[
            text("status", "captured"),
            number("captured", amount.number()),
            number("risk", capture.risk.number()),
            flag("three_d_secure", capture.three_d_secure),
        ],
    );
    journal.change(order.entity(), &[text("status", "paid"), flag("paid", true)]);
}

pub(crate) fn abandoned(journal: &mut Journal<'_>, order: &Order) {
    journal.write(Service::Payment, LineKind::PaymentAbandoned, |line| {
        begin(line, "error", "payment abandoned");
        write_ids(line, order);
        write!(line, r#","attempts":{}}}"#, order.attempts);
    });
    journal.change(order.payment(), &[text("status", "failed"), int("attempts", order.attempts)]);
}

pub(crate) fn refunded(journal: &mut Journal<'_>, order: &Order, refund: Hundredths, why: &str) {
    journal.write(Service::Payment, LineKind::PaymentRefunded, |line| {
        begin(line, "info", "refund completed");
        write_ids(line, order);
        write!(line, r#","refund":{{"amount":{refund},"reason":{}}}}}"#, Quoted(why));
    });
    journal.change(
        order.payment(),
        &[text("status", "refunded"), number("refunded", refund.number())],
    );
    journal.change(
        order.entity(),
        &[text("status", "refunded"), number("refund", refund.number()), unset("problem")],
    );
}

/// The members that begin every line; the object is left open.
pub(crate) fn begin(line: &mut LineText, level: &str, message: &str) {
    write!(line, r#"{{"level":"{level}","time":""#);
    line.push_iso_time();
    write!(line, r#"","pid":1,"msg":"{message}""#);
}

fn write_ids(line: &mut LineText, order: &Order) {
    let (payment, order) = (order.payment(), order.entity());
    write!(line, r#","payment":{{"id":"{payment}"}},"order":{{"id":"{order}"}}"#);
}

pub(crate) fn write_answer(line: &mut LineText, entries: u32) {
    line.push(r#","answer":{"checks":["#);
    for entry in 0..entries {
        let comma = if entry == 0 { "" } else { "," };
        write!(line, r#"{comma}{{"check":{entry},"name":"velocity \"24 h\" [Zürich]","ok":true}}"#);
    }
    line.push("]}");
}
