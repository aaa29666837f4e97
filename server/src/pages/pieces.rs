//! Small things that many pages show.

use maud::{Markup, html};
use statetrail_event::{EntityName, Time, Value};
use statetrail_query::Difference;
use statetrail_store::KnownEvent;

/// A text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// An address with parameters, without those that have no value.
pub(super) fn address(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| {
        value.filter(|value| !value.is_empty()).map(|value| format!("{name}={}", encoded(value)))
    });
    let given: Vec<String> = given.collect();
    if given.is_empty() { path.to_owned() } else { format!("{path}?{}", given.join("&")) }
}

/// Where an entity is shown, now or at a moment.
pub(super) fn entity_address(name: &str, at: Option<Time>) -> String {
    let at = at.map(|at| at.to_string());
    address("/entity", &[("name", Some(name)), ("at", at.as_deref())])
}

/// A moment, to the millisecond; the whole of it when it is pointed at.
pub(super) fn moment(time: Time) -> Markup {
    html! { time datetime=(time) title=(time) { (moment_text(time)) } }
}

/// `2026-11-22 10:03:07.123`
pub(super) fn moment_text(time: Time) -> String {
    let mut whole = Vec::with_capacity(Time::RFC3339_BYTES);
    time.write_rfc3339(&mut whole);
    whole.truncate(23);
    whole[10] = b' ';
    String::from_utf8_lossy(&whole).into_owned()
}

/// A length of time in words short enough for a table.
pub(super) fn length(nanos: i64) -> String {
    let seconds = nanos.max(0) as f64 / 1e9;
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", (s * 1e3).floor()),
        s if s < 60.0 => format!("{:.1} s", (s * 10.0).floor() / 10.0),
        s if s < 3_600.0 => format!("{:.0} min {:.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s if s < 86_400.0 => {
            format!("{:.0} h {:.0} min", (s / 3_600.0).floor(), (s % 3_600.0 / 60.0).floor())
        }
        s => format!("{:.0} d {:.0} h", (s / 86_400.0).floor(), (s % 86_400.0 / 3_600.0).floor()),
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A value of a field, or that there is none.
pub(super) fn value(value: Option<&Value>) -> Markup {
    match value {
        None => html! { span.none { "–" } },
        Some(Value::Text(text)) if text.is_empty() => html! { span.none { "empty" } },
        Some(Value::Text(text)) => html! { span.value { (text) } },
        Some(other) => html! { span.value.number { (other) } },
    }
}

/// A link to an entity, its namespace and type less loud than its id.
pub(super) fn entity_link(name: &EntityName, at: Option<Time>) -> Markup {
    html! {
        a.entity href=(entity_address(name.as_str(), at)) {
            span.kind { (name.namespace()) "/" (name.entity_type()) "/" } (name.id())
        }
    }
}

/// Where an event's line came from.
pub(super) fn origin(known: &KnownEvent) -> Markup {
    let source = &known.event.source;
    html! {
        span.origin {
            (source.uri)
            @if let Some(node) = &source.node { " on " (node) }
            @if let Some(file) = &source.file { " · " (file) }
            @if let Some(offset) = known.event.offset { " at byte " (offset) }
        }
    }
}

/// What an event changed.
pub(super) fn changes(changed: &[Difference]) -> Markup {
    html! {
        @if changed.is_empty() { " " span.none { "no field changed" } }
        @else {
            ul.changes { @for change in changed {
                li {
                    span.field { (change.field) } " "
                    @if change.from.is_some() { del { (value(change.from.as_ref())) } " → " }
                    ins { (value(change.to.as_ref())) }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_any_text() {
        let name = "shop/order/a b&c=%?#<é";
        let at = Time::parse_rfc3339("2026-11-22T10:00:00.5Z").unwrap();
        assert_eq!(
            entity_address(name, Some(at)),
            "/entity?name=shop/order/a%20b%26c%3D%25%3F%23%3C%C3%A9&at=2026-11-22T10:00:00.500Z"
        );
        assert_eq!(address("/x", &[("a", None), ("b", Some(""))]), "/x");
    }

    #[test]
    fn lengths_and_numbers_are_readable() {
        for (nanos, text) in [
            (3_000_000, "3 ms"),
            (999_700_000, "999 ms"),
            (1_500_000_000, "1.5 s"),
            (59_990_000_000, "59.9 s"),
            (119_700_000_000, "1 min 59 s"),
            (90_000_000_000, "1 min 30 s"),
            (3_700_000_000_000, "1 h 1 min"),
            (180_000_000_000_000, "2 d 2 h"),
        ] {
            assert_eq!(length(nanos), text);
        }
        assert_eq!([grouped(7), grouped(1_000), grouped(1_234_567)], ["7", "1,000", "1,234,567"]);
    }
}
