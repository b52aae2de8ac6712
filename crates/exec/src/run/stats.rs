//! What is read off a value that a step has written: statistics, and the first element that is not finite.

use pullback_graph::{Element, NodeStats, dispatch};

use crate::kernel::Slice;

/// The statistics of these elements, in one pass.
pub(crate) fn stats_of(elements: Slice<'_>) -> NodeStats {
    let bytes = (elements.len() * elements.dtype().bytes()) as u64;
    let stats = dispatch!(elements.dtype(), T => {
        NodeStats::of_values(elements.typed::<T>().iter().map(|value| value.to_f64()))
    });
    NodeStats { bytes, ..stats }
}

/// The first element that is NaN or infinite, in words.
pub(crate) fn first_non_finite(elements: Slice<'_>) -> Option<String> {
    let describe = |at: usize, value: f64| {
        let what = if value.is_nan() { "NaN" } else { "an infinite value" };
        format!("{what} (element {at} of {})", elements.len())
    };
    match elements {
        Slice::F32(values) => {
            values.iter().position(|v| !v.is_finite()).map(|at| describe(at, f64::from(values[at])))
        }
        Slice::F64(values) => values.iter().position(|v| !v.is_finite()).map(|at| describe(at, values[at])),
        Slice::I64(_) | Slice::Bool(_) => None,
    }
}
