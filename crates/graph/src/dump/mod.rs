//! Views of a graph for people: pictures for Graphviz and Mermaid, a summary, and a list of gradients.
//!
//! Each is a text that `Display` prints in time linear in the graph. The text IR and the file format, which read back, are
//! in `text` and `file`.

pub mod units;
mod table;
mod boxes;
mod flops;
mod summary;
mod forward_with_gradients;
mod dot;
mod mermaid;

pub use dot::Dot;
pub use forward_with_gradients::ForwardWithGradients;
pub use mermaid::Mermaid;
pub use summary::{OpSummary, Port, ScopeSummary, Storage, Summary};
