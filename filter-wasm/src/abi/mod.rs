//! Fluent Bit's interface: the exported functions, over one [`Filter`].
//!
//! Fluent Bit copies tag and record into memory that it gets from `malloc`, calls the function,
//! copies the reply and calls `free`. There is one thread and one instance for all records.
#![allow(unsafe_code, reason = "an exported function gets pointers and returns one")]

mod memory;
mod preopens;

use std::cell::UnsafeCell;
use std::io::Write;
use std::path::PathBuf;
use std::ptr;
use std::time::SystemTime;

use statetrail_event::Time;

use crate::arena::Arena;
use crate::filter::{Filter, Mode, Reply};
use crate::loader::Loader;

/// After this many traps records are answered without being looked at: what a trap leaves on
/// the guest's own stack is lost, so they cannot go on for ever.
const TRAPS_MAX: u32 = 64;

/// After so many, nothing is told any more either.
const TOLD_TRAPS_MAX: u32 = 2 * TRAPS_MAX;

/// Said once, and told as what is wrong.
const GAVE_UP: &str = "64 calls have trapped: records are no longer looked at, and no line gives events, \
    until Fluent Bit is started again; please report this";

/// Everything that outlives a call.
struct State {
    filter: Option<Loaded>,
    arena: Arena,
    /// Whether a call is under way. A call that finds this set knows that the last one trapped.
    running: bool,
    traps: u32,
}

/// The filter, and what brings rules into it.
struct Loaded {
    filter: Filter,
    loader: Loader,
}

struct Guest(UnsafeCell<State>);

// SAFETY: the module is built without threads, so there is only one.
unsafe impl Sync for Guest {}

static GUEST: Guest =
    Guest(UnsafeCell::new(State { filter: None, arena: Arena::new(), running: false, traps: 0 }));

unsafe extern "C" {
    /// The linker's function that runs static constructors. Calling it here keeps the linker
    /// from calling it in every exported function.
    fn __wasm_call_ctors();
}

/// Loads the rules. Fluent Bit calls this once when it starts, and does not start if it traps:
/// the right moment for that, because no record is lost.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: called once, before anything else, as constructors must be.
    unsafe { __wasm_call_ctors() };
    set_running(true);
    let mut filter = Filter::default();
    let (loader, said) = Loader::begin(preopens::folders(), SystemTime::now(), &mut filter);
    say_all(&said);
    if filter.rules().is_empty() {
        say(&no_rules(loader.folders()));
        std::process::abort();
    }
    // SAFETY: nothing else refers to the state while this function runs.
    unsafe { (*GUEST.0.get()).filter = Some(Loaded { filter, loader }) };
    set_running(false);
}

#[inline(never)]
fn say_all(messages: &[String]) {
    for message in messages {
        say(message);
    }
}

#[inline(never)]
fn no_rules(folders: &[PathBuf]) -> String {
    let mut message = "no rule file can be used: put files rules/*.yaml into a folder that \
        accessible_paths names; folders seen:"
        .to_owned();
    for folder in folders {
        message.push(' ');
        message.push_str(&folder.to_string_lossy());
    }
    message
}

/// Replies with the events of the record's line, or drops the record.
///
/// # Safety
/// Each pointer is null or points to as many bytes as the length after it says.
#[unsafe(no_mangle)]
unsafe extern "C" fn statetrail_events(
    tag: *const u8,
    tag_length: usize,
    seconds: u32,
    nanos: u32,
    record: *const u8,
    record_length: usize,
) -> *const u8 {
    // SAFETY: as promised by the caller.
    let (tag, record) = unsafe { (bytes(tag, tag_length), bytes(record, record_length)) };
    call(Mode::Events, tag, seconds, nanos, record)
}

/// Replies with the record, and with the events of its line added if there are any.
///
/// # Safety
/// Each pointer is null or points to as many bytes as the length after it says.
#[unsafe(no_mangle)]
unsafe extern "C" fn statetrail_annotate(
    tag: *const u8,
    tag_length: usize,
    seconds: u32,
    nanos: u32,
    record: *const u8,
    record_length: usize,
) -> *const u8 {
    // SAFETY: as promised by the caller.
    let (tag, record) = unsafe { (bytes(tag, tag_length), bytes(record, record_length)) };
    call(Mode::Annotate, tag, seconds, nanos, record)
}

