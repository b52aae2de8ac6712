//! The machine that programs run on: one instruction after another, a block of elements at a time.
//!
//! A block is so short that what instructions hand to each other stays in the first-level cache, however many they are,
//! and so long that finding out what to do next costs little beside doing it.
#![allow(
    unsafe_code,
    reason = "instructions find their operands by address: a check per operand and block would cost more"
)]

use std::slice;

use pullback_graph::dispatch;

use crate::kernel::loops;
use crate::kernel::loops::{Binary, Choose, Compare, Convert, Limit, Unary};
use crate::kernel::program::code::{Code, Pass};
use crate::kernel::program::streams::Streams;
use crate::kernel::simd::{self, InstructionSet, Loop};
use crate::kernel::slice::Typed;

/// Elements per block.
pub(crate) const BLOCK: usize = 256;

/// Where the elements of an operand or a result are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    /// The element at the start of the tile.
    pub(crate) start: *mut u8,
    /// How far an element is behind the one before; 0 for what starts anew in every block.
    pub(crate) stride: usize,
}

// SAFETY: a spot is an address; using it is `unsafe` and has its own conditions.
unsafe impl Send for Spot {}

impl Spot {
    /// No place.
    pub(crate) const NOWHERE: Spot = Spot { start: std::ptr::null_mut(), stride: 0 };

    /// Where element number `at` is.
    #[inline(always)]
    pub(crate) fn element<T>(self, at: usize) -> *mut T {
        self.start.wrapping_add(at * self.stride).cast()
    }
}

/// An instruction by addresses.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) code: Code,
    /// The operands, as positions among the spots.
    pub(crate) operands: [u16; 4],
    /// The result.
    pub(crate) target: u16,
}

/// Elements that are gone through: `count` runs of `len` neighbours from `first` on, `apart` elements from one's first to the
/// next one's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) len: usize,
    pub(crate) apart: usize,
}

impl Runs {
    /// The first so many elements.
    pub(crate) fn whole(len: usize) -> Runs {
        Runs { first: 0, count: 1, len, apart: len }
    }

    /// The same in parts that begin where laps of so many elements do: a lap is whole runs, or a single run several laps.
    pub(crate) fn laps(self, lap: usize) -> impl Iterator<Item = Runs> {
        let Runs { first, count, len, apart } = self;
        let end = first + if count == 1 { len } else { count * apart };
        (first..end).step_by(lap).map(move |first| match count {
            1 => Runs { first, count, len: lap.min(end - first), apart },
            _ => Runs { first, count: lap.min(end - first) / apart, len, apart },
        })
    }

    /// Where each begins.
    pub(crate) fn starts(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |run| self.first + run * self.apart)
    }
}

/// Steps to be run over elements.
pub(crate) struct Blocks<'a> {
    steps: &'a [Step],
    spreads: usize,
    spots: &'a [Spot],
    runs: Runs,
    columns: usize,
    ahead: Option<(&'a Streams, usize)>,
}

impl<'a> Blocks<'a> {
    /// `steps` over elements at these spots, rows having so many `columns`. The first `spreads` of them spread out
    /// numbers of rows, to spots of stride 0 that no other step writes: not again for a block of the row that the one before
    /// was of. Blocks ask for what is `ahead`, as those of the stage of that number.
    ///
    /// # Safety
    /// For every step and while the blocks run: each operand's spot has these elements of the operand's type, or the
    /// first `BLOCK` of them if its stride is 0, or one per row that is begun if it is spread, all initialized; nobody
    /// else writes them. The target's spot has as many of its type, nobody else uses them, and no element of an operand of
    /// the same step shares memory with one of the target, unless all do and the code [may overwrite](Code::may_overwrite).
    pub(crate) unsafe fn new(
        steps: &'a [Step],
        spreads: usize,
        spots: &'a [Spot],
        runs: Runs,
        columns: usize,
        ahead: Option<(&'a Streams, usize)>,
    ) -> Blocks<'a> {
        Blocks { steps, spreads, spots, runs, columns, ahead }
    }

