//! Rows of a few elements, copied by one loop: a call for each row would take longer than what it copies.

/// Elements of a row up to which such a loop is shorter than a call.
pub(crate) const NARROW: usize = 16;

/// Where rows are: the elements from the first one on, and how far a row begins behind the one before.
pub(crate) struct Apart<E> {
    pub(crate) elements: E,
    pub(crate) apart: usize,
}

/// Copies the first `width` elements of as many rows as begin in `to`.
pub(crate) fn copy_rows<T: Copy>(from: Apart<&[T]>, to: Apart<&mut [T]>, width: usize) {
    match width {
        1 => copy_known::<T, 1>(from, to),
        2 => copy_known::<T, 2>(from, to),
        3 => copy_known::<T, 3>(from, to),
        4 => copy_known::<T, 4>(from, to),
        8 => copy_known::<T, 8>(from, to),
        _ => {
            for (row, to) in to.elements.chunks_mut(to.apart).enumerate() {
                to[..width].copy_from_slice(&from.elements[row * from.apart..][..width]);
            }
        }
    }
}

fn copy_known<T: Copy, const WIDTH: usize>(from: Apart<&[T]>, to: Apart<&mut [T]>) {
    let all = "every row has so many elements";
    for (row, to) in to.elements.chunks_mut(to.apart).enumerate() {
        let from: &[T; WIDTH] = from.elements[row * from.apart..].first_chunk().expect(all);
        *to.first_chunk_mut().expect(all) = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_is_copied_and_nothing_else_is_written() {
        let source: Vec<usize> = (0..400).collect();
        for width in 1..=NARROW {
            let mut out = vec![usize::MAX; 7 * 19 + width];
            let from = Apart { elements: &source[3..], apart: 20 };
            copy_rows(from, Apart { elements: &mut out, apart: 19 }, width);
            for (at, value) in out.iter().enumerate() {
                let (row, column) = (at / 19, at % 19);
                let expected = if column < width { 3 + row * 20 + column } else { usize::MAX };
                assert_eq!(*value, expected, "element {at} of rows of {width}");
            }
        }
    }
}
