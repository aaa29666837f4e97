//! The truth as a file: one change a line, in the order of the logged times.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use statetrail_event::{EntityName, Value};

use crate::truth::{Fields, TruthChange, TruthSink};

/// Writes `{"time":...,"entity":...,"set":{...},"unset":[...],"state":{...}}`, one a line.
pub struct TruthJsonl<W: Write> {
    out: W,
}

#[derive(Serialize)]
struct TruthLine<'a> {
    time: String,
    entity: &'a str,
    set: BTreeMap<&'a str, &'a Value>,
    unset: Vec<&'a str>,
    state: &'a Fields,
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
        let entity: EntityName = change.entity.name();
        let changes = change.changes.iter();
        let line = TruthLine {
            time: change.time.to_string(),
            entity: entity.as_str(),
            set: changes
                .clone()
                .filter_map(|(field, value)| Some((*field, value.as_ref()?)))
                .collect(),
            unset: changes.filter(|(_, value)| value.is_none()).map(|(field, _)| *field).collect(),
            state: change.state,
        };
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }
}
