//! Matrix products in blocks that stay in the caches, on top of [`tile`].
//!
//! The contracted axis is cut into blocks of nearly equal depth, the rows into blocks whose part of the left operand stays
//! in the second-level cache, and the columns into panels as wide as a tile, which stay in the first-level cache while all
//! rows of the block go by (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008). A panel is
//! copied side by side if its columns are not neighbors or if enough rows read it, the left operand if enough panels do: rows
//! that are a power of two apart push each other out of the first-level cache. A panel whose columns are neighbors is copied by
//! the first tile that reads it, and kept if other rows are about to be multiplied by it. Meanwhile the next panel and the next
//! block of the left operand are asked for. Copies change no bits, and where blocks of the contracted axis end depends on its
//! length alone: each element of the result is the same sum in the same order, however rows are split and whatever is copied.
//!
//! A few rows times columns that lie side by side in memory are computed as many rows times a few columns, and turned: so the
//! few are turned, not the many. So are rows that lie side by side times a few columns, where rows make better tiles.
#![allow(unsafe_code, reason = "tiles take pointers; the bounds of whole operands are checked once")]

use crate::kernel::ahead::{Ahead, LINE};
use crate::kernel::matmul::pack::copy;
use crate::kernel::matmul::panels::{Depth, Panels};
use crate::kernel::matmul::tile::{self, Onto, STEPS, Strided, Tiles, VECTORS};
use crate::kernel::matmul::{Dims, Matmul, Matrix, Part, Product, Room};
use crate::kernel::register::{InRegisters, Registers, Vector};
use crate::kernel::scratch::Aligned;
use crate::kernel::simd::InstructionSet;

/// In blocks and tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked;

impl<T: Registers> Matmul<T> for Blocked {
    fn multiply(&self, product: Product<'_, T>) {
        T::in_registers(InstructionSet::detected(), product);
    }
}

/// Contracted elements per block at most: a panel of so many rows and a tile's rows fit the first-level cache.
pub(crate) const DEPTH: usize = 256;

/// Rows per block at most.
const ROWS: usize = 384;

/// Tiles of rows that make it worth to copy a panel of the right operand.
const PANEL_READERS: usize = 4;

/// Panels that make it worth to copy a block of the left operand, and if its rows' elements are neighbors.
const BLOCK_READERS: usize = 8;
const LINE_READERS: usize = 24;

/// Where elements are a multiple of so many bytes apart, their lines have few places in the caches, and push each other out
/// before the next rows are read of them; and the panels that make it worth to copy a block whose rows are such elements.
const FAR: usize = 1 << 11;
const FAR_READERS: usize = 2;

/// So much has to be contracted, for each panel of the result that is turned, that turning it takes little beside it.
const TURNED_DEPTH: usize = 128;

/// So many contracted elements of so many tiles are copied at once then: few enough lines to be read from, and to be written to.
const BAND: usize = 8;
const GROUP: usize = 12;

/// Bytes of operands that are near already: nothing of them is asked for ahead.
const NEAR: usize = 1 << 19;

impl<T: Copy + Default> InRegisters<T> for Product<'_, T> {
    #[inline(always)]
    unsafe fn compute<V: Vector<Element = T>>(self) {
        // SAFETY: the caller's promise.
        unsafe { multiply::<V>(self) }
    }
}

/// So much cut into the fewest parts of at most a certain length, as equal as can be: the first ones may be one longer.
#[derive(Clone, Copy)]
struct Parts {
    count: usize,
    length: usize,
    longer: usize,
}

impl Parts {
    #[inline(always)]
    fn of(all: usize, most: usize) -> Parts {
        let count = all.div_ceil(most);
        Parts { count, length: all / count.max(1), longer: all % count.max(1) }
    }

    /// Where part number `at` starts, and how long it is.
    #[inline(always)]
    fn part(self, at: usize) -> (usize, usize) {
        (at * self.length + at.min(self.longer), self.length + usize::from(at < self.longer))
    }

