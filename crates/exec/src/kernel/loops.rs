//! The loops of elementwise instructions: one pass over slices, compiled for every instruction set.
//!
//! What is computed per element stands in the op tables of the graph crate; nothing here names an elementwise op.

use std::hint::select_unpredictable;

use pullback_graph::Element;
use pullback_graph::op::{BinaryOp, Clamp, CompareOp, LogicOp, Real, UnaryOp};

use crate::kernel::simd::Loop;

/// Declares a [`Loop`] over its arguments.
macro_rules! vector_loop {
    ($(#[doc = $doc:literal])* $Loop:ident<$($T:ident: $($bound:path),+);*>($($field:ident: $ty:ty),*) $body:block) => {
        $(#[doc = $doc])*
        pub(crate) struct $Loop<'a, $($T),*> {
            $(pub(crate) $field: $ty,)*
        }

        impl<'a, $($T: $($bound +)+),*> Loop for $Loop<'a, $($T),*> {
            type Output = ();

            #[inline(always)]
            fn run<const FMA: bool>(self) {
                let $Loop { $($field),* } = self;
                $body
            }
        }
    };
}

vector_loop! {
    /// A row of the unary table, as it stands there.
    Unary<T: Real>(op: UnaryOp, x: &'a [T], out: &'a mut [T]) { op.map(x, out) }
}

vector_loop! {
    /// A row of the binary table, as it stands there.
    Binary<T: Real>(op: BinaryOp, x: &'a [T], y: &'a [T], out: &'a mut [T]) { op.map(x, y, out) }
}

vector_loop! {
    /// A row of the comparison table.
    Compare<T: Element>(op: CompareOp, x: &'a [T], y: &'a [T], out: &'a mut [bool]) { op.map(x, y, out) }
}

vector_loop! {
    /// Limits to bounds.
    Limit<T: Real>(op: &'a Clamp, x: &'a [T], out: &'a mut [T]) {
        let (low, high) = op.bounds::<T>();
        for (out, x) in out.iter_mut().zip(x) {
            *out = x.larger(low).smaller(high);
        }
    }
}

vector_loop! {
    /// `x` where the condition holds, else `y`.
    Choose<T: Element>(condition: &'a [bool], x: &'a [T], y: &'a [T], out: &'a mut [T]) {
        for (((out, condition), x), y) in out.iter_mut().zip(condition).zip(x).zip(y) {
            // Both are read whatever the condition: a choice of what to read would become a branch for each element.
            *out = select_unpredictable(*condition, *x, *y);
        }
    }
}

vector_loop! {
    /// Converts as `Tensor::cast` does.
    Convert<From: Element; To: Element>(x: &'a [From], out: &'a mut [To]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = x.convert();
        }
    }
}

/// A row of the logic table. Bytes are fast enough in the baseline.
pub(crate) fn logic(op: LogicOp, x: &[bool], y: &[bool], out: &mut [bool]) {
    op.map(x, y, out);
}

/// A row of the unary table, for whole numbers.
pub(crate) fn unary_int(op: UnaryOp, x: &[i64], out: &mut [i64]) -> Result<(), String> {
    let value = op.int().ok_or("the element type has no such function")?;
    out.iter_mut().zip(x).for_each(|(out, x)| *out = value(*x));
    Ok(())
}

/// A row of the binary table, for whole numbers.
#[inline(always)]
pub(crate) fn binary_int(op: BinaryOp, x: &[i64], y: &[i64], out: &mut [i64]) -> Result<(), String> {
    op.map_int(x, y, out).ok_or_else(|| match op.int() {
        Some(_) => "a whole number was divided by zero".into(),
        None => "the element type has no such function".into(),
    })
}

#[cfg(test)]
mod tests {
    use pullback_graph::op::Real;

    use super::*;
    use crate::kernel::simd::tests::all;
    use crate::kernel::simd::{InstructionSet, run_as};

    /// Ordinary numbers, and every kind of special one next to each other.
    fn numbers<T: Real>(shift: usize) -> Vec<T> {
        let special =
            [0.0, -0.0, 1.0, -1.0, 0.5, 1e-40, -1e-310, 3e38, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let number = |i: usize| match (i + shift) % 5 {
            0 => special[(i / 5 + shift) % special.len()],
            _ => ((i * 7919 + shift * 31) % 6007) as f64 / 1000.0 - 3.0,
        };
        (0..611).map(|i| T::from_f64(number(i))).collect()
    }

    /// The bits of every element; all NaN count as one, since operands may be swapped.
    fn bits<T: Real>(values: &[T]) -> Vec<u64> {
        values.iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits64() }).collect()
    }

    fn check<T: Real>() {
        let (x, y) = (numbers::<T>(0), numbers::<T>(3));
        let unary = |set, op| {
            let mut out = vec![T::default(); x.len()];
            run_as(set, Unary { op, x: &x, out: &mut out });
            bits(&out)
        };
        let binary = |set, op| {
            let mut out = vec![T::default(); x.len()];
            run_as(set, Binary { op, x: &x, y: &y, out: &mut out });
            bits(&out)
        };
        let compare = |set, op| {
            let mut out = vec![false; x.len()];
            run_as(set, Compare { op, x: &x, y: &y, out: &mut out });
            out
        };
        let clamp = |set| {
            let mut out = vec![T::default(); x.len()];
            run_as(set, Limit { op: &Clamp::new(-1.0, 0.5), x: &x, out: &mut out });
            bits(&out)
        };
        for set in all() {
            for op in UnaryOp::ALL {
                assert_eq!(unary(set, *op), unary(InstructionSet::Baseline, *op), "{op:?}, {set:?}");
                let one_by_one: Vec<T> = x.iter().map(|x| op.value(*x)).collect();
                assert_eq!(unary(set, *op), bits(&one_by_one), "{op:?}, {set:?}");
            }
            for op in BinaryOp::ALL {
                assert_eq!(binary(set, *op), binary(InstructionSet::Baseline, *op), "{op:?}, {set:?}");
                let one_by_one: Vec<T> = x.iter().zip(&y).map(|(x, y)| op.value(*x, *y)).collect();
                assert_eq!(binary(set, *op), bits(&one_by_one), "{op:?}, {set:?}");
            }
            for op in CompareOp::ALL {
                assert_eq!(compare(set, *op), compare(InstructionSet::Baseline, *op), "{op:?}, {set:?}");
            }
            assert_eq!(clamp(set), clamp(InstructionSet::Baseline), "{set:?}");
        }
    }

    #[test]
    fn every_instruction_set_gives_the_bits_of_one_element_at_a_time() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn whole_numbers_that_cannot_be_divided_are_errors() {
        let mut out = [0; 2];
        assert_eq!(binary_int(BinaryOp::Div, &[7, -7], &[2, 2], &mut out), Ok(()));
        assert_eq!(out, [3, -3]);
        assert!(binary_int(BinaryOp::Div, &[7, 7], &[2, 0], &mut out).is_err());
        assert!(unary_int(UnaryOp::Exp, &[1, 2], &mut out).is_err());
    }
}
