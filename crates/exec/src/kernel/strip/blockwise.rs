//! The kernel of a strip: block of rows by block of rows, one kernel after the other.

use std::ops::Range;

use pullback_graph::Graph;
use smallvec::SmallVec;

use crate::kernel::compute::{Buffers, Compute, ComputeAll, Kernel};
use crate::kernel::pieces::Pieces;
use crate::kernel::reductions::columns::Totals;
use crate::kernel::regions::region::Region;
use crate::kernel::regions::role::numel;
use crate::kernel::scratch::Scratch;
use crate::kernel::slice::{Slice, SliceMut};
use crate::kernel::strip::form::Form;
use crate::kernel::strip::group::Strip;
use crate::kernel::strip::held::{Held, Holder};
use crate::kernel::strip::strips::{HELD, OPERANDS, RESULTS};
use crate::kernel::strip::sum::Sum;

/// A strip.
#[derive(Debug)]
pub(crate) struct Blockwise {
    parts: Vec<Part>,
    held: Vec<Held>,
    /// Which part writes each result, and which of its results that is.
    results: Vec<(usize, usize)>,
    rows: usize,
    /// See [`Strip::matrix`].
    matrix: Option<usize>,
    /// Rows of a block.
    block: usize,
    /// See [`Strip::shared`].
    shared: usize,
    in_place: Vec<usize>,
}

/// A kernel of a strip.
#[derive(Debug)]
struct Part {
    work: Work,
    reads: SmallVec<[Source; 4]>,
    writes: SmallVec<[Target; 2]>,
}

#[derive(Debug)]
enum Work {
    /// Makes rows of so many elements.
    Rows { kernel: Kernel, row: usize },
    /// Adds rows up.
    Sum(Box<Sum>),
}

/// Where a part finds an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Among those of the strip.
    Operand(usize),
    /// In a buffer of the worker.
    Held(usize),
}

/// Where a part writes a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The next of the strip's results that this part writes.
    Result,
    /// In a buffer of the worker.
    Held(usize),
}

/// The first of the worker's buffers for what is held, behind those that kernels use.
const BUFFERS: usize = 10;

/// Multiplications that make a piece worth handing to another worker.
const GRAIN: usize = 1 << 20;

/// Pieces that are run in one call at most, for the panels that they share.
const TOGETHER: usize = 32;

impl Blockwise {
    /// The kernel of `region`, which is that of a strip.
    pub(crate) fn of(graph: &Graph, region: &Region, strip: &Strip) -> Blockwise {
        let (nodes, operands, rows) = (strip.held(), strip.operands(), strip.rows);
        let held =
            nodes.iter().map(|node| Held { dtype: graph.ty(*node).dtype, row: numel(graph, *node) / rows });
        let place = |node| nodes.binary_search(&node).ok();
        let mut results = vec![(0, 0); region.outputs.len()];
        let mut sums = 0;
        let mut parts = Vec::new();
        for (at, part) in strip.regions.iter().enumerate() {
            let reads = part.operands.iter().zip(strip.read_by(part)).map(|(node, operand)| match operand {
                Some(operand) => {
                    let place = operands.iter().position(|other| *other == operand);
                    Source::Operand(place.expect("a strip lists what it reads"))
                }
                None => Source::Held(place(*node).expect("a strip lists what it holds")),
            });
            let mut writes = SmallVec::new();
            for (write, output) in part.outputs.iter().enumerate() {
                writes.push(match (place(*output), region.outputs.binary_search(output)) {
                    (Some(held), _) => Target::Held(held),
                    (None, result) => {
                        results[result.expect("what is not held is a result")] = (at, write);
                        Target::Result
                    }
                });
            }
            let work = match Form::of(graph, part, rows, &nodes) {
                Some(Form::Sum { product, held }) => {
                    let buffer = BUFFERS + nodes.len() + sums;
                    sums += 1;
                    Work::Sum(Box::new(Sum { product, held, buffer }))
                }
                _ => Work::Rows { kernel: Kernel::lower(graph, part), row: part.extent.len() / rows },
            };
            parts.push(Part { work, reads: reads.collect(), writes });
        }
        let held = held.collect();
        let Strip { matrix, block, shared, .. } = *strip;
        let mut kernel =
            Blockwise { parts, held, results, rows, matrix, block, shared, in_place: Vec::new() };
        kernel.in_place = kernel.find_in_place();
        kernel
    }

