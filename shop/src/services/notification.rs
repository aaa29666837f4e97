//! The notification service: JSON in ASCII.

use crate::fleet::Service;
use crate::journal::{Journal, int, text, unset};
use crate::kind::LineKind;
use crate::simulation::order::Order;
use crate::text::{AsciiJson, LineText};

pub(crate) fn mail_sent(journal: &mut Journal<'_>, order: &Order, template: &str) {
    journal.write(Service::Notification, LineKind::MailSent, |line| {
        begin(line, "INFO");
        write!(
            line,
            r#", "message": "mail {template} sent to c{}@mail.example", "order.id": "{}", "mail": {{"subject": {}, "count": {}}}}}"#,
            order.number,
            order.entity(),
            AsciiJson(&order.customer),
            order.mails
        );
    });
    journal.change(
        order.entity(),
        &[text("last_mail", template), int("mails", order.mails), unset("mail_problem")],
    );
}

pub(crate) fn mail_bounced(journal: &mut Journal<'_>, order: &Order, problem: &str) {
    journal.write(Service::Notification, LineKind::MailBounced, |line| {
        begin(line, "WARNING");
        write!(
            line,
            r#", "message": "mail bounced", "order.id": "{}", "error": {}}}"#,
            order.entity(),
            AsciiJson(problem)
        );
    });
    journal.change(order.entity(), &[text("mail_problem", problem)]);
}

/// The members that begin every line; the object is left open.
pub(crate) fn begin(line: &mut LineText, severity: &str) {
    write!(line, r#"{{"severity": "{severity}", "timestamp": ""#);
    line.push_iso_time();
    line.push("\"");
}
