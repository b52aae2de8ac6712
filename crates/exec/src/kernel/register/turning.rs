//! How registers turn rows into columns by instructions that interleave two of them.

/// Turns four rows, inside each 128 bits, by the unpacking instructions of a register.
macro_rules! turn_four {
    ($from:ident $row:ident, $gather:ident $low:ident $high:ident $low_pairs:ident $high_pairs:ident $to_pairs:ident $from_pairs:ident) => {{
        let rows: [_; 4] = std::array::from_fn(|at| $gather($from.add(at * $row), $row));
        let (a, b) = ($to_pairs($low(rows[0], rows[1])), $to_pairs($low(rows[2], rows[3])));
        let (c, d) = ($to_pairs($high(rows[0], rows[1])), $to_pairs($high(rows[2], rows[3])));
        [$low_pairs(a, b), $high_pairs(a, b), $low_pairs(c, d), $high_pairs(c, d)].map(|row| $from_pairs(row))
    }};
}

/// Turns two rows, inside each 128 bits.
macro_rules! turn_two {
    ($from:ident $row:ident, $gather:ident $low:ident $high:ident) => {{
        let rows = [$gather($from, $row), $gather($from.add($row), $row)];
        [$low(rows[0], rows[1]), $high(rows[0], rows[1])]
    }};
}

/// How registers turn rows: that many neighbors, by a macro and its instructions.
macro_rules! turning {
    ($($register:ident of $ty:ty, $lines:literal lines, $neighbors:literal neighbors: $turn:ident $($with:ident)*;)*) => {
        $(
            // SAFETY: these are instructions of the register's set, on as many elements as the trait says.
            unsafe impl $crate::kernel::register::Turn for $register {
                const LINES: usize = $lines;
                const NEIGHBORS: usize = $neighbors;

                #[inline(always)]
                unsafe fn turn(from: *const $ty, row: usize, to: *mut $ty, to_row: usize) {
                    // SAFETY: the instruction set is there, the rows have so many elements, and there is room.
                    unsafe {
                        let turned = $turn!(from row, $($with)*);
                        for (at, row) in turned.into_iter().enumerate() {
                            $crate::kernel::register::Vector::store(row, to.add(at * to_row));
                        }
                    }
                }
            }
        )*
    };
}

pub(super) use {turn_four, turn_two, turning};
