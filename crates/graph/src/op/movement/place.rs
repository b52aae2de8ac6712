//! What movement ops share: evaluating by an ndarray expression, and lists of dimensions.

use crate::dim::{Bindings, Dim};

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
