//! CloudEvents 1.0 in JSON, structured mode: the format of the wire.
//!
//! | attribute | ours |
//! |---|---|
//! | `specversion` | `1.0` |
//! | `id` | the [`EventId`](crate::EventId), 32 hexadecimal digits |
//! | `source` | `/namespace/pod/container`, percent-encoded |
//! | `type` | entity type and event name, `order.paid` |
//! | `subject` | entity type and id, `order/o-1042` |
//! | `time` | RFC 3339 with nanoseconds |
//! | `datacontenttype` | `application/json` |
//! | `namespace` | the entity's namespace (extension) |
//! | `seq`, `offset` | decimal digits in a string, because a CloudEvents integer has 32 bits (extensions) |
//! | `rule`, `node`, `file` | where the event was made (extensions, optional) |
//! | `data` | `{"set":{...},"unset":[...],"line":"..."}`, each part optional; absent if empty |
//!
//! In binary mode (a transport's headers hold the attributes, its body is `data`) the names and
//! values are the same: [`Reader::read_binary`].
//!
//! Several events of one line travel as one JSON array (the batch of the JSON format).
//!
//! From other producers the reader takes any event that has `id`, `source`, `type`, `time`, a
//! `subject` of the form `type/id`, a namespace (the extension, or the first part of a source
//! that begins with a slash), and `data` as above or none at all. Everything else is refused
//! with the reason.

mod literal;
mod read;
mod shared;
mod write;

pub use read::{ReadError, Reader, read};
pub use write::{
    ChangeWriter, Form, Prepared, escaped_bytes_max, write_batch, write_changes, write_escaped,
    write_event, write_json_string, write_parts, write_parts_as,
};
