//! One instance of the filter, treated as Fluent Bit treats it.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::OnceLock;

use statetrail_filter::Mode;
use wasmtime::{
    Config, Engine, Global, Instance, Linker, Memory, Module, OptLevel, Store, StoreLimits,
    StoreLimitsBuilder, TypedFunc,
};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::clock::Clock;
use crate::reply::Reply;

const STDERR_BYTES_MAX: usize = 1 << 20;

/// The exported function for a stream of events alone.
pub const EVENTS: &str = "statetrail_events";
/// The exported function that adds events to records.
pub const ANNOTATE: &str = "statetrail_annotate";

type Call = TypedFunc<(u32, u32, u32, u32, u32, u32), u32>;

/// The exported function that does what the native engine does in this mode.
pub fn function(mode: Mode) -> &'static str {
    match mode {
        Mode::Events => EVENTS,
        Mode::Annotate => ANNOTATE,
    }
}

/// The engine that modules are compiled for.
///
/// # Panics
/// Not with this configuration.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        // The tests' stack meter asks for whole chains of calls.
        config.wasm_backtrace_max_frames(NonZeroUsize::new(1_000));
        // Compiling takes longer than running here.
        config.cranelift_opt_level(OptLevel::None);
        Engine::new(&config).expect("this configuration is sound")
    })
}

/// How Fluent Bit hands a record over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// JSON, with a zero byte after it that the length does not count.
    Json,
    /// JSON, with a zero byte after it that the length counts.
    JsonCounted,
    /// MessagePack, with whatever was in memory before after it.
    MessagePack,
}

impl Handover {
    /// Every way there is.
    pub const ALL: [Handover; 3] = [Handover::Json, Handover::JsonCounted, Handover::MessagePack];
}

/// What a guest is run with.
pub struct Host<T> {
    wasi: WasiP1Ctx,
    limits: StoreLimits,
    /// What is kept for whoever started the guest.
    pub data: T,
}

/// An instance.
pub struct Guest<T: 'static = ()> {
    store: Store<Host<T>>,
    instance: Instance,
    memory: Memory,
    malloc: TypedFunc<u32, u32>,
    free: TypedFunc<u32, ()>,
    stderr: MemoryOutputPipe,
    clock: Clock,
}

impl Guest {
    /// Starts the filter, which may see these folders under these names.
    ///
    /// # Errors
    /// When it refuses to start: what it wrote.
    pub fn start(module: &Module, folders: &[(&str, &Path)]) -> Result<Guest, String> {
        Guest::start_with(module, folders, (), |_| {})
    }
}

impl<T: Send> Guest<T> {
    /// As [`Guest::start`], with something to keep, and with imports besides those of WASI.
    ///
    /// # Errors
    /// When it refuses to start: what it wrote.
    ///
    /// # Panics
    /// When the module is not one that Fluent Bit could load, or a folder is not there.
    pub fn start_with(
        module: &Module,
        folders: &[(&str, &Path)],
        data: T,
        link: impl FnOnce(&mut Linker<Host<T>>),
    ) -> Result<Guest<T>, String> {
        let stderr = MemoryOutputPipe::new(STDERR_BYTES_MAX);
        let clock = Clock::default();
        let mut wasi = WasiCtxBuilder::new();
        wasi.stderr(stderr.clone()).wall_clock(clock.clone());
        for (name, folder) in folders {
            wasi.preopened_dir(folder, name, FsPerms::ReadOnly).expect("the folder is there");
        }
        let limits = StoreLimits::default();
        let mut store = Store::new(engine(), Host { wasi: wasi.build_p1(), limits, data });
        store.limiter(|host| &mut host.limits);
        let mut linker = Linker::new(engine());
        p1::add_to_linker_sync(&mut linker, |host: &mut Host<T>| &mut host.wasi)
            .expect("WASI can be linked");
        link(&mut linker);
        let instance = linker.instantiate(&mut store, module).expect("all imports are known");
        let initialize: TypedFunc<(), ()> = instance
            .get_typed_func(&mut store, "_initialize")
            .expect("Fluent Bit loads the rules through it");
        initialize
            .call(&mut store, ())
            .map_err(|_| String::from_utf8_lossy(&stderr.contents()).into_owned())?;
        let memory = instance.get_memory(&mut store, "memory").expect("memory is exported");
        let malloc = instance.get_typed_func(&mut store, "malloc").expect("malloc is exported");
        let free = instance.get_typed_func(&mut store, "free").expect("free is exported");
        Ok(Guest { store, instance, memory, malloc, free, stderr, clock })
    }

