//! Puts a counting wrapper around every function of a module.
//!
//! WAMR asks for twice a frame's size to be free before it puts the frame on the stack, so a
//! call needs the frames of all its callers and twice its own. The wrapper of each function
//! works that out, reports every new maximum to the host, and goes on to the function.

use std::collections::HashMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, Instruction, ValType,
};
use wasmparser::{FuncType, Parser, Payload, TypeRef, ValidPayload, Validator};

use super::frames;

/// The module of the host function that takes every new maximum.
pub(crate) const HOST_MODULE: &str = "stack_meter";
/// The host function that takes every new maximum.
pub(crate) const HOST_FUNCTION: &str = "maximum";
/// The exported global with the bytes of all frames; to be set to [`frames::entry_bytes`]
/// before each call from the host, because a trap leaves it as it is.
pub(crate) const DEPTH_GLOBAL: &str = "stack_meter_depth";

/// The exported global with the greatest need so far; to be set to 0 to measure anew.
pub(crate) const MAXIMUM_GLOBAL: &str = "stack_meter_maximum";

/// An instrumented module.
pub(crate) struct Instrumented {
    /// The module.
    pub(crate) wasm: Vec<u8>,
    /// Every function, by the index of its wrapper.
    pub(crate) functions: HashMap<u32, Measured>,
}

/// A function of the module.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Its name, if the module says it.
    pub(crate) name: String,
    /// Bytes of its frame.
    pub(crate) frame_bytes: u32,
}

/// What the module holds.
#[derive(Default)]
struct Survey {
    imports: u32,
    /// Type index and frame of every function, imported ones first.
    functions: Vec<(u32, FuncType, u32)>,
    names: HashMap<u32, String>,
    globals: u32,
    types: u32,
}

/// Wraps every function of `wasm`.
pub(crate) fn instrument(wasm: &[u8]) -> Instrumented {
    let survey = survey(wasm).expect("the module is valid");
    let mut rewrite = Rewrite { survey: &survey };
    let mut module = wasm_encoder::Module::new();
    rewrite
        .parse_core_module(&mut module, Parser::new(0), wasm)
        .expect("a valid module can be written again");
    let mut functions = HashMap::new();
    for (index, (_, _, frame_bytes)) in survey.functions.iter().enumerate() {
        let index = index as u32;
        let name = survey.names.get(&index).cloned().unwrap_or_else(|| format!("#{index}"));
        functions.insert(rewrite.wrapper(index), Measured { name, frame_bytes: *frame_bytes });
    }
    Instrumented { wasm: module.finish(), functions }
}

fn survey(wasm: &[u8]) -> wasmparser::Result<Survey> {
    let mut survey = Survey::default();
    let mut validator = Validator::new();
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    let mut types = Vec::new();
    let mut type_indices = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::TypeSection(reader) => {
                for function in reader.clone().into_iter_err_on_gc_types() {
                    types.push(function?);
                }
                survey.types = types.len() as u32;
            }
            Payload::ImportSection(reader) => {
                for import in reader.clone().into_imports() {
                    match import?.ty {
                        TypeRef::Func(index) => {
                            let function = types[index as usize].clone();
                            let bytes = frames::host_frame_bytes(&function);
                            survey.functions.push((index, function, bytes));
                            survey.imports += 1;
                        }
                        TypeRef::Global(_) => survey.globals += 1,
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(reader) => {
                for index in reader.clone() {
                    type_indices.push(index?);
                }
            }
            Payload::GlobalSection(reader) => survey.globals += reader.count(),
            Payload::CustomSection(reader) => {
                if let wasmparser::KnownCustom::Name(names) = reader.as_known() {
                    read_names(names, &mut survey.names)?;
                }
            }
            _ => {}
        }
        if let ValidPayload::Func(to_validate, body) = validator.payload(&payload)? {
            let type_index = type_indices[survey.functions.len() - survey.imports as usize];
            let function = types[type_index as usize].clone();
            let function_validator = to_validate.into_validator(allocations);
            let bytes = frames::frame_bytes(&function, &body, function_validator)?;
            allocations = wasmparser::FuncValidatorAllocations::default();
            survey.functions.push((type_index, function, bytes));
        }
    }
    Ok(survey)
}

fn read_names(
    names: wasmparser::NameSectionReader<'_>,
    found: &mut HashMap<u32, String>,
) -> wasmparser::Result<()> {
    for subsection in names {
        if let wasmparser::Name::Function(functions) = subsection? {
            for naming in functions {
                let naming = naming?;
                found.insert(naming.index, format!("{:#}", rustc_demangle::demangle(naming.name)));
            }
        }
    }
    Ok(())
}

/// Writes the module again with the wrappers. Functions are numbered: imported ones, the host's
/// meter, the module's own, then a wrapper for each imported and own one in the same order.
struct Rewrite<'s> {
    survey: &'s Survey,
}

