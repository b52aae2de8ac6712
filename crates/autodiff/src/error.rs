//! What can be wrong with a request for gradients.

use pullback_graph::{BatchError, Expr, NodeId, Source, TensorType, place};

/// Why there is no gradient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GradError {
    /// The loss is not a scalar, and no cotangent was given.
    #[error(
        "{node} is {ty}, and only a scalar has a gradient\
         \n  = help: reduce it with `sum` or `mean`, or give its cotangent to `vjp`{}",
        place(.at)
    )]
    NotScalar {
        /// The node differentiated.
        node: NodeId,
        /// Its type.
        ty: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
    /// Derivatives are asked of or by something that is not a floating-point tensor.
    #[error("{node} is {ty}; only f32 and f64 have derivatives{}", place(.at))]
    NotDifferentiable {
        /// The node.
        node: NodeId,
        /// Its type.
        ty: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
    /// What is given belongs to several builders.
    #[error("{node} ({ty}) belongs to another builder than the node differentiated{}", place(.at))]
    Foreign {
        /// The node, in its own builder.
        node: NodeId,
        /// Its type.
        ty: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
    /// No path leads from the variable to the loss.
    #[error(
        "{loss} does not depend on {variable}{}, so its gradient is disconnected, not zero\
         \n  = help: leave it out, or ask for zeros: \
         `gradients(loss, &variables, &GradOptions::default().disconnected(Disconnected::Zeros))`{}",
        label.as_ref().map(|label| format!(" \"{label}\"")).unwrap_or_default(),
        place(.at)
    )]
    Disconnected {
        /// The node differentiated.
        loss: NodeId,
        /// The variable.
        variable: NodeId,
        /// Its name.
        label: Option<String>,
        /// The line that made the variable.
        at: Option<Source>,
    },
    /// An op on the path has no rule for its derivative.
    #[error("{node}: {op} has no derivative here: {reason}{}", place(.at))]
    Unsupported {
        /// The node.
        node: NodeId,
        /// Its op.
        op: String,
        /// Why, in the op's words.
        reason: &'static str,
        /// The user's line.
        at: Option<Source>,
    },
    /// A rule answered with something other than one cotangent of the operand's type per operand.
    #[error("{node}: the pullback of {op} is wrong: {message}{}", place(.at))]
    Rule {
        /// The node.
        node: NodeId,
        /// Its op.
        op: String,
        /// What was expected and what came.
        message: String,
        /// The user's line.
        at: Option<Source>,
    },
    /// A cotangent or tangent does not have the type of what it belongs to.
    #[error("the {what} of {node} is {got}, expected {expected}{}", place(.at))]
    Seed {
        /// "cotangent" or "tangent".
        what: &'static str,
        /// The node it belongs to.
        node: NodeId,
        /// The node's type.
        expected: TensorType,
        /// The type given.
        got: TensorType,
        /// The user's line.
        at: Option<Source>,
    },
    /// Something cannot be mapped over a leading axis.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

impl GradError {
    pub(crate) fn not_differentiable(expr: Expr<'_>) -> GradError {
        GradError::NotDifferentiable { node: expr.id(), ty: expr.ty(), at: expr.source() }
    }
}

/// Checks that a cotangent or tangent has the type of what it belongs to.
pub(crate) fn expect_type(what: &'static str, of: Expr<'_>, given: Expr<'_>) -> Result<(), GradError> {
    let (expected, got) = (of.ty(), given.ty());
    match expected == got {
        true => Ok(()),
        false => Err(GradError::Seed { what, node: of.id(), expected, got, at: of.source() }),
    }
}
