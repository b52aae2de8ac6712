//! Movement: ops that place elements elsewhere without computing. Each one's pullback is its adjoint placement.
//!
//! C1 of each: one operand (`concat`: at least one).

mod place;
mod broadcast;
mod reshape;
mod permute;
mod slice;
mod pad;
mod concat;
mod reverse;

pub use broadcast::Broadcast;
pub use concat::Concat;
pub use pad::Pad;
pub use permute::Permute;
pub use reshape::Reshape;
pub use reverse::Reverse;
pub use slice::Slice;
