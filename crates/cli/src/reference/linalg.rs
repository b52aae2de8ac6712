//! Products of matrices, and linear algebra.

use super::call::{Table, one};

pub(super) const OPERATIONS: Table = &[
    ("matmul", |c| c.binary(|a, b| a.matmul(b))),
    ("linear", |c| {
        let x = c.input(0)?.matmul(c.input(1)?.t());
        one(c.optional(2).map_or(x, |bias| x + bias))
    }),
];