/// # Safety
/// `start` is null or points to `length` bytes that nobody writes to during this call.
unsafe fn bytes<'a>(start: *const u8, length: usize) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: as promised by the caller.
    unsafe { std::slice::from_raw_parts(start, length) }
}

fn call(mode: Mode, tag: &[u8], seconds: u32, nanos: u32, record: &[u8]) -> *const u8 {
    // SAFETY: no call begins before the last one has ended or trapped, so nothing else refers
    // to these parts of the state: `malloc` and `free`, which may be called on the way, use
    // only the others.
    let (loaded, traps) = unsafe {
        let state = GUEST.0.get();
        (*state).arena.call_begins();
        (&mut (*state).filter, &mut (*state).traps)
    };
    let reply = match loaded {
        Some(loaded) if *traps >= TRAPS_MAX => loaded.pass_by(traps, mode, seconds, record),
        Some(loaded) => {
            if is_running() {
                *traps += 1;
                loaded.recover(*traps);
            }
            set_running(true);
            if loaded.loader.time_may_have_passed(seconds) {
                loaded.refresh(mode);
            }
            loaded.filter.process(mode, tag, seconds, nanos, record)
        }
        None => Filter::untouched(mode, record),
    };
    let reply = match reply {
        Reply::Drop => ptr::null(),
        Reply::PassInput => record.as_ptr(),
        Reply::Output(text) => text.as_ptr(),
    };
    if let Some(notice) = loaded.as_mut().and_then(|loaded| loaded.filter.take_notice()) {
        say(notice);
    }
    set_running(false);
    reply
}

impl Loaded {
    /// Brings rule files into force that have changed.
    // On its own, so that its frame is not below every record.
    #[inline(never)]
    fn refresh(&mut self, mode: Mode) {
        let now = SystemTime::now();
        let said = self.loader.refresh(now, &mut self.filter);
        say_all(&said);
        // Annotated records go to people's own logs, in which other entities have no place.
        if mode == Mode::Events {
            report(now, &mut self.filter, self.loader.error());
        }
    }

    /// Answers after too many traps, and goes on telling that there were.
    #[inline(never)]
    fn pass_by(&mut self, traps: &mut u32, mode: Mode, seconds: u32, record: &[u8]) -> Reply<'_> {
        let trapped = is_running();
        *traps += u32::from(trapped);
        if *traps >= TOLD_TRAPS_MAX {
            return Filter::untouched(mode, record);
        }
        if trapped {
            self.filter.recover();
        }
        set_running(true);
        if self.loader.time_may_have_passed(seconds) && mode == Mode::Events {
            report(SystemTime::now(), &mut self.filter, Some(GAVE_UP));
        }
        self.filter.pass_by(mode, record)
    }

    #[inline(never)]
    fn recover(&mut self, traps: u32) {
        if traps == TRAPS_MAX {
            say(GAVE_UP);
        }
        self.filter.recover();
        if let Some(said) = self.loader.recover(&mut self.filter) {
            say(said);
        }
    }
}

/// Lets the filter tell about itself, now and then.
#[inline(never)]
fn report(now: SystemTime, filter: &mut Filter, error: Option<&str>) {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    if let Some(now) = Time::from_seconds(seconds, since.subsec_nanos()) {
        filter.report(now, error);
    }
}

fn is_running() -> bool {
    // SAFETY: one thread, and no reference to this part of the state is ever made.
    unsafe { (*GUEST.0.get()).running }
}

fn set_running(running: bool) {
    // SAFETY: one thread, and no reference to this part of the state is ever made.
    unsafe { (*GUEST.0.get()).running = running }
}

/// Writes to Fluent Bit's log.
fn say(text: &str) {
    if text.is_empty() {
        return;
    }
    let mut stderr = std::io::stderr().lock();
    for line in text.lines() {
        // There is nobody to tell if this fails.
        let _ = stderr.write_all(b"statetrail: ");
        let _ = stderr.write_all(line.as_bytes());
        let _ = stderr.write_all(b"\n");
    }
}
