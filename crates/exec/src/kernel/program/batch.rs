//! Instructions over single numbers that do the same, run together: a step says where its numbers are, the code of a batch what
//! is done to them.

use std::slice;
use std::sync::Arc;

use pullback_graph::op::{BinaryOp, Clamp, CompareOp, LogicOp, Real, UnaryOp};
use pullback_graph::{DType, Element, dispatch};

use crate::kernel::loops;
use crate::kernel::program::instruction::Action;
use crate::kernel::routine::{BinaryLoop, Polygamma, Routines, UnaryLoop};
use crate::kernel::simd::InstructionSet;

/// One instruction: the places of up to three operands and the result.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) z: u32,
    pub(super) out: u32,
}

/// What the steps of a batch do: found out once, since looking it up would take longer than doing it.
#[derive(Debug)]
pub(super) enum Code {
    UnaryF32(fn(f32) -> f32, Option<UnaryLoop<f32>>),
    UnaryF64(fn(f64) -> f64, Option<UnaryLoop<f64>>),
    BinaryF32(fn((f32, f32)) -> f32, Option<BinaryLoop<f32>>),
    BinaryF64(fn((f64, f64)) -> f64, Option<BinaryLoop<f64>>),
    UnaryInt(UnaryOp),
    BinaryInt(BinaryOp),
    Compare(CompareOp, DType),
    Logic(LogicOp),
    /// `y` where `x` holds, else `z`.
    Select,
    ClampF32(Clamp),
    ClampF64(Clamp),
    PolygammaF32(Arc<Polygamma>),
    PolygammaF64(Arc<Polygamma>),
    Cast(DType, DType),
}

impl Code {
    /// The code of an action; `None` if there is none for single numbers: a row of one is no row, and chains are for blocks.
    pub(super) fn of(action: &Action) -> Option<Code> {
        let set = InstructionSet::detected();
        Some(match action {
            Action::Unary { op, dtype: DType::F32, .. } => {
                Code::UnaryF32(f32::unary_function(set, *op), f32::unary_loop(*op))
            }
            Action::Unary { op, dtype: DType::F64, .. } => {
                Code::UnaryF64(f64::unary_function(set, *op), f64::unary_loop(*op))
            }
            Action::Binary { op, dtype: DType::F32, .. } => {
                Code::BinaryF32(f32::binary_function(set, *op), f32::binary_loop(*op))
            }
            Action::Binary { op, dtype: DType::F64, .. } => {
                Code::BinaryF64(f64::binary_function(set, *op), f64::binary_loop(*op))
            }
            Action::Unary { op, dtype: DType::I64, .. } => Code::UnaryInt(*op),
            Action::Binary { op, dtype: DType::I64, .. } => Code::BinaryInt(*op),
            Action::Compare { op, dtype, .. } => Code::Compare(*op, *dtype),
            Action::Logic { op, .. } => Code::Logic(*op),
            Action::Select { .. } => Code::Select,
            Action::Clamp { op, dtype: DType::F32, .. } => Code::ClampF32(*op),
            Action::Clamp { op, dtype: DType::F64, .. } => Code::ClampF64(*op),
            Action::Polygamma { op, dtype: DType::F32, .. } => {
                Code::PolygammaF32(Arc::new(Polygamma::new(*op)))
            }
            Action::Polygamma { op, dtype: DType::F64, .. } => {
                Code::PolygammaF64(Arc::new(Polygamma::new(*op)))
            }
            Action::Cast { op, dtype, .. } => Code::Cast(*dtype, op.dtype),
            Action::Unary { .. }
            | Action::Binary { .. }
            | Action::Clamp { .. }
            | Action::Polygamma { .. }
            | Action::Load { .. }
            | Action::Fold { .. }
            | Action::Accumulate { .. }
            | Action::Spread { .. }
            | Action::Chain { .. } => return None,
        })
    }
}

/// Steps that a vector routine is worth being called for, and at most are in one call.
const WIDE: std::ops::RangeInclusive<usize> = 3..=64;

