#![doc = include_str!("../README.md")]

mod error;

pub use error::Error;
pub use pullback_autodiff::{checkpoint, grad, hessian, hvp, jacobian, jacobian_forward, jvp, vjp, vmap};
pub use pullback_exec::Session;
pub use pullback_graph::{
    Builder, DType, Dim, Expr, Graph, KinkPolicy, Shape, Tensor, custom_vjp, einsum, interpret, sym,
};

/// Typed tensor-op graphs: ops and their rules, builder, einsum, interpreter, passes, text and files.
pub use pullback_graph as graph;

/// Gradients as graph-to-graph transforms, and the gradient checker.
pub use pullback_autodiff as autodiff;

/// Plans, kernels, and the work-stealing run.
pub use pullback_exec as exec;

/// Layers, losses and optimizers that build graphs.
pub use pullback_nn as nn;

/// Data, `fit`/`evaluate`/`predict`, checkpoints and progress.
pub use pullback_train as train;

/// The code in `docs/` is compiled and run as doctests.
#[cfg(doctest)]
mod docs {
    #[doc = include_str!("../docs/building-a-graph.md")]
    struct BuildingAGraph;
    #[doc = include_str!("../docs/gradients.md")]
    struct Gradients;
    #[doc = include_str!("../docs/training-by-hand.md")]
    struct TrainingByHand;
    #[doc = include_str!("../docs/execution.md")]
    struct Execution;
    #[doc = include_str!("../docs/adding-an-op.md")]
    struct AddingAnOp;
}
