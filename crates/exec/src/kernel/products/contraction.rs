//! The axes of a contraction: which do what, how they merge, and how an operand is read.

use pullback_graph::op::DotGeneral;
use pullback_graph::{AxisList, Graph, NodeId, Op, Sizes};
use smallvec::SmallVec;

use crate::kernel::matmul::TINY;
use crate::kernel::movement::rearrange::{self, sizes};
use crate::kernel::movement::view::{Strides, View, dense_strides};
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::{Role, role};

/// An axis of the product: its size and its strides in both operands, 0 where it does not occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) size: usize,
    pub(crate) left: usize,
    pub(crate) right: usize,
}

pub(crate) type Axes = SmallVec<[Axis; 4]>;

/// The axes of a contraction by what they do.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    pub(crate) batch: Axes,
    pub(crate) rows: Axes,
    pub(crate) contracted: Axes,
    pub(crate) columns: Axes,
}

/// An operand as it is read: its sizes, and its strides in the buffer it is in.
pub(crate) struct Source {
    pub(crate) sizes: Sizes,
    strides: Strides,
}

impl Source {
    /// The operand of a region, perhaps read through a transpose or a broadcast.
    pub(crate) fn of(graph: &Graph, region: &Region, operand: NodeId) -> Source {
        let sizes = sizes(graph, operand);
        let through = region.contains(operand).then(|| rearrange::strides(graph, operand)).flatten();
        let strides = through.map_or_else(|| dense_strides(&sizes), |(strides, _)| strides);
        Source { sizes, strides }
    }

    /// An operand that is a dense buffer of these sizes.
    pub(crate) fn dense(sizes: &[usize]) -> Source {
        Source { sizes: sizes.into(), strides: dense_strides(sizes) }
    }

    /// The operand as a product reads it: through a transpose or a broadcast, or as its own dense buffer.
    pub(crate) fn alone(graph: &Graph, operand: NodeId) -> Source {
        let sizes = sizes(graph, operand);
        let through = matches!(role(graph, operand), Role::Broadcast | Role::Spread(_) | Role::Permute);
        let through = through.then(|| rearrange::strides(graph, operand)).flatten();
        let strides = through.map_or_else(|| dense_strides(&sizes), |(strides, _)| strides);
        Source { sizes, strides }
    }

    /// How far neighbours along an axis are apart.
    pub(crate) fn stride(&self, axis: usize) -> usize {
        usize::try_from(self.strides[axis]).expect("operands are not read backwards")
    }

    /// The size of an axis and how far neighbours along it are apart.
    pub(crate) fn axis(&self, axis: usize) -> (usize, usize) {
        (self.sizes[axis], self.stride(axis))
    }

    /// The operand's axes in the order listed, as a copy into dense memory.
    pub(crate) fn packing(&self, order: &[usize]) -> View {
        let sizes: Sizes = order.iter().map(|axis| self.sizes[*axis]).collect();
        let strides: Strides = order.iter().map(|axis| self.strides[*axis]).collect();
        View::new(&sizes, &strides, 0)
    }

    /// Whether the same element is read for several coordinates.
    pub(crate) fn repeats(&self) -> bool {
        self.sizes.iter().zip(&self.strides).any(|(size, stride)| *size > 1 && *stride == 0)
    }

    /// The operand after [`packing`](Source::packing).
    pub(crate) fn packed(&self, order: &[usize]) -> Source {
        let sizes: Sizes = order.iter().map(|axis| self.sizes[*axis]).collect();
        let mut strides = self.strides.clone();
        for (axis, stride) in order.iter().zip(dense_strides(&sizes)) {
            strides[*axis] = stride;
        }
        Source { sizes: self.sizes.clone(), strides }
    }
}

