//! What a mask of compared positions, such as that of causal attention, says of matrices: which of their elements nobody
//! reads, and which are the same all along a row.
//!
//! A mask that compares the positions of rows and columns, the last two axes, holds for the columns `c ≤ r + shift` of row `r`
//! alone, or for all others alone. The others are *outside*. What is chosen by such a mask follows there from the other choice,
//! whatever the first one is; and so on through elementwise ops. The shifts that functions here give are the least for which
//! their statement was found to be true, [`EVERYWHERE`] if it is true of all columns.
//!
//! Every search visits a bounded number of nodes, and knows no more of what is behind them.

use std::collections::BTreeSet;

use crate::dtype::DType;
use crate::graph::Graph;
use crate::id::NodeId;
use crate::op::{BinaryOp, CompareOp, LogicOp, Op, OpClass, OpRules, UnaryOp};
use crate::shape::Sizes;

/// Where nothing is known to be outside.
const NOWHERE: i64 = i64::MAX;

/// A shift by which all columns are outside.
pub const EVERYWHERE: i64 = i64::MIN;

/// Nodes that a search visits at most.
const VISITS: usize = 256;

/// The axes of a node along which rows and columns are counted; `None` where it is the same for all of them.
type Axes = [Option<usize>; 2];

/// From which shift on every row of the matrices that `node` consists of is the same number all along its outside; `None` if
/// none is known. The sizes of the graph must be.
///
/// ```
/// use pullback_graph::{Builder, DType::F32, mask};
///
/// let b = Builder::new();
/// let x = b.input("x", F32, [8, 8]);
/// let causal = x.iota_like(0).ge(x.iota_like(1));
/// let y = causal.select(x, 0.0).exp();
/// let graph = b.finish([("y", y)])?;
/// assert_eq!(mask::alike(&graph, y.id()), Some(0), "exp(0), behind the diagonal");
/// assert_eq!(mask::alike(&graph, x.id()), None);
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
///
/// # Panics
/// When a size is not known.
///
/// # Complexity
/// `O(1)`: at most a few hundred nodes are visited.
#[must_use]
pub fn alike(graph: &Graph, node: NodeId) -> Option<i64> {
    let axes = last_axes(graph, node)?;
    Some(Search { graph, finite: None, visits: 0 }.alike(node, axes)).filter(|shift| *shift != NOWHERE)
}

/// From which shift on the matrices that `node` consists of are zero all over their outside, if the node `finite` is finite
/// there; `None` if that is not known.
///
/// # Panics
/// As [`alike`].
///
/// # Complexity
/// As [`alike`].
#[must_use]
pub fn zero(graph: &Graph, node: NodeId, finite: Option<NodeId>) -> Option<i64> {
    let axes = last_axes(graph, node)?;
    Some(Search { graph, finite, visits: 0 }.zero(node, axes)).filter(|shift| *shift != NOWHERE)
}

/// Which elements of a value change nothing that is read: those outside, from a certain shift on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// That shift.
    pub shift: i64,
    /// Whether it takes the elements to be finite, for they are multiplied by zero.
    pub finite: bool,
}

/// Which elements of the matrices of `node` change nothing that is read, given who reads each node; what `keep` holds for is
/// read as a whole. `None` if none are known.
///
/// # Panics
/// As [`alike`].
///
/// # Complexity
/// As [`alike`].
pub fn unread<'r>(
    graph: &Graph,
    node: NodeId,
    readers: impl Fn(NodeId) -> &'r [NodeId],
    keep: impl Fn(NodeId) -> bool,
) -> Option<Unread> {
    let axes = last_axes(graph, node)?;
    let (first, shape) = (node, &graph.ty(node).shape);
    let mut search = Search { graph, finite: None, visits: 0 };
    let mut unread = Unread { shift: EVERYWHERE, finite: false };
    // What follows from the node outside, and is itself not to be read there; and who reads that.
    let mut follow = vec![first];
    let mut waiting: BTreeSet<NodeId> = readers(first).iter().copied().collect();
    if keep(first) {
        return None;
    }
    while let Some(node) = waiting.pop_first() {
        let operands = &graph.node(node).operands;
        if search.is_over() || !is_elementwise(graph, node) || graph.ty(node).shape != *shape {
            return None;
        }
        let follows = |at: usize| follow.contains(&operands[at]);
        let is_alone = (0..operands.len()).filter(|at| follows(*at)).count() == 1;
        let hidden = match &graph.node(node).op {
            Op::Select(_) if is_alone && !follows(0) => {
                let known = search.known(operands[0], axes);
                known.filter(|(_, holds)| follows(if *holds { 2 } else { 1 })).map(|(shift, _)| shift)
            }
            Op::Binary(BinaryOp::Mul) if is_alone && operands.contains(&first) => {
                let zero = search.zero(operands[usize::from(follows(0))], axes);
                unread.finite |= zero != NOWHERE;
                (zero != NOWHERE).then_some(zero)
            }
            _ => None,
        };
        match hidden {
            Some(shift) => unread.shift = unread.shift.max(shift),
            None if keep(node) => return None,
            None => {
                follow.push(node);
                waiting.extend(readers(node));
            }
        }
    }
    (unread.shift != EVERYWHERE).then_some(unread)
}

