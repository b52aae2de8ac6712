//! Programs over single numbers: what is left of a tile of one element.
//!
//! Graphs of scalars have thousands of nodes and next to no work in each, so that the cost of an instruction is what
//! counts. Here registers are words in one array and an instruction says where it finds its operands; the functions are
//! those that tiles use, so that the bits are the same.

use pullback_graph::op::{BinaryOp, Clamp, CompareOp, LogicOp, Scalar as Number, UnaryOp};
use pullback_graph::{DType, Element, dispatch};

use crate::kernel::compute::Buffers;
use crate::kernel::program::{Action, Fixed, FixedValue, Instruction, Place, Target};
use crate::kernel::routine::Routines;
use crate::kernel::scratch::Scratch;
use crate::kernel::simd::InstructionSet;
use crate::kernel::slice::{Slice, SliceMut};

/// A program over single numbers.
#[derive(Debug)]
pub(crate) struct ScalarProgram {
    /// Numbers of the program, and where they go.
    literals: Vec<(u64, u32)>,
    /// Inputs that are read, and where they go.
    loads: Vec<(u32, u32)>,
    steps: Vec<Step>,
    /// Results, and where they come from.
    stores: Vec<(u32, u32)>,
    /// How many words there are.
    words: usize,
}

/// One instruction: the places of up to three operands and the result.
#[derive(Debug)]
struct Step {
    code: Code,
    x: u32,
    y: u32,
    z: u32,
    out: u32,
}

/// What a step does.
#[derive(Debug)]
enum Code {
    UnaryF32(UnaryOp),
    UnaryF64(UnaryOp),
    BinaryF32(BinaryOp),
    BinaryF64(BinaryOp),
    Compare(CompareOp, DType),
    Logic(LogicOp),
    /// `y` where `x` holds, else `z`.
    Select,
    ClampF32(Clamp),
    ClampF64(Clamp),
    Cast(DType, DType),
}

/// Where a program's registers are among the words.
struct Layout {
    /// The first word of each element type's registers.
    files: [usize; 4],
    /// The first word of the inputs.
    inputs: usize,
    /// The first word of the results.
    results: usize,
}

impl Layout {
    fn register(&self, dtype: DType, register: usize) -> u32 {
        let file =
            DType::ALL.iter().position(|other| *other == dtype).expect("every element type is in the list");
        (self.files[file] + register) as u32
    }

    fn place(&self, place: Place, dtype: DType) -> u32 {
        match place {
            Place::Input(input) => (self.inputs + input) as u32,
            Place::Register(register) => self.register(dtype, register),
            Place::Result(result) => (self.results + result) as u32,
        }
    }
}

impl ScalarProgram {
    /// The program that these instructions are for one element; `None` if there is one that only tiles have.
    pub(crate) fn of(
        fixed: &[Fixed],
        instructions: &[Instruction],
        registers: [usize; 4],
        results: &[DType],
    ) -> Option<ScalarProgram> {
        let mut files = [0; 4];
        let mut end = 0;
        for (file, count) in files.iter_mut().zip(registers) {
            (*file, end) = (end, end + count);
        }
        let results_start = end;
        let layout = Layout { files, results: results_start, inputs: results_start + results.len() };
        let mut program = ScalarProgram {
            literals: Vec::new(),
            loads: Vec::new(),
            steps: Vec::with_capacity(instructions.len()),
            stores: (0..results.len() as u32).map(|result| (result, results_start as u32 + result)).collect(),
            words: layout.inputs,
        };
        for fixed in fixed {
            let to = layout.register(fixed.dtype, fixed.register);
            match &fixed.value {
                FixedValue::Literal(value) => program.literals.push((bits(*value), to)),
                FixedValue::Element { input, at: 0 } => program.loads.push((*input as u32, to)),
                FixedValue::Element { .. } | FixedValue::Repeat { .. } => return None,
            }
        }
        let mut inputs = Vec::new();
        for instruction in instructions {
            program.steps.push(step(instruction, &layout)?);
            instruction.action.places(|place| {
                if let Place::Input(input) = place {
                    inputs.push(input);
                }
            });
        }
        inputs.sort_unstable();
        inputs.dedup();
        for input in inputs {
            let to = layout.inputs + input;
            program.loads.push((input as u32, to as u32));
            program.words = program.words.max(to + 1);
        }
        Some(program)
    }

    /// Computes the results.
    pub(crate) fn run(&self, buffers: Buffers<'_, '_>, scratch: &mut Scratch) {
        let Buffers { reads, writes, in_place } = buffers;
        let mut buffer = scratch.take::<i64>(0, self.words);
        let words = &mut buffer[..self.words];
        for (value, to) in &self.literals {
            words[*to as usize] = *value as i64;
        }
        for (input, to) in &self.loads {
            let value = match in_place.iter().position(|read| *read == Some(*input)) {
                Some(write) => written(&writes[write]),
                None => element(reads[*input as usize]),
            };
            words[*to as usize] = value as i64;
        }
        for step in &self.steps {
            step.run(words);
        }
        for (result, from) in &self.stores {
            let value = words[*from as usize] as u64;
            let write = &mut writes[*result as usize];
            dispatch!(write.dtype(), T => write.typed::<T>()[0] = T::from_bits64(value));
        }
        scratch.put(0, buffer);
    }
}

