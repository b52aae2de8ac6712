//! Vector registers as matrix products use them: whole and masked loads and stores, sums of products, and turning rows into
//! columns.

mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod turn;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use portable::{Four, Two};
pub(crate) use vector::{Turn, Vector};
