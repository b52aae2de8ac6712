//! Rows of tensors: cut out, gathered and put together.

use std::ops::Range;

use pullback_graph::{Tensor, dispatch};

/// The rows in `rows`, which exist.
pub(crate) fn slice(tensor: &Tensor, rows: Range<usize>) -> Tensor {
    let (sizes, width) = (with_rows(tensor, rows.len()), row_len(tensor));
    dispatch!(tensor.dtype(), T => {
        let values = tensor.values::<T>()[rows.start * width..rows.end * width].to_vec();
        Tensor::new(&sizes, values).expect("as many values as rows times their length")
    })
}

/// The rows in `rows`, which exist, in that order.
pub(crate) fn gather(tensor: &Tensor, rows: &[usize]) -> Tensor {
    let (sizes, width) = (with_rows(tensor, rows.len()), row_len(tensor));
    dispatch!(tensor.dtype(), T => {
        let from = tensor.values::<T>();
        let mut values = Vec::with_capacity(rows.len() * width);
        for row in rows {
            values.extend_from_slice(&from[row * width..(row + 1) * width]);
        }
        Tensor::new(&sizes, values).expect("as many values as rows times their length")
    })
}

/// All rows of `parts`, of which there is at least one and which differ in their number of rows alone.
pub(crate) fn concatenate(parts: &[Tensor]) -> Tensor {
    let rows = parts.iter().map(|part| part.sizes()[0]).sum();
    let sizes = with_rows(&parts[0], rows);
    dispatch!(parts[0].dtype(), T => {
        let mut values = Vec::with_capacity(sizes.iter().product());
        for part in parts {
            values.extend_from_slice(part.values::<T>());
        }
        Tensor::new(&sizes, values).expect("as many values as all parts have")
    })
}

/// The number of elements of one row.
fn row_len(tensor: &Tensor) -> usize {
    tensor.sizes()[1..].iter().product()
}

/// The sizes of `tensor` with `rows` rows.
fn with_rows(tensor: &Tensor, rows: usize) -> Vec<usize> {
    let mut sizes = tensor.sizes().to_vec();
    sizes[0] = rows;
    sizes
}