fn bits(value: Number) -> u64 {
    dispatch!(value.dtype(), T => value.get::<T>().to_bits64())
}

fn element(slice: Slice<'_>) -> u64 {
    dispatch!(slice.dtype(), T => slice.typed::<T>()[0].to_bits64())
}

fn written(slice: &SliceMut<'_>) -> u64 {
    dispatch!(slice.dtype(), T => slice.elements::<T>()[0].to_bits64())
}

fn step(instruction: &Instruction, layout: &Layout) -> Option<Step> {
    let (code, result, places) = match &instruction.action {
        Action::Unary { op, dtype: DType::F32, x } => {
            (Code::UnaryF32(*op), DType::F32, [(*x, DType::F32); 3])
        }
        Action::Unary { op, dtype: DType::F64, x } => {
            (Code::UnaryF64(*op), DType::F64, [(*x, DType::F64); 3])
        }
        Action::Binary { op, dtype: dtype @ DType::F32, x, y } => {
            (Code::BinaryF32(*op), *dtype, [(*x, *dtype), (*y, *dtype), (*y, *dtype)])
        }
        Action::Binary { op, dtype: dtype @ DType::F64, x, y } => {
            (Code::BinaryF64(*op), *dtype, [(*x, *dtype), (*y, *dtype), (*y, *dtype)])
        }
        Action::Compare { op, dtype, x, y } => {
            (Code::Compare(*op, *dtype), DType::Bool, [(*x, *dtype), (*y, *dtype), (*y, *dtype)])
        }
        Action::Logic { op, x, y } => {
            let [x, y] = [x, y].map(|place| (*place, DType::Bool));
            (Code::Logic(*op), DType::Bool, [x, y, y])
        }
        Action::Select { dtype, condition, x, y } => {
            (Code::Select, *dtype, [(*condition, DType::Bool), (*x, *dtype), (*y, *dtype)])
        }
        Action::Clamp { op, dtype: DType::F32, x } => {
            (Code::ClampF32(*op), DType::F32, [(*x, DType::F32); 3])
        }
        Action::Clamp { op, dtype: DType::F64, x } => {
            (Code::ClampF64(*op), DType::F64, [(*x, DType::F64); 3])
        }
        Action::Cast { op, dtype, x } => (Code::Cast(*dtype, op.dtype), op.dtype, [(*x, *dtype); 3]),
        // Whole numbers may fail, views are of more than one element, and a row of one is no row.
        Action::Unary { .. }
        | Action::Binary { .. }
        | Action::Clamp { .. }
        | Action::Load { .. }
        | Action::Fold { .. }
        | Action::Spread { .. } => return None,
    };
    let [x, y, z] = places.map(|(place, dtype)| layout.place(place, dtype));
    let out = match instruction.target {
        Target::Register(register) => layout.register(result, register),
        Target::Result(result) => (layout.results + result) as u32,
    };
    Some(Step { code, x, y, z, out })
}

impl Step {
    #[inline]
    fn run(&self, words: &mut [i64]) {
        let word = |at: u32| words[at as usize] as u64;
        let value = match &self.code {
            Code::UnaryF32(op) => unary::<f32>(*op, word(self.x)),
            Code::UnaryF64(op) => unary::<f64>(*op, word(self.x)),
            Code::BinaryF32(op) => {
                op.value(f32::from_bits64(word(self.x)), f32::from_bits64(word(self.y))).to_bits64()
            }
            Code::BinaryF64(op) => {
                op.value(f64::from_bits64(word(self.x)), f64::from_bits64(word(self.y))).to_bits64()
            }
            Code::Compare(op, dtype) => dispatch!(*dtype, T => {
                let mut truth = [false];
                op.map(&[T::from_bits64(word(self.x))], &[T::from_bits64(word(self.y))], &mut truth);
                u64::from(truth[0])
            }),
            Code::Logic(op) => {
                let mut truth = [false];
                op.map(&[word(self.x) != 0], &[word(self.y) != 0], &mut truth);
                u64::from(truth[0])
            }
            Code::Select => word(if word(self.x) != 0 { self.y } else { self.z }),
            Code::ClampF32(op) => op.value(f32::from_bits64(word(self.x))).to_bits64(),
            Code::ClampF64(op) => op.value(f64::from_bits64(word(self.x))).to_bits64(),
            Code::Cast(from, to) => dispatch!(*from, From => dispatch!(*to, To => {
                From::from_bits64(word(self.x)).convert::<To>().to_bits64()
            })),
        };
        words[self.out as usize] = value as i64;
    }
}

#[inline(always)]
fn unary<T: Routines>(op: UnaryOp, x: u64) -> u64 {
    let x = T::from_bits64(x);
    let mut out = [T::default()];
    if !T::unary(InstructionSet::detected(), op, &[x], &mut out) {
        out[0] = op.value(x);
    }
    out[0].to_bits64()
}
