//! The loops of elementwise instructions: one pass over slices, compiled for every instruction set.
//!
//! What is computed per element stands in the op tables of the graph crate; nothing here names an elementwise op.

use pullback_graph::Element;
use pullback_graph::op::{BinaryOp, Clamp, CompareOp, LogicOp, Real, UnaryOp};

use crate::kernel::simd::{self, Loop};

/// Declares a [`Loop`] over its arguments and the function that runs it for this processor's instruction set.
macro_rules! vector_loop {
    ($(#[doc = $doc:literal])* $name:ident, $Loop:ident<$($T:ident: $($bound:path),+);*>($($field:ident: $ty:ty),*) $body:block) => {
        struct $Loop<'a, $($T),*> {
            $($field: $ty,)*
            // Not every loop has a field of every lifetime and type.
            marker: std::marker::PhantomData<&'a ($($T,)*)>,
        }

        impl<'a, $($T: $($bound +)+),*> Loop for $Loop<'a, $($T),*> {
            type Output = ();

            #[inline(always)]
            fn run(self) {
                let $Loop { $($field,)* marker: _ } = self;
                $body
            }
        }

        $(#[doc = $doc])*
        pub(crate) fn $name<'a, $($T: $($bound +)+),*>($($field: $ty),*) {
            simd::run($Loop { $($field,)* marker: std::marker::PhantomData::<&'a ($($T,)*)> });
        }
    };
}

vector_loop! {
    /// A row of the unary table.
    unary, Unary<T: Real>(op: UnaryOp, x: &'a [T], out: &'a mut [T]) { op.map(x, out) }
}

vector_loop! {
    /// A row of the binary table.
    binary, Binary<T: Real>(op: BinaryOp, x: &'a [T], y: &'a [T], out: &'a mut [T]) { op.map(x, y, out) }
}

vector_loop! {
    /// A row of the comparison table.
    compare, Compare<T: Element>(op: CompareOp, x: &'a [T], y: &'a [T], out: &'a mut [bool]) { op.map(x, y, out) }
}

vector_loop! {
    /// Limits to bounds.
    clamp, Limit<T: Real>(op: &'a Clamp, x: &'a [T], out: &'a mut [T]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = op.value(*x);
        }
    }
}

vector_loop! {
    /// `x` where the condition holds, else `y`.
    select, Choose<T: Element>(condition: &'a [bool], x: &'a [T], y: &'a [T], out: &'a mut [T]) {
        for (((out, condition), x), y) in out.iter_mut().zip(condition).zip(x).zip(y) {
            *out = if *condition { *x } else { *y };
        }
    }
}

vector_loop! {
    /// Converts as `Tensor::cast` does.
    cast, Convert<From: Element; To: Element>(x: &'a [From], out: &'a mut [To]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = To::from_f64(x.to_f64());
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
pub(crate) fn binary_int(op: BinaryOp, x: &[i64], y: &[i64], out: &mut [i64]) -> Result<(), String> {
    let value = op.int().ok_or("the element type has no such function")?;
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = value(*x, *y).ok_or("a whole number was divided by zero")?;
    }
    Ok(())
}
