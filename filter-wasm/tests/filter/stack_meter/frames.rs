//! How many bytes of the operand stack one call of a function takes in WAMR's fast interpreter.
//!
//! That interpreter has no stack to push to and pop from. When it loads a function it gives
//! every value a fixed cell in the function's frame: parameters and locals, constants (each
//! different one once), and results of instructions, which share cells as a stack would. A
//! value that is only a local's copy has no cell of its own, unless the local is written while
//! the copy is still needed; then the copy moves to a fresh cell that is never used again. This
//! module gives out cells in the same way. Where the loader is unreasonable, so is this: a
//! result in the very first cell does not give that cell back.

use std::collections::HashSet;

use wasmparser::{FuncType, FuncValidator, FunctionBody, Operator, ValType, WasmModuleResources};

/// Bytes of a frame before its cells, on a 64-bit machine.
const FRAME_HEAD_BYTES: u32 = 40;
const CELL_BYTES: u32 = 4;
/// The fewest cells that the frame of a host function has.
const HOST_FRAME_CELLS_MIN: u32 = 2;

/// Where a constant stands: before the locals, so in no cell that is given out here.
const CONSTANT: u32 = u32::MAX;
/// Where the saved copy of a local stands: after all others.
const SAVED: u32 = u32::MAX - 1;

/// Bytes of the frame that the interpreter puts below the first function of a call.
pub(crate) fn entry_bytes() -> u32 {
    FRAME_HEAD_BYTES + HOST_FRAME_CELLS_MIN * CELL_BYTES
}

/// Bytes of a host function's frame.
pub(crate) fn host_frame_bytes(function: &FuncType) -> u32 {
    let cells = cells_of(function.params()).max(HOST_FRAME_CELLS_MIN);
    FRAME_HEAD_BYTES + cells * CELL_BYTES
}

/// Bytes of a function's frame.
pub(crate) fn frame_bytes(
    function: &FuncType,
    body: &FunctionBody<'_>,
    validator: FuncValidator<impl WasmModuleResources>,
) -> wasmparser::Result<u32> {
    let mut layout = Layout::new(function, body, validator)?;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        layout.step(&operator, offset)?;
    }
    Ok(FRAME_HEAD_BYTES + layout.cells() * CELL_BYTES)
}

fn cells_of(types: &[ValType]) -> u32 {
    types.iter().map(|value| cells(*value)).sum()
}

fn cells(value: ValType) -> u32 {
    match value {
        ValType::I64 | ValType::F64 => 2,
        ValType::V128 => 4,
        ValType::I32 | ValType::F32 | ValType::Ref(_) => 1,
    }
}

/// A value on WebAssembly's stack and where it stands in the frame.
#[derive(Clone, Copy)]
struct Slot {
    at: u32,
    cells: u32,
}

/// A block that the walk is in.
struct Block {
    /// How many values were on the stack when it began.
    height: usize,
    /// The first free cell when it began: where its results go.
    results_at: u32,
    /// The first free cell after the condition of an `if`.
    else_at: u32,
    is_loop: bool,
    /// How many results it has.
    results: Vec<ValType>,
    unreachable: bool,
}

struct Layout<R> {
    validator: FuncValidator<R>,
    /// Where each local stands.
    locals: Vec<Slot>,
    /// The first cell after the locals.
    first: u32,
    /// The next free cell.
    next: u32,
    most: u32,
    saved_cells: u32,
    constants32: HashSet<u32>,
    constants64: HashSet<u64>,
    stack: Vec<Slot>,
    blocks: Vec<Block>,
}

impl<R: WasmModuleResources> Layout<R> {
    fn new(
        function: &FuncType,
        body: &FunctionBody<'_>,
        mut validator: FuncValidator<R>,
    ) -> wasmparser::Result<Layout<R>> {
        let mut types = function.params().to_vec();
        let mut declared = body.get_locals_reader()?;
        for _ in 0..declared.get_count() {
            let offset = declared.original_position();
            let (count, value) = declared.read()?;
            validator.define_locals(offset, count, value)?;
            types.extend(std::iter::repeat_n(value, count as usize));
        }
        let mut first = 0;
        let mut locals = Vec::new();
        for value in types {
            locals.push(Slot { at: first, cells: cells(value) });
            first += cells(value);
        }
        let body_block = Block {
            height: 0,
            results_at: first,
            else_at: first,
            is_loop: false,
            results: function.results().to_vec(),
            unreachable: false,
        };
        Ok(Layout {
            validator,
            locals,
            first,
            next: first,
            most: first,
            saved_cells: 0,
            constants32: HashSet::new(),
            constants64: HashSet::new(),
            stack: Vec::new(),
            blocks: vec![body_block],
        })
    }

    /// All cells of the frame. There is one more than are given out.
    fn cells(&self) -> u32 {
        let constants = self.constants32.len() + 2 * self.constants64.len();
        self.most + self.saved_cells + 1 + constants as u32
    }

