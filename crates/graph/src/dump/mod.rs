//! Views of a graph for people.

pub(crate) mod units;
