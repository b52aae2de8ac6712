//! Contractions as stacks of matrix products.
//!
//! Whatever order the axes stand in, neighbours merge into batch × rows × contracted × columns with one stride each,
//! and operands are read where they are. Free axes of the left operand that do not merge become more batches; only an
//! operand whose contracted axes (or columns) are scattered is packed into scratch first, row by row as it is needed. A row times
//! a matrix is computed as the matrix times a column.
//!
//! Accuracy: products of f32 add up in f32, in blocks, so a result differs from the reference by at most about
//! `k` units in the last place of `Σ|a·b|`, and usually by a few.

use std::ops::Range;

use pullback_graph::op::DotGeneral;
use pullback_graph::{AxisList, DType, Graph, NodeId, Op};
use smallvec::smallvec;

use crate::kernel::compute::Compute;
use crate::kernel::matmul::{Dims, MOST_KEPT, Matrix, Method, Product, Room, Scalar};
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::movement::view::View;
use crate::kernel::pieces::Pieces;
use crate::kernel::products::contraction::{Axes, Axis, Roles, Source, exchanged, is_row};
use crate::kernel::products::skip::Skip;
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::numel;
use crate::kernel::scratch::{Aligned, Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};
use crate::kernel::windows::window::{Fold, Unfold};

/// A stack of matrix products.
#[derive(Debug)]
pub(crate) struct Dot {
    dtype: DType,
    dims: Dims,
    method: Method,
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
    /// The windows that the operands are, if they are made matrix by matrix.
    windows: [Option<Unfold>; 2],
    /// Rows of the result, in all matrices of the stack.
    rows: usize,
    /// Whether the left operand is the contraction's right one.
    is_exchanged: bool,
    /// Whether no more of the left operand is given than its rows that are to be multiplied.
    is_held: bool,
    /// What need not be computed.
    skip: Option<Skip>,
    kept: Kept,
}

/// For how long the panels of the right operand are kept that are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// While some rows are multiplied by them.
    No,
    /// While the kernel runs: it multiplies rows group by group.
    Call,
    /// While the strip runs that the product is part of, as these among the worker's panels.
    Strip(usize),
}

/// Multiplications that make a piece worth handing to another worker.
const GRAIN: usize = 1 << 20;

/// Rows of a piece at least, if the right operand fits the second-level cache, and if not: each piece packs it anew.
const LEAST_ROWS: (usize, usize) = (64, 128);

/// Multiplications of half a product that make it worth to be cut although both halves have fewer rows.
const LONG: usize = 1 << 22;

/// Rows of pieces that are run in one call at most: more would save little.
pub(crate) const MOST_ROWS: usize = 256;

/// The worker's buffers that copies are made in.
const ROOM: [usize; 3] = [2, 3, 9];

/// The worker's panels that are kept for a call; those behind them are kept for strips.
pub(crate) const CALL: usize = 0;

/// Rows of a piece at least if they are multiplied by a vector, how many such pieces are run in one call, and how many times as long
/// their products take as others: as long as reading the rows does, which go by once.
const LEAST_LINES: usize = 256;
const MOST_LINES: usize = 1 << 12;
const LINE_COST: usize = 8;

/// Elements of a right operand that fit the second-level cache.
const CACHED: usize = 1 << 17;

