//! One record in, one reply out.

use statetrail_event::Time;
use statetrail_event::cloudevents::Form;
use statetrail_rules::{Diagnostic, Extractor, Json, Line, RuleSet, RuleText};

use crate::json::{self, Malformed, Memo};
use crate::record::{Record, Text};
use crate::reply::{self, Found};
use crate::report::{Report, append_event};
use crate::shape::Shape;
use crate::sources::Sources;
use crate::{Counters, msgpack};

/// Longest line that is looked at, in bytes. Container runtimes cut lines at 16 KiB, and Kafka
/// takes messages up to 1 MB unless told otherwise.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// What the events of one line may take of a reply at the most, in bytes: it becomes one message of
/// Kafka, and the shipped configurations set `rdkafka.message.max.bytes` to 8 MiB. A larger message
/// would take the rest of its chunk with it.
pub const MAX_EVENTS_BYTES: usize = 8_000_000;

/// A line over this is an exception, after which memory is given back.
const USUAL_LINE_BYTES: usize = 64 << 10;

/// Said once, when the first record comes in MessagePack.
const MSGPACK_NOTICE: &str = "event_format is msgpack, in which a filter can neither drop a \
    record nor return every record; event_format json is recommended";

/// Said once, when the node's name turns out to be none.
const NODE_NOTICE: &str = "the name of the node cannot be the id of an entity, so the filter tells nothing \
    about itself";

/// What becomes of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only events go on; a record without an event is dropped.
    Events,
    /// Every record goes on, with its events added.
    Annotate,
}

/// What Fluent Bit is told about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Drop it (JSON only).
    Drop,
    /// Let it pass as it came (JSON only).
    PassInput,
    /// Put this in its place: a C string, of which the last byte is the only zero.
    Output(&'a [u8]),
}

impl<'a> Reply<'a> {
    /// What to put in the record's place, without the zero byte at its end.
    pub fn text(self) -> Option<&'a [u8]> {
        match self {
            Reply::Output(text) => text.split_last().map(|(_, text)| text),
            Reply::Drop | Reply::PassInput => None,
        }
    }
}

/// The filter: rules, and what is remembered from record to record.
#[derive(Default)]
pub struct Filter {
    rules: RuleSet,
    extractor: Extractor,
    sources: Sources,
    counters: Counters,
    report: Report,
    buffers: Buffers,
    saw_msgpack: bool,
    notice: Option<&'static str>,
}

/// Memory that is kept from record to record.
#[derive(Default)]
struct Buffers {
    line: Vec<u8>,
    events: Vec<u8>,
    /// The name of the first event's entity.
    key: Vec<u8>,
    nesting: Vec<u8>,
    output: Vec<u8>,
    memo: Memo,
    shape: Shape,
    /// An event of the filter's own that waits for a reply to go with.
    own: Vec<u8>,
    /// Whether the last record's line was exceptionally long.
    was_long: bool,
}

/// A record that is to be answered.
struct Request<'a> {
    mode: Mode,
    bytes: &'a [u8],
    is_msgpack: bool,
    record: Result<Record<'a>, Malformed>,
}

impl Filter {
    /// Puts these rule files in force and returns what is wrong with them. Of a file with
    /// errors the last good version stays, if there was one.
    pub fn reload(&mut self, files: &[RuleText]) -> Vec<Diagnostic> {
        self.reload_keeping(files, &[])
    }

    /// As [`Filter::reload`], and the files and folders named `unread`, which could not be read, stay
    /// as they are.
    pub fn reload_keeping(&mut self, files: &[RuleText], unread: &[&str]) -> Vec<Diagnostic> {
        self.report.rules_will_change(&self.rules, self.extractor.counts());
        self.sources.rules_have_changed();
        self.extractor.reset_counts();
        self.rules.reload_keeping(files, unread)
    }

    /// Works without any rule from now on if putting them in force was broken off. Returns whether
    /// it was.
    pub fn forget_broken_rules(&mut self) -> bool {
        if self.rules.is_whole() {
            return false;
        }
        self.sources.rules_have_changed();
        self.extractor.reset_counts();
        // Not dropped, as in `recover`.
        std::mem::forget(std::mem::take(&mut self.rules));
        true
    }

    /// Names the node under which the filter tells about itself; nothing is told if the name is
    /// empty. Without this, the first record that names its node decides.
    pub fn set_node(&mut self, node: &str) {
        if !self.report.set_node(node) {
            self.notice = Some(NODE_NOTICE);
        }
    }

