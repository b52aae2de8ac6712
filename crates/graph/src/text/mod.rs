//! The text IR: what `println!("{graph}")` shows, and the parser that reads it back.

mod print;
