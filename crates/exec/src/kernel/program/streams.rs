//! What tiles move through: where the next one's elements are, and which of them are asked for while this one is run.
//!
//! A tile that another one follows is a whole one, so all of this is known when a program is made.

use crate::kernel::ahead::{LINE, prefetch};
use crate::kernel::program::blocks::{BLOCK, Spot};
use crate::kernel::program::build::{Home, Program, Seat};
use crate::kernel::program::instruction::{Place, Space};
use crate::kernel::program::run::Lengths;

/// The way from tile to tile: of every home that is elsewhere for each of them, those first of which parts are asked for.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    all: Vec<Stream>,
    asked: usize,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    home: u16,
    /// How far the next tile's elements are behind those of this one.
    bytes: usize,
    /// How many of those bytes each stage of blocks asks for, and each of its blocks; the last ones less, or nothing.
    share: usize,
    pace: usize,
}

impl Streams {
    /// No way: there is one tile at most.
    pub(super) fn none() -> Streams {
        Streams { all: Vec::new(), asked: 0 }
    }

    /// The streams of a program that has stages, homes and seats.
    ///
    /// Each block asks for a part of what the next tile reads and writes: rows lie apart in memory, and a processor that sees
    /// where the last ones were read does not look beyond their page; asked for at once they would be waited for. A single
    /// stage goes through memory in one direction, which processors follow on their own.
    pub(super) fn of(program: &Program) -> Streams {
        if program.tile >= program.len {
            return Streams::none();
        }
        let lengths = Lengths::new(program.tile, program.columns);
        let blocks = program.tile.div_ceil(BLOCK);
        let stages = program.stages.iter().filter(|stage| stage.order().is_some()).count();
        let stream = |(at, (home, seat)): (usize, (&Home, &Seat))| {
            let bytes = lengths.of(home.space) * home.dtype.bytes();
            // An operand that is overwritten is asked for as the result.
            let is_elsewhere = matches!((seat, home.place), (Seat::Read(_), _) | (_, Place::Result(_)));
            let is_asked =
                is_elsewhere && home.space == Space::Elements && program.stages.len() > 1 && stages > 0;
            let pace = if is_asked { bytes.div_ceil(stages * blocks).next_multiple_of(LINE) } else { 0 };
            Stream { home: at as u16, bytes, share: pace * blocks, pace }
        };
        let homes = program.homes.iter().zip(&program.seats).enumerate();
        let moving = homes.filter(|(_, (_, seat))| !matches!(seat, Seat::Memory(_)));
        let (asked, others): (Vec<_>, Vec<_>) = moving.map(stream).partition(|stream| stream.share > 0);
        Streams { asked: asked.len(), all: [asked, others].concat() }
    }

    /// Moves on to the next tile.
    #[inline]
    pub(super) fn advance(&self, spots: &mut [Spot]) {
        for Stream { home, bytes, .. } in &self.all {
            let spot = &mut spots[usize::from(*home)];
            spot.start = spot.start.wrapping_add(*bytes);
        }
    }

    /// Asks for the part of the next tile that a block of a stage is to ask for: of the block from element `at` on, of the stage
    /// of that number.
    #[inline]
    pub(super) fn ask(&self, spots: &[Spot], stage: usize, at: usize) {
        for Stream { home, bytes, share, pace } in &self.all[..self.asked] {
            let next = spots[usize::from(*home)].start.wrapping_add(*bytes);
            let start = stage * share + at / BLOCK * pace;
            let (mut byte, end) = (start, (start + pace).min(*bytes));
            while byte < end {
                prefetch::<false, u8>(next.wrapping_add(byte));
                byte += LINE;
            }
        }
    }
}