impl Roles {
    pub(crate) fn of(op: &DotGeneral, left: &Source, right: &Source) -> Roles {
        let both = |ours: &AxisList, theirs: &AxisList| -> Axes {
            let axis = |(a, b): (usize, usize)| Axis {
                size: left.sizes[a],
                left: left.stride(a),
                right: right.stride(b),
            };
            merge(ours.iter().zip(theirs.iter()).map(axis))
        };
        let rows = op.free_left(left.sizes.len());
        let columns = op.free_right(right.sizes.len());
        // Sums may go in any fixed order: the left operand's makes most axes merge.
        let mut contracted: Vec<(usize, usize)> =
            op.contract_left.iter().zip(op.contract_right.iter()).collect();
        contracted.sort_by_key(|(a, _)| std::cmp::Reverse(left.stride(*a)));
        let (ours, theirs): (Vec<usize>, Vec<usize>) = contracted.into_iter().unzip();
        Roles {
            batch: both(&op.batch_left, &op.batch_right),
            rows: merge(rows.iter().map(|a| Axis { size: left.sizes[a], left: left.stride(a), right: 0 })),
            contracted: both(&ours.into(), &theirs.into()),
            columns: merge(columns.iter().map(|b| Axis {
                size: right.sizes[b],
                left: 0,
                right: right.stride(b),
            })),
        }
    }

    /// Whether every role but that of rows has one stride per operand.
    pub(crate) fn are_strided(&self) -> bool {
        self.contracted.len() <= 1 && self.columns.len() <= 1
    }
}

/// Whether a product has one row per matrix: it is computed as a column, by exchanging the operands. So it can be cut, and what
/// is made of each element goes with it.
pub(crate) fn is_row(graph: &Graph, node: NodeId, op: &DotGeneral) -> bool {
    let operands = &graph.node(node).operands;
    let [left, right] = [0, 1].map(|at| sizes(graph, operands[at]));
    let of = |axes: AxisList, sizes: &Sizes| axes.iter().map(|axis| sizes[axis]).product::<usize>();
    let (rows, columns) = (of(op.free_left(left.len()), &left), of(op.free_right(right.len()), &right));
    let depth = of(op.contract_left.clone(), &left);
    let windows = operands.iter().any(|operand| matches!(graph.node(*operand).op, Op::Unfold(_)));
    rows == 1 && columns > 1 && depth.saturating_mul(columns) > TINY && !windows
}

/// The contraction of the operands in the other order, whose result lies in memory in the same order if either has one row.
pub(crate) fn exchanged(op: &DotGeneral) -> DotGeneral {
    let DotGeneral { batch_left, batch_right, contract_left, contract_right } = op.clone();
    DotGeneral {
        batch_left: batch_right,
        batch_right: batch_left,
        contract_left: contract_right,
        contract_right: contract_left,
    }
}

/// Where the elements of axes of these sizes and strides are, in order.
pub(crate) fn grid(axes: impl Iterator<Item = (usize, usize)>) -> Vec<usize> {
    axes.fold(vec![0], |places, (size, stride)| {
        places.iter().flat_map(|place| (0..size).map(move |at| place + at * stride)).collect()
    })
}

/// The matrices of a stack, outermost axis first.
#[derive(Clone, Debug)]
pub(crate) struct Grid(Axes);

impl Grid {
    /// The batch axes of a contraction.
    pub(crate) fn of(op: &DotGeneral, left: &Source, right: &Source) -> Grid {
        let pairs = op.batch_left.iter().zip(op.batch_right.iter());
        Grid(
            pairs
                .map(|(ours, theirs)| Axis {
                    size: left.sizes[ours],
                    left: left.stride(ours),
                    right: right.stride(theirs),
                })
                .collect(),
        )
    }

    /// Some of the axes.
    pub(crate) fn axes(&self, keep: impl Fn(usize) -> bool) -> Grid {
        Grid(self.0.iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, axis)| *axis).collect())
    }

    /// The number of matrices.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|axis| axis.size).product()
    }

    /// Where the matrices number `index` start in both operands.
    pub(crate) fn start(&self, mut index: usize) -> [usize; 2] {
        let (mut left, mut right) = (0, 0);
        for axis in self.0.iter().rev() {
            left += index % axis.size * axis.left;
            right += index % axis.size * axis.right;
            index /= axis.size;
        }
        [left, right]
    }
}

/// Merges neighbours that both operands can walk as one; drops axes of size 1.
fn merge(axes: impl Iterator<Item = Axis>) -> Axes {
    let mut merged = Axes::new();
    for axis in axes.filter(|axis| axis.size != 1) {
        match merged.last_mut() {
            Some(outer) if outer.left == axis.left * axis.size && outer.right == axis.right * axis.size => {
                *outer = Axis { size: outer.size * axis.size, ..axis };
            }
            _ => merged.push(axis),
        }
    }
    merged
}
