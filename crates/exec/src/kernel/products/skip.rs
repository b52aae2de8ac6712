//! What of a product a causal mask spares.
//!
//! Of the scores of attention nobody reads those that the mask discards, and its weights are zero there: so some columns of
//! products need not be computed, and some contracted elements not be multiplied. Which ones these are differs from row to
//! row; rows are taken in groups, at fixed places, so that the bits do not depend on how they are cut.
//!
//! The result is that of the whole product: NaN and infinity, which zero times is not zero, are looked for among what would
//! be spared, and nothing is if there is one. (A sum of nothing but `-0` may be `0`, and the other way round.)

use std::ops::Range;

use pullback_graph::mask::{Unread, alike};
use pullback_graph::{Graph, NodeId};

use crate::kernel::matmul::{Dims, Matrix, Method, Part, Product, Room, Scalar};
use crate::kernel::movement::rearrange::sizes;
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::{Role, role};

/// What need not be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skip {
    what: What,
    /// The mask holds for the columns up to the row's position and this.
    shift: i64,
    /// Rows of a matrix under the mask, of which there may be several in a matrix of the product.
    height: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Columns of the result that nobody reads, or that are multiplied by zero.
    Columns { finite: bool },
    /// The last contracted elements of rows, which are zero in the left operand.
    Last,
    /// The first contracted elements of rows, which are zero in the left operand: its matrices are turned.
    First,
}

/// Rows that are computed together.
const GROUP: usize = 64;

/// What limits are multiples of.
const UNIT: usize = 16;

/// Multiplications of a matrix from which on it is worth to look.
const WORTH: usize = 1 << 18;

/// The strides of the left operand: from row to row, and from one contracted element to the next.
type Strides = (usize, usize);

impl Skip {
    /// What of the product `node`, in a region, need not be computed.
    pub(super) fn of(
        graph: &Graph,
        region: &Region,
        node: NodeId,
        dims: Dims,
        (row, along): Strides,
    ) -> Option<Skip> {
        let Dims { m, k, n } = dims;
        if m.saturating_mul(k).saturating_mul(n) < WORTH {
            return None;
        }
        let last = |node: NodeId| match sizes(graph, node)[..] {
            [.., rows, columns] => Some((rows, columns)),
            _ => None,
        };
        // Something is spared if some row of the last group but one has columns behind its limit.
        let spares = |shift: i64, rows: usize, columns: usize| {
            let least = shift.saturating_add(1).max(0) as u64;
            rows > GROUP && least.saturating_add(2 * GROUP as u64) <= columns as u64
        };
        // The buffer that is read, whose strides these are.
        let left = graph.node(node).operands[0];
        let left = if role(graph, left) == Role::Permute { graph.node(left).operands[0] } else { left };
        let (rows, columns) = last(left)?;
        let is_across = (along, row, k) == (1, columns, columns) && m.is_multiple_of(rows);
        let is_turned = (along, row, k, m) == (columns, 1, rows, columns);
        if (is_across || is_turned)
            && let Some(shift) = alike(graph, left).filter(|shift| spares(*shift, rows, columns))
        {
            let what = if is_across { What::Last } else { What::First };
            return Some(Skip { what, shift, height: if is_across { rows } else { columns } });
        }
        let (rows, columns) = last(node)?;
        if n != columns || !m.is_multiple_of(rows) {
            return None;
        }
        let Unread { shift, finite } = region.unread?;
        spares(shift, rows, columns).then_some(Skip { what: What::Columns { finite }, shift, height: rows })
    }

    /// Computes rows of one matrix, of which `row` is the first; the left operand starts with it.
    pub(super) fn multiply<T: Scalar>(self, row: usize, product: Product<'_, T>) {
        let Product { dims, left, right, result, mut room, .. } = product;
        let Dims { m, n, .. } = dims;
        let mut at = 0;
        while at < m {
            let first = (row + at) % self.height;
            let count = (GROUP - first % GROUP).min(self.height - first).min(m - at);
            let part = &mut result[at * n..(at + count) * n];
            let dims = Dims { m: count, ..dims };
            let room = room.as_deref_mut();
            self.group(first, Product::whole(dims, left.from(at, 0), right, part, room));
            at += count;
        }
    }

