//! The truth as a file: one change a line, in the order of the logged times.

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};
use statetrail_event::Value;

use crate::truth::{TruthChange, TruthSink};

/// Writes `{"time":...,"entity":...,"set":{...},"unset":[...],"state":{...}}`, one a line.
pub struct TruthJsonl<W: Write> {
    out: W,
}

impl<W: Write> TruthJsonl<W> {
    /// Writes to `out`, which should be buffered.
    pub fn new(out: W) -> TruthJsonl<W> {
        TruthJsonl { out }
    }

    /// Flushes and gives `out` back.
    ///
    /// # Errors
    /// When flushing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> TruthSink for TruthJsonl<W> {
    fn change(&mut self, change: &TruthChange<'_>) -> io::Result<()> {
        let set = change
            .changes
            .iter()
            .filter_map(|(field, value)| value.as_ref().map(|value| (*field, value)));
        let unset = change.changes.iter().filter(|(_, value)| value.is_none());
        let line = json!({
            "time": change.time.to_string(),
            "entity": change.entity.name().as_str(),
            "set": object(set),
            "unset": unset.map(|(field, _)| *field).collect::<Vec<_>>(),
            "state": object(change.state.iter().map(|(field, value)| (*field, value))),
        });
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }
}

fn object<'a>(fields: impl Iterator<Item = (&'static str, &'a Value)>) -> Json {
    let members: Map<String, Json> =
        fields.map(|(field, value)| (field.to_owned(), json!(value))).collect();
    Json::Object(members)
}
