//! How many rows a block of a strip has, if it pays at all.
//!
//! Every block of rows packs the right operands of its products anew, unless what is packed is [kept](super::Strip::shared). That
//! may take as long as it would to write what is held and read it again, but no longer: so there must be enough rows in a block
//! for what they are multiplied by, and a block must stay in the cache. There must be some blocks for threads to share; and
//! where rows are added up, matrices, since all of a matrix is added up by one thread.

use crate::kernel::strip::form::Form;

/// The least rows that are made at once, of which there is a multiple, and the most: fewer are multiplied more slowly, more save
/// nothing.
const ROWS: (usize, usize) = (32, 128);

/// Bytes that are held at once, if enough rows go into them, and where rows are added up: with what they are multiplied by, and
/// the sums, they stay in the second-level cache.
const HELD: (usize, usize) = (1 << 19, 1 << 18);

/// Bytes that are held at once at most: so many still fit that cache.
const MOST_HELD: usize = 1 << 21;

/// How many elements of right operands may be packed for each element that is held: to write one into memory and read it again
/// takes as long.
const PACKED: usize = 4;

/// Blocks of rows at least: fewer would save little, and leave threads idle.
const BLOCKS: usize = 4;

/// Matrices whose rows are added up at least.
const MATRICES: usize = 8;

/// The rows of a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// See [`Strip::matrix`](super::Strip::matrix).
    pub(super) matrix: Option<usize>,
    /// See [`Strip::block`](super::Strip::block).
    pub(super) block: usize,
}

impl Size {
    /// For regions of these forms over `rows` rows, for each of which so many elements are held, of so many bytes; `combines`
    /// if some result is what rows come to.
    pub(super) fn of(
        forms: &[Form],
        rows: usize,
        (elements, bytes): (usize, usize),
        combines: bool,
    ) -> Option<Size> {
        let mut sums = forms.iter().filter_map(|form| match form {
            Form::Sum { product, .. } => Some(product.sizes()[1]),
            Form::Rows { .. } => None,
        });
        let matrix = sums.next();
        if sums.any(|other| Some(other) != matrix) {
            return None;
        }
        let packed = |block: usize| {
            let of = |form: &Form| match form {
                Form::Rows { product: None } => 0,
                Form::Rows { product: Some(product) } => {
                    product.packed_for(block * (product.sizes()[0] / rows))
                }
                // The result is gone through for every block.
                Form::Sum { product, .. } => {
                    let [rows, _, columns] = product.sizes();
                    rows / product.stack() * columns
                }
            };
            forms.iter().map(of).sum::<usize>()
        };
        let (least, most) = ROWS;
        // As many as stay in the cache and keep twice as many threads busy as there must be blocks; more if packing costs more.
        let held = if matrix.is_some() { HELD.1 } else { HELD.0 };
        let wanted = (held / bytes.max(1)).min(rows / (2 * BLOCKS)).clamp(least, most);
        let mut choices = (wanted - wanted % least..=most).step_by(least);
        let block = choices.find(|block| packed(*block) <= PACKED * block * elements)?;
        let shares = match matrix {
            Some(matrix) => rows >= MATRICES * matrix && matrix >= least && !combines,
            None => BLOCKS * block <= rows,
        };
        (shares && block * bytes <= MOST_HELD).then_some(Size { matrix, block })
    }
}
