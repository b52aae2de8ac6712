//! Moves movement to where it costs nothing: into literals, into the axis lists of contractions and reductions, into the
//! ranks that are sorted for, and into one another. A transpose that only feeds a matrix product is never carried out.

mod contraction;
mod parts;
mod repeat;

use crate::pass::Pass;

pub(crate) static PASS: Pass = Pass {
    name: "push_movement",
    description: "moves transposes, broadcasts and slices into literals, contractions, sorting and each other",
    rules: rules! {
        repeat {
            movement_of_literal,
            broadcast_without_repeat,
            broadcast_of_unit_axes,
            permute_of_unit_axes,
            permute_of_broadcast,
        }
        parts {
            slice_of_concat,
            slice_of_pad,
            slice_of_argsort,
        }
        contraction {
            dot_of_permute,
            permute_of_dot,
            reduce_of_permute,
        }
    },
};
