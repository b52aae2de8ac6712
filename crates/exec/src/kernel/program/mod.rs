//! Elementwise programs: instructions over blocks of elements that stay in the first-level cache.
//!
//! A program computes every element of its results from the elements at the same position of its inputs (or from a
//! [view](crate::kernel::movement::view::View) of them), and where it has rows, from what the elements of its row add up to. A tile is
//! whole rows; a stage of the program goes through it block by block, all instructions of the stage for one block and then
//! for the next, up to where rows have to be combined. What lies between two instructions of a stage is in a register as
//! long as a block, what lies between two stages in one as long as a tile, and what repeats itself in one as long as a lap:
//! so many elements, whole periods, are gone through before it is read from its start again. Functions of arithmetic are one
//! instruction, a chain, where nothing else needs what the first gives; the result of a chain may overwrite an operand.
//! Products that are only added up are computed by what adds them. What combines rows with each other is added up over the
//! tiles of a piece, and written when the piece ends. Nothing is reassociated or contracted, so the bits are those of the
//! same ops run one after another, however they are cut into blocks, tiles, pieces or programs.

mod agenda;
mod batch;
mod blocks;
mod build;
mod by_node;
mod chain_loop;
mod chains;
mod code;
mod compile;
mod fixed;
mod instruction;
mod readers;
mod registers;
mod layout;
mod groups;
mod run;
mod scalar;
mod spreads;
mod stage;
mod streams;
mod summands;

pub(crate) use crate::kernel::program::blocks::Spot;
pub(crate) use crate::kernel::program::build::Program;
pub(crate) use crate::kernel::program::compile::{Cut, compile, grain};
