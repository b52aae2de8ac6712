//! Contractions as stacks of matrix products.
//!
//! Whatever order the axes stand in, neighbours merge into batch × rows × contracted × columns with one stride each,
//! and operands are read where they are. Free axes of the left operand that do not merge become more batches; only an
//! operand whose contracted axes (or columns) are scattered is packed into scratch first, row by row as it is needed.
//!
//! Accuracy: products of f32 add up in f32, in blocks, so a result differs from the reference by at most about
//! `k` units in the last place of `Σ|a·b|`, and usually by a few.

use std::ops::Range;

use pullback_graph::op::DotGeneral;
use pullback_graph::{AxisList, DType, Graph, NodeId, Sizes};
use smallvec::{SmallVec, smallvec};

use crate::kernel::compute::Compute;
use crate::kernel::fuse::Region;
use crate::kernel::matmul::{Blocked, Dims, Matmul, Matrix, Plain, Scalar};
use crate::kernel::movement::{self, sizes};
use crate::kernel::pieces::Pieces;
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};
use crate::kernel::view::{Strides, View, dense_strides};

/// An axis of the product: its size and its strides in both operands, 0 where it does not occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    size: usize,
    left: usize,
    right: usize,
}

type Axes = SmallVec<[Axis; 4]>;

/// The axes of a contraction by what they do.
#[derive(Clone, Debug)]
struct Roles {
    batch: Axes,
    rows: Axes,
    contracted: Axes,
    columns: Axes,
}

/// A stack of matrix products.
#[derive(Debug)]
pub(crate) struct Dot {
    dtype: DType,
    dims: Dims,
    /// The stack, outermost first.
    batch: Axes,
    /// Strides of rows, contracted and columns; 0 or any number where the size is 1.
    row: usize,
    contracted: (usize, usize),
    column: usize,
    /// How the left operand is packed as dense `[batch, rows, contracted]`, if it is.
    left: Option<View>,
    /// How the right operand is packed as dense `[batch, contracted, columns]`, if it is.
    right: Option<View>,
    /// Rows of the result, in all matrices of the stack.
    rows: usize,
}

/// Multiplications that make a piece worth handing to another worker.
const GRAIN: usize = 1 << 20;

/// Rows of a piece at least: the right operand is packed anew for each piece.
const LEAST_ROWS: usize = 128;

/// An operand as it is read: its sizes, and its strides in the buffer it is in.
struct Source {
    sizes: Sizes,
    strides: Strides,
}

impl Source {
    /// The operand of a region, perhaps read through a transpose or a broadcast.
    fn of(graph: &Graph, region: &Region, operand: NodeId) -> Source {
        let sizes = sizes(graph, operand);
        let through = region.contains(operand).then(|| movement::strides(graph, operand)).flatten();
        let strides = through.map_or_else(|| dense_strides(&sizes), |(strides, _)| strides);
        Source { sizes, strides }
    }

    fn stride(&self, axis: usize) -> usize {
        usize::try_from(self.strides[axis]).expect("operands are not read backwards")
    }

    /// The operand's axes in the order listed, as a copy into dense memory.
    fn packing(&self, order: &[usize]) -> View {
        let sizes: Sizes = order.iter().map(|axis| self.sizes[*axis]).collect();
        let strides: Strides = order.iter().map(|axis| self.strides[*axis]).collect();
        View::new(&sizes, &strides, 0)
    }

    /// The operand after [`packing`](Source::packing).
    fn packed(&self, order: &[usize]) -> Source {
        let sizes: Sizes = order.iter().map(|axis| self.sizes[*axis]).collect();
        let mut strides = self.strides.clone();
        for (axis, stride) in order.iter().zip(dense_strides(&sizes)) {
            strides[*axis] = stride;
        }
        Source { sizes: self.sizes.clone(), strides }
    }
}

