//! Counts what an interpreter would execute: instructions, by function.
//!
//! Time in Fluent Bit's interpreter is proportional to that, to a good approximation, and a count
//! is the same on every machine, in every run.

use std::collections::BTreeMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection, GlobalType,
    Instruction, ValType,
};
use wasmparser::{Operator, Parser, Payload, TypeRef};

/// What the names of the exported counters begin with; the function's name follows.
const PREFIX: &str = "steps of ";

/// Counters of steps by the names of functions.
pub(crate) type Steps = BTreeMap<String, i64>;

/// The name of the function that an exported global counts for, if it does.
pub(crate) fn counted_function(export: &str) -> Option<&str> {
    export.strip_prefix(PREFIX)
}

/// Puts a counter into every function of a module.
pub(crate) fn count_steps(wasm: &[u8]) -> Vec<u8> {
    let mut count = Count { names: names(wasm), ..survey(wasm) };
    let mut module = wasm_encoder::Module::new();
    count.parse_core_module(&mut module, Parser::new(0), wasm).expect("the module is valid");
    module.finish()
}

#[derive(Default)]
struct Count {
    imported: u32,
    functions: u32,
    globals: u32,
    names: BTreeMap<u32, String>,
    /// The function whose body comes next.
    next: u32,
}

fn survey(wasm: &[u8]) -> Count {
    let mut count = Count::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.expect("the module is valid") {
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    match import.expect("the module is valid").ty {
                        TypeRef::Func(_) => count.imported += 1,
                        TypeRef::Global(_) => count.globals += 1,
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(reader) => count.functions = reader.count(),
            Payload::GlobalSection(reader) => count.globals += reader.count(),
            _ => {}
        }
    }
    count
}

fn names(wasm: &[u8]) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CustomSection(reader) = payload.expect("the module is valid")
            && let wasmparser::KnownCustom::Name(sections) = reader.as_known()
        {
            for section in sections {
                if let Ok(wasmparser::Name::Function(functions)) = section {
                    for naming in functions {
                        let naming = naming.expect("names can be read");
                        let name = format!("{:#}", rustc_demangle::demangle(naming.name));
                        names.insert(naming.index, name);
                    }
                }
            }
        }
    }
    names
}

/// Whether the fast interpreter executes nothing for an instruction: it has registers instead of
/// a stack, and jumps instead of blocks.
fn is_free(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::LocalGet { .. }
            | Operator::I32Const { .. }
            | Operator::I64Const { .. }
            | Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::End
            | Operator::Nop
            | Operator::Drop
    )
}

/// Whether what follows may be reached without, or more often than, what comes before.
fn ends_run(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::BrIf { .. }
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
    )
}

type Result<T> = std::result::Result<T, reencode::Error<Infallible>>;

impl Reencode for Count {
    type Error = Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<()> {
        let counter = self.globals + self.next;
        self.next += 1;
        let mut function: Function = self.new_function_with_parsed_locals(&body)?;
        let operators = body.get_operators_reader()?;
        let mut run = Vec::new();
        for operator in operators {
            let operator = operator?;
            let ends = ends_run(&operator);
            run.push(operator);
            if !ends {
                continue;
            }
            let steps = run.iter().filter(|operator| !is_free(operator)).count();
            if steps > 0 {
                function.instruction(&Instruction::GlobalGet(counter));
                function.instruction(&Instruction::I64Const(steps as i64));
                function.instruction(&Instruction::I64Add);
                function.instruction(&Instruction::GlobalSet(counter));
            }
            for operator in run.drain(..) {
                function.instruction(&self.instruction(operator)?);
            }
        }
        code.function(&function);
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_global_section(self, globals, section)?;
        let counter = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
        for _ in 0..self.functions {
            globals.global(counter, &ConstExpr::i64_const(0));
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_export_section(self, exports, section)?;
        for number in 0..self.functions {
            let index = self.imported + number;
            let name = self.names.get(&index).map_or("", String::as_str);
            // Names of instances of one generic function are the same.
            let name = format!("{PREFIX}{name} #{index}");
            exports.export(&name, ExportKind::Global, self.globals + number);
        }
        Ok(())
    }
}