impl Dot {
    /// The contraction `at` of a region.
    pub(crate) fn of(graph: &Graph, region: &Region, at: NodeId, op: &DotGeneral) -> Dot {
        let node = graph.node(at);
        if is_row(graph, at, op) {
            let operands = [node.operands[1], node.operands[0]];
            let dot = Dot::between(graph, region, at, &exchanged(op), operands);
            return Dot { is_exchanged: true, ..dot };
        }
        let dot = Dot::between(graph, region, at, op, [node.operands[0], node.operands[1]]);
        let windows = |operand: NodeId| match &graph.node(operand).op {
            Op::Unfold(op) if region.contains(operand) => Some(Unfold::of(graph, operand, &op.windows)),
            _ => None,
        };
        let is_held = region.held.contains(&node.operands[0]);
        let can_skip = dot.method == Method::Blocked && dot.left.is_none();
        let strides = (dot.row, dot.contracted.0);
        let skip = if can_skip { Skip::of(graph, region, at, dot.dims, strides) } else { None };
        let kept = match region.kept {
            _ if dot.right.is_some() || dot.dims.k.saturating_mul(dot.dims.n) > MOST_KEPT => Kept::No,
            Some(number) => Kept::Strip(number),
            None if skip.is_some() => Kept::Call,
            None => Kept::No,
        };
        Dot { windows: [windows(node.operands[0]), windows(node.operands[1])], is_held, skip, kept, ..dot }
    }