    /// Runs the steps.
    pub(crate) fn run(&self) -> Result<(), String> {
        let mut spread = Spread { end: self.runs.first, columns: self.columns };
        for start in self.runs.starts() {
            let (mut at, end) = (start, start + self.runs.len);
            while at + BLOCK <= end {
                if let Some((streams, stage)) = self.ahead {
                    streams.ask(self.spots, stage, at);
                }
                for step in self.steps(&mut spread, at, BLOCK) {
                    Block::<BLOCK> { spots: self.spots, at, len: BLOCK, columns: self.columns }.step(step)?;
                }
                at += BLOCK;
            }
            if at < end {
                if let Some((streams, stage)) = self.ahead {
                    streams.ask(self.spots, stage, at);
                }
                let len = end - at;
                for step in self.steps(&mut spread, at, len) {
                    Block::<0> { spots: self.spots, at, len, columns: self.columns }.step(step)?;
                }
            }
        }
        Ok(())
    }

    /// The steps that a block of so many elements takes.
    #[inline]
    fn steps(&self, spread: &mut Spread, at: usize, len: usize) -> &'a [Step] {
        &self.steps[if self.spreads > 0 && spread.again(at, len) { self.spreads } else { 0 }..]
    }
}

/// Which row's numbers are spread out.
struct Spread {
    /// Where the row ends in which the block before began; where the first one starts before that.
    end: usize,
    columns: usize,
}

impl Spread {
    /// Whether a block is of the same row as the one before, and both of no other.
    #[inline]
    fn again(&mut self, at: usize, len: usize) -> bool {
        // Two blocks are longer than such a row.
        if self.columns <= BLOCK {
            return false;
        }
        let again = at + len <= self.end;
        if at >= self.end {
            self.end += self.columns;
        }
        again
    }
}

/// A block of `LEN` elements, or of `len` if that is 0: where the length is known, loops need no ends.
struct Block<'a, const LEN: usize> {
    spots: &'a [Spot],
    at: usize,
    len: usize,
    columns: usize,
}

impl<'a, const LEN: usize> Block<'a, LEN> {
    #[inline(always)]
    fn len(&self) -> usize {
        if LEN == 0 { self.len } else { LEN }
    }

