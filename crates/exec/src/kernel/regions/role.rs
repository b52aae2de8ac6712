//! How a node takes part in fusion.

use pullback_graph::op::ReduceKind;
use pullback_graph::{DType, Graph, NodeId, Op};

use crate::kernel::conv::Weights;
use crate::kernel::movement::rearrange;
use crate::kernel::reductions::columns::Columns;

/// The longest rows that are gone through in one kernel: a few of them fit the second-level cache.
const LONGEST_ROW: usize = 8192;

/// Neighbors in each run of a part that is read where it is: to find shorter ones takes each reader longer than to read a copy.
const RUN: usize = 128;

/// How a node takes part in fusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Computed element by element: an instruction of a program.
    Elementwise,
    /// Combines so many neighbours into one number: an instruction of a program.
    Rows(usize),
    /// Combines the rows that its operand consists of: an instruction of a program, in which nothing can read it.
    Columns(Columns),
    /// Its operand's bytes under another type.
    Alias,
    /// One number everywhere.
    Literal,
    /// Repeats each element of its operand so many times, side by side.
    Spread(usize),
    /// Repeats its operand in another way.
    Broadcast,
    /// Runs of its operand's elements: a program reads them where they are.
    Part,
    /// Its operand's axes in another order.
    Permute,
    /// A product that takes its operands by strides.
    Dot,
    /// Writes to places of its first operand, which may be a number everywhere.
    Scatter,
    /// Windows of its operand, which a product can read matrix by matrix.
    Windows,
    /// Overlapping windows added up, or a product with windows summed over its stack: the product may be computed on the way.
    Overlap,
    /// None of these.
    Other,
}

impl Role {
    /// Whether a node of this role can be the root of a program.
    pub(crate) fn is_computed(self) -> bool {
        matches!(self, Role::Elementwise | Role::Rows(_) | Role::Columns(_))
    }
}

/// The number of elements of a bound node.
pub(crate) fn numel(graph: &Graph, node: NodeId) -> usize {
    graph.ty(node).shape.numel().known().expect("a graph is bound before it is lowered")
}

/// How `node` takes part in fusion.
pub(crate) fn role(graph: &Graph, node: NodeId) -> Role {
    let operand = |at: usize| graph.node(node).operands[at];
    match &graph.node(node).op {
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Logic(_)
        | Op::Select(_)
        | Op::Clamp(_)
        | Op::Polygamma(_) => Role::Elementwise,
        Op::Cast(op) if op.dtype == graph.ty(operand(0)).dtype => Role::Alias,
        Op::Cast(_) => Role::Elementwise,
        Op::Reshape(_) | Op::StopGradient(_) => Role::Alias,
        Op::Literal(_) => Role::Literal,
        Op::Broadcast(_) if numel(graph, node) == numel(graph, operand(0)) => Role::Alias,
        Op::Broadcast(_) => match rearrange::view(graph, node).and_then(|view| view.spread()) {
            Some((rows, columns)) if is_row(rows, columns) => Role::Spread(columns),
            _ => Role::Broadcast,
        },
        Op::Reduce(op) if matches!(op.kind, ReduceKind::Sum | ReduceKind::Max | ReduceKind::Min) => {
            match row_length(graph, node, |axis| op.axes.contains(axis)) {
                Some(columns) => Role::Rows(columns),
                None if Weights::of(graph, node).is_some() => Role::Overlap,
                None => Columns::of(graph, node).map_or(Role::Other, Role::Columns),
            }
        }
        Op::Permute(_) if rearrange::view(graph, node).is_some_and(|view| view.is_dense()) => Role::Alias,
        Op::Permute(_) => Role::Permute,
        Op::Slice(_) if rearrange::view(graph, node).is_some_and(|view| view.run() >= RUN) => Role::Part,
        Op::DotGeneral(_) => Role::Dot,
        Op::Scatter(_) | Op::ScatterAlong(_) => Role::Scatter,
        Op::Unfold(_) => Role::Windows,
        Op::Fold(_) => Role::Overlap,
        _ => Role::Other,
    }
}

/// Whether so many rows of so many elements are worth being gone through row by row.
fn is_row(rows: usize, columns: usize) -> bool {
    rows > 1 && (2..=LONGEST_ROW).contains(&columns)
}

/// How many neighbours of its operand each element of a reduction combines, if they are neighbours.
fn row_length(graph: &Graph, node: NodeId, is_reduced: impl Fn(usize) -> bool) -> Option<usize> {
    let operand = graph.node(node).operands[0];
    if graph.ty(operand).dtype == DType::Bool {
        return None;
    }
    let sizes = rearrange::sizes(graph, operand);
    let kept =
        (0..sizes.len()).rposition(|axis| !is_reduced(axis) && sizes[axis] != 1).map_or(0, |axis| axis + 1);
    let last = (0..kept).all(|axis| !is_reduced(axis) || sizes[axis] == 1);
    let columns = sizes[kept..].iter().product();
    let rows = numel(graph, node);
    (last && is_row(rows, columns) && rows * columns == numel(graph, operand)).then_some(columns)
}