    /// The contraction `at` of these operands.
    fn between(graph: &Graph, region: &Region, at: NodeId, op: &DotGeneral, operands: [NodeId; 2]) -> Dot {
        let node = graph.node(at);
        let [left, right] = operands.map(|operand| Source::of(graph, region, operand));
        let results = node.ty.shape.numel().known().expect("a graph is bound before it is lowered");
        if results == 0 || op.contract_left.iter().any(|axis| left.sizes[axis] == 0) {
            return Dot::zeros(node.ty.dtype, results);
        }
        let left_order = in_order([&op.batch_left, &op.free_left(left.sizes.len()), &op.contract_left]);
        let right_order = side_by_side(op, &right);
        let right = if region.turned.is_some() { right.packed(&right_order) } else { right };
        let (packed_left, packed_right) = (left.packed(&left_order), right.packed(&right_order));
        // As little packing as makes the rest strided.
        let choices =
            [(false, false), (true, false), (false, true), (true, true)].map(|(pack_left, pack_right)| {
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
        let dims = Dims { m: row.size, k: contracted.size, n: column.size };
        Dot {
            dtype,
            dims,
            method: Method::of(dims, (row.left, contracted.left), (contracted.right, column.right)),
            batch,
            row: row.left,
            contracted: (contracted.left, contracted.right),
            column: column.right,
            left,
            right,
            windows: [None, None],
            rows: stack * row.size,
            is_exchanged: false,
            is_held: false,
            skip: None,
            kept: Kept::No,
        }
    }

    /// `len` sums of no products.
    fn zeros(dtype: DType, len: usize) -> Dot {
        let rows = smallvec![Axis { size: len, left: 0, right: 0 }];
        let contracted = smallvec![Axis { size: 0, left: 0, right: 0 }];
        Dot::new(dtype, Roles { batch: Axes::new(), rows, contracted, columns: Axes::new() }, None, None)
    }

    /// Where the matrices number `index` of the stack start in both operands.
    fn start(&self, mut index: usize) -> [usize; 2] {
        let (mut left, mut right) = (0, 0);
        for axis in self.batch.iter().rev() {
            left += index % axis.size * axis.left;
            right += index % axis.size * axis.right;
            index /= axis.size;
        }
        [left, right]
    }

    /// The rows that the elements `range` of the result are. Small products are not cut, and would notice the divisions.
    fn rows_of(&self, range: &Range<usize>) -> Range<usize> {
        let n = self.dims.n;
        if range.len() == self.rows * n { 0..self.rows } else { range.start / n..range.end / n }
    }

    /// Shows `multiply` every matrix that has some of these rows: where it starts in both operands, the first of its rows
    /// that is wanted, and where their products go.
    fn each<T>(
        &self,
        rows: Range<usize>,
        out: &mut [T],
        mut multiply: impl FnMut([usize; 2], usize, &mut [T]),
    ) {
        let Dims { m, n, .. } = self.dims;
        if self.batch.is_empty() {
            multiply([0, 0], rows.start, out);
            return;
        }
        let (mut at, mut rest) = (rows.start, out);
        while at < rows.end {
            let (index, row) = (at / m, at % m);
            let count = (m - row).min(rows.end - at);
            let (part, tail) = rest.split_at_mut(count * n);
            multiply(self.start(index), row, part);
            rest = tail;
            at += count;
        }
    }

    /// Computes rows of one matrix from number `row` on, given where that and the right operand start.
    #[inline]
    fn product<T: Scalar>(
        &self,
        row: usize,
        left: &[T],
        right: &[T],
        result: &mut [T],
        room: Option<&mut Room<T>>,
    ) {
        let left = Matrix { elements: left, row: self.row, column: self.contracted.0 };
        let right = Matrix { elements: right, row: self.contracted.1, column: self.column };
        let rows =
            if result.len() == self.dims.m * self.dims.n { self.dims.m } else { result.len() / self.dims.n };
        let dims = Dims { m: rows, ..self.dims };
        let product = Product::whole(dims, left, right, result, room);
        match self.skip {
            Some(skip) => skip.multiply(row, product),
            None => self.method.multiply(product),
        }
    }

    /// Computes the elements `range`. The left operand is given from its element `from` on.
    fn multiply<T: Banked + Scalar>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        from: usize,
        out: &mut [T],
        scratch: &mut Scratch,
    ) {
        let rows = self.rows_of(&range);
        if self.method != Method::Blocked && self.is_read_in_place() {
            let (left, right) = (reads[0].typed::<T>(), reads[1].typed::<T>());
            self.each(rows, out, |[ours, theirs], row, part| {
                self.product(row, &left[ours + row * self.row - from..], &right[theirs..], part, None);
            });
            return;
        }
        let Dims { m, k, n } = self.dims;
        let [_, last] = self.start((rows.end - 1) / m);
        let [_, first] = self.start(rows.start / m);
        // What is packed starts at the piece's first row, respectively at its first matrix.
        let left = self
            .left
            .as_ref()
            .map(|view| (pack(view, 0, reads[0], rows.start * k..rows.end * k, scratch), rows.start * k));
        let right =
            self.right.as_ref().map(|view| (pack(view, 1, reads[1], first..last + k * n, scratch), first));
        let (left_elements, left_base) =
            left.as_ref().map_or((reads[0].typed::<T>(), from), |(buffer, base)| (buffer, *base));
        let (right_elements, right_base) =
            right.as_ref().map_or((reads[1].typed::<T>(), 0), |(buffer, base)| (buffer, *base));
        let mut room = take_room::<T>(self.kept, scratch);
        let mut made = [scratch.take::<T>(4, 0), scratch.take::<T>(5, 0)];
        // Which matrices have been made of windows last.
        let mut holds = [usize::MAX; 2];
        self.each(rows, out, |starts, row, part| {
            for (at, windows) in self.windows.iter().enumerate() {
                let Some(windows) = windows.as_ref().filter(|_| holds[at] != starts[at]) else { continue };
                let len = k * if at == 0 { m } else { n };
                made[at].grow(len);
                windows.read(starts[at]..starts[at] + len, reads[at].typed(), &mut made[at][..len]);
                holds[at] = starts[at];
            }
            let left = match &self.windows[0] {
                Some(_) => &made[0][row * self.row..],
                None => &left_elements[starts[0] + row * self.row - left_base..],
            };
            if let Some(kept) = &mut room.kept {
                kept.keep(starts[1]);
            }
            let right = match &self.windows[1] {
                Some(_) => &made[1][..],
                None => &right_elements[starts[1] - right_base..],
            };
            self.product(row, left, right, part, Some(&mut room));
        });
        let [one, other] = made;
        scratch.put(4, one);
        scratch.put(5, other);
        put_room(self.kept, room, scratch);
        if let Some((buffer, _)) = left {
            scratch.put(0, buffer);
        }
        if let Some((buffer, _)) = right {
            scratch.put(1, buffer);
        }
    }

    /// Adds to the product of one matrix of the stack, or puts there if it does not go `on`, what some of its contracted rows
    /// come to: `rows`, counted over the stack. Of a `held` operand, which [adds rows](Dot::adds_rows), there are those rows.
    pub(crate) fn add_rows<T: Banked + Scalar>(
        &self,
        held: [bool; 2],
        rows: Range<usize>,
        on: bool,
        operands: [Slice<'_>; 2],
        result: &mut [T],
        scratch: &mut Scratch,
    ) {
        let (matrix, row) = (rows.start / self.dims.k, rows.start % self.dims.k);
        let starts = self.start(matrix);
        let elements = |at: usize| {
            let along = if at == 0 { self.contracted.0 } else { self.contracted.1 };
            let start = if held[at] { 0 } else { starts[at] + row * along };
            &operands[at].typed::<T>()[start..]
        };
        let left = Matrix { elements: elements(0), row: self.row, column: self.contracted.0 };
        let right = Matrix { elements: elements(1), row: self.contracted.1, column: self.column };
        let mut room = take_room::<T>(Kept::No, scratch);
        let dims = Dims { k: rows.len(), ..self.dims };
        let all = self.dims.m;
        let m = self.skip.map_or(all, |skip| skip.rows_of_sum(row..row + rows.len(), dims, left, right));
        if m > 0 {
            let (dims, room) = (Dims { m, ..dims }, Some(&mut room));
            Method::Blocked.multiply(Product { dims, left, right, result, part: None, on, room });
        }
        if !on {
            result[m * dims.n..all * dims.n].fill(T::default());
        }
        put_room(Kept::No, room, scratch);
    }

    /// Whether operand `at` can be given a few contracted rows at a time: these lie one behind the other, one matrix of the
    /// stack behind the other, and both operands are where they are read.
    pub(crate) fn adds_rows(&self, at: usize) -> bool {
        let Dims { m, k, n } = self.dims;
        let (width, along, across) = match at {
            0 => (m, self.contracted.0, self.row),
            _ => (n, self.contracted.1, self.column),
        };
        let lies = self.follow(at, k * width) && (k == 1 || along == width) && (width == 1 || across == 1);
        lies && !self.is_exchanged
            && self.method == Method::Blocked
            && self.is_read_in_place()
            && m * k * n > 0
    }

    /// Whether the matrices of operand `at`, of so many elements, lie one behind the other.
    fn follow(&self, at: usize, mut matrix: usize) -> bool {
        self.batch.iter().rev().all(|axis| {
            let follows = matrix == if at == 0 { axis.left } else { axis.right };
            matrix *= axis.size;
            follows
        })
    }

    /// Whether the rows of the left operand that rows of the result are made of lie one behind the other in its buffer, each
    /// being read once.
    pub(crate) fn takes_rows(&self) -> bool {
        let Dims { m, k, n } = self.dims;
        let is_read = !self.is_exchanged && self.left.is_none() && self.windows[0].is_none() && m * k * n > 0;
        is_read && self.follow(0, m * k) && (m == 1 || self.row == k) && (k == 1 || self.contracted.0 == 1)
    }

    /// The right operand of the contraction `at` with its columns side by side, and how many elements are copied for that if each
    /// `rows` rows of the result do it for themselves; `None` if it is not copied so.
    pub(crate) fn turning(
        graph: &Graph,
        region: &Region,
        at: NodeId,
        op: &DotGeneral,
        rows: usize,
    ) -> Option<(View, usize)> {
        let dot = Dot::of(graph, region, at, op);
        let Dims { m, k, n } = dot.dims;
        let is_copied = dot.right.is_some() || (n > 1 && dot.column != 1);
        if dot.is_exchanged
            || dot.method != Method::Blocked
            || dot.windows[1].is_some()
            || !is_copied
            || m * k * n == 0
        {
            return None;
        }
        let right = Source::of(graph, region, graph.node(at).operands[1]);
        let order = side_by_side(op, &right);
        // A few rows are turned instead, and so is what they come to.
        let copied = (k * n).min(m * (k + n));
        (!right.repeats()).then(|| (right.packing(&order), dot.rows / m * m.div_ceil(rows) * copied))
    }

    /// The rows of the result, how many products an element is the sum of, and how many elements a row has.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.rows, self.dims.k, self.dims.n]
    }

    /// Whether a mask spares a part of it.
    #[cfg(test)]
    pub(crate) fn spares(&self) -> bool {
        self.skip.is_some()
    }

    /// How many matrices there are.
    pub(crate) fn stack(&self) -> usize {
        self.batch.iter().map(|axis| axis.size).product()
    }

    /// Elements of the right operand that are packed for each block of so many rows of the result, instead of once for all.
    pub(crate) fn packed_for(&self, rows: usize) -> usize {
        if self.dims.m > rows { self.dims.k * self.dims.n } else { 0 }
    }

    /// Whether both operands are where they are read.
    fn is_read_in_place(&self) -> bool {
        self.left.is_none() && self.right.is_none() && self.windows.iter().all(Option::is_none)
    }
}

/// The axes of some lists, one after the other.
fn in_order(lists: [&AxisList; 3]) -> Vec<usize> {
    lists.into_iter().flat_map(AxisList::iter).collect()
}

/// The right operand's axes, those of columns last.
fn side_by_side(op: &DotGeneral, right: &Source) -> Vec<usize> {
    in_order([&op.batch_right, &op.contract_right, &op.free_right(right.sizes.len())])
}

/// Whether the contraction `node` takes operand `at`, windows of a tensor, matrix by matrix: both operands are read where
/// they are, and each of its matrices is whole.
pub(crate) fn takes_windows(graph: &Graph, node: NodeId, at: usize) -> bool {
    let Op::DotGeneral(op) = &graph.node(node).op else { return false };
    let operands = &graph.node(node).operands;
    let [left, right] = [0, 1].map(|operand| Source::alone(graph, operands[operand]));
    if numel(graph, node) == 0 || op.contract_left.iter().any(|axis| left.sizes[axis] == 0) {
        return false;
    }
    let roles = Roles::of(op, &left, &right);
    let size = |axes: &Axes| axes.iter().map(|axis| axis.size).product::<usize>();
    let other = if at == 0 { &roles.rows } else { &roles.columns };
    let stride = |axis: &Axis| if at == 0 { axis.left } else { axis.right };
    let matrix = size(&roles.contracted) * size(other);
    let inside = roles.contracted.iter().chain(other).all(|axis| stride(axis) * axis.size <= matrix);
    let outside = roles.batch.iter().all(|axis| stride(axis).is_multiple_of(matrix));
    roles.are_strided() && roles.rows.len() <= 1 && inside && outside
}

/// Whether `sum` takes the contraction `node` as it is computed: rows are whole windows of the axes that a fold adds up, or
/// it is a sum of nothing else.
pub(crate) fn is_added_up(graph: &Graph, node: NodeId, sum: NodeId) -> bool {
    let (Op::DotGeneral(op), Op::Fold(windows)) = (&graph.node(node).op, &graph.node(sum).op) else {
        return graph.node(sum).operands[0] == node;
    };
    let right = sizes(graph, graph.node(node).operands[1]);
    let columns: usize = op.free_right(right.len()).iter().map(|axis| right[axis]).product();
    let (_, windows) = Fold::of(graph, sum, &windows.windows).planes();
    numel(graph, node) > 0 && windows.is_multiple_of(columns)
}

/// Rows of a piece of a product of so many rows in all, of this depth and so many columns.
fn rows_of_piece(rows: usize, depth: usize, columns: usize) -> usize {
    let (right, least) = match depth.saturating_mul(columns) {
        right if columns == 1 => (right.saturating_mul(LINE_COST), LEAST_LINES),
        right if right <= CACHED => (right, LEAST_ROWS.0),
        right => (right, LEAST_ROWS.1),
    };
    // What would keep one thread busy for long while others have nothing to do is halved all the same.
    let half = rows.div_ceil(2);
    let is_long = half < least && half.saturating_mul(right) >= LONG;
    let least = if is_long { half } else { least };
    (GRAIN / right.max(1)).max(least).next_multiple_of(16)
}

/// Elements of a piece of a product of so many rows, of this depth and so many columns.
pub(crate) fn grain(rows: usize, depth: usize, columns: usize) -> usize {
    rows_of_piece(rows, depth, columns).saturating_mul(columns).max(1)
}

/// The worker's memory for copies.
fn take_room<T: Banked>(kept: Kept, scratch: &mut Scratch) -> Room<T> {
    let kept = match kept {
        Kept::No => None,
        Kept::Call => {
            let mut panels = scratch.take_panels(CALL);
            panels.forget();
            Some(panels)
        }
        Kept::Strip(number) => Some(scratch.take_panels(number)),
    };
    let [block, panel, turned] = ROOM.map(|index| scratch.take(index, 0));
    Room { block, panel, turned, kept }
}

/// Gives it back.
fn put_room<T: Banked>(kept: Kept, room: Room<T>, scratch: &mut Scratch) {
    let Room { block, panel, turned, kept: panels } = room;
    for (index, buffer) in ROOM.into_iter().zip([block, panel, turned]) {
        scratch.put(index, buffer);
    }
    if let Some(panels) = panels {
        scratch.put_panels(if let Kept::Strip(number) = kept { number } else { CALL }, panels);
    }
}

/// Copies the elements `range` of a view into buffer `index` of the worker.
fn pack<T: Banked>(
    view: &View,
    index: usize,
    source: Slice<'_>,
    range: Range<usize>,
    scratch: &mut Scratch,
) -> Aligned<T> {
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
        let rows = rows_of_piece(self.rows, k, n);
        // Matrices that are made on the way are made once.
        let made = self.windows.iter().any(Option::is_some);
        let rows = match made {
            true => rows.next_multiple_of(self.dims.m.max(1)),
            false => self.rows.div_ceil(((self.rows + rows / 2) / rows).max(1)),
        };
        let most = if n == 1 { MOST_LINES } else { MOST_ROWS };
        Pieces::of(self.rows * n, rows.saturating_mul(n)).together(most / rows.max(1))
    }