    /// How many parts from number `at` on are as long.
    #[inline(always)]
    fn alike(self, at: usize) -> usize {
        if at < self.longer { self.longer - at } else { self.count - at }
    }
}

/// `all` cut into the fewest parts of at most `most`, as equal as can be: where each starts, and how long it is.
#[inline(always)]
pub(crate) fn evenly(all: usize, most: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let parts = Parts::of(all, most);
    (0..parts.count).map(move |at| parts.part(at))
}

/// The blocks of a contracted axis: all but the last in units that are turned at once.
pub(crate) fn depths(k: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    const UNIT: usize = 16;
    let units = evenly(k.div_ceil(UNIT), DEPTH / UNIT);
    units.map(move |(start, count)| (start * UNIT, (count * UNIT).min(k - start * UNIT)))
}

/// Copies rows for `tiles` of them, of so many contracted elements: one tile behind the other, in each one column behind the
/// other, or one row behind the other if their elements are neighbors.
///
/// # Safety
/// The instruction set of `V` must be available.
#[inline(always)]
unsafe fn copy_left<V: Vector>(
    left: Matrix<'_, V::Element>,
    tiles: Parts,
    depth: usize,
    block: &mut [V::Element],
) {
    // Lines that are far apart are read by all tiles of a group before the next lines push them out of the cache.
    let (group, band) = if is_far(left) { (GROUP, BAND) } else { (1, depth) };
    for group in (0..tiles.count).step_by(group).map(|at| at..(at + group).min(tiles.count)) {
        for start in (0..depth).step_by(band) {
            let count = band.min(depth - start);
            for (row, rows) in group.clone().map(|at| tiles.part(at)) {
                let (part, to) = (left.from(row, start), &mut block[row * depth + start * rows..]);
                // SAFETY: the caller's promise.
                unsafe {
                    match part.column {
                        1 => copy::<V>(part, rows, count, depth, to),
                        _ => copy::<V>(part.transposed(), count, rows, rows, to),
                    }
                }
            }
        }
    }
}

/// Whether the elements of a row are so far apart that their lines have few places in the caches.
#[inline(always)]
fn is_far<T>(left: Matrix<'_, T>) -> bool {
    left.column > 1 && (left.column * size_of::<T>()).is_multiple_of(FAR)
}

/// # Safety
/// The instruction set of `V` must be available.
#[inline(always)]
unsafe fn multiply<V: Vector<Element: Default>>(product: Product<'_, V::Element>) {
    let Product { dims, left, right, result, part, on, room } = product;
    let Room { block, panel, turned, kept } = room.expect("a product in blocks has room for copies");
    let Dims { m, k, n } = dims;
    let part = part.unwrap_or(Part { across: n, contracted: (0, k) });
    if on || !is_better_turned::<V>(dims, left, right) {
        // SAFETY: as the caller promises.
        unsafe { in_blocks::<V>(dims, left, right, result, (on, part), [block, panel], kept.as_mut()) };
        return;
    }
    turned.grow(n * m);
    let (dims, dense) = (Dims { m: n, k, n: m }, Part { across: m, ..part });
    // SAFETY: as the caller promises.
    unsafe {
        let (left, right) = (right.transposed(), left.transposed());
        in_blocks::<V>(dims, left, right, turned, (false, dense), [block, panel], None);
        copy::<V>(Matrix { elements: &turned[..n * m], row: 1, column: m }, m, n, part.across, result);
    }
}

