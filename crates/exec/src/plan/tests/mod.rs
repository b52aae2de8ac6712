//! Plans against slow, obvious versions of themselves.

mod memory;
mod order;
mod plans;
mod reach;
pub(crate) mod strategy;
mod turned;
