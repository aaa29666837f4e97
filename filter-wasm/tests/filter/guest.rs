//! One instance of the filter, treated as Fluent Bit treats it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use wasmtime::{Instance, Linker, Memory, Module, Store, TypedFunc, WasmBacktrace};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, HostWallClock, WasiCtxBuilder};

use crate::stack_meter::{self, Maximum};
use crate::step_meter::{Steps, counted_function};
use crate::wasm::{self, engine};

/// The folder's name in Fluent Bit's configuration.
pub(crate) const FOLDER: &str = "/etc/statetrail";
/// Fluent Bit's operand stack: its default for `wasm_stack_size`.
pub(crate) const STACK_BYTES: u32 = 8_192;
/// What must be left of it, for a compiler or a record that needs a little more.
pub(crate) const STACK_RESERVE_BYTES: u32 = 1_024;
const STDERR_BYTES_MAX: usize = 1 << 20;

pub(crate) const EVENTS: &str = "statetrail_events";
pub(crate) const ANNOTATE: &str = "statetrail_annotate";

type Call = TypedFunc<(u32, u32, u32, u32, u32, u32), u32>;

/// How Fluent Bit hands a record over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handover {
    /// JSON, with a zero byte after it that the length does not count.
    Json,
    /// JSON, with a zero byte after it that the length counts.
    JsonCounted,
    /// MessagePack, with whatever was in memory before after it.
    MessagePack,
}

/// What Fluent Bit makes of the pointer that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Null: the record is dropped (in JSON).
    Null,
    /// The record's own place: it passes unchanged (in JSON).
    Input,
    /// Everything up to the first zero byte.
    Text(Vec<u8>),
}

struct Host {
    wasi: WasiP1Ctx,
    stack: Maximum,
}

/// An instance.
pub(crate) struct Guest {
    store: Store<Host>,
    instance: Instance,
    memory: Memory,
    malloc: TypedFunc<u32, u32>,
    free: TypedFunc<u32, ()>,
    stderr: MemoryOutputPipe,
    clock: Clock,
    measures_stack: bool,
}

/// The time of day, and how many seconds the guest's clock is ahead of it: tests need not wait.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let ahead = Duration::from_secs(self.0.load(Ordering::Relaxed));
        now.expect("it is later than 1970") + ahead
    }
}

impl Guest {
    /// Starts the filter, which may see the folder.
    ///
    /// # Errors
    /// When it refuses to start: what it wrote.
    pub(crate) fn start(module: &Module, folder: Option<&Path>) -> Result<Guest, String> {
        Guest::start_measured(module, folder, true)
    }

    /// Starts one that counts steps instead of measuring its stack.
    ///
    /// # Errors
    /// When it refuses to start: what it wrote.
    pub(crate) fn start_counted(module: &Module, folder: &Path) -> Result<Guest, String> {
        Guest::start_measured(module, Some(folder), false)
    }

