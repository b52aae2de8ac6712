//! Initial values of parameters: functions of a seed, the parameter's path and its shape, and of nothing else.
//!
//! Adding or reordering layers leaves the other parameters' values as they are, and every machine draws the same bits.

mod draws;
mod orthogonal;
mod initializer;

pub use initializer::Initializer;
