//! What the rows of the elementwise tables share: how a row becomes loops over slices and checks of its operands.

use crate::error::Violation;
use crate::shape::TensorType;

/// C1 of every op: the number of operands.
pub(crate) fn expect_operands(operands: &[&TensorType], count: usize) -> Result<(), Violation> {
    if operands.len() == count {
        return Ok(());
    }
    Err(Violation::new("C1", format!("takes {count} operands, got {}", operands.len())))
}

/// C2 of elementwise ops: all operands have one shape. The IR never broadcasts.
pub(crate) fn expect_one_shape(operands: &[&TensorType]) -> Result<(), Violation> {
    match operands.iter().find(|operand| operand.shape != operands[0].shape) {
        None => Ok(()),
        Some(other) => Err(Violation::new("C2", format!("shapes differ: {} and {}", operands[0], other))
            .help("only `Expr` methods broadcast; an op takes operands of one shape")),
    }
}

/// C3 of ops over two operands: both have one element type.
pub(crate) fn expect_one_dtype(operands: &[&TensorType]) -> Result<(), Violation> {
    match operands.iter().find(|operand| operand.dtype != operands[0].dtype) {
        None => Ok(()),
        Some(other) => {
            Err(Violation::new("C3", format!("element types differ: {} and {}", operands[0], other))
                .help("convert one side with `cast`"))
        }
    }
}
