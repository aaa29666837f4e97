//! The tracking service: logfmt.

use crate::fleet::Service;
use crate::journal::{Journal, flag, int, number, text, unset};
use crate::kind::LineKind;
use crate::simulation::courier::Courier;
use crate::text::{LineText, Quoted};

pub(crate) fn position(journal: &mut Journal<'_>, courier: &Courier) {
    let speed = courier.speed_tenths;
    journal.write(Service::Tracking, LineKind::CourierPosition, |line| {
        begin(line, "position");
        write!(
            line,
            " courier={} zone={} load={} speed={}.{} online=true",
            courier.entity,
            Quoted(courier.zone),
            courier.load,
            speed / 10,
            speed % 10
        );
    });
    journal.change(
        courier.entity,
        &[
            text("zone", courier.zone),
            int("load", courier.load),
            number("speed_kmh", speed as f64 / 10.0),
            flag("online", true),
        ],
    );
}

pub(crate) fn offline(journal: &mut Journal<'_>, courier: &Courier, reason: &str) {
    journal.write(Service::Tracking, LineKind::CourierOffline, |line| {
        begin(line, "offline");
        write!(line, " courier={} reason={}", courier.entity, Quoted(reason));
    });
    journal.change(courier.entity, &[flag("online", false), unset("zone"), unset("speed_kmh")]);
}

/// The keys that begin every line.
pub(crate) fn begin(line: &mut LineText, event: &str) {
    line.push("t=");
    line.push_iso_time();
    write!(line, " event={event}");
}
