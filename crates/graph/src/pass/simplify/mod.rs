//! Replaces nodes by operands that are the same to the bit.
//!
//! What is not here is not exact: `x + 0` is `x` but for -0, `x · 0` but for infinities, `x - x` but for NaN, and sums in
//! another order round otherwise.

mod arithmetic;
mod choice;
mod layout;

use crate::pass::Pass;

pub(crate) static PASS: Pass = Pass {
    name: "simplify",
    description: "removes what changes nothing: x * 1, --x, select(true, x, y), a transpose of a transpose",
    rules: rules! {
        arithmetic {
            mul_by_one,
            mul_by_minus_one,
            div_by_one,
            sub_zero,
            add_minus_zero,
            add_negated,
            sub_negated,
            negate_twice,
            apply_twice,
            abs_of_negated,
            extreme_of_itself,
            pow_zero,
            pow_one,
        }
        choice {
            select_literal,
            select_same,
            select_negated,
            neutral_truth,
            deciding_truth,
            truth_with_itself,
            not_not,
            cast_to_same,
            cast_back,
            stop_gradient,
        }
        layout {
            broadcast_nothing,
            broadcast_twice,
            reshape_nothing,
            reshape_twice,
            permute_nothing,
            permute_twice,
            slice_whole,
            slice_twice,
            pad_nothing,
            reverse_unit_axes,
            reverse_twice,
            concat_one,
            reduce_unit_axes,
        }
    },
};