fn is_elementwise(graph: &Graph, node: NodeId) -> bool {
    graph.node(node).op.class() == OpClass::Elementwise
}

fn sizes(graph: &Graph, node: NodeId) -> Sizes {
    graph.ty(node).shape.known().expect("the sizes of a graph are known")
}

/// The last two axes.
fn last_axes(graph: &Graph, node: NodeId) -> Option<Axes> {
    let rank = graph.ty(node).rank();
    (rank >= 2).then(|| [Some(rank - 2), Some(rank - 1)])
}

/// `row · r + column · c + offset`.
#[derive(Clone, Copy, Debug)]
struct Linear {
    row: i64,
    column: i64,
    offset: i64,
}

struct Search<'a> {
    graph: &'a Graph,
    /// A node that is taken to be finite.
    finite: Option<NodeId>,
    visits: usize,
}

impl Search<'_> {
    /// Counts a visit; whether it was one too many.
    fn is_over(&mut self) -> bool {
        self.visits += 1;
        self.visits > VISITS
    }

    fn operand(&self, node: NodeId, at: usize) -> NodeId {
        self.graph.node(node).operands[at]
    }

    /// Whether sums of this type are exact.
    fn is_whole(&self, node: NodeId) -> bool {
        self.graph.ty(node).dtype == DType::I64
    }

    /// See [`alike`].
    fn alike(&mut self, node: NodeId, axes: Axes) -> i64 {
        if axes[1].is_none() {
            return EVERYWHERE;
        }
        if self.is_over() {
            return NOWHERE;
        }
        if let Some((shift, _)) = self.known(node, axes) {
            return shift;
        }
        match &self.graph.node(node).op {
            Op::Literal(_) => EVERYWHERE,
            Op::Select(_) => match self.known(self.operand(node, 0), axes) {
                Some((shift, holds)) => {
                    let chosen = self.operand(node, if holds { 1 } else { 2 });
                    shift.max(self.alike(chosen, axes))
                }
                None => self.all_alike(node, axes),
            },
            _ if is_elementwise(self.graph, node) => self.all_alike(node, axes),
            _ => match self.moved(node, axes) {
                Some((operand, axes)) => self.alike(operand, axes),
                None => NOWHERE,
            },
        }
    }

    fn all_alike(&mut self, node: NodeId, axes: Axes) -> i64 {
        let graph = self.graph;
        let operands = graph.node(node).operands.iter();
        operands.map(|operand| self.alike(*operand, axes)).max().unwrap_or(NOWHERE)
    }

    /// From which shift on `node` is zero outside.
    fn zero(&mut self, node: NodeId, axes: Axes) -> i64 {
        if self.is_over() {
            return NOWHERE;
        }
        match &self.graph.node(node).op {
            Op::Literal(op) if op.value.to_f64() == 0.0 => EVERYWHERE,
            Op::Select(_) => match self.known(self.operand(node, 0), axes) {
                Some((shift, holds)) => {
                    let chosen = self.operand(node, if holds { 1 } else { 2 });
                    shift.max(self.zero(chosen, axes))
                }
                None => NOWHERE,
            },
            Op::Binary(BinaryOp::Mul) if self.finite.is_some() => {
                let [x, y] = [0, 1].map(|at| self.operand(node, at));
                match self.finite {
                    finite if finite == Some(x) => self.zero(y, axes),
                    finite if finite == Some(y) => self.zero(x, axes),
                    _ => NOWHERE,
                }
            }
            _ => match self.moved(node, axes) {
                Some((operand, axes)) => self.zero(operand, axes),
                None => NOWHERE,
            },
        }
    }

    /// From which shift on a truth value is the same everywhere outside, and which one.
    fn known(&mut self, node: NodeId, axes: Axes) -> Option<(i64, bool)> {
        if self.graph.ty(node).dtype != DType::Bool || self.is_over() {
            return None;
        }
        match &self.graph.node(node).op {
            Op::Literal(op) => Some((EVERYWHERE, op.value.to_f64() != 0.0)),
            Op::Compare(op) => self.compared(*op, node, axes),
            Op::Logic(op) => {
                let both = [0, 1].map(|at| self.known(self.operand(node, at), axes));
                // One operand may decide.
                let decides = |value: bool| both.iter().flatten().filter(move |(_, is)| *is == value);
                let least = |value| decides(value).map(|(shift, _)| *shift).min();
                let deciding = match op {
                    LogicOp::And => least(false).map(|shift| (shift, false)),
                    LogicOp::Or => least(true).map(|shift| (shift, true)),
                    LogicOp::Xor => None,
                };
                deciding.or_else(|| {
                    let [(one, x), (other, y)] = [both[0]?, both[1]?];
                    let value = match op {
                        LogicOp::And => x & y,
                        LogicOp::Or => x | y,
                        LogicOp::Xor => x ^ y,
                    };
                    Some((one.max(other), value))
                })
            }
            _ => {
                let (operand, axes) = self.moved(node, axes)?;
                self.known(operand, axes)
            }
        }
    }

    /// [`known`](Search::known) for a comparison of positions.
    fn compared(&mut self, op: CompareOp, node: NodeId, axes: Axes) -> Option<(i64, bool)> {
        let [x, y] = [self.linear(self.operand(node, 0), axes)?, self.linear(self.operand(node, 1), axes)?];
        let Linear { row, column, offset } =
            Linear { row: x.row - y.row, column: x.column - y.column, offset: x.offset - y.offset };
        // What is compared with zero is how far the column is behind `row + shift`, or before it.
        let (shift, is_behind) = match (row, column) {
            (1, -1) => (offset, false),
            (-1, 1) => (-offset, true),
            _ => return None,
        };
        // The columns that are exactly at the shift are inside or outside.
        Some(match (op, is_behind) {
            (CompareOp::Eq, _) => (shift, false),
            (CompareOp::Ne, _) => (shift, true),
            (CompareOp::Ge, false) | (CompareOp::Le, true) => (shift, false),
            (CompareOp::Gt, false) | (CompareOp::Lt, true) => (shift - 1, false),
            (CompareOp::Lt, false) | (CompareOp::Gt, true) => (shift, true),
            (CompareOp::Le, false) | (CompareOp::Ge, true) => (shift - 1, true),
        })
    }

    /// A value that grows evenly with the position of rows and columns, if those are small whole numbers.
    fn linear(&mut self, node: NodeId, axes: Axes) -> Option<Linear> {
        const LARGEST: f64 = (1_u32 << 24) as f64;
        if self.is_over() {
            return None;
        }
        match &self.graph.node(node).op {
            Op::Literal(op) => {
                let value = op.value.to_f64();
                let is_whole = value.fract() == 0.0 && value.abs() <= LARGEST;
                is_whole.then_some(Linear { row: 0, column: 0, offset: value as i64 })
            }
            Op::Iota(op) => {
                let sizes = sizes(self.graph, node);
                let along = |axis: Option<usize>| i64::from(axis == Some(op.axis));
                let is_counted = axes.contains(&Some(op.axis)) || sizes[op.axis] == 1;
                let fits = sizes[op.axis] as f64 <= LARGEST;
                (is_counted && fits).then(|| Linear {
                    row: along(axes[0]),
                    column: along(axes[1]),
                    offset: 0,
                })
            }
            Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub)) if self.is_whole(node) => {
                let (x, y) =
                    (self.linear(self.operand(node, 0), axes)?, self.linear(self.operand(node, 1), axes)?);
                let sign = if *op == BinaryOp::Add { 1 } else { -1 };
                Some(Linear {
                    row: x.row + sign * y.row,
                    column: x.column + sign * y.column,
                    offset: x.offset + sign * y.offset,
                })
            }
            Op::Unary(UnaryOp::Neg) if self.is_whole(node) => {
                let Linear { row, column, offset } = self.linear(self.operand(node, 0), axes)?;
                Some(Linear { row: -row, column: -column, offset: -offset })
            }
            Op::Cast(op) if op.dtype != DType::Bool => self.linear(self.operand(node, 0), axes),
            _ => {
                let (operand, axes) = self.moved(node, axes)?;
                self.linear(operand, axes)
            }
        }
    }

    /// What `node` moves or passes on, and along which of its axes rows and columns are counted.
    fn moved(&self, node: NodeId, axes: Axes) -> Option<(NodeId, Axes)> {
        let graph = self.graph;
        let operand = *graph.node(node).operands.first()?;
        let (from, to) = (sizes(graph, operand), sizes(graph, node));
        let axes = match &graph.node(node).op {
            Op::StopGradient(_) | Op::Checkpoint(_) => axes,
            Op::Permute(op) => axes.map(|axis| axis.and_then(|axis| op.order.iter().nth(axis))),
            Op::Broadcast(op) => {
                let own = |axis: usize| {
                    op.axes.iter().position(|other| other == axis).filter(|own| from[*own] == to[axis])
                };
                axes.map(|axis| axis.and_then(own))
            }
            Op::Reshape(_) => {
                let before = |sizes: &[usize], axis: usize| sizes[..axis].iter().product::<usize>();
                let same = |axis: usize| {
                    (0..from.len())
                        .find(|own| from[*own] == to[axis] && before(&from, *own) == before(&to, axis))
                };
                let moved = axes.map(|axis| axis.map(same));
                // An axis of one element needs no other in its place.
                let is_there = |(axis, moved): (&Option<usize>, &Option<Option<usize>>)| match (axis, moved) {
                    (Some(axis), Some(None)) => to[*axis] == 1,
                    _ => true,
                };
                if !axes.iter().zip(&moved).all(is_there) {
                    return None;
                }
                moved.map(Option::flatten)
            }
            _ => return None,
        };
        Some((operand, axes))
    }
}
