//! Indexing: reading and writing at places given by i64 indices.
//!
//! An index must lie in `0..size`: a negative one does not count from the end. One that does not is an error of the run
//! that names index, bound and node. No gradient reaches the indices.

mod place;
mod gather;
mod scatter;

pub use gather::{Gather, GatherAlong};
pub use scatter::{Scatter, ScatterAlong, ScatterKind};