    /// Computes rows of a group, of which `first` is the first.
    fn group<T: Scalar>(self, first: usize, product: Product<'_, T>) {
        let Product { dims, left, right, result, mut room, .. } = product;
        let Dims { m, k, n } = dims;
        // The limits are those of the whole group, however rows are cut.
        let start = first - first % GROUP;
        let last = (start + GROUP).min(self.height) - 1;
        let (columns, contracted) = match self.what {
            What::Columns { finite } => {
                let limit = self.limit(last, n);
                let bound = T::bound(k);
                let is_right_sound = || are_within(right, 0..k, limit..n, bound);
                let can_skip = !finite
                    || (are_within(left, 0..m, 0..k, bound) && are_sound(&mut room, limit, is_right_sound));
                (if can_skip { limit } else { n }, (0, k))
            }
            What::Last => {
                let limit = self.limit(last, k);
                let is_right_sound = || are_within(right, limit..k, 0..n, T::LARGEST);
                let can_spare = limit == k
                    || (are_zero(left, 0..m, limit) && are_sound(&mut room, limit, is_right_sound));
                (n, (0, if can_spare { limit } else { k }))
            }
            What::First => {
                let begin = self.begin(start, k);
                let can_spare = can_spare(left.transposed(), 0..begin, 0, right, 0..begin, n);
                (n, (if can_spare { begin } else { 0 }, k))
            }
        };
        let columns = if contracted.0 < contracted.1 { columns } else { 0 };
        if columns > 0 {
            let (dims, part) = (Dims { n: columns, ..dims }, Some(Part { across: n, contracted }));
            let result = &mut *result;
            Method::Blocked.multiply(Product { dims, left, right, result, part, on: false, room });
        }
        if columns < n {
            result.chunks_exact_mut(n).for_each(|row| row[columns..].fill(T::default()));
        }
    }

    /// How many rows of the result the contracted elements `within` add to, if those are all that are given of a matrix.
    pub(super) fn rows_of_sum<T: Scalar>(
        self,
        within: Range<usize>,
        Dims { m, n, .. }: Dims,
        left: Matrix<'_, T>,
        right: Matrix<'_, T>,
    ) -> usize {
        let (count, limit) = (within.len(), self.limit(within.end - 1, m));
        let is_less = self.what == What::First && limit < m;
        let can_spare = is_less && can_spare(left.transposed(), 0..count, limit, right, 0..count, n);
        if can_spare { limit } else { m }
    }

    /// The columns up to the last one that the mask holds for in this row or one before, and some more.
    fn limit(self, row: usize, columns: usize) -> usize {
        let limit = (row as i64).saturating_add(self.shift).saturating_add(1).max(0) as u64;
        (limit.min(columns as u64) as usize).next_multiple_of(UNIT).min(columns)
    }

    /// The first row for which the mask holds in this column or one behind, or some row before.
    fn begin(self, column: usize, rows: usize) -> usize {
        let begin = (column as i64).saturating_sub(self.shift).max(0) as u64;
        let begin = begin.min(rows as u64) as usize;
        if begin == rows { rows } else { begin - begin % UNIT }
    }
}

/// Whether the products of some rows of the left operand from `column` on, which is the same number in all columns, with these
/// rows of the right operand, of so many columns, are zero.
fn can_spare<T: Scalar>(
    left: Matrix<'_, T>,
    rows: Range<usize>,
    column: usize,
    right: Matrix<'_, T>,
    spared: Range<usize>,
    columns: usize,
) -> bool {
    spared.is_empty() || (are_zero(left, rows, column) && are_within(right, spared, 0..columns, T::LARGEST))
}

/// Whether these rows are zero in this column.
fn are_zero<T: Scalar>(matrix: Matrix<'_, T>, rows: Range<usize>, column: usize) -> bool {
    rows.into_iter().all(|row| matrix.elements[row * matrix.row + column * matrix.column] == T::default())
}

/// Whether what `holds` asks is so of the right operand from this row or column on, which may be known from before.
fn are_sound<T: Scalar>(room: &mut Option<&mut Room<T>>, from: usize, holds: impl FnOnce() -> bool) -> bool {
    match room.as_deref_mut().and_then(|room| room.kept.as_mut()) {
        Some(kept) => kept.are_sound(from, holds),
        None => holds(),
    }
}

/// Whether all these elements lie between `-bound` and `bound`.
fn are_within<T: Scalar>(matrix: Matrix<'_, T>, rows: Range<usize>, columns: Range<usize>, bound: T) -> bool {
    if matrix.column != 1 && matrix.row == 1 {
        return are_within(matrix.transposed(), columns, rows, bound);
    }
    if columns.is_empty() {
        return true;
    }
    let part = |row: usize| row * matrix.row + columns.start * matrix.column;
    rows.into_iter().all(|row| match matrix.column {
        1 => {
            let elements = &matrix.elements[part(row)..][..columns.len()];
            elements.iter().fold(true, |all, element| all & element.is_within(bound))
        }
        column => {
            let elements = &matrix.elements[part(row)..];
            elements.iter().step_by(column).take(columns.len()).all(|element| element.is_within(bound))
        }
    })
}
