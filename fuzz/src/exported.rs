//! The functions that the compiled filter exports, called as Fluent Bit calls them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use statetrail_filter::{Filter, Mode, read_rule_files};
use statetrail_filter_host::{Guest, Handover, Reply, check_readable, engine, function};
use wasmtime::Module;

/// Names the module; without it, it is built.
const MODULE: &str = "STATETRAIL_FILTER";

/// The unit of the zero bytes behind a record.
const ZEROS: usize = 1_024;

/// Calls of `statetrail_events`, and what the native engine says to the same records.
pub fn exported_events(input: &[u8]) {
    run(Mode::Events, input);
}

/// Calls of `statetrail_annotate`, and what the native engine says to the same records.
pub fn exported_annotate(input: &[u8]) {
    run(Mode::Annotate, input);
}

/// Makes all calls of an input.
fn run(mode: Mode, input: &[u8]) {
    thread_local! {
        /// Kept from input to input, as Fluent Bit keeps its instance.
        static TWINS: RefCell<Twins> = RefCell::new(Twins::start());
    }
    TWINS.with_borrow_mut(|twins| {
        for call in calls(input) {
            twins.check(mode, &call, input);
        }
    });
}

/// One call.
struct Call<'a> {
    handover: Handover,
    time: (u32, u32),
    tag: &'a [u8],
    record: Vec<u8>,
}

/// The calls of an input. An empty line ends each, so that one input can hold records of which one
/// is remembered when the next one comes.
fn calls(input: &[u8]) -> impl Iterator<Item = Call<'_>> {
    let mut rest = Some(input);
    let pieces = std::iter::from_fn(move || {
        let (piece, behind) = cut(rest.take()?, b"\n\n");
        rest = behind;
        Some(piece)
    });
    pieces.filter_map(Call::read)
}

/// What is before the first separator, and what is behind it.
fn cut<'a>(bytes: &'a [u8], separator: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    match bytes.windows(separator.len()).position(|window| window == separator) {
        Some(at) => (&bytes[..at], Some(&bytes[at + separator.len()..])),
        None => (bytes, None),
    }
}

impl<'a> Call<'a> {
    /// The first byte says how the record is handed over, and how many zero bytes come behind it:
    /// they change nothing but how much memory the guest's `malloc` is asked for. The next eight
    /// are the time. The tag is the rest of the line, and the record is what follows.
    fn read(bytes: &'a [u8]) -> Option<Call<'a>> {
        let (first, rest) = bytes.split_first()?;
        let first = usize::from(*first);
        let (seconds, rest) = rest.split_first_chunk()?;
        let (nanos, rest) = rest.split_first_chunk()?;
        let (tag, record) = cut(rest, b"\n");
        let mut record = record.unwrap_or_default().to_vec();
        record.resize(record.len() + ZEROS * (first / Handover::ALL.len()), 0);
        Some(Call {
            handover: Handover::ALL[first % Handover::ALL.len()],
            time: (u32::from_be_bytes(*seconds), u32::from_be_bytes(*nanos)),
            tag,
            record,
        })
    }

    /// What the native engine says, which sees a zero byte that is counted.
    fn native(&self, filter: &mut Filter, mode: Mode) -> Reply {
        let mut record = self.record.clone();
        record.extend((self.handover == Handover::JsonCounted).then_some(0));
        filter.process(mode, self.tag, self.time.0, self.time.1, &record).into()
    }
}

/// The filter twice: as Fluent Bit would run it, and natively. Both have met the same records.
struct Twins {
    guest: Guest,
    native: Filter,
}

impl Twins {
    fn start() -> Twins {
        // Without a name the filter does not tell about itself, which would come in between.
        let unnamed = Path::new(env!("CARGO_MANIFEST_DIR")).join("unnamed");
        let folders = [("/etc/statetrail", &*shipped()), ("/etc/unnamed", &*unnamed)];
        let mut guest = Guest::start(module(), &folders).expect("the filter starts");
        // What it does must be a matter of the input alone.
        guest.stop_clock();
        assert_eq!(guest.log(), "", "the shipped rules have no faults");
        Twins { guest, native: native() }
    }

    /// The guest does not trap, Fluent Bit can read its reply, and the native engine gives the same.
    fn check(&mut self, mode: Mode, call: &Call<'_>, input: &[u8]) {
        let reply = self
            .guest
            .call(function(mode), call.tag, call.time, &call.record, call.handover)
            .unwrap_or_else(|trap| panic!("a trap: {trap:?}: {}", input.escape_ascii()));
        check_readable(function(mode), &call.record, &reply);
        let native = call.native(&mut self.native, mode);
        assert_eq!(reply, native, "not as native: {}", input.escape_ascii());
    }
}

/// The folder with the shipped rules.
fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fluent-bit")
}

/// The native engine, with the same rules.
fn native() -> Filter {
    let mut filter = Filter::default();
    let faults = filter.reload(&read_rule_files(&[shipped()]).texts);
    assert!(faults.is_empty() && !filter.rules().is_empty(), "the shipped rules have no faults");
    filter
}

/// The filter as it is shipped, compiled once.
fn module() -> &'static Module {
    static COMPILED: OnceLock<Module> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let path = match std::env::var_os(MODULE) {
            Some(path) => PathBuf::from(path),
            None => statetrail_servers::filter_module().expect("the filter builds"),
        };
        Module::from_file(engine(), path).expect("wasmtime takes the filter")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds lead to where events are made: they fit the rules that are shipped.
    #[test]
    fn every_seed_gives_events() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/exported");
        let mut filter = native();
        for seed in std::fs::read_dir(seeds).expect("there are seeds") {
            let path = seed.expect("the folder can be read").path();
            let input = std::fs::read(&path).expect("the seed can be read");
            for mode in [Mode::Events, Mode::Annotate] {
                // MessagePack cannot return an annotated record that holds a zero byte.
                let made =
                    |filter: &Filter| filter.counters().events + filter.counters().failed_events;
                let before = made(&filter);
                calls(&input).for_each(|call| drop(call.native(&mut filter, mode)));
                assert!(made(&filter) > before, "{mode:?} {}", path.display());
            }
        }
    }
}