    /// Lets an event of the filter's own go with the next reply of [`Mode::Events`] in JSON, if
    /// there is something new to tell at that time: what it has counted, by which rules, and the
    /// error in them.
    // Out of the way of records, of which most are not followed by this.
    #[inline(never)]
    pub fn report(&mut self, now: Time, error: Option<&str>) {
        let rules = (&self.rules, self.extractor.counts());
        if self.buffers.own.is_empty() {
            self.report.write(&mut self.buffers.own, now, error, &self.counters, rules);
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// What became of the records so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Something that the user should know, once.
    pub fn take_notice(&mut self) -> Option<&'static str> {
        self.notice.take()
    }

    /// Goes on after a call that trapped: what it left half-done is put aside.
    pub fn recover(&mut self) {
        self.counters.traps += 1;
        if self.rules.is_whole() {
            self.report.rules_will_change(&self.rules, self.extractor.counts());
        }
        self.report.forget();
        // Not dropped: what they hold may be half-written.
        std::mem::forget(std::mem::take(&mut self.extractor));
        std::mem::forget(std::mem::take(&mut self.sources));
        std::mem::forget(std::mem::take(&mut self.buffers));
    }

    /// Answers without looking into the record, because of too many traps; an event of the filter's
    /// own that waits goes along.
    #[inline(never)]
    pub fn pass_by(&mut self, mode: Mode, record: &[u8]) -> Reply<'_> {
        self.counters.records += 1;
        self.counters.passed_by += 1;
        let is_json = mode == Mode::Events && !msgpack::is_map(record);
        if self.buffers.own.is_empty() || !is_json {
            return Filter::untouched(mode, record);
        }
        self.buffers.output.clear();
        self.buffers.events.clear();
        self.add_own_event();
        let Buffers { events, key, output, .. } = &mut self.buffers;
        reply::events_json(output, Found { events, key });
        self.reply()
    }