/// Whether columns are better computed as rows, and the result turned.
///
/// Where the right operand is stored by columns and the left one by rows, the right one would have to be turned: it has so many
/// more elements than the left one and the result, which are turned then. Half as many columns as fit a tile leave half of its
/// registers empty.
///
/// Where it is the other way round, nothing but the result has to be turned: that is less than copying a left operand whose
/// elements are far apart for few columns, and than leaving registers empty, if enough is contracted.
#[inline(always)]
fn is_better_turned<V: Vector>(
    Dims { m, k, n }: Dims,
    left: Matrix<'_, V::Element>,
    right: Matrix<'_, V::Element>,
) -> bool {
    let width = VECTORS * V::LANES;
    let (left_by_rows, right_by_rows) = (left.column == 1, right.column == 1);
    if left_by_rows && !right_by_rows && right.row == 1 {
        let times = if m < width { 6 } else { 2 };
        return times * m * (k + n) <= k * n;
    }
    let lies = !left_by_rows && left.row == 1 && right_by_rows && m >= width;
    let is_few = n * TURNED_DEPTH <= k * width && is_far(left) && !is_far(right.transposed());
    let is_empty = 4 * n.next_multiple_of(V::LANES) >= 5 * n && k >= TURNED_DEPTH;
    lies && (is_few || is_empty)
}

