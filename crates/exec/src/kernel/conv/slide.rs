//! A kernel that slides over a tensor: convolutions, their gradients in the input, and transposed convolutions.
//!
//! Either neighboring windows lie side by side in registers, each line of them in registers of its own, or the rows of the
//! result do, which are a convolution's channels: then the products of some windows are turned into rows.

use std::ops::Range;

use pullback_graph::DType;

use crate::kernel::compute::Compute;
use crate::kernel::conv::panel::Panel;
use crate::kernel::conv::phase::Phase;
use crate::kernel::conv::taps::{Distances, SLACK, Table, Taps};
use crate::kernel::matmul::{Matrix, Turned, evenly};
use crate::kernel::pieces::Pieces;
use crate::kernel::products::contraction::Grid;
use crate::kernel::register::Registers;
use crate::kernel::scratch::{Aligned, Banked, Scratch};
use crate::kernel::simd::InstructionSet;
use crate::kernel::slice::{Slice, SliceMut};
use crate::kernel::windows::padded::Padded;

/// Products of kernels with all windows of planes, one for each matrix of a stack.
#[derive(Debug)]
pub(crate) struct Slide {
    pub(super) name: &'static str,
    pub(super) dtype: DType,
    /// The stack: where the kernels, respectively the planes, of each matrix start.
    pub(super) stack: Grid,
    /// Where the kernel of each row of the result starts.
    pub(super) rows: Distances,
    /// The elements of a row of the result.
    pub(super) row: usize,
    pub(super) padded: Padded,
    /// The windows. Elements of a row where none of them goes are zeros.
    pub(super) phases: Vec<Phase>,
    pub(super) lanes: Lanes,
}

/// What lies side by side in registers.
#[derive(Debug)]
pub(super) enum Lanes {
    /// Neighboring windows of a line.
    Windows,
    /// Rows of the result. Every window is then a line of its own, and kernels are copied side by side.
    Rows(Panel),
}

/// Multiplications that make a piece worth handing to another worker.
const GRAIN: usize = 1 << 20;

/// Rows of a piece at least, and in wholes of which it has them: each makes a copy of the planes.
const LEAST_ROWS: usize = 32;

/// Matrices of a stack that are enough for pieces to be whole ones.
const MANY: usize = 16;

/// Elements of pieces that are run in one call, about: their result stays in the second-level cache.
const CALL: usize = 1 << 16;

/// Windows of a call, about, where kernels are copied side by side: each copy is read for all of them.
const READERS: usize = 1 << 10;

/// Products that are held before they go to their places: they stay in the first-level cache, or near it.
const HELD: usize = 1 << 13;

/// What turning products into rows costs per element, what putting them at places apart from each other does, and what copying
/// a kernel side by side does: multiplications of a lane.
const TURNED: usize = 16;
const SCATTERED: usize = 48;
const PACKED: usize = 8;

/// Buffers of a worker.
struct Room<T> {
    /// The planes with their padding.
    copy: Aligned<T>,
    /// Kernels side by side, if rows of the result are.
    panel: Aligned<T>,
    /// Products on their way to their places.
    held: Aligned<T>,
    /// Where the kernels in the panel start, and the rows that it has.
    packed: (usize, Range<usize>),
}

impl Slide {
    /// With what lies side by side in registers that costs less; `None` if a product of windows in memory costs still less,
    /// `made` being what making or adding them up costs per element.
    pub(super) fn if_it_pays(self, made: usize) -> Option<Slide> {
        let lanes = match self.dtype {
            DType::F32 => f32::lanes(InstructionSet::detected()),
            _ => f64::lanes(InstructionSet::detected()),
        };
        let rows = self.rows.len();
        let sum = |cost: &dyn Fn(&Phase) -> usize| self.phases.iter().map(cost).sum::<usize>();
        let moved = |phase: &Phase, in_order: usize| {
            rows * phase.windows() * if phase.is_in_order() { in_order } else { SCATTERED }
        };
        let by_windows = sum(&|phase| {
            rows * phase.depth() * phase.lines.len() * phase.line.next_multiple_of(lanes) + moved(phase, 0)
        });
        // A tile of one register waits for its loads: it takes as long as one and a third.
        let side_by_side = if rows <= lanes { lanes * 4 / 3 } else { rows.next_multiple_of(lanes) };
        let by_rows = sum(&|phase| {
            let packed = PACKED * phase.depth() * rows / self.readers();
            side_by_side * phase.depth() * phase.windows() + moved(phase, TURNED) + packed
        });
        let product = sum(&|phase| {
            phase.depth() * (rows * phase.windows().next_multiple_of(2 * lanes) + made * phase.windows())
        });
        if by_windows.min(by_rows) > product {
            return None;
        }
        Some(match by_rows < by_windows {
            false => self,
            true => {
                let phases: Vec<Phase> = self.phases.into_iter().map(Phase::one_by_one).collect();
                let deepest = phases.iter().map(Phase::depth).max().unwrap_or(0);
                let panel = Panel::new(self.dtype, deepest);
                Slide { phases, lanes: Lanes::Rows(panel), ..self }
            }
        })
    }

