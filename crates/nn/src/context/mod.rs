//! What layers build in: the graph's builder, the paths of parameters, the mode, and the key of random numbers.

mod frames;
mod tables;
mod boxes;
mod parameters;
mod random;

pub use tables::{Context, Mode};
