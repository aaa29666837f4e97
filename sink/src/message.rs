//! What is in a message: events in one of the modes of CloudEvents, or a reason why not. Pure.

use statetrail_event::Event;
use statetrail_event::cloudevents::{ReadError, Reader};

/// What the names of attributes begin with among a message's headers.
const ATTRIBUTE_PREFIX: &str = "ce_";
/// What the media type of an event or a batch in structured mode begins with.
const STRUCTURED: &str = "application/cloudevents";

/// Why a message has no events that can be stored.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is no value, which in a compacted topic means that the key was deleted.
    #[error("the message has no value")]
    NoValue,
    /// It is an event in a form other than JSON.
    #[error("the message is {0:?}, statetrail reads CloudEvents in JSON")]
    Format(String),
    /// An attribute is no text.
    #[error("the header {0:?} is not UTF-8")]
    Header(String),
    /// It is JSON, or should be, but no event.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Unreadable {
    /// A word for the cause that never changes, for counting and sorting dead letters.
    pub fn kind(&self) -> &'static str {
        match self {
            Unreadable::NoValue => "no-value",
            Unreadable::Format(_) => "format",
            Unreadable::Header(_) => "form",
            Unreadable::Read(error) => error.kind(),
        }
    }
}

/// Appends the events of a message. `headers` are its headers by name, in their order.
///
/// # Errors
/// When it cannot be taken whole; nothing is appended then.
pub fn read_message(
    reader: &mut Reader,
    value: Option<&[u8]>,
    headers: &[(&str, Option<&[u8]>)],
    events: &mut Vec<Event>,
) -> Result<(), Unreadable> {
    // The mode is told by the content type first, as CloudEvents' binding to Kafka has it.
    let content_type = match header(headers, "content-type") {
        Some(bytes) => {
            let text = std::str::from_utf8(bytes);
            Some(text.map_err(|_| Unreadable::Header("content-type".to_owned()))?)
        }
        None => None,
    };
    let is_structured = content_type.is_some_and(|it| starts_with(it, STRUCTURED));
    if !is_structured && header(headers, "ce_specversion").is_some() {
        return read_binary(reader, value, headers, content_type, events);
    }
    if let Some(content_type) = content_type.filter(|_| is_structured)
        && !is_json_format(content_type)
    {
        return Err(Unreadable::Format(content_type.chars().take(80).collect()));
    }
    let value = value.ok_or(Unreadable::NoValue)?;
    Ok(reader.read(value, events)?)
}

fn read_binary(
    reader: &mut Reader,
    value: Option<&[u8]>,
    headers: &[(&str, Option<&[u8]>)],
    content_type: Option<&str>,
    events: &mut Vec<Event>,
) -> Result<(), Unreadable> {
    let mut attributes = Vec::with_capacity(headers.len() + 1);
    for (name, bytes) in headers {
        let Some(name) = name.strip_prefix(ATTRIBUTE_PREFIX) else { continue };
        let text = std::str::from_utf8(bytes.unwrap_or_default())
            .map_err(|_| Unreadable::Header(format!("{ATTRIBUTE_PREFIX}{name}")))?;
        attributes.push((name, text));
    }
    attributes.extend(content_type.map(|content_type| ("datacontenttype", content_type)));
    // An event without data has no value, or an empty one.
    let data = value.filter(|value| !value.is_empty());
    Ok(reader.read_binary(attributes, data, events)?)
}

fn header<'a>(headers: &[(&str, Option<&'a [u8]>)], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|(it, _)| *it == name).and_then(|(_, value)| *value)
}