    fn start_measured(
        module: &Module,
        folder: Option<&Path>,
        measures_stack: bool,
    ) -> Result<Guest, String> {
        let stderr = MemoryOutputPipe::new(STDERR_BYTES_MAX);
        let mut wasi = WasiCtxBuilder::new();
        let clock = Clock::default();
        wasi.stderr(stderr.clone()).wall_clock(clock.clone());
        if let Some(folder) = folder {
            wasi.preopened_dir(folder, FOLDER, FsPerms::ReadOnly).expect("the folder is there");
        }
        let host = Host { wasi: wasi.build_p1(), stack: Maximum::default() };
        let mut store = Store::new(engine(), host);
        let mut linker = Linker::new(engine());
        p1::add_to_linker_sync(&mut linker, |host: &mut Host| &mut host.wasi)
            .expect("WASI can be linked");
        linker
            .func_wrap(
                stack_meter::HOST_MODULE,
                stack_meter::HOST_FUNCTION,
                |mut caller: wasmtime::Caller<'_, Host>, bytes: u32| {
                    let chain = WasmBacktrace::force_capture(&caller);
                    let chain = chain.frames().iter().map(|frame| frame.func_index()).collect();
                    caller.data_mut().stack = Maximum { bytes, chain };
                },
            )
            .expect("the meter can be linked");
        let instance = linker.instantiate(&mut store, module).expect("all imports are WASI's");
        let initialize: TypedFunc<(), ()> = instance
            .get_typed_func(&mut store, "_initialize")
            .expect("Fluent Bit loads the rules through it");
        initialize
            .call(&mut store, ())
            .map_err(|_| String::from_utf8_lossy(&stderr.contents()).into_owned())?;
        check_stack(&store.data().stack);
        let memory = instance.get_memory(&mut store, "memory").expect("memory is exported");
        let malloc = instance.get_typed_func(&mut store, "malloc").expect("malloc is exported");
        let free = instance.get_typed_func(&mut store, "free").expect("free is exported");
        Ok(Guest { store, instance, memory, malloc, free, stderr, clock, measures_stack })
    }

    /// Calls a function for one record, as Fluent Bit does.
    ///
    /// # Errors
    /// When the guest traps.
    pub(crate) fn call(
        &mut self,
        function: &str,
        tag: &str,
        time: (u32, u32),
        record: &[u8],
        handover: Handover,
    ) -> wasmtime::Result<Reply> {
        self.begin_measured();
        let tag_at = self.copy_in(tag.as_bytes(), false)?;
        let record_at = self.copy_in(record, handover != Handover::MessagePack)?;
        let length = record.len() + usize::from(handover == Handover::JsonCounted);
        let call: Call = self
            .instance
            .get_typed_func(&mut self.store, function)
            .expect("the function is exported with Fluent Bit's signature");
        self.begin_measured();
        let arguments = (tag_at, tag.len() as u32, time.0, time.1, record_at, length as u32);
        let reply = call.call(&mut self.store, arguments).map(|at| match at {
            0 => Reply::Null,
            at if at == record_at => Reply::Input,
            at => Reply::Text(self.c_string(at)),
        });
        for place in [record_at, tag_at] {
            self.free.call(&mut self.store, place)?;
        }
        check_stack(self.stack_maximum());
        reply
    }

    /// Hands over a record that lies outside the guest's memory. Returns whether reading it
    /// trapped.
    pub(crate) fn traps(&mut self, function: &str) -> bool {
        let call: Call = self
            .instance
            .get_typed_func(&mut self.store, function)
            .expect("the function is exported with Fluent Bit's signature");
        let end = self.memory_bytes() as u32;
        call.call(&mut self.store, (end, 0, 0, 0, end - 16, 1_000_000)).is_err()
    }

    /// Puts the guest's clock forward.
    pub(crate) fn pass_time(&mut self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// What the guest has written for Fluent Bit's log so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.stderr.contents()).into_owned()
    }

    /// Bytes of the guest's memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// The most of the operand stack that was needed so far, if the module is instrumented.
    pub(crate) fn stack_maximum(&self) -> &Maximum {
        &self.store.data().stack
    }

    /// Steps so far, by function, of a guest that counts them.
    pub(crate) fn steps(&mut self) -> Steps {
        let exports: Vec<_> = self
            .instance
            .exports(&mut self.store)
            .filter_map(|export| {
                let name = counted_function(export.name())?.to_owned();
                Some((name, export.into_global()?))
            })
            .collect();
        let value = |global: wasmtime::Global, store: &mut Store<Host>| global.get(store).i64();
        exports
            .into_iter()
            .map(|(name, global)| (name, value(global, &mut self.store).unwrap_or(0)))
            .collect()
    }

    /// Measures anew from here on.
    pub(crate) fn forget_stack_maximum(&mut self) {
        self.store.data_mut().stack = Maximum::default();
        let maximum = self
            .instance
            .get_global(&mut self.store, stack_meter::MAXIMUM_GLOBAL)
            .expect("the module is instrumented");
        maximum.set(&mut self.store, 0.into()).expect("the global can be set");
    }

    /// A trap leaves the count of bytes as it was, so each call begins anew.
    fn begin_measured(&mut self) {
        if !self.measures_stack {
            return;
        }
        let depth = self
            .instance
            .get_global(&mut self.store, stack_meter::DEPTH_GLOBAL)
            .expect("the module is instrumented");
        let entry = stack_meter::entry_bytes() as i32;
        depth.set(&mut self.store, entry.into()).expect("the global can be set");
    }

    fn copy_in(&mut self, bytes: &[u8], with_zero: bool) -> wasmtime::Result<u32> {
        let size = bytes.len() + usize::from(with_zero);
        let at = self.malloc.call(&mut self.store, size as u32)?;
        assert_ne!(at, 0, "malloc gave no memory for {size} bytes");
        let place = at as usize..at as usize + size;
        let memory = self.memory.data_mut(&mut self.store);
        memory[place.start..place.start + bytes.len()].copy_from_slice(bytes);
        if with_zero {
            memory[place.end - 1] = 0;
        }
        Ok(at)
    }

    fn c_string(&self, at: u32) -> Vec<u8> {
        let rest = &self.memory.data(&self.store)[at as usize..];
        let length = rest.iter().position(|byte| *byte == 0).expect("the reply ends");
        rest[..length].to_vec()
    }
}

/// Every call of every test must leave a reserve.
fn check_stack(maximum: &Maximum) {
    assert!(
        maximum.bytes + STACK_RESERVE_BYTES <= STACK_BYTES,
        "the operand stack must hold {} bytes, Fluent Bit's holds {STACK_BYTES} and \
         {STACK_RESERVE_BYTES} of them are kept in reserve:\n{}",
        maximum.bytes,
        wasm::module().instrumented.describe(maximum),
    );
}
