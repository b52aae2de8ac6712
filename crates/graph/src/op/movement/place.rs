//! What movement ops share: evaluating by an ndarray expression, lists of dimensions, and a leading axis more.

use crate::dim::{Bindings, Dim};
use crate::shape::AxisList;

/// Evaluates by an ndarray expression over the operand's array.
macro_rules! rearrange {
    ($operand:expr, |$array:ident| $body:expr) => {
        $crate::dispatch!($operand.dtype(), T => {
            let $array: ndarray::ArrayViewD<'_, T> = $operand.view::<T>();
            $crate::Tensor::from_array::<T>($body)
        })
    };
}

pub(super) use rearrange;

/// Each dimension with sizes put in; the first that has none.
pub(super) fn bind_all(dims: &[Dim], bindings: &Bindings) -> Result<Vec<Dim>, Dim> {
    dims.iter().map(|dim| dim.bind(bindings).ok_or_else(|| dim.clone())).collect()
}

/// The sizes of dimensions that a bound graph has made known.
pub(super) fn sizes_of(dims: &[Dim]) -> Result<Vec<usize>, String> {
    dims.iter().map(|dim| dim.known().ok_or_else(|| format!("the size of {dim} is not known"))).collect()
}

/// What is said of each axis, when there is a leading axis more of which `first` is said.
pub(super) fn after<T: Clone>(first: T, rest: &[T]) -> Vec<T> {
    std::iter::once(first).chain(rest.iter().cloned()).collect()
}

/// A list that begins with the leading axis and goes on with these axes, which stand behind it.
pub(super) fn shifted(axes: &AxisList) -> AxisList {
    std::iter::once(0).chain(axes.iter().map(|axis| axis + 1)).collect()
}
