//! Chains of arithmetic as loops over the spots of a step. The result may take the place of an operand: of each position all
//! is read before it is written.
#![allow(unsafe_code, reason = "a result that takes the place of an operand is no slice apart from it")]

use std::ops::Range;

use pullback_graph::op::Real;

use crate::kernel::opaque::opaque;
use crate::kernel::program::blocks::{Spot, Step};
use crate::kernel::routine::{Chain, Make, Value};
use crate::kernel::simd::InstructionSet;

/// A chain as compiled for an instruction set: a step over so many elements from `at` on. What the chain has no use for may be
/// any operand.
///
/// # Safety
/// The processor has that set, and the step's spots are as `Blocks::new` says.
pub(crate) type ChainLoop = unsafe fn(step: &Step, spots: &[Spot], at: usize, len: usize);

/// The loop of a chain as compiled for `set`, or for the widest one detected if this processor lacks `set`.
pub(crate) fn chain_loop<T: Real>(chain: Chain, set: InstructionSet) -> Option<ChainLoop> {
    chain.make::<T, _>(Compiled(set.min(InstructionSet::detected())))
}

/// Makes the loop as compiled for a set that this processor has.
struct Compiled(InstructionSet);

impl<T: Real> Make<T> for Compiled {
    type Made = ChainLoop;

    fn make<V: Value<T>>(self) -> ChainLoop {
        match self.0 {
            InstructionSet::Baseline => baseline::<T, V>,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => avx2::<T, V>,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => avx512::<T, V>,
        }
    }
}

/// Elements that are read before any of them is written: enough to fill two of the widest registers.
const TOGETHER: usize = 32;

/// The same of what is left: enough to fill a register, and the narrowest one.
const SOME: usize = 8;
const FEW: usize = 4;

/// # Safety
/// As `Blocks::new` says.
#[inline(always)]
unsafe fn each<T: Real, V: Value<T>>(step: &Step, spots: &[Spot], at: usize, len: usize, rest: Rest) {
    let whole = len - len % TOGETHER;
    if whole > 0 {
        // SAFETY: the caller's promise.
        unsafe { parts::<T, V, TOGETHER>(step, spots, at, 0..whole) };
    }
    if whole < len {
        // SAFETY: as above.
        unsafe { rest(step, spots, at, whole, len) };
    }
}

/// What is less than a part, from one element to another. A function of its own, so that a loop that has nothing left is short.
type Rest = unsafe fn(step: &Step, spots: &[Spot], at: usize, start: usize, end: usize);

/// # Safety
/// As `Blocks::new` says.
#[inline(always)]
unsafe fn few<T: Real, V: Value<T>>(step: &Step, spots: &[Spot], at: usize, start: usize, end: usize) {
    let (some, few) = (end - (end - start) % SOME, end - (end - start) % FEW);
    // SAFETY: the caller's promise.
    unsafe {
        parts::<T, V, SOME>(step, spots, at, start..some);
        parts::<T, V, FEW>(step, spots, at, some..few);
        parts::<T, V, 1>(step, spots, at, few..end);
    }
}

/// The elements `range` behind `at`, as many of these at a time as `LEN`.
///
/// Compilers make vector instructions of a part: all of it is read before it is written, so that it does not matter what is
/// behind what in memory. Of several parts they would make something slow, if they could see through the loop.
///
/// # Safety
/// As `Blocks::new` says.
#[inline(always)]
unsafe fn parts<T: Real, V: Value<T>, const LEN: usize>(
    step: &Step,
    spots: &[Spot],
    at: usize,
    range: Range<usize>,
) {
    let start = |spot: u16| spots[usize::from(spot)].element::<T>(at);
    let ([x, y, z, w], out) = (step.operands, start(step.target));
    let (x, y) = (start(x), start(y));
    let z = if V::OPERANDS > 2 { start(z) } else { x };
    let w = if V::OPERANDS > 3 { start(w) } else { x };
    for at in range.step_by(LEN) {
        // SAFETY: the caller's promise; a result takes the place of an operand's element that has been read.
        unsafe {
            let read = |start: *mut T| start.add(at).cast::<[T; LEN]>().read();
            // No `from_fn`, which for long arrays is not inlined.
            let mut values = read(x);
            for (((value, y), z), w) in values.iter_mut().zip(read(y)).zip(read(z)).zip(read(w)) {
                *value = V::at(*value, y, z, w);
            }
            opaque(out.add(at)).cast_mut().cast::<[T; LEN]>().write(values);
        }
    }
}