    fn flops(&self) -> u64 {
        2 * (self.rows * self.dims.k * self.dims.n) as u64
    }

    fn flops_of_products(&self) -> u64 {
        self.flops()
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let reads = &if self.is_exchanged { [reads[1], reads[0]] } else { [reads[0], reads[1]] };
        let from = if self.is_held { range.start / self.dims.n * self.dims.k } else { 0 };
        match self.dtype {
            _ if range.is_empty() => {}
            // An operand may have no elements then, and no place to start at.
            DType::F32 if self.dims.k == 0 => write.typed::<f32>().fill(0.0),
            DType::F64 if self.dims.k == 0 => write.typed::<f64>().fill(0.0),
            DType::F32 => self.multiply::<f32>(range, reads, from, write.typed(), scratch),
            DType::F64 => self.multiply::<f64>(range, reads, from, write.typed(), scratch),
            DType::I64 | DType::Bool => return Err("takes floating-point elements".into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_products_of_few_rows_are_halved() {
        assert_eq!(rows_of_piece(64, 1568, 128), 32);
        assert_eq!(rows_of_piece(100, 4096, 4096), 64, "in units of tiles");
        assert_eq!(rows_of_piece(64, 256, 256), 64, "too little for two");
        assert_eq!(rows_of_piece(256, 1024, 1024), 128);
    }
}
