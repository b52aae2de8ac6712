//! What a value looks like: the numbers by which one sees that a gradient has died or exploded.

use pullback_graph::{Element, dispatch};

use crate::kernel::Slice;

/// Statistics of a node's value.
///
/// Minimum, maximum, mean, deviation and norm are over the elements that are numbers, infinite ones included; they are NaN
/// when there are none. Truth values count as 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeStats {
    /// The smallest element.
    pub min: f64,
    /// The largest element.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub std: f64,
    /// The root of the sum of squares.
    pub norm: f64,
    /// The share of elements that are zero.
    pub zeros: f64,
    /// The number of NaNs.
    pub nans: usize,
    /// The number of infinite elements.
    pub infinities: usize,
    /// The number of elements.
    pub len: usize,
    /// The size of the value.
    pub bytes: usize,
    /// The time its step took on one thread, in ns; 0 for what is not computed.
    pub time: u64,
}

impl NodeStats {
    /// The statistics of these elements, in one pass.
    pub(crate) fn of(elements: Slice<'_>) -> NodeStats {
        let bytes = elements.len() * elements.dtype().bytes();
        dispatch!(elements.dtype(), T => of_numbers(elements.typed::<T>(), bytes))
    }
}

fn of_numbers<T: Element>(elements: &[T], bytes: usize) -> NodeStats {
    let (mut min, mut max) = (f64::NAN, f64::NAN);
    let (mut count, mut zeros, mut nans, mut infinities) = (0_usize, 0_usize, 0, 0);
    // Welford's update: the mean and the squared distance from it, without cancellation.
    let (mut mean, mut distance, mut squares) = (0.0, 0.0, 0.0);
    for element in elements {
        let value = element.to_f64();
        if value.is_nan() {
            nans += 1;
            continue;
        }
        count += 1;
        zeros += usize::from(value == 0.0);
        infinities += usize::from(value.is_infinite());
        min = value.min(min);
        max = value.max(max);
        let delta = value - mean;
        mean += delta / count as f64;
        distance += delta * (value - mean);
        squares += value * value;
    }
    let of_count = |sum: f64| if count == 0 { f64::NAN } else { sum / count as f64 };
    NodeStats {
        min,
        max,
        mean: if count == 0 { f64::NAN } else { mean },
        std: of_count(distance).sqrt(),
        norm: if count == 0 { f64::NAN } else { squares.sqrt() },
        zeros: if elements.is_empty() { 0.0 } else { zeros as f64 / elements.len() as f64 },
        nans,
        infinities,
        len: elements.len(),
        bytes,
        time: 0,
    }
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