/// Computes a part of a product in blocks, or goes `on` with its sums.
///
/// # Safety
/// The instruction set of `V` must be available.
#[inline(always)]
unsafe fn in_blocks<V: Vector<Element: Default>>(
    Dims { m, k, n }: Dims,
    left: Matrix<'_, V::Element>,
    right: Matrix<'_, V::Element>,
    result: &mut [V::Element],
    (on, Part { across, contracted: (begin, end) }): (bool, Part),
    [block, panel]: [&mut Aligned<V::Element>; 2],
    mut kept: Option<&mut Panels<V::Element>>,
) {
    left.check(m, k);
    right.check(k, n);
    assert!(across >= n && result.len() >= (m - 1) * across + n, "a result has one place per element");
    assert!(begin < end && end <= k, "some of the contracted elements are multiplied");
    let width = VECTORS * V::LANES;
    let panels = n.div_ceil(width);
    let readers = match left.column {
        1 => LINE_READERS,
        _ if is_far(left) => FAR_READERS,
        _ => BLOCK_READERS,
    };
    let copies_left = panels >= readers;
    if copies_left {
        block.grow(m.min(ROWS) * k.min(DEPTH));
    }
    panel.grow(width * k.min(DEPTH));
    if let Some(kept) = kept.as_deref_mut() {
        kept.open(k, across, width);
    }
    let is_near = (m * k + k * n) * size_of::<V::Element>() <= NEAR;
    // What is multiplied is cut where all would be: so the bits do not depend on it, if the rest is zero.
    let depths = depths(k).enumerate().filter_map(|(block, (start, depth))| {
        let (from, to) = (start.max(begin), (start + depth).min(end));
        (from < to).then(|| Depth { block, skipped: from - start, start: from, len: to - from })
    });
    let mut blocks = depths.flat_map(|depth| evenly(m, ROWS).map(move |rows| (depth, rows))).peekable();
    while let Some((part_of_axis, (row_start, rows))) = blocks.next() {
        let Depth { start: k_start, len: depth, .. } = part_of_axis;
        let tiles = Parts::of(rows, V::ROWS);
        let part = left.from(row_start, k_start);
        if copies_left {
            // SAFETY: the instruction set is there.
            unsafe { copy_left::<V>(part, tiles, depth, block) };
        }
        // How often the tiles of a panel ask for what comes next: the next panel, and some of the left operand's next block.
        let times = tiles.count * depth.div_ceil(STEPS);
        let mut ahead = [Ahead::nothing(); 2];
        // Rows that are neighbors and read where they are lie in as many lines as the block is deep: each tile of the first panel
        // asks for the next tile's, and the last one, or the panels behind, for the next block's.
        let asks_by_tile = !copies_left && !is_near && left.column != 1;
        let next_block = blocks.peek().filter(|_| !is_near).copied();
        if let Some((next, (row_start, rows))) = next_block.filter(|_| !asks_by_tile || panels > 1) {
            let panels = if asks_by_tile { panels - 1 } else { panels };
            ahead[1] = Ahead::of(left.from(row_start, next.start), rows, next.len, times * panels);
        }
        let of_block = ahead[1];
        let copies_right = right.column != 1 || rows > PANEL_READERS * V::ROWS;
        // The first tile can copy a panel while it reads it.
        let is_ordered = copies_left || left.column == 1 || left.row == 1;
        let can_copy = copies_right && right.column == 1 && is_ordered && tile::copies::<V>(tiles.part(0).1);
        for column in (0..n).step_by(width) {
            let columns = width.min(n - column);
            let next = width.min(n - column - columns);
            let next_panel = match blocks.peek() {
                _ if is_near => None,
                _ if next > 0 => Some((part_of_axis, column + columns, next)),
                Some((depth, _)) => Some((*depth, 0, width.min(n))),
                None => None,
            };
            ahead[0] = next_panel.map_or(Ahead::nothing(), |(depth, column, columns)| {
                let kept = kept.as_deref().and_then(|kept| kept.part(column / width, depth));
                let next = match kept {
                    Some(elements) => Matrix { elements, row: width, column: 1 },
                    None => right.from(depth.start, column),
                };
                Ahead::of(next, depth.len, columns, times)
            });
            let right = right.from(k_start, column);
            // What is kept is kept as a whole.
            let is_whole = columns == width.min(across - column);
            let (panel, is_there) = match kept.as_deref_mut().filter(|_| copies_right && is_whole) {
                Some(kept) => kept.place(column / width, part_of_axis),
                None => (&mut panel[..], false),
            };
            let on_the_way = can_copy && columns == width && !is_there;
            if copies_right && !on_the_way && !is_there {
                // SAFETY: the instruction set is there.
                unsafe { copy::<V>(right, depth, columns, width, panel) };
            }
            let asks = asks_by_tile && column == 0;
            let mut at = 0;
            while at < tiles.count {
                let (row, rows) = tiles.part(at);
                let copies = on_the_way && at == 0;
                let count = if copies || asks { 1 } else { tiles.alike(at) };
                at += count;
                if asks {
                    let next = match next_block {
                        _ if at < tiles.count => Some((part.from(row + rows, 0), tiles.part(at).1, depth)),
                        Some((next, (row_start, rows))) if panels == 1 => {
                            Some((left.from(row_start, next.start), rows.min(V::ROWS), next.len))
                        }
                        _ => None,
                    };
                    ahead[1] = next.map_or(of_block, |(part, rows, depth)| {
                        // The tile before has read the line in which these begin.
                        let known = (rows - 1) % (LINE / size_of::<V::Element>());
                        Ahead::of(part.from(known, 0), rows - known, depth, depth.div_ceil(STEPS))
                    });
                }
                let (left, next_left) = if copies_left {
                    let start = block[row * depth..].as_ptr();
                    let (row, column) = if left.column == 1 { (depth, 1) } else { (1, rows) };
                    (Strided { start, row, column }, rows * depth)
                } else {
                    let start = part.from(row, 0).elements.as_ptr();
                    (Strided { start, row: part.row, column: part.column }, rows * part.row)
                };
                let (from, right_row) = match copies_right && !copies {
                    true => (panel.as_ptr(), width),
                    false => (right.elements.as_ptr(), right.row),
                };
                let tiles = Tiles {
                    count,
                    rows,
                    depth,
                    columns,
                    left,
                    next_left,
                    right: from,
                    right_row,
                    copy: if copies { panel.as_mut_ptr() } else { std::ptr::null_mut() },
                    result: result[(row_start + row) * across + column..].as_mut_ptr(),
                    result_row: across,
                    onto: match on {
                        _ if k_start > begin => Onto::Sum,
                        true => Onto::Chain,
                        false => Onto::Nothing,
                    },
                };
                // SAFETY: both operands and the result were checked to hold all of their elements, those of the tiles
                // among them, and the copies are as large as the block and the panel. A panel has `width` columns,
                // and where it is not copied, its first `columns` are neighbors.
                unsafe { tile::run::<V>(&tiles, &mut ahead) };
            }
        }
    }
}
