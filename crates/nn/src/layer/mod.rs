//! Layers: small descriptions that append nodes. Anything that implements [`Module`](crate::Module) stands beside them.

mod dense;
mod activation;
mod dropout;
mod flatten;
mod sequential;

pub use activation::Activation;
pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use sequential::Sequential;