    /// Calls a function for one record, as Fluent Bit does.
    ///
    /// # Errors
    /// When the guest traps.
    ///
    /// # Panics
    /// When the function is not exported, or memory for an argument or a reply's end is missing.
    pub fn call(
        &mut self,
        function: &str,
        tag: impl AsRef<[u8]>,
        time: (u32, u32),
        record: &[u8],
        handover: Handover,
    ) -> wasmtime::Result<Reply> {
        let tag = tag.as_ref();
        let tag_at = self.copy_in(tag, false)?;
        let record_at = self.copy_in(record, handover != Handover::MessagePack)?;
        let length = record.len() + usize::from(handover == Handover::JsonCounted);
        let call = self.exported(function);
        let arguments = (tag_at, tag.len() as u32, time.0, time.1, record_at, length as u32);
        let reply = call.call(&mut self.store, arguments).map(|at| match at {
            0 => Reply::Null,
            at if at == record_at => Reply::Input,
            at => Reply::Text(self.c_string(at)),
        });
        for place in [record_at, tag_at] {
            self.free.call(&mut self.store, place)?;
        }
        reply
    }

    /// Hands over a record that lies outside the guest's memory. Returns whether reading it
    /// trapped.
    ///
    /// # Panics
    /// When the function is not exported.
    pub fn traps(&mut self, function: &str) -> bool {
        let call = self.exported(function);
        let end = self.memory_bytes() as u32;
        call.call(&mut self.store, (end, 0, 0, 0, end - 16, 1_000_000)).is_err()
    }

    /// Puts the guest's clock forward.
    pub fn pass_time(&mut self, seconds: u64) {
        self.clock.pass(seconds);
    }

    /// Stops the guest's clock. It looks at its rule files every few seconds; now it does not, however
    /// slow the machine is.
    pub fn stop_clock(&mut self) {
        self.clock.stop();
    }

    /// What the guest has written for Fluent Bit's log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.stderr.contents()).into_owned()
    }

    /// Bytes of the guest's memory.
    pub fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    /// Gives the guest so much memory at the most from now on; `None` for as much as it wants. Where it
    /// needs more, it traps.
    pub fn limit_memory(&mut self, bytes: Option<usize>) {
        self.store.data_mut().limits = match bytes {
            Some(bytes) => StoreLimitsBuilder::new().memory_size(bytes).build(),
            None => StoreLimits::default(),
        };
    }

    /// What is kept for whoever started the guest.
    pub fn data(&self) -> &T {
        &self.store.data().data
    }

    /// As [`Guest::data`], to be changed.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.store.data_mut().data
    }

    /// Sets an exported global.
    ///
    /// # Panics
    /// When there is none of this name and type that can be set.
    pub fn set_global(&mut self, name: &str, value: i32) {
        let global = self.instance.get_global(&mut self.store, name).expect("it is exported");
        global.set(&mut self.store, value.into()).expect("the global can be set");
    }

    /// The exported globals of 64 bits, by their names.
    pub fn counters(&mut self) -> Vec<(String, i64)> {
        let globals: Vec<(String, Global)> = self
            .instance
            .exports(&mut self.store)
            .filter_map(|export| Some((export.name().to_owned(), export.into_global()?)))
            .collect();
        let store = &mut self.store;
        globals
            .into_iter()
            .filter_map(|(name, global)| Some((name, global.get(&mut *store).i64()?)))
            .collect()
    }

    fn exported(&mut self, function: &str) -> Call {
        self.instance
            .get_typed_func(&mut self.store, function)
            .expect("the function is exported with Fluent Bit's signature")
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
