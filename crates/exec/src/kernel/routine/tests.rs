//! Routines against the exact values, in units in the last place.

use std::fmt::LowerExp;
use std::thread;

use pullback_graph::op::{BinaryOp, UnaryOp};

use super::Routines;
use crate::kernel::simd::InstructionSet;
use crate::kernel::simd::tests::all;

/// Element types whose values are compared with exact ones.
trait Judged: Routines + LowerExp {
    /// How far this number is from `exact`, in units in the last place of the type.
    fn ulps(self, exact: f64) -> f64;
}

impl Judged for f32 {
    fn ulps(self, exact: f64) -> f64 {
        let rounded = exact as f32;
        if rounded.is_nan() || rounded.is_infinite() || rounded == 0.0 {
            return off_special(rounded.is_nan(), self.is_nan(), self.to_bits().abs_diff(rounded.to_bits()));
        }
        let unit = f64::from(rounded.abs().next_up()) - f64::from(rounded.abs());
        let unit = if unit.is_finite() { unit } else { f64::from(rounded.abs() - rounded.abs().next_down()) };
        (f64::from(self) - exact).abs() / unit
    }
}

impl Judged for f64 {
    /// The exact value is known to half a unit or so, that of the table's compositions to more; that is allowed for.
    fn ulps(self, exact: f64) -> f64 {
        if !exact.is_finite() || exact == 0.0 {
            let apart = self.to_bits().abs_diff(exact.to_bits());
            return off_special(exact.is_nan(), self.is_nan(), apart.min(2) as u32);
        }
        let unit = (exact.abs().next_up() - exact.abs()).min(exact.abs());
        ((self - exact).abs() / unit - 1.0).max(0.0)
    }
}

/// NaN must be NaN; the neighbors of zeros and of the ends of the range are as near as any others.
fn off_special(expects_nan: bool, is_nan: bool, apart: u32) -> f64 {
    if (expects_nan && is_nan) || (!expects_nan && apart <= 1) { 0.0 } else { f64::INFINITY }
}

/// Compares what a routine gives for every instruction set with the exact values and the accuracy that it states;
/// answers how far it is off at most, and where.
fn judge<T: Judged>(
    allowed: f64,
    exact: &[f64],
    found: &[Vec<T>],
    what: impl Fn(usize) -> String,
) -> (f64, usize) {
    let mut worst = (0.0, 0);
    for (set, values) in all().into_iter().zip(found) {
        for (at, (got, exact)) in values.iter().zip(exact).enumerate() {
            let off = got.ulps(*exact);
            if off > worst.0 {
                worst = (off, at);
            }
            assert!(off <= allowed, "{} is {got:e} and {off:.2} ulp off {exact:e}, {set:?}", what(at));
        }
    }
    for fused in found[1..].windows(2) {
        let differing = (0..exact.len())
            .find(|at| fused[0][*at].to_bits64() != fused[1][*at].to_bits64() && !fused[0][*at].is_nan());
        assert_eq!(differing.map(&what), None, "the bits differ between instruction sets with FMA");
    }
    worst
}

/// Judges the routine of a row, if it has one.
fn judge_unary<T: Judged>(op: UnaryOp, numbers: &[T], exact: impl Fn(&mut [f64])) -> Option<(f64, usize)> {
    let allowed = T::unary_accuracy(op)?;
    let run = |set: InstructionSet| {
        let mut out = vec![T::default(); numbers.len()];
        T::unary_loop(op).expect("the op has a routine")(set, numbers, &mut out);
        out
    };
    let found: Vec<Vec<T>> = all().into_iter().map(run).collect();
    let mut values: Vec<f64> = numbers.iter().map(|x| x.to_f64()).collect();
    exact(&mut values);
    Some(judge(allowed, &values, &found, |at| format!("{op:?}({:e})", numbers[at])))
}

/// The same for two operands.
fn judge_binary<T: Judged>(op: BinaryOp, x: &[T], y: &[T]) {
    let Some(allowed) = T::binary_accuracy(op) else { return };
    let run = |set: InstructionSet| {
        let mut out = vec![T::default(); x.len()];
        T::binary_loop(op).expect("the op has a routine")(set, x, y, &mut out);
        out
    };
    let found: Vec<Vec<T>> = all().into_iter().map(run).collect();
    let exact: Vec<f64> = x.iter().zip(y).map(|(x, y)| op.value(x.to_f64(), y.to_f64())).collect();
    judge(allowed, &exact, &found, |at| format!("{op:?}({:e}, {:e})", x[at], y[at]));
}

const SPECIAL: [f64; 27] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    3.0,
    -3.0,
    2.5,
    -100.0,
    1e-20,
    -1e-20,
    1e-40,
    -1e-40,
    1e-310,
    -5e-324,
    1e30,
    -1e30,
    1e300,
    f32::MAX as f64,
    f32::MIN as f64,
    f64::MAX,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

/// The bits of every `step`-th `f32`.
fn numbers(step: usize) -> impl Iterator<Item = f32> {
    SPECIAL.into_iter().map(|x| x as f32).chain((0..=u32::MAX).step_by(step).map(f32::from_bits))
}