fn starts_with(text: &str, beginning: &str) -> bool {
    let start = text.as_bytes().get(..beginning.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
}

fn is_json_format(content_type: &str) -> bool {
    let name = content_type.split(';').next().unwrap_or_default().trim();
    ["application/cloudevents+json", "application/cloudevents-batch+json"]
        .iter()
        .any(|format| name.eq_ignore_ascii_case(format))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"/shop/a/b","type":"order.paid",
        "subject":"order/o-1","time":"2026-11-22T10:00:00Z","data":{"set":{"status":"paid"}}}"#;
    const ATTRIBUTES: [(&str, &str); 6] = [
        ("ce_specversion", "1.0"),
        ("ce_id", "1"),
        ("ce_source", "/shop/a/b"),
        ("ce_type", "order.paid"),
        ("ce_subject", "order/o-1"),
        ("ce_time", "2026-11-22T10:00:00Z"),
    ];

    fn read(value: Option<&str>, headers: &[(&str, &str)]) -> Result<Vec<Event>, Unreadable> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect();
        let mut events = Vec::new();
        read_message(&mut Reader::default(), value.map(str::as_bytes), &headers, &mut events)?;
        Ok(events)
    }

    #[test]
    fn both_modes_give_the_same_event() {
        let batch = format!("[{EVENT}]");
        let expected = read(Some(EVENT), &[]).unwrap();
        assert_eq!(expected.len(), 1);
        for (value, content_type) in [
            (EVENT, "application/cloudevents+json"),
            (EVENT, "Application/CloudEvents+JSON; charset=UTF-8"),
            (&batch, "application/cloudevents-batch+json"),
            // Somebody's framework says what the value is, and no more.
            (EVENT, "application/json"),
        ] {
            let read = read(Some(value), &[("content-type", content_type)]).unwrap();
            assert_eq!(read, expected, "{content_type}");
        }
        let mut headers = ATTRIBUTES.to_vec();
        headers.push(("content-type", "application/json"));
        headers.push(("traceparent", "00-1"));
        let data = r#"{"set":{"status":"paid"}}"#;
        assert_eq!(read(Some(data), &headers).unwrap(), expected);
    }

    #[test]
    fn an_event_in_binary_mode_needs_no_data() {
        for value in [None, Some("")] {
            let events = read(value, &ATTRIBUTES).unwrap();
            assert!(events[0].changes.is_empty() && events[0].line.is_none());
        }
    }

    #[test]
    fn extensions_are_attributes_too() {
        let mut headers = ATTRIBUTES.to_vec();
        headers.extend([("ce_namespace", "other"), ("ce_seq", "7"), ("ce_rule", "f/r")]);
        let events = read(None, &headers).unwrap();
        assert_eq!(events[0].entity.as_str(), "other/order/o-1");
        assert_eq!((events[0].seq, events[0].rule.as_deref()), (7, Some("f/r")));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = ATTRIBUTES.to_vec();
            headers.retain(|(it, _)| *it != name);
            headers.push((name, value));
            headers
        };
        let without: Vec<_> = ATTRIBUTES[..5].to_vec();
        for (value, headers, kind, part) in [
            (None, vec![], "no-value", "no value"),
            (Some("x"), vec![], "form", "expected value"),
            (Some("{}"), vec![], "form", "specversion"),
            (Some("x"), vec![("content-type", "application/cloudevents+avro")], "format", "avro"),
            (None, without, "form", "\"time\" is missing"),
            (None, with("ce_time", "noon"), "time", "noon"),
            (None, with("ce_specversion", "0.3"), "version", "0.3"),
            (None, with("ce_seq", "-1"), "form", "seq"),
            (Some("{}"), with("content-type", "text/plain"), "data", "text/plain"),
            (Some("[]"), with("content-type", "application/json"), "form", "object"),
        ] {
            let error = read(value, &headers).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_header_that_is_no_text_is_named() {
        let headers = [("ce_specversion", Some(&b"1.0"[..])), ("ce_id", Some(&[0xff][..]))];
        let mut events = Vec::new();
        let error = read_message(&mut Reader::default(), None, &headers, &mut events).unwrap_err();
        assert_eq!(error.to_string(), "the header \"ce_id\" is not UTF-8");
    }
}
