//! What of a graph is computed by one kernel, and the rewritings of graphs that this rests on.

pub(crate) mod determinants;
pub(crate) mod fuse;
pub(crate) mod heads;
pub(crate) mod merge;
pub(crate) mod narrow;
pub(crate) mod read;
pub(crate) mod recompute;
pub(crate) mod region;
pub(crate) mod role;
pub(crate) mod summed;
pub(crate) mod survey;
pub(crate) mod turned;
pub(crate) mod unread;