/// Declares the loop over every chain, compiled for an instruction set.
macro_rules! loops {
    ($($(#[$attribute:meta])* $name:ident)+) => {
        $(
            /// # Safety
            /// As `Blocks::new` says.
            $(#[$attribute])*
            unsafe fn $name<T: Real, V: Value<T>>(step: &Step, spots: &[Spot], at: usize, len: usize) {
                $(#[$attribute])*
                #[inline(never)]
                unsafe fn rest<T: Real, V: Value<T>>(
                    step: &Step,
                    spots: &[Spot],
                    at: usize,
                    start: usize,
                    end: usize,
                ) {
                    // SAFETY: the caller's promise.
                    unsafe { few::<T, V>(step, spots, at, start, end) }
                }
                // SAFETY: the caller's promise.
                unsafe { each::<T, V>(step, spots, at, len, rest::<T, V>) }
            }
        )+
    };
}

loops! {
    baseline
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    avx2
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    avx512
}

#[cfg(test)]
mod tests {
    use pullback_graph::op::BinaryOp;
    use rustc_hash::FxHashSet;

    use super::*;
    use crate::kernel::program::code::Code;
    use crate::kernel::routine::Then;
    use crate::kernel::simd::tests::all;

    /// Every chain.
    fn listed() -> Vec<Chain> {
        let thens = |op| [Then::Left(op), Then::Right(op), Then::Both(op), Then::Product(op)];
        let thens = BinaryOp::ALL.iter().flat_map(|op| thens(*op)).chain([Then::Nothing]);
        let chains = |then| BinaryOp::ALL.iter().filter_map(move |first| Chain::of(*first, then));
        let chains: FxHashSet<Chain> = thens.flat_map(chains).collect();
        chains.into_iter().collect()
    }

    /// Runs a chain over operands of one length; the result is apart, or takes the place of one of them.
    fn run<T: Real>(
        set: InstructionSet,
        chain: Chain,
        mut operands: [Vec<T>; 4],
        over: Option<usize>,
    ) -> Vec<T> {
        let mut out = vec![T::default(); operands[0].len()];
        let stride = size_of::<T>();
        let starts = operands.each_mut().map(|operand| Spot { start: operand.as_mut_ptr().cast(), stride });
        let apart = Spot { start: out.as_mut_ptr().cast(), stride };
        let spots = [starts[0], starts[1], starts[2], starts[3], apart];
        let compiled = chain_loop::<T>(chain, set).expect("it is a chain");
        let target = over.unwrap_or(4) as u16;
        let step = Step { code: Code::Chain(compiled), operands: [0, 1, 2, 3], target };
        // SAFETY: all are as long, and used through these pointers alone; the set is there.
        unsafe { compiled(&step, &spots, 0, out.len()) };
        over.map_or(out, |over| operands[over].clone())
    }

    /// All NaN count as one, since operands may be swapped.
    fn bits<T: Real>(values: &[T]) -> Vec<u64> {
        values.iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits64() }).collect()
    }

    fn check<T: Real>() {
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            1e-40,
            -1e-310,
            3e38,
            1.0 / 3.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        let count = special.len();
        // Every three numbers with a fourth, and a length that fills no vector.
        let points = (0..count.pow(3)).map(|at| [at, at / count, at / count.pow(2), at / 7 + at]);
        let operands: [Vec<T>; 4] = [0, 1, 2, 3].map(|operand| {
            points.clone().map(|point| T::from_f64(special[point[operand] % count])).collect()
        });
        for chain in listed() {
            let value = |at: usize| chain.value(operands.each_ref().map(|operand| operand[at]));
            let expected = bits(&(0..operands[0].len()).map(value).collect::<Vec<T>>());
            for set in all() {
                for over in [None, Some(0), Some(1), Some(2), Some(3)] {
                    let out = run(set, chain, operands.clone(), over);
                    assert_eq!(bits(&out), expected, "{chain:?} over {over:?}, {set:?}");
                }
            }
        }
    }

    #[test]
    fn chains_have_the_bits_of_one_function_after_the_other() {
        assert_eq!(listed().len(), 4 * 8 + 2);
        check::<f32>();
        check::<f64>();
    }
}
