//! A guest whose stack is measured, or whose steps are counted.

use std::path::Path;

pub(crate) use statetrail_filter_host::{ANNOTATE, EVENTS, Handover, Reply};
use statetrail_filter_host::{Guest as Plain, Host};
use wasmtime::{Caller, Linker, Module, WasmBacktrace};

use crate::stack_meter::{self, Maximum};
use crate::step_meter::{Steps, counted_function};
use crate::wasm;

/// The folder's name in Fluent Bit's configuration.
pub(crate) const FOLDER: &str = "/etc/statetrail";
/// Fluent Bit's operand stack: its default for `wasm_stack_size`.
pub(crate) const STACK_BYTES: u32 = 8_192;
/// What must be left of it, for a compiler or a record that needs a little more.
pub(crate) const STACK_RESERVE_BYTES: u32 = 1_024;

/// An instance.
pub(crate) struct Guest {
    plain: Plain<Maximum>,
    measures_stack: bool,
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
        let mut guest = Guest::start_measured(module, Some(folder), false)?;
        // A look at the rule files would count.
        guest.plain.stop_clock();
        Ok(guest)
    }

    fn start_measured(
        module: &Module,
        folder: Option<&Path>,
        measures_stack: bool,
    ) -> Result<Guest, String> {
        let folders: Vec<_> = folder.map(|folder| (FOLDER, folder)).into_iter().collect();
        let plain = Plain::start_with(module, &folders, Maximum::default(), link_meter)?;
        check_stack(plain.data());
        Ok(Guest { plain, measures_stack })
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
        // A trap leaves the count of bytes as it was, so each call begins anew.
        if self.measures_stack {
            let entry = stack_meter::entry_bytes() as i32;
            self.plain.set_global(stack_meter::DEPTH_GLOBAL, entry);
        }
        let reply = self.plain.call(function, tag, time, record, handover);
        check_stack(self.stack_maximum());
        reply
    }

    /// Hands over a record that lies outside the guest's memory. Returns whether reading it
    /// trapped.
    pub(crate) fn traps(&mut self, function: &str) -> bool {
        self.plain.traps(function)
    }

    /// Puts the guest's clock forward.
    pub(crate) fn pass_time(&mut self, seconds: u64) {
        self.plain.pass_time(seconds);
    }

    /// What the guest has written for Fluent Bit's log so far.
    pub(crate) fn log(&self) -> String {
        self.plain.log()
    }

    /// Gives the guest so much memory at the most from now on.
    pub(crate) fn limit_memory(&mut self, bytes: Option<usize>) {
        self.plain.limit_memory(bytes);
    }

    /// Bytes of the guest's memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.plain.memory_bytes()
    }

    /// The most of the operand stack that was needed so far, if the module is instrumented.
    pub(crate) fn stack_maximum(&self) -> &Maximum {
        self.plain.data()
    }

    /// Steps so far, by function, of a guest that counts them.
    pub(crate) fn steps(&mut self) -> Steps {
        let steps =
            |(name, count): (String, i64)| Some((counted_function(&name)?.to_owned(), count));
        self.plain.counters().into_iter().filter_map(steps).collect()
    }

    /// Measures anew from here on.
    pub(crate) fn forget_stack_maximum(&mut self) {
        *self.plain.data_mut() = Maximum::default();
        self.plain.set_global(stack_meter::MAXIMUM_GLOBAL, 0);
    }
}

/// Lets an instrumented module tell every new maximum.
fn link_meter(linker: &mut Linker<Host<Maximum>>) {
    let take = |mut caller: Caller<'_, Host<Maximum>>, bytes: u32| {
        let chain = WasmBacktrace::force_capture(&caller);
        let chain = chain.frames().iter().map(|frame| frame.func_index()).collect();
        caller.data_mut().data = Maximum { bytes, chain };
    };
    linker
        .func_wrap(stack_meter::HOST_MODULE, stack_meter::HOST_FUNCTION, take)
        .expect("the meter can be linked");
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