impl Code {
    /// Runs the steps, of which none reads what another one writes.
    ///
    /// # Errors
    /// When whole numbers are divided by zero.
    pub(super) fn run(&self, steps: &[Step], words: &mut [i64]) -> Result<(), String> {
        match self {
            Code::UnaryF32(function, wide) => unary(*function, *wide, steps, words),
            Code::UnaryF64(function, wide) => unary(*function, *wide, steps, words),
            Code::BinaryF32(function, wide) => binary(*function, *wide, steps, words),
            Code::BinaryF64(function, wide) => binary(*function, *wide, steps, words),
            Code::UnaryInt(op) => {
                for step in steps {
                    let x = [words[step.x as usize]];
                    loops::unary_int(*op, &x, slice::from_mut(&mut words[step.out as usize]))?;
                }
            }
            Code::BinaryInt(op) => {
                for step in steps {
                    let (x, y) = ([words[step.x as usize]], [words[step.y as usize]]);
                    loops::binary_int(*op, &x, &y, slice::from_mut(&mut words[step.out as usize]))?;
                }
            }
            Code::Compare(op, dtype) => dispatch!(*dtype, T => each(steps, words, |x, y, _| {
                let mut truth = [false];
                op.map(&[T::from_bits64(x)], &[T::from_bits64(y)], &mut truth);
                u64::from(truth[0])
            })),
            Code::Logic(op) => each(steps, words, |x, y, _| {
                let mut truth = [false];
                op.map(&[x != 0], &[y != 0], &mut truth);
                u64::from(truth[0])
            }),
            Code::Select => each(steps, words, |condition, x, y| if condition != 0 { x } else { y }),
            Code::ClampF32(op) => {
                each(steps, words, |x, _, _| op.value(f32::from_bits64(x)).to_bits64());
            }
            Code::ClampF64(op) => {
                each(steps, words, |x, _, _| op.value(f64::from_bits64(x)).to_bits64());
            }
            Code::PolygammaF32(routine) => polygamma::<f32>(routine, steps, words),
            Code::PolygammaF64(routine) => polygamma::<f64>(routine, steps, words),
            Code::Cast(from, to) => dispatch!(*from, From => dispatch!(*to, To => {
                each(steps, words, |x, _, _| From::from_bits64(x).convert::<To>().to_bits64());
            })),
        }
        Ok(())
    }
}

/// One step after another.
#[inline]
fn each(steps: &[Step], words: &mut [i64], value: impl Fn(u64, u64, u64) -> u64) {
    for Step { x, y, z, out } in steps {
        let word = |at: &u32| words[*at as usize] as u64;
        words[*out as usize] = value(word(x), word(y), word(z)) as i64;
    }
}

fn unary<T: Element>(function: fn(T) -> T, wide: Option<UnaryLoop<T>>, steps: &[Step], words: &mut [i64]) {
    let Some(wide) = wide.filter(|_| steps.len() >= *WIDE.start()) else {
        return each(steps, words, |x, _, _| function(T::from_bits64(x)).to_bits64());
    };
    wide_unary(|x, out| wide(InstructionSet::detected(), x, out), steps, words);
}

fn polygamma<T: Real>(routine: &Polygamma, steps: &[Step], words: &mut [i64]) {
    wide_unary::<T>(|x, out| routine.run(InstructionSet::detected(), x, out), steps, words);
}

fn wide_unary<T: Element>(wide: impl Fn(&[T], &mut [T]), steps: &[Step], words: &mut [i64]) {
    for steps in steps.chunks(*WIDE.end()) {
        let mut results = [T::from_bits64(0); *WIDE.end()];
        let results = &mut results[..steps.len()];
        let x = gathered(steps, words, |step| step.x);
        wide(&x[..steps.len()], results);
        scatter(results, steps, words);
    }
}

fn binary<T: Element>(
    function: fn((T, T)) -> T,
    wide: Option<BinaryLoop<T>>,
    steps: &[Step],
    words: &mut [i64],
) {
    let Some(wide) = wide.filter(|_| steps.len() >= *WIDE.start()) else {
        return each(steps, words, |x, y, _| function((T::from_bits64(x), T::from_bits64(y))).to_bits64());
    };
    for steps in steps.chunks(*WIDE.end()) {
        let mut results = [T::from_bits64(0); *WIDE.end()];
        let results = &mut results[..steps.len()];
        let (x, y) = (gathered(steps, words, |step| step.x), gathered(steps, words, |step| step.y));
        wide(InstructionSet::detected(), &x[..steps.len()], &y[..steps.len()], results);
        scatter(results, steps, words);
    }
}

/// The operands of steps, side by side.
fn gathered<T: Element>(steps: &[Step], words: &[i64], operand: impl Fn(&Step) -> u32) -> [T; *WIDE.end()] {
    let mut values = [T::from_bits64(0); *WIDE.end()];
    for (value, step) in values.iter_mut().zip(steps) {
        *value = T::from_bits64(words[operand(step) as usize] as u64);
    }
    values
}

/// The results of steps, to where they go.
fn scatter<T: Element>(values: &[T], steps: &[Step], words: &mut [i64]) {
    for (value, step) in values.iter().zip(steps) {
        words[step.out as usize] = value.to_bits64() as i64;
    }
}