impl Rewrite<'_> {
    fn meter(&self) -> u32 {
        self.survey.imports
    }

    /// The new index of a function itself.
    fn inner(&self, index: u32) -> u32 {
        if index < self.survey.imports { index } else { index + 1 }
    }

    fn wrapper(&self, index: u32) -> u32 {
        self.survey.functions.len() as u32 + 1 + index
    }

    fn depth_global(&self) -> u32 {
        self.survey.globals
    }

    fn maximum_global(&self) -> u32 {
        self.survey.globals + 1
    }

    fn wrap(&self, index: u32, function: &FuncType, frame_bytes: u32) -> Function {
        let parameters = function.params().len() as u32;
        let need = parameters;
        let (depth, maximum) = (self.depth_global(), self.maximum_global());
        let bytes = frame_bytes as i32;
        let mut body = Function::new([(1, ValType::I32)]);
        let mut put = |instruction: Instruction<'_>| {
            body.instruction(&instruction);
        };
        put(Instruction::GlobalGet(depth));
        put(Instruction::I32Const(2 * bytes));
        put(Instruction::I32Add);
        put(Instruction::LocalTee(need));
        put(Instruction::GlobalGet(maximum));
        put(Instruction::I32GtU);
        put(Instruction::If(BlockType::Empty));
        put(Instruction::LocalGet(need));
        put(Instruction::GlobalSet(maximum));
        put(Instruction::LocalGet(need));
        put(Instruction::Call(self.meter()));
        put(Instruction::End);
        put(Instruction::GlobalGet(depth));
        put(Instruction::I32Const(bytes));
        put(Instruction::I32Add);
        put(Instruction::GlobalSet(depth));
        for parameter in 0..parameters {
            put(Instruction::LocalGet(parameter));
        }
        put(Instruction::Call(self.inner(index)));
        put(Instruction::GlobalGet(depth));
        put(Instruction::I32Const(bytes));
        put(Instruction::I32Sub);
        put(Instruction::GlobalSet(depth));
        put(Instruction::End);
        body
    }
}

type Result<T> = std::result::Result<T, reencode::Error<Infallible>>;

impl Reencode for Rewrite<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32> {
        Ok(self.wrapper(function))
    }

    fn parse_type_section(
        &mut self,
        types: &mut wasm_encoder::TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_type_section(self, types, section)?;
        types.ty().function([ValType::I32], []);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_import_section(self, imports, section)?;
        let meter_type = wasm_encoder::EntityType::Function(self.survey.types);
        imports.import(HOST_MODULE, HOST_FUNCTION, meter_type);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_function_section(self, functions, section)?;
        for (type_index, _, _) in &self.survey.functions {
            functions.function(*type_index);
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_global_section(self, globals, section)?;
        let mutable = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(mutable, &ConstExpr::i32_const(frames::entry_bytes() as i32));
        globals.global(mutable, &ConstExpr::i32_const(0));
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_export_section(self, exports, section)?;
        exports.export(DEPTH_GLOBAL, ExportKind::Global, self.depth_global());
        exports.export(MAXIMUM_GLOBAL, ExportKind::Global, self.maximum_global());
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_code_section(self, code, section)?;
        for (index, (_, function, bytes)) in self.survey.functions.iter().enumerate() {
            code.function(&self.wrap(index as u32, function, *bytes));
        }
        Ok(())
    }

    /// Names would go to the wrong functions; [`Instrumented::functions`] has them.
    fn parse_custom_section(
        &mut self,
        _module: &mut wasm_encoder::Module,
        _section: wasmparser::CustomSectionReader<'_>,
    ) -> Result<()> {
        Ok(())
    }
}