/// Numbers of every size, and many that are ordinary.
fn spread(count: u64) -> impl Iterator<Item = f64> {
    let word =
        |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let unit = move |i| (word(i) >> 11) as f64 / (1_u64 << 53) as f64;
    let number = move |i: u64| match i % 4 {
        0 => f64::from_bits(word(i)),
        1 => (unit(i) - 0.5) * 80.0,
        2 => (unit(i) - 0.5) * 4.0,
        _ => f64::from(f32::from_bits(word(i) as u32)),
    };
    SPECIAL.into_iter().chain((0..count).map(number))
}

#[test]
fn routines_of_f32_are_as_accurate_as_they_say() {
    let numbers: Vec<f32> = numbers(20_011).collect();
    for op in UnaryOp::ALL {
        judge_unary(*op, &numbers, |values| op.map_in_place(values));
    }
}

/// In two minutes or so, if all cores are free:
/// `cargo test --release -p pullback-exec everywhere -- --ignored --nocapture`.
#[test]
#[ignore = "all 2^32 numbers take minutes: run by hand after a routine has changed"]
fn routines_of_f32_are_as_accurate_as_they_say_everywhere() {
    const BLOCK: u64 = 1 << 18;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let judge_every = |op: UnaryOp, first: u64| {
        let mut worst = (0.0, 0.0);
        for block in (first..(1 << 32) / BLOCK).step_by(threads) {
            let numbers: Vec<f32> =
                (block * BLOCK..(block + 1) * BLOCK).map(|bits| f32::from_bits(bits as u32)).collect();
            // The routine of `f64`, which is judged on its own, stands for the exact value, since it is faster.
            let (off, at) = judge_unary(op, &numbers, |values| {
                let x = values.to_vec();
                match f64::unary_loop(op) {
                    Some(routine) => routine(InstructionSet::detected(), &x, values),
                    None => op.map_in_place(values),
                }
            })?;
            if off > worst.0 {
                worst = (off, numbers[at]);
            }
        }
        Some(worst)
    };
    for op in UnaryOp::ALL {
        let found: Vec<(f64, f32)> = thread::scope(|scope| {
            let workers: Vec<_> =
                (0..threads as u64).map(|first| scope.spawn(move || judge_every(*op, first))).collect();
            workers.into_iter().filter_map(|worker| worker.join().expect("no routine is off")).collect()
        });
        if let Some((off, at)) = found.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
            println!("{:10} {off:.3} ulp at {at:e}", op.name_static());
        }
    }
}

#[test]
fn routines_of_f64_are_as_accurate_as_they_say() {
    let numbers: Vec<f64> = spread(400_000).collect();
    for op in UnaryOp::ALL {
        judge_unary(*op, &numbers, |values| op.map_in_place(values));
    }
}

#[test]
fn routines_of_two_operands_are_as_accurate_as_they_say() {
    fn check<T: Judged>() {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for left in SPECIAL {
            for right in SPECIAL {
                x.push(T::from_f64(left));
                y.push(T::from_f64(right));
            }
        }
        x.extend(spread(300_000).map(T::from_f64));
        // In another order, so that every kind meets every kind.
        y.extend(spread(300_000).skip(5).chain(spread(5)).map(T::from_f64));
        y.truncate(x.len());
        x.truncate(y.len());
        for op in BinaryOp::ALL {
            judge_binary(*op, &x, &y);
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn single_elements_have_the_bits_of_slices() {
    fn check<T: Routines>(numbers: &[T]) {
        let bits = |x: &T| if x.is_nan() { u64::MAX } else { x.to_bits64() };
        let others: Vec<T> = numbers.iter().rev().copied().collect();
        for set in all() {
            for op in UnaryOp::ALL {
                let mut of_slice = vec![T::default(); numbers.len()];
                match T::unary_loop(*op) {
                    Some(routine) => routine(set, numbers, &mut of_slice),
                    None => op.map(numbers, &mut of_slice),
                }
                let function = T::unary_function(set, *op);
                for (x, expected) in numbers.iter().zip(&of_slice) {
                    assert_eq!(bits(&function(*x)), bits(expected), "{op:?}({x:?}), {set:?}");
                }
            }
            for op in BinaryOp::ALL {
                let mut of_slice = vec![T::default(); numbers.len()];
                match T::binary_loop(*op) {
                    Some(routine) => routine(set, numbers, &others, &mut of_slice),
                    None => op.map(numbers, &others, &mut of_slice),
                }
                let function = T::binary_function(set, *op);
                for ((x, y), expected) in numbers.iter().zip(&others).zip(&of_slice) {
                    assert_eq!(bits(&function((*x, *y))), bits(expected), "{op:?}({x:?}, {y:?}), {set:?}");
                }
            }
        }
    }
    let numbers: Vec<f32> = numbers(1_000_003).collect();
    check(&numbers);
    check(&numbers.iter().map(|x| f64::from(*x) * 1.1).collect::<Vec<_>>());
}