    /// The block's elements of an operand.
    #[inline(always)]
    fn read<T: Typed>(&self, spot: u16) -> &'a [T] {
        // SAFETY: promised to `Blocks::new`.
        unsafe { slice::from_raw_parts(self.spots[usize::from(spot)].element(self.at), self.len()) }
    }

    /// The block's elements of a result.
    #[inline(always)]
    fn write<T: Typed>(&self, spot: u16) -> &'a mut [T] {
        // SAFETY: promised to `Blocks::new`.
        unsafe { slice::from_raw_parts_mut(self.spots[usize::from(spot)].element(self.at), self.len()) }
    }

    /// Runs a step. What is compiled for an instruction set on its own is called right here.
    #[inline(always)]
    fn step(self, step: &'a Step) -> Result<(), String> {
        let ([x, y, ..], out) = (step.operands, step.target);
        match &step.code {
            // SAFETY: promised to `Blocks::new`; code is made for the set that was detected.
            Code::Chain(chain) => unsafe { chain(step, self.spots, self.at, self.len()) },
            Code::RoutineF32(routine) => routine(InstructionSet::detected(), self.read(x), self.write(out)),
            Code::RoutineF64(routine) => routine(InstructionSet::detected(), self.read(x), self.write(out)),
            Code::RoutineOfTwoF32(routine) => {
                routine(InstructionSet::detected(), self.read(x), self.read(y), self.write(out));
            }
            Code::RoutineOfTwoF64(routine) => {
                routine(InstructionSet::detected(), self.read(x), self.read(y), self.write(out));
            }
            Code::PolygammaF32(routine) => {
                routine.run::<f32>(InstructionSet::detected(), self.read(x), self.write(out));
            }
            Code::PolygammaF64(routine) => {
                routine.run::<f64>(InstructionSet::detected(), self.read(x), self.write(out));
            }
            Code::Pass(pass) => return simd::run(Compiled { block: self, step, pass }),
        }
        Ok(())
    }

    /// Runs a step that is compiled with the machine.
    #[inline(always)]
    fn pass<const FMA: bool>(&self, step: &Step, pass: &Pass) -> Result<(), String> {
        let [x, y, z, _] = step.operands;
        let out = step.target;
        match pass {
            Pass::UnaryF32(op) => {
                Unary::<f32> { op: *op, x: self.read(x), out: self.write(out) }.run::<FMA>()
            }
            Pass::UnaryF64(op) => {
                Unary::<f64> { op: *op, x: self.read(x), out: self.write(out) }.run::<FMA>()
            }
            Pass::BinaryF32(op) => {
                Binary::<f32> { op: *op, x: self.read(x), y: self.read(y), out: self.write(out) }
                    .run::<FMA>();
            }
            Pass::BinaryF64(op) => {
                Binary::<f64> { op: *op, x: self.read(x), y: self.read(y), out: self.write(out) }
                    .run::<FMA>();
            }
            Pass::UnaryInt(op) => return loops::unary_int(*op, self.read(x), self.write(out)),
            Pass::BinaryInt(op) => {
                return loops::binary_int(*op, self.read(x), self.read(y), self.write(out));
            }
            Pass::Compare(op, dtype) => dispatch!(*dtype, T => {
                Compare::<T> { op: *op, x: self.read(x), y: self.read(y), out: self.write(out) }.run::<FMA>();
            }),
            Pass::Logic(op) => loops::logic(*op, self.read(x), self.read(y), self.write(out)),
            Pass::Select(dtype) => dispatch!(*dtype, T => {
                let condition = self.read(x);
                Choose::<T> { condition, x: self.read(y), y: self.read(z), out: self.write(out) }.run::<FMA>();
            }),
            Pass::ClampF32(op) => Limit::<f32> { op, x: self.read(x), out: self.write(out) }.run::<FMA>(),
            Pass::ClampF64(op) => Limit::<f64> { op, x: self.read(x), out: self.write(out) }.run::<FMA>(),
            Pass::Cast(from, to) => dispatch!(*from, From => dispatch!(*to, To => {
                Convert::<From, To> { x: self.read(x), out: self.write(out) }.run::<FMA>();
            })),
            Pass::Spread(dtype) => dispatch!(*dtype, T => self.spread(x, self.write::<T>(out))),
        }
        Ok(())
    }

    /// Repeats each row's number along the row.
    #[inline(always)]
    fn spread<T: Typed>(&self, rows: u16, out: &mut [T]) {
        let spot = self.spots[usize::from(rows)];
        let mut row = self.at / self.columns;
        let mut left = self.columns - self.at % self.columns;
        let mut rest = out;
        while !rest.is_empty() {
            let (run, tail) = rest.split_at_mut(left.min(rest.len()));
            // SAFETY: promised to `Blocks::new`: one element per row that is begun.
            run.fill(unsafe { spot.start.add(row * spot.stride).cast::<T>().read() });
            (row, left, rest) = (row + 1, self.columns, tail);
        }
    }
}

/// A step, compiled for every instruction set. One at a time: around the loops of all passes, compilers would prepare for each of
/// them before every block.
struct Compiled<'a, const LEN: usize> {
    block: Block<'a, LEN>,
    step: &'a Step,
    pass: &'a Pass,
}

impl<const LEN: usize> Loop for Compiled<'_, LEN> {
    type Output = Result<(), String>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Result<(), String> {
        self.block.pass::<FMA>(self.step, self.pass)
    }
}
