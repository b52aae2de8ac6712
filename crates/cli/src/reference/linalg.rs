//! Products of matrices, and linear algebra.

use pullback_graph::einsum;

use super::call::{Skip, Table, one};

pub(super) const OPERATIONS: Table = &[
    ("matmul", |c| c.binary(|a, b| a.matmul(b))),
    ("linear", |c| one(c.input(0)?.linear(c.input(1)?, c.optional(2)))),
    ("einsum", |c| {
        let equation = c.word_or("equation", "")?;
        let (first, others) = c.list()?;
        one(einsum(equation, &[&[first], others].concat()))
    }),
    ("outer", |c| c.binary(|a, b| a.outer(b))),
    ("inverse", |c| c.unary(|a| a.inverse())),
    ("det", |c| c.unary(|a| a.det())),
    ("solve", |c| c.binary(|a, b| a.solve(b))),
    ("cholesky_of_spd", |c| {
        let [m] = c.inputs()?;
        let product = m.matmul(m.t());
        let size =
            product.shape().last().and_then(|size| size.known()).ok_or(Skip("takes matrices".into()))?;
        let is_diagonal = product.iota_like(-2).eq(product.iota_like(-1));
        one((product + is_diagonal.select(product.full_like(size as f64), 0.0)).cholesky())
    }),
];