    /// Operands that only the last part reads, if it alone writes results: others would still be read, or written too early.
    fn find_in_place(&self) -> Vec<usize> {
        let last = self.parts.len() - 1;
        let Work::Rows { kernel, .. } = &self.parts[last].work else { return Vec::new() };
        if self.results.iter().any(|(part, _)| *part != last) {
            return Vec::new();
        }
        let read_before = |source: &Source| self.parts[..last].iter().any(|part| part.reads.contains(source));
        let own = kernel.in_place().iter().map(|at| self.parts[last].reads[*at]);
        own.filter(|source| !read_before(source))
            .filter_map(|source| if let Source::Operand(at) = source { Some(at) } else { None })
            .collect()
    }

    /// The blocks of some rows; none goes beyond a matrix.
    fn blocks(&self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
        let (matrix, block) = (self.matrix.unwrap_or(self.rows), self.block);
        let mut start = rows.start;
        std::iter::from_fn(move || {
            let end = (start + block).min(rows.end).min(start - start % matrix + matrix);
            (start < rows.end).then(|| std::mem::replace(&mut start, end)..end)
        })
    }

    /// Runs one part for a block of rows of the piece `rows`.
    fn run_part(
        &self,
        at: usize,
        (block, rows): (&Range<usize>, &Range<usize>),
        Buffers { reads, writes }: Buffers<'_, '_>,
        holders: &mut [Holder],
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let part = &self.parts[at];
        let of_held = |held: usize| self.held[held].row * block.len();
        // What is written is taken out, so that the rest can be read meanwhile.
        let taken = part.writes.iter().filter_map(|target| match target {
            Target::Held(held) => Some((*held, std::mem::take(&mut holders[*held]))),
            Target::Result => None,
        });
        let mut taken: SmallVec<[(usize, Holder); RESULTS]> = taken.collect();
        let outcome = {
            let own_reads: SmallVec<[Slice<'_>; OPERANDS]> = part
                .reads
                .iter()
                .map(|source| match source {
                    Source::Operand(operand) => reads[*operand],
                    Source::Held(held) => holders[*held].elements(of_held(*held)),
                })
                .collect();
            let mut results = writes.iter_mut().zip(&self.results).filter(|(_, (writer, _))| *writer == at);
            let mut held = taken.iter_mut();
            let mut own_writes: SmallVec<[SliceMut<'_>; RESULTS]> = SmallVec::new();
            for (index, target) in part.writes.iter().enumerate() {
                own_writes.push(match target {
                    Target::Held(_) => {
                        let (held, holder) = held.next().expect("as many were taken");
                        holder.elements_mut(of_held(*held))
                    }
                    Target::Result => {
                        let (write, _) = results.next().expect("as many results as the part writes");
                        let (from, part) = (self.written(at, index, rows), self.written(at, index, block));
                        write.part(part.start - from.start..part.end - from.start)
                    }
                });
            }
            match &part.work {
                Work::Rows { kernel, row } => {
                    let buffers = Buffers { reads: &own_reads, writes: &mut own_writes };
                    kernel.run_rows(block.start * row..block.end * row, buffers, scratch)
                }
                Work::Sum(sum) => {
                    let operands = [own_reads[0], *own_reads.last().expect("a product has operands")];
                    let write = own_writes.pop().expect("a product has a result");
                    sum.add(block.clone(), operands, write, scratch);
                    Ok(())
                }
            }
        };
        for (held, holder) in taken {
            holders[held] = holder;
        }
        outcome
    }

    /// Which elements of its result `write` a part writes for some rows.
    fn written(&self, part: usize, write: usize, rows: &Range<usize>) -> Range<usize> {
        match &self.parts[part].work {
            Work::Rows { kernel, row } => kernel.part(write, rows.start * row..rows.end * row),
            Work::Sum(sum) => {
                let [_, matrix, _] = sum.product.sizes();
                rows.start / matrix * sum.size()..rows.end.div_ceil(matrix) * sum.size()
            }
        }
    }
}

impl ComputeAll for Blockwise {
    fn name(&self) -> &'static str {
        let names = self.parts.iter().map(|part| match &part.work {
            Work::Rows { kernel, .. } => kernel.name(),
            Work::Sum(_) => "sum",
        });
        let names: SmallVec<[&str; 4]> = names.collect();
        match names[..] {
            ["matmul", "matmul"] => "matmul+matmul",
            ["matmul", "matmul+fused"] => "matmul+matmul+fused",
            ["matmul+fused", "matmul"] => "matmul+fused+matmul",
            ["matmul+fused", "matmul+fused"] => "matmul+fused+matmul+fused",
            _ => "strip",
        }
    }

    fn pieces(&self) -> Pieces {
        let row = (self.flops_of_products() / 2) as usize / self.rows.max(1);
        // What is added up is so by one worker.
        let unit = self.matrix.unwrap_or(self.block);
        let piece = (GRAIN / (row * unit).max(1)).max(1) * unit;
        Pieces::of(self.rows, piece).together((self.shared / piece).min(TOGETHER))
    }

    fn part(&self, write: usize, range: Range<usize>) -> Range<usize> {
        let (part, write) = self.results[write];
        self.written(part, write, &range)
    }

    fn in_place(&self) -> &[usize] {
        &self.in_place
    }

    fn overwrite(&mut self, in_place: &[Option<u32>]) {
        let last = self.parts.last_mut().expect("a strip has parts");
        let Work::Rows { kernel, .. } = &mut last.work else { return };
        if in_place.len() != last.writes.len() {
            return;
        }
        let place = |operand: u32| {
            last.reads
                .iter()
                .position(|source| *source == Source::Operand(operand as usize))
                .map(|at| at as u32)
        };
        let own: SmallVec<[Option<u32>; RESULTS]> =
            in_place.iter().map(|operand| operand.and_then(place)).collect();
        kernel.overwrite(&own);
    }

    fn rest(&self, write: usize) -> Option<Totals> {
        let (part, write) = self.results[write];
        match &self.parts[part].work {
            Work::Rows { kernel, .. } => kernel.rest(write),
            Work::Sum(_) => None,
        }
    }

    fn flops(&self) -> u64 {
        let of = |part: &Part| match &part.work {
            Work::Rows { kernel, .. } => kernel.flops(),
            Work::Sum(sum) => sum.product.flops_of_products(),
        };
        self.parts.iter().map(of).sum()
    }

    fn flops_of_products(&self) -> u64 {
        let of = |part: &Part| match &part.work {
            Work::Rows { kernel, .. } => kernel.flops_of_products(),
            Work::Sum(sum) => sum.product.flops_of_products(),
        };
        self.parts.iter().map(of).sum()
    }

    fn run(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let Buffers { reads, writes } = buffers;
        scratch.forget_panels();
        let longest = self.block.min(range.len());
        let holder =
            |(at, held): (usize, &Held)| Holder::take(held.dtype, BUFFERS + at, held.row * longest, scratch);
        let mut holders: SmallVec<[Holder; HELD]> = self.held.iter().enumerate().map(holder).collect();
        let outcome = self.blocks(range.clone()).try_for_each(|block| {
            (0..self.parts.len()).try_for_each(|at| {
                let buffers = Buffers { reads, writes: &mut *writes };
                self.run_part(at, (&block, &range), buffers, &mut holders, scratch)
            })
        });
        for (at, holder) in holders.into_iter().enumerate() {
            holder.put(BUFFERS + at, scratch);
        }
        outcome
    }
}
