//! The text IR: what `println!("{graph}")` shows, and the parser that reads it back, bit for bit.
//!
//! ```text
//! graph {
//!   %0 = input() name=x kind=data : f32[batch, 3]       // src/net.rs:4:13
//!   %1 = input() name=w kind=parameter : f32[3, 2]      // src/net.rs:5:13
//!   scope encoder/dense {
//!     %2 = dot_general(%0, %1) contract_left=[1] contract_right=[0] : f32[batch, 2]  // "h" src/net.rs:7:18
//!   }
//!   scope grad/encoder/dense {
//!     %9 = mul(%8, %7) : f32[batch, 2]                  // ∇%2 by tanh, src/net.rs:7:18
//!   }
//!   return loss=%3, w=%9 updates %1
//!   cotangents %2: %9
//! }
//! ```
//!
//! - One node a line: id, op, operands, attributes, type. Ids count up from `%0`.
//! - Attributes are JSON values; strings that look like names stand without quotes. Those that repeat the node's type
//!   (`type`, `shape`, `dtype`) are left out, and so are lists that may be empty and are.
//! - What stands in a `scope` block is in the box of that path. Of siblings with one name, the second is `name~2`.
//! - Behind `//` stands where the node comes from, and it is read: the label, then the origins, parted by `;`. An origin is
//!   `∇%forward by rule` for gradient nodes, the user's line, and `pass name` for nodes that a pass made; `?` if none
//!   of these is known.
//! - A comment starts with `#`; it is skipped.

mod value;
mod scopes;
mod print;
mod cursor;
mod parse;
#[cfg(test)]
pub(crate) mod round_trip;

pub use print::Text;
