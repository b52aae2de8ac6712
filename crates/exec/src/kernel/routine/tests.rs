//! Routines against the exact values, in units in the last place.

use pullback_graph::op::{BinaryOp, UnaryOp};

use super::Routines;
use crate::kernel::simd::InstructionSet;
use crate::kernel::simd::tests::all;

/// The value of an op at a number, as exactly as `f64` has it.
fn exact(op: UnaryOp, x: f64) -> f64 {
    op.value(x)
}

/// How far `got` is from `exact`, in units in the last place of an `f32`.
fn ulps_f32(got: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if rounded.is_nan() || rounded.is_infinite() || rounded == 0.0 {
        let alike = got == rounded && got.is_sign_negative() == rounded.is_sign_negative();
        // The neighbors of the ends of the range are as near as any others.
        let near = got.to_bits().abs_diff(rounded.to_bits()) <= 1;
        return if alike || near || (got.is_nan() && rounded.is_nan()) { 0.0 } else { f64::INFINITY };
    }
    let unit = f64::from(rounded.abs().next_up()) - f64::from(rounded.abs());
    let unit = if unit.is_finite() { unit } else { f64::from(rounded.abs() - rounded.abs().next_down()) };
    (f64::from(got) - exact).abs() / unit
}

/// The same for `f64`, of which the exact value is known to half a unit or so.
fn ulps_f64(got: f64, exact: f64) -> f64 {
    if !exact.is_finite() || exact == 0.0 {
        let near = got.to_bits().abs_diff(exact.to_bits()) <= 1;
        return if near || (got.is_nan() && exact.is_nan()) { 0.0 } else { f64::INFINITY };
    }
    (got - exact).abs() / (exact.abs().next_up() - exact.abs()).min(exact.abs())
}

/// The routine over these numbers, for every instruction set.
fn run<T: Routines>(op: UnaryOp, x: &[T]) -> Vec<Vec<T>> {
    let each = |set: InstructionSet| {
        let mut out = vec![T::default(); x.len()];
        assert!(T::unary(set, op, x, &mut out));
        out
    };
    all().into_iter().map(each).collect()
}

fn check_f32(op: UnaryOp, numbers: &[f32]) {
    let Some(allowed) = f32::unary_accuracy(op) else { return };
    let found = run(op, numbers);
    for (set, values) in all().into_iter().zip(&found) {
        for (x, got) in numbers.iter().zip(values) {
            let off = ulps_f32(*got, exact(op, f64::from(*x)));
            assert!(off <= allowed, "{op:?}({x:e}) = {got:e} is {off:.2} ulp off, {set:?}");
        }
    }
    for fused in found[1..].windows(2) {
        let same = fused[0].iter().zip(&fused[1]).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan());
        assert!(same, "{op:?}: the bits differ between instruction sets with FMA");
    }
}

/// Every `step`-th number, zeros, infinities and NaN among them.
fn numbers(step: usize) -> impl Iterator<Item = f32> {
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, 1e-45, -1e-45];
    special.into_iter().chain((0..=u32::MAX).step_by(step).map(f32::from_bits))
}

#[test]
fn routines_of_f32_are_as_accurate_as_they_say() {
    let numbers: Vec<f32> = numbers(20_011).collect();
    for op in UnaryOp::ALL {
        check_f32(*op, &numbers);
    }
}

#[test]
#[ignore = "all 2^32 numbers take minutes: run by hand after a routine has changed, with --release"]
fn routines_of_f32_are_as_accurate_as_they_say_everywhere() {
    let mut numbers = numbers(1);
    loop {
        let some: Vec<f32> = numbers.by_ref().take(1 << 22).collect();
        if some.is_empty() {
            return;
        }
        UnaryOp::ALL.iter().for_each(|op| check_f32(*op, &some));
    }
}

#[test]
fn routines_of_f64_are_as_accurate_as_they_say() {
    let special = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, 5e-324, -5e-324, 1e-310];
    let spread =
        (0..200_000_u64).map(|i| f64::from_bits(i.wrapping_mul(0x0000_5E1F_93B1_2D47).wrapping_mul(2)));
    let near = (0..200_000).map(|i| f64::from(i - 100_000) * 3.7e-4);
    let numbers: Vec<f64> = special.into_iter().chain(spread).chain(near).collect();
    for op in UnaryOp::ALL {
        let Some(allowed) = f64::unary_accuracy(*op) else { continue };
        for (set, values) in all().into_iter().zip(run(*op, &numbers)) {
            for (x, got) in numbers.iter().zip(values) {
                // The reference itself is up to half a unit off, the table's compositions more.
                let off = ulps_f64(got, exact(*op, *x));
                assert!(off <= allowed + 1.0, "{op:?}({x:e}) = {got:e} is {off:.2} ulp off, {set:?}");
            }
        }
    }
}

#[test]
fn single_elements_have_the_bits_of_slices() {
    fn check<T: Routines>(numbers: &[T]) {
        let bits = |x: &T| if x.is_nan() { u64::MAX } else { x.to_bits64() };
        for set in all() {
            for op in UnaryOp::ALL {
                let mut of_slice = vec![T::default(); numbers.len()];
                if !T::unary(set, *op, numbers, &mut of_slice) {
                    op.map(numbers, &mut of_slice);
                }
                let function = T::unary_function(set, *op);
                for (x, expected) in numbers.iter().zip(&of_slice) {
                    assert_eq!(bits(&function(*x)), bits(expected), "{op:?}({x:?}), {set:?}");
                }
            }
            for op in BinaryOp::ALL {
                let others: Vec<T> = numbers.iter().rev().copied().collect();
                let mut of_slice = vec![T::default(); numbers.len()];
                if !T::binary(set, *op, numbers, &others, &mut of_slice) {
                    op.map(numbers, &others, &mut of_slice);
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
