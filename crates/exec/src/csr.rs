//! Lists of lists in two vectors: rows are appended, then read.

/// One list of `T` per row.
#[derive(Clone, Debug)]
pub(crate) struct Csr<T> {
    offsets: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy> Csr<T> {
    /// No rows, with room for `rows` of them.
    pub(crate) fn with_rows(rows: usize) -> Csr<T> {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Csr { offsets, items: Vec::new() }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// When there are 2^32 items or more.
    pub(crate) fn push_row(&mut self, items: impl IntoIterator<Item = T>) {
        self.items.extend(items);
        self.offsets.push(u32::try_from(self.items.len()).expect("fewer than 2^32 edges"));
    }

    /// `(row, item)` pairs, sorted into rows; items of a row keep the order of the pairs.
    pub(crate) fn from_pairs(rows: usize, pairs: impl Iterator<Item = (usize, T)> + Clone) -> Csr<T> {
        let mut offsets = vec![0_u32; rows + 1];
        let mut first = None;
        for (row, item) in pairs.clone() {
            offsets[row + 1] += 1;
            first = Some(item);
        }
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        let Some(first) = first else { return Csr { offsets, items: Vec::new() } };
        let mut next = offsets.clone();
        let mut items = vec![first; offsets[rows] as usize];
        for (row, item) in pairs {
            items[next[row] as usize] = item;
            next[row] += 1;
        }
        Csr { offsets, items }
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The items of row `row`.
    pub(crate) fn row(&self, row: usize) -> &[T] {
        &self.items[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// The items of row `row`, to reorder.
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [T] {
        &mut self.items[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// The item at this place among [all](Csr::items).
    pub(crate) fn item_mut(&mut self, at: usize) -> &mut T {
        &mut self.items[at]
    }

    /// All items, row after row.
    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    /// `(row, item)` of every item.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, T)> + Clone {
        (0..self.len()).flat_map(|row| self.row(row).iter().map(move |item| (row, *item)))
    }
}