    fn step(&mut self, operator: &Operator<'_>, offset: usize) -> wasmparser::Result<()> {
        let arity = operator.operator_arity(&self.validator.visitor(offset));
        let (taken, given) = arity.unwrap_or((0, 0));
        self.validator.op(offset, operator)?;
        match operator {
            Operator::LocalGet { local_index } => {
                self.stack.push(self.locals[*local_index as usize])
            }
            Operator::I32Const { value } => self.constant32(*value as u32),
            Operator::F32Const { value } => self.constant32(value.bits()),
            Operator::I64Const { value } => self.constant64(*value as u64),
            Operator::F64Const { value } => self.constant64(value.bits()),
            Operator::LocalSet { local_index } => {
                self.save_copies(self.locals[*local_index as usize]);
                self.pop();
            }
            Operator::LocalTee { local_index } => {
                self.save_copies(self.locals[*local_index as usize]);
            }
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.open(operator);
            }
            Operator::Else => self.otherwise(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.leave();
            }
            Operator::BrIf { .. } => self.pop(),
            Operator::BrTable { .. } => {
                self.pop();
                self.leave();
            }
            Operator::Return => {
                (0..taken).for_each(|_| self.pop());
                self.leave();
            }
            Operator::Unreachable => self.leave(),
            _ => {
                (0..taken).for_each(|_| self.pop());
                self.push_results(given);
            }
        }
        Ok(())
    }

    fn constant32(&mut self, bits: u32) {
        self.constants32.insert(bits);
        self.stack.push(Slot { at: CONSTANT, cells: 1 });
    }

    fn constant64(&mut self, bits: u64) {
        self.constants64.insert(bits);
        self.stack.push(Slot { at: CONSTANT, cells: 2 });
    }

    fn push(&mut self, cells: u32) {
        self.stack.push(Slot { at: self.next, cells });
        self.next += cells;
        self.most = self.most.max(self.next);
    }

    /// Gives cells to the topmost `count` values, which the validator has on its stack already.
    fn push_results(&mut self, count: u32) {
        for depth in (0..count as usize).rev() {
            let value = self.validator.get_operand_type(depth).flatten();
            self.push(value.map_or(1, cells));
        }
    }

    fn pop(&mut self) {
        let block = self.blocks.last().expect("the function's own block is open to the end");
        if self.stack.len() <= block.height && block.unreachable {
            return;
        }
        if let Some(slot) = self.stack.pop()
            && slot.at > self.first
            && slot.at < self.most
        {
            self.next -= slot.cells;
        }
    }

    /// Moves the copies of a local that are still needed to a cell of their own.
    fn save_copies(&mut self, local: Slot) {
        let mut saved = false;
        for slot in self.stack.iter_mut().filter(|slot| slot.at == local.at) {
            slot.at = SAVED;
            saved = true;
        }
        if saved {
            self.saved_cells += local.cells;
        }
    }

    fn open(&mut self, operator: &Operator<'_>) {
        let is_if = matches!(operator, Operator::If { .. });
        if is_if {
            self.pop();
        }
        // What happens in the block must not change what was put on the stack before it.
        for index in 0..self.stack.len() {
            let slot = self.stack[index];
            if slot.at < self.first {
                self.save_copies(slot);
            }
        }
        let frame = self.validator.get_control_frame(0).expect("a block has just been opened");
        let results = match frame.block_type {
            wasmparser::BlockType::Empty => Vec::new(),
            wasmparser::BlockType::Type(value) => vec![value],
            wasmparser::BlockType::FuncType(_) => {
                unimplemented!("blocks with parameters, which no compiler wrote when this was made")
            }
        };
        self.blocks.push(Block {
            height: self.stack.len(),
            results_at: self.next,
            else_at: self.next,
            is_loop: matches!(operator, Operator::Loop { .. }),
            results,
            unreachable: false,
        });
    }

    fn otherwise(&mut self) {
        let block = self.blocks.last_mut().expect("an else stands in an if");
        block.unreachable = false;
        self.stack.truncate(block.height);
        self.next = block.else_at;
    }

    fn end(&mut self) {
        let block = self.blocks.pop().expect("every end has its block");
        let in_place = self.stack.last().is_some_and(|slot| slot.at == block.results_at)
            && self.stack.len() > block.height;
        self.stack.truncate(block.height);
        if block.results.is_empty() {
            return;
        }
        if in_place && block.results.len() == 1 {
            self.stack.push(Slot { at: block.results_at, cells: cells(block.results[0]) });
            return;
        }
        self.next = block.results_at;
        for value in block.results {
            self.push(cells(value));
        }
    }

    /// A branch that carries values leaves the next free cell after those of its target.
    fn branch(&mut self, depth: u32) {
        let target = &self.blocks[self.blocks.len() - 1 - depth as usize];
        if !target.is_loop && !target.results.is_empty() {
            self.next = target.results_at + cells_of(&target.results);
        }
    }

    /// What follows up to the end of the block is never reached.
    fn leave(&mut self) {
        let block = self.blocks.last_mut().expect("the function's own block is open to the end");
        block.unreachable = true;
        self.stack.truncate(block.height);
    }
}
