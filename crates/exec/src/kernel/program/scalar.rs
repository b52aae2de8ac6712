//! Programs over single numbers: what is left of a tile of one element.
//!
//! Graphs of scalars have thousands of nodes and next to no work in each, so that the cost of an instruction is what
//! counts. Here registers are words in one array and an instruction says where it finds its operands; the functions are
//! those that tiles use, so that the bits are the same.

use pullback_graph::op::Scalar as Number;
use pullback_graph::{DType, Element, dispatch};

use crate::kernel::compute::Buffers;
use crate::kernel::program::batch::{Code, Step};
use crate::kernel::program::code;
use crate::kernel::program::fixed::{Fixed, FixedValue};
use crate::kernel::program::instruction::{Instruction, Place, Space};
use crate::kernel::program::registers::{Counts, position};
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};

/// Whether there is code for one number.
pub(super) fn takes(instruction: &Instruction) -> bool {
    Code::of(&instruction.action).is_some()
}

/// A program over single numbers.
#[derive(Debug)]
pub(crate) struct ScalarProgram {
    /// Numbers of the program, and where they go.
    literals: Vec<(u64, u32)>,
    loads: Vec<Load>,
    batches: Vec<Batch>,
    steps: Vec<Step>,
    /// Results, and where they come from.
    stores: Vec<(u32, u32)>,
    /// How many words there are.
    words: usize,
}

/// An input that is read.
#[derive(Debug)]
struct Load {
    input: u32,
    /// The result that it is overwritten by.
    over: Option<u32>,
    /// Where it goes.
    to: u32,
}

/// Instructions that do the same, one behind the other, none to what another one gives.
#[derive(Debug)]
struct Batch {
    code: Code,
    /// The first step behind it.
    end: usize,
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
        (self.files[position(dtype)] + register) as u32
    }

    /// `None` for what is as long as a lap or a tile: it is read by what has no step.
    fn place(&self, place: Place, dtype: DType) -> Option<u32> {
        match place {
            Place::Input(input) => Some((self.inputs + input) as u32),
            Place::Register(register) => Some(self.register(dtype, register)),
            Place::Repeated(_) | Place::Tiled(_) | Place::Loaded(_) | Place::Row(_) => None,
            Place::Result(result) => Some((self.results + result) as u32),
        }
    }
}

impl ScalarProgram {
    /// The program that these instructions are for one element; `None` if there is one that only tiles have.
    pub(crate) fn of(
        fixed: &[Fixed],
        instructions: &[(usize, Instruction)],
        counts: &Counts,
        results: &[(DType, Space)],
    ) -> Option<ScalarProgram> {
        let mut files = [0; 4];
        let mut end = 0;
        for (file, count) in files.iter_mut().zip(counts.blocks) {
            (*file, end) = (end, end + count);
        }
        let results_start = end;
        let layout = Layout { files, results: results_start, inputs: results_start + results.len() };
        let mut program = ScalarProgram {
            literals: Vec::new(),
            loads: Vec::new(),
            batches: Vec::new(),
            steps: Vec::with_capacity(instructions.len()),
            stores: (0..results.len() as u32).map(|result| (result, results_start as u32 + result)).collect(),
            words: layout.inputs,
        };
        for fixed in fixed {
            let to = layout.register(fixed.dtype, fixed.register);
            match &fixed.value {
                FixedValue::Literal(value) => program.literals.push((bits(*value), to)),
                FixedValue::Element { input, at: 0 } => program.load(*input, to),
                FixedValue::Element { .. } | FixedValue::Repeat { .. } => return None,
            }
        }
        let mut inputs = Vec::new();
        let mut kind = None;
        // The batch that writes each word, counted from 1.
        let mut written = vec![0; layout.inputs];
        for (_, instruction) in instructions {
            let step = step(instruction, &layout)?;
            let own = Some(instruction.action.kind());
            let depends = [step.x, step.y, step.z]
                .into_iter()
                .any(|word| written.get(word as usize).is_some_and(|batch| *batch == program.batches.len()));
            if kind != own || depends {
                program.batches.push(Batch { code: Code::of(&instruction.action)?, end: 0 });
                kind = own;
            }
            written[step.out as usize] = program.batches.len();
            program.steps.push(step);
            program.batches.last_mut().expect("one was begun").end = program.steps.len();
            inputs.extend(instruction.action.places().filter_map(|place| match place {
                Place::Input(input) => Some(input),
                Place::Register(_)
                | Place::Repeated(_)
                | Place::Tiled(_)
                | Place::Loaded(_)
                | Place::Row(_)
                | Place::Result(_) => None,
            }));
        }
        inputs.sort_unstable();
        inputs.dedup();
        for input in inputs {
            let to = layout.inputs + input;
            program.load(input, to as u32);
            program.words = program.words.max(to + 1);
        }
        Some(program)
    }

    fn load(&mut self, input: usize, to: u32) {
        self.loads.push(Load { input: input as u32, over: None, to });
    }

    /// See [`ComputeAll::overwrite`](crate::kernel::compute::ComputeAll::overwrite).
    pub(crate) fn overwrite(&mut self, in_place: &[Option<u32>]) {
        for load in &mut self.loads {
            let over = in_place.iter().position(|read| *read == Some(load.input));
            load.over = over.map(|write| write as u32);
        }
    }

    /// Computes the results.
    ///
    /// # Errors
    /// When whole numbers are divided by zero.
    pub(crate) fn run(&self, buffers: Buffers<'_, '_>, scratch: &mut Scratch) -> Result<(), String> {
        let Buffers { reads, writes } = buffers;
        let words = &mut scratch.room::<i64>(0, self.words)[..self.words];
        for (value, to) in &self.literals {
            words[*to as usize] = *value as i64;
        }
        for Load { input, over, to } in &self.loads {
            let value = match over {
                Some(write) => written(&writes[*write as usize]),
                None => element(reads[*input as usize]),
            };
            words[*to as usize] = value as i64;
        }
        let mut start = 0;
        for Batch { code, end } in &self.batches {
            code.run(&self.steps[start..*end], words)?;
            start = *end;
        }
        for (result, from) in &self.stores {
            let value = words[*from as usize] as u64;
            let write = &mut writes[*result as usize];
            dispatch!(write.dtype(), T => write.typed::<T>()[0] = T::from_bits64(value));
        }
        Ok(())
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
    let (_, places, result) = code::code(&instruction.action)?;
    let [x, y, z, _] = places.map(|(place, dtype)| layout.place(place, dtype));
    Some(Step { x: x?, y: y?, z: z?, out: layout.place(instruction.target.into(), result)? })
}
