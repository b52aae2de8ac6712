//! One matrix product over strided operands, behind a trait that a faster backend can take over.
//!
//! Every backend computes each row of the result in the same way wherever the rows are cut: the bits do not depend on
//! how a product is split among workers. Which backend a product gets depends on its whole size, never on a piece's.

mod gemm;
mod left;
mod lines;
mod pack;
mod panels;
mod plain;
mod product;
mod scalar;
#[cfg(test)]
mod tests;
mod tile;

pub(crate) use gemm::{DEPTH, depths, evenly};
pub(crate) use pack::{Turned, turned};
pub(crate) use panels::{MOST_KEPT, Panels};
pub(crate) use plain::TINY;
pub(crate) use product::{Dims, Matmul, Matrix, Method, Part, Product, Room};
pub(crate) use scalar::Scalar;
pub(crate) use tile::VECTORS;
