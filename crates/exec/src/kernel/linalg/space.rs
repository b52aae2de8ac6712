//! A worker's memory for one matrix, and the products that update a part of it.

use crate::kernel::matmul::{Dims, Matrix, Method, Part, Product, Room};
use crate::kernel::scratch::{Aligned, Scratch};

/// Buffers of a worker, grown to what a matrix needs.
#[derive(Debug)]
pub(crate) struct Space {
    /// The factors of the matrix.
    pub(super) factors: Aligned<f64>,
    /// A matrix more.
    pub(super) spare: Aligned<f64>,
    /// Which rows of the matrix the factors' rows are, and its columns, if those are exchanged too.
    pub(super) rows: Aligned<i64>,
    pub(super) columns: Aligned<i64>,
    pub(super) tools: Tools,
}

/// What updates need beside what they update.
#[derive(Debug)]
pub(super) struct Tools {
    /// A part of the factors, where another part of the same rows is updated by it.
    pub(super) copy: Aligned<f64>,
    /// A triangle that is not cut any more.
    pub(super) triangle: Aligned<f64>,
    room: Room<f64>,
}

impl Space {
    /// The worker's buffers; give them back with [`put`](Space::put).
    pub(super) fn take(scratch: &mut Scratch) -> Space {
        let [block, panel, turned] = [2, 3, 9].map(|index| scratch.take(index, 0));
        Space {
            factors: scratch.take(4, 0),
            spare: scratch.take(5, 0),
            rows: scratch.take(0, 0),
            columns: scratch.take(1, 0),
            tools: Tools {
                copy: scratch.take(6, 0),
                triangle: scratch.take(10, 0),
                room: Room { block, panel, turned, kept: None },
            },
        }
    }

    /// Gives the buffers back.
    pub(super) fn put(self, scratch: &mut Scratch) {
        let Space { factors, spare, rows, columns, tools: Tools { copy, triangle, room } } = self;
        let buffers = [factors, spare, copy, triangle, room.block, room.panel, room.turned];
        for (index, buffer) in [4, 5, 6, 10, 2, 3, 9].into_iter().zip(buffers) {
            scratch.put(index, buffer);
        }
        scratch.put(0, rows);
        scratch.put(1, columns);
    }
}

impl Tools {
    /// Adds `left · right` to the result, whose rows are `across` apart: each element is a chain in the order of the contracted
    /// axis, from what it was on.
    pub(super) fn add_product(
        &mut self,
        dims: Dims,
        left: Matrix<'_, f64>,
        right: Matrix<'_, f64>,
        result: &mut [f64],
        across: usize,
    ) {
        let Dims { m, k, n } = dims;
        if m * k * n > 0 {
            let part = Some(Part { across, contracted: (0, k) });
            // Also for a single column, of which rows that are equal must leave the same.
            Method::Blocked.multiply(Product {
                dims,
                left,
                right,
                result,
                part,
                on: true,
                room: Some(&mut self.room),
            });
        }
    }
}