    /// What to answer without looking into the record.
    pub fn untouched(mode: Mode, record: &[u8]) -> Reply<'static> {
        match (mode, msgpack::is_map(record)) {
            (Mode::Events, false) => Reply::Drop,
            (Mode::Events, true) => Reply::Output(reply::DROP_MSGPACK.to_bytes_with_nul()),
            (Mode::Annotate, false) => Reply::PassInput,
            (Mode::Annotate, true) => Reply::Output(reply::LOST_MSGPACK.to_bytes_with_nul()),
        }
    }

    /// Takes a record: JSON (an object, perhaps with zero bytes after it) or MessagePack (a
    /// map), told apart by the first byte. `seconds` and `nanos` are its time.
    pub fn process(
        &mut self,
        mode: Mode,
        tag: &[u8],
        seconds: u32,
        nanos: u32,
        record: &[u8],
    ) -> Reply<'_> {
        self.counters.records += 1;
        if self.buffers.was_long {
            self.shrink();
        }
        self.buffers.output.clear();
        self.buffers.events.clear();
        let request = self.buffers.read(mode, tag, record);
        self.note_format(&request);
        let exact =
            |record: &Record<'_>| Time::from_seconds(i64::from(seconds), record.exact_nanos(nanos));
        let mut events = 0;
        match &request.record {
            Ok(record) => match exact(record) {
                Some(time) => events = self.extract(tag, time, record, &request),
                None => self.counters.unreadable += 1,
            },
            Err(_) => self.counters.unreadable += 1,
        }
        if !self.buffers.own.is_empty() && request.form() == Form::Quoted {
            self.add_own_event();
        }
        match self.write(&request, events) {
            Some(()) => self.reply(),
            None => Filter::untouched(mode, record),
        }
    }

    /// Gives back memory that an exceptionally long line took.
    #[inline(never)]
    fn shrink(&mut self) {
        self.extractor.shrink();
        let Buffers { line, events, output, was_long, .. } = &mut self.buffers;
        for buffer in [line, events, output] {
            *buffer = Vec::new();
        }
        *was_long = false;
    }

    /// Puts the filter's own event behind those of the line.
    #[inline(never)]
    fn add_own_event(&mut self) {
        let Buffers { events, key, own, .. } = &mut self.buffers;
        if events.is_empty() {
            self.report.write_key(key);
        }
        append_event(events, own);
        own.clear();
    }

    /// Puts the events of the record's line into the buffers and counts what became of it. Returns how
    /// many there are.
    fn extract(
        &mut self,
        tag: &[u8],
        time: Time,
        record: &Record<'_>,
        request: &Request<'_>,
    ) -> u32 {
        let Some(line) = record.line() else {
            self.counters.without_line += 1;
            return 0;
        };
        let source = self.sources.find(&mut self.rules, tag, record);
        if !record.has_known_source {
            self.buffers.keep_shape(tag, record, request);
        }
        if let Some(node) = source.new_node()
            && !self.report.learn_node(node)
        {
            self.notice = Some(NODE_NOTICE);
        }
        let Some(scope) = source.scope else {
            self.counters.out_of_scope += 1;
            return 0;
        };
        if let Text::Quoting(quoted) = line
            && quoted.len() <= MAX_LINE_BYTES
            && self.extractor.rules_out(&self.rules, scope, quoted)
        {
            // Its place counts, whatever becomes of it.
            source.next_position(time, record);
            self.counters.unmatched += 1;
            return 0;
        }
        let bytes = without_line_end(line.resolve(&mut self.buffers.line));
        if bytes.len() > USUAL_LINE_BYTES {
            self.buffers.was_long = true;
            if bytes.len() > MAX_LINE_BYTES {
                self.counters.oversized += 1;
                return 0;
            }
        }
        // Counted here, because the import does not count what is too long either.
        let position = source.next_position(time, record);
        let line = Line { bytes, time, position, offset: record.offset };
        let (out, key) = (&mut self.buffers.events, Some(&mut self.buffers.key));
        let mut json = Json { out, key, limit: MAX_EVENTS_BYTES };
        let (rules, origin) = (&self.rules, &source.origin);
        let form = request.form();
        let outcome = self.extractor.write_json_as(form, rules, scope, origin, &line, &mut json);
        self.counters.events += u64::from(outcome.events);
        self.counters.failed_events += u64::from(outcome.failed);
        if outcome.events > 0 {
            self.counters.matched += 1;
        } else if outcome.failed > 0 {
            self.counters.failed += 1;
        } else {
            self.counters.unmatched += 1;
        }
        outcome.events
    }

    /// Writes the reply with so many events of the line, or nothing if the record is to be left untouched.
    fn write(&mut self, request: &Request<'_>, line_events: u32) -> Option<()> {
        let Buffers { events, key, nesting, output, .. } = &mut self.buffers;
        let found = (!events.is_empty()).then_some(Found { events, key });
        let record = request.record.as_ref().ok();
        let written = match (request.mode, request.is_msgpack) {
            (Mode::Events, false) => found.map(|found| reply::events_json(output, found)),
            (Mode::Events, true) => found.and_then(|found| reply::events_msgpack(output, found)),
            (Mode::Annotate, false) => record.zip(found).and_then(|(record, found)| {
                reply::annotated_json(output, request.bytes, record, found, nesting)
            }),
            (Mode::Annotate, true) => record
                .and_then(|record| reply::annotated_msgpack(output, request.bytes, record, found)),
        };
        if written.is_some() {
            return written;
        }
        output.clear();
        if request.mode == Mode::Annotate && request.is_msgpack {
            reply::lost_msgpack(output, record.and_then(Record::line), found)?;
        }
        if found.is_some() {
            self.counters.matched -= 1;
            self.counters.failed += 1;
            self.counters.events -= u64::from(line_events);
            self.counters.failed_events += u64::from(line_events);
        }
        (!output.is_empty()).then_some(())
    }

    /// What was written holds no zero byte: JSON escapes it, and in MessagePack every part is
    /// checked for it.
    fn reply(&mut self) -> Reply<'_> {
        self.buffers.output.push(0);
        Reply::Output(&self.buffers.output)
    }

    fn note_format(&mut self, request: &Request<'_>) {
        if request.is_msgpack && !self.saw_msgpack {
            self.saw_msgpack = true;
            self.notice = Some(MSGPACK_NOTICE);
        }
    }
}

impl<'a> Request<'a> {
    /// In which form the reply needs its events: in the dedicated stream's records, which are
    /// JSON, they are a text.
    fn form(&self) -> Form {
        if self.mode == Mode::Events && !self.is_msgpack { Form::Quoted } else { Form::Plain }
    }
}

impl Buffers {
    fn read<'a>(&mut self, mode: Mode, tag: &[u8], record: &'a [u8]) -> Request<'a> {
        if msgpack::is_map(record) {
            let read = msgpack::read(record);
            return Request { mode, bytes: record, is_msgpack: true, record: read };
        }
        let bytes = without_zeros(record);
        let record = match self.shape.read(tag, bytes) {
            Some(record) => Ok(record),
            None => json::read(bytes, &mut self.memo),
        };
        Request { mode, bytes, is_msgpack: false, record }
    }

    /// Remembers the shape of a record whose source is the one found last.
    #[inline(never)]
    fn keep_shape(&mut self, tag: &[u8], record: &Record<'_>, request: &Request<'_>) {
        if request.is_msgpack {
            self.shape.forget();
        } else {
            self.shape.keep(tag, request.bytes, record);
        }
    }
}

/// The text without the zero bytes that end it.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.get(..length).unwrap_or_default()
}

/// The line without the end that Docker's logs keep.
fn without_line_end(line: &[u8]) -> &[u8] {
    match line {
        [line @ .., b'\r', b'\n'] | [line @ .., b'\n'] => line,
        _ => line,
    }
}

#[cfg(test)]
mod run_tests;