impl Roles {
    fn of(op: &DotGeneral, left: &Source, right: &Source) -> Roles {
        let both = |ours: &AxisList, theirs: &AxisList| -> Axes {
            let axis = |(a, b): (usize, usize)| Axis { size: left.sizes[a], left: left.stride(a), right: right.stride(b) };
            merge(ours.iter().zip(theirs.iter()).map(axis))
        };
        let rows = op.free_left(left.sizes.len());
        let columns = op.free_right(right.sizes.len());
        // Sums may go in any fixed order: the left operand's makes most axes merge.
        let mut contracted: Vec<(usize, usize)> = op.contract_left.iter().zip(op.contract_right.iter()).collect();
        contracted.sort_by_key(|(a, _)| std::cmp::Reverse(left.stride(*a)));
        let (ours, theirs): (Vec<usize>, Vec<usize>) = contracted.into_iter().unzip();
        Roles {
            batch: both(&op.batch_left, &op.batch_right),
            rows: merge(rows.iter().map(|a| Axis { size: left.sizes[a], left: left.stride(a), right: 0 })),
            contracted: both(&ours.into(), &theirs.into()),
            columns: merge(columns.iter().map(|b| Axis { size: right.sizes[b], left: 0, right: right.stride(b) })),
        }
    }

    /// Whether every role but that of rows has one stride per operand.
    fn are_strided(&self) -> bool {
        self.contracted.len() <= 1 && self.columns.len() <= 1
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

impl Dot {
    /// The contraction at the root of a region.
    pub(crate) fn of(graph: &Graph, region: &Region, op: &DotGeneral) -> Dot {
        let node = graph.node(region.root);
        let left = Source::of(graph, region, node.operands[0]);
        let right = Source::of(graph, region, node.operands[1]);
        let results = node.ty.shape.numel().known().expect("a graph is bound before it is lowered");
        if results == 0 || op.contract_left.iter().any(|axis| left.sizes[axis] == 0) {
            return Dot::zeros(node.ty.dtype, results);
        }
        let lists = |lists: [&AxisList; 3]| lists.into_iter().flat_map(AxisList::iter).collect::<Vec<usize>>();
        let left_order = lists([&op.batch_left, &op.free_left(left.sizes.len()), &op.contract_left]);
        let right_order = lists([&op.batch_right, &op.contract_right, &op.free_right(right.sizes.len())]);
        let (packed_left, packed_right) = (left.packed(&left_order), right.packed(&right_order));
        // As little packing as makes the rest strided.
        let choices = [(false, false), (true, false), (false, true), (true, true)].map(|(pack_left, pack_right)| {
            let roles = Roles::of(
                op,
                if pack_left { &packed_left } else { &left },
                if pack_right { &packed_right } else { &right },
            );
            (pack_left, pack_right, roles)
        });
        let chosen = choices.into_iter().find(|(_, _, roles)| roles.are_strided());
        let (pack_left, pack_right, roles) = chosen.expect("two packed operands are strided");
        Dot::new(
            node.ty.dtype,
            roles,
            pack_left.then(|| left.packing(&left_order)),
            pack_right.then(|| right.packing(&right_order)),
        )
    }

    fn new(dtype: DType, roles: Roles, left: Option<View>, right: Option<View>) -> Dot {
        let Roles { mut batch, mut rows, contracted, columns } = roles;
        let one = Axis { size: 1, left: 0, right: 0 };
        // The innermost free axes are the rows of a matrix; those that did not merge with them are batches.
        let row = rows.pop().unwrap_or(one);
        batch.extend(rows);
        let contracted = contracted.first().copied().unwrap_or(one);
        let column = columns.first().copied().unwrap_or(one);
        let stack: usize = batch.iter().map(|axis| axis.size).product();
        Dot {
            dtype,
            dims: Dims { m: row.size, k: contracted.size, n: column.size },
            batch,
            row: row.left,
            contracted: (contracted.left, contracted.right),
            column: column.right,
            left,
            right,
            rows: stack * row.size,
        }
    }

    /// `len` sums of no products.
    fn zeros(dtype: DType, len: usize) -> Dot {
        let rows = smallvec![Axis { size: len, left: 0, right: 0 }];
        let contracted = smallvec![Axis { size: 0, left: 0, right: 0 }];
        Dot::new(dtype, Roles { batch: Axes::new(), rows, contracted, columns: Axes::new() }, None, None)
    }

    /// Where the matrices number `index` of the stack start in both operands.
    fn start(&self, mut index: usize) -> (usize, usize) {
        let (mut left, mut right) = (0, 0);
        for axis in self.batch.iter().rev() {
            left += index % axis.size * axis.left;
            right += index % axis.size * axis.right;
            index /= axis.size;
        }
        (left, right)
    }

    fn multiply<T: Banked + Scalar>(&self, range: Range<usize>, reads: &[Slice<'_>], out: &mut [T], scratch: &mut Scratch)
    where
        Blocked: Matmul<T>,
    {
        let Dims { m, k, n } = self.dims;
        let rows = range.start / n..range.end / n;
        let last = self.start((rows.end - 1) / m).1;
        let first = self.start(rows.start / m).1;
        // What is packed starts at the piece's first row, respectively at its first matrix.
        let left = self.left.as_ref().map(|view| (pack(view, 0, reads[0], rows.start * k..rows.end * k, scratch), rows.start * k));
        let right = self.right.as_ref().map(|view| (pack(view, 1, reads[1], first..last + k * n, scratch), first));
        let (left_elements, left_base) = left.as_ref().map_or((reads[0].typed::<T>(), 0), |(buffer, base)| (buffer, *base));
        let (right_elements, right_base) =
            right.as_ref().map_or((reads[1].typed::<T>(), 0), |(buffer, base)| (buffer, *base));
        let (mut at, mut rest) = (rows.start, out);
        while at < rows.end {
            let (index, row) = (at / m, at % m);
            let count = (m - row).min(rows.end - at);
            let (part, tail) = rest.split_at_mut(count * n);
            let (left_start, right_start) = self.start(index);
            let left_start = left_start + row * self.row - left_base;
            let left = Matrix { elements: &left_elements[left_start..], row: self.row, column: self.contracted.0 };
            let right = Matrix {
                elements: &right_elements[right_start - right_base..],
                row: self.contracted.1,
                column: self.column,
            };
            let dims = Dims { m: count, ..self.dims };
            match self.dims.is_tiny() {
                true => Plain.multiply(dims, left, right, part),
                false => Blocked.multiply(dims, left, right, part),
            }
            rest = tail;
            at += count;
        }
        if let Some((buffer, _)) = left {
            scratch.put(0, buffer);
        }
        if let Some((buffer, _)) = right {
            scratch.put(1, buffer);
        }
    }
}

/// Copies the elements `range` of a view into buffer `index` of the worker.
fn pack<T: Banked>(view: &View, index: usize, source: Slice<'_>, range: Range<usize>, scratch: &mut Scratch) -> Vec<T> {
    let mut buffer = scratch.take::<T>(index, range.len());
    view.copy(source.typed::<T>(), range.start, &mut buffer[..range.len()]);
    buffer
}

impl Compute for Dot {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn pieces(&self) -> Pieces {
        let Dims { k, n, .. } = self.dims;
        let rows = (GRAIN / (k * n).max(1)).max(LEAST_ROWS).next_multiple_of(16);
        Pieces::of(self.rows * n, rows.saturating_mul(n))
    }

    fn flops(&self) -> u64 {
        2 * (self.rows * self.dims.k * self.dims.n) as u64
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        match self.dtype {
            _ if range.is_empty() => {}
            // An operand may have no elements then, and no place to start at.
            DType::F32 if self.dims.k == 0 => write.typed::<f32>().fill(0.0),
            DType::F64 if self.dims.k == 0 => write.typed::<f64>().fill(0.0),
            DType::F32 => self.multiply::<f32>(range, reads, write.typed(), scratch),
            DType::F64 => self.multiply::<f64>(range, reads, write.typed(), scratch),
            DType::I64 | DType::Bool => return Err("takes floating-point elements".into()),
        }
        Ok(())
    }
}