    /// How many matrices a copy of the first one's kernels is read for.
    fn readers(&self) -> usize {
        let most = READERS.div_ceil(self.row).min(self.stack.len());
        let kernels = |index: usize| self.stack.start(index)[0];
        (0..most).take_while(|index| kernels(*index) == kernels(0)).count()
    }

    /// Rows that are computed in one call, if pieces have fewer.
    fn together(&self) -> usize {
        let readers = match self.lanes {
            Lanes::Windows => 1,
            Lanes::Rows(_) => self.readers(),
        };
        (CALL / self.row).max(readers * self.rows.len())
    }

    /// How deep all phases are.
    fn depth(&self) -> usize {
        self.phases.iter().map(Phase::depth).sum()
    }

    fn multiply<T: Banked + Registers>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) {
        let (mut at, end) = (range.start / self.row, range.end / self.row);
        let mut room = Room {
            copy: scratch.take::<T>(0, self.padded.len() + SLACK),
            panel: scratch.take::<T>(1, 0),
            held: scratch.take::<T>(2, 0),
            packed: (0, 0..0),
        };
        room.copy.fill(T::default());
        // Which planes the copy is of.
        let mut holds = usize::MAX;
        let mut rest = out;
        while at < end {
            let (index, row) = (at / self.rows.len(), at % self.rows.len());
            let count = (self.rows.len() - row).min(end - at);
            let (part, tail) = rest.split_at_mut(count * self.row);
            let [left, right] = self.stack.start(index);
            if holds != right {
                self.padded.copy(&reads[1].typed::<T>()[right..], &mut room.copy);
                holds = right;
            }
            if self.phases.iter().map(Phase::windows).sum::<usize>() < self.row {
                part.fill(T::default());
            }
            let kernels = &reads[0].typed::<T>()[left..];
            match &self.lanes {
                Lanes::Windows => self.by_windows(kernels, row, part, &mut room),
                Lanes::Rows(panel) => {
                    self.pack(panel, kernels, left, row..row + count, &mut room);
                    self.by_rows(panel, row, part, &mut room);
                }
            }
            rest = tail;
            at += count;
        }
        let Room { copy, panel, held, .. } = room;
        scratch.put(0, copy);
        scratch.put(1, panel);
        scratch.put(2, held);
    }

    /// Rows of a matrix from `row` on, neighboring windows side by side.
    fn by_windows<T: Banked + Registers>(
        &self,
        kernels: &[T],
        row: usize,
        out: &mut [T],
        room: &mut Room<T>,
    ) {
        let count = out.len() / self.row;
        for phase in &self.phases {
            let most = if phase.is_in_order() { count } else { (HELD / phase.windows()).clamp(1, count) };
            for (first, rows) in evenly(count, most) {
                let part = &mut out[first * self.row..][..rows * self.row];
                let len = rows * phase.windows();
                let result = match phase.is_in_order() {
                    true => &mut *part,
                    false => {
                        room.held.grow(len);
                        &mut room.held[..len]
                    }
                };
                let product = Taps {
                    left: kernels,
                    right: &room.copy,
                    rows: self.rows.part(row + first, rows),
                    depths: [phase.depths[0].all(), phase.depths[1].all()],
                    lines: phase.lines.all(),
                    line: phase.line,
                    result,
                    adds: false,
                };
                T::in_registers(InstructionSet::detected(), product);
                if phase.is_in_order() {
                    continue;
                }
                let held = room.held[..len].chunks_exact(phase.windows());
                for (row, held) in part.chunks_exact_mut(self.row).zip(held) {
                    for (place, line) in phase.places.iter().zip(held.chunks_exact(phase.line)) {
                        let row = row[*place..].iter_mut().step_by(phase.step);
                        row.zip(line).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        }
    }

    /// Puts the kernels of these rows side by side, unless they are.
    fn pack<T: Banked + Registers>(
        &self,
        panel: &Panel,
        kernels: &[T],
        start: usize,
        rows: Range<usize>,
        room: &mut Room<T>,
    ) {
        let (wide, deepest) = (panel.wide, panel.rows.len());
        let (held_start, held) = &room.packed;
        let offset = rows.start.saturating_sub(held.start);
        if *held_start == start
            && held.start <= rows.start
            && rows.end <= held.end
            && offset.is_multiple_of(wide)
        {
            return;
        }
        let depth = self.depth();
        // Tables are checked by their furthest entry.
        room.panel.grow((rows.len().next_multiple_of(wide) * depth + wide * deepest) + SLACK);
        let blocks = self.rows.as_slice()[rows.clone()].chunks(wide);
        for (rows, mut block) in blocks.zip(room.panel.chunks_exact_mut(wide * depth)) {
            for phase in &self.phases {
                panel.fill(kernels, rows, phase.depths[0].as_slice(), block);
                block = &mut block[wide * phase.depth()..];
            }
        }
        room.packed = (start, rows);
    }

    /// Rows of a matrix from `row` on, which have been packed, side by side.
    fn by_rows<T: Banked + Registers>(&self, panel: &Panel, row: usize, out: &mut [T], room: &mut Room<T>) {
        let (depth, first) = (self.depth(), row - room.packed.1.start);
        let Panel { wide, rows: elements } = panel;
        let mut kernels = &room.panel[first * depth..];
        room.held.grow(HELD);
        for out in out.chunks_mut(wide * self.row) {
            let rows = out.len() / self.row;
            for phase in &self.phases {
                for (first, windows) in evenly(phase.windows(), HELD / wide) {
                    let held = &mut room.held[..rows * windows];
                    let product = Taps {
                        left: &room.copy,
                        right: kernels,
                        rows: phase.lines.part(first, windows),
                        depths: [phase.depths[1].all(), elements.part(0, phase.depth())],
                        lines: Table::FIRST,
                        line: rows,
                        result: held,
                        adds: false,
                    };
                    T::in_registers(InstructionSet::detected(), product);
                    let places = &phase.places[first..first + windows];
                    if places[windows - 1] - places[0] + 1 == windows {
                        let turned = Turned {
                            from: Matrix { elements: held, row: 1, column: rows },
                            rows,
                            columns: windows,
                            to: &mut out[places[0]..],
                            row: self.row,
                        };
                        T::in_registers(InstructionSet::detected(), turned);
                        continue;
                    }
                    for (place, held) in places.iter().zip(held.chunks_exact(rows)) {
                        let column = out[*place..].iter_mut().step_by(self.row);
                        column.zip(held).for_each(|(to, from)| *to = *from);
                    }
                }
                kernels = &kernels[phase.depth() * wide..];
            }
        }
    }
}

impl Compute for Slide {
    fn name(&self) -> &'static str {
        self.name
    }

    fn pieces(&self) -> Pieces {
        let (rows, row) = (self.rows.len(), self.row);
        let wanted = (GRAIN / (self.depth() * row)).max(LEAST_ROWS).next_multiple_of(LEAST_ROWS);
        // A part of a matrix, or whole ones.
        let is_cut = 2 * wanted <= rows && self.stack.len() < MANY;
        let piece = if is_cut { wanted } else { wanted.next_multiple_of(rows) };
        Pieces::of(self.stack.len() * rows * row, piece * row).together(self.together() / piece)
    }

    fn flops(&self) -> u64 {
        let products: usize = self.phases.iter().map(|phase| phase.windows() * phase.depth()).sum();
        2 * (self.stack.len() * self.rows.len() * products) as u64
    }

    fn flops_of_products(&self) -> u64 {
        self.flops()
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        match self.dtype {
            DType::F32 => self.multiply::<f32>(range, reads, write.typed(), scratch),
            DType::F64 => self.multiply::<f64>(range, reads, write.typed(), scratch),
            DType::I64 | DType::Bool => return Err("takes floating-point elements".into()),
        }
        Ok(())
    }
}
