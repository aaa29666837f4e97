//! The least that a WASM filter can cost: one that does not look at the record.

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// The function's name.
pub const FUNCTION: &str = "constant";
/// What it returns for every record.
const REPLY: &[u8] = b"{\"key\":\"shop/order/o-1\",\"event\":\"{}\"}\0";
const REPLY_AT: i32 = 16;
/// Where arguments go: `malloc` gives out memory from here on, and starts again at each call.
const ARGUMENTS_AT: i32 = 1024;
const PAGES: u64 = 64;

/// A module with `malloc`, `free` and a function that returns a constant.
#[must_use]
pub fn module() -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32], []);
    types.ty().function([ValType::I32; 6], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0).function(1).function(2);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: PAGES,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut globals = GlobalSection::new();
    let free_from = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(free_from, &ConstExpr::i32_const(ARGUMENTS_AT));
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("malloc", ExportKind::Func, 0);
    exports.export("free", ExportKind::Func, 1);
    exports.export(FUNCTION, ExportKind::Func, 2);
    let mut code = CodeSection::new();
    let mut malloc = Function::new([]);
    malloc.instructions().global_get(0).global_get(0).local_get(0).i32_add().i32_const(15);
    malloc.instructions().i32_add().i32_const(-16).i32_and().global_set(0).end();
    let mut free = Function::new([]);
    free.instructions().end();
    let mut constant = Function::new([]);
    constant.instructions().i32_const(ARGUMENTS_AT).global_set(0).i32_const(REPLY_AT).end();
    code.function(&malloc).function(&free).function(&constant);
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(REPLY_AT), REPLY.iter().copied());
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&globals);
    module.section(&exports).section(&code).section(&data);
    module.finish()
}
