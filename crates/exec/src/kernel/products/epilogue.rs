//! A product and the program over its result, piece by piece: what lies between is in the cache when it is read.
//!
//! Which products have an epilogue is decided [while regions grow](crate::kernel::regions::heads). The product's elements go where a
//! result of their type goes, if one has room of its own that the program writes after it has read them, and else into a
//! buffer of the worker. The bits are those of two steps.

use std::ops::Range;

use pullback_graph::op::DotGeneral;
use pullback_graph::{DType, Graph, NodeId};
use smallvec::SmallVec;

use crate::kernel::compute::{Buffers, Compute, ComputeAll};
use crate::kernel::conv::Slide;
use crate::kernel::pieces::Pieces;
use crate::kernel::products::dot::Dot;
use crate::kernel::program::{Cut, Program, compile};
use crate::kernel::reductions::columns::Totals;
use crate::kernel::regions::heads;
use crate::kernel::regions::region::{Region, place};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut};

/// A product with its epilogue.
#[derive(Debug)]
pub(crate) struct Epilogue {
    product: Box<dyn Compute>,
    /// Where the product's operands are among those of the region.
    reads: [usize; 2],
    dtype: DType,
    program: Program,
    /// The result that the product itself is.
    kept: Option<usize>,
    /// The result whose place the product's elements take until the program overwrites them; `None`: a buffer of the worker's.
    place: Option<usize>,
    in_place: Vec<usize>,
}

/// The worker's buffer for the product's elements, behind those that products use.
const BUFFER: usize = 6;

impl Epilogue {
    /// The kernel of a region that `head`, the product of `op`, belongs to.
    pub(crate) fn of(graph: &Graph, region: &Region, head: NodeId, op: &DotGeneral) -> Epilogue {
        let product: Box<dyn Compute> = match Slide::over(graph, region, head, op) {
            Some(slide) => Box::new(slide),
            None => Box::new(Dot::of(graph, region, head, op)),
        };
        let (_, row) = heads::depth_and_columns(graph, head, op);
        let piece = region.piece.unwrap_or_else(|| product.pieces().range(0..1).len());
        let program = compile(graph, region, Some(Cut { piece, row }));
        let reads = [0, 1].map(|at| place(graph, region, head, at));
        let in_place = program.in_place().iter().copied().filter(|at| !reads.contains(at)).collect();
        let kept = region.outputs.binary_search(&head).ok();
        let dtype = graph.ty(head).dtype;
        let mut epilogue = Epilogue { product, reads, dtype, program, kept, place: None, in_place };
        epilogue.overwrite(&vec![None; region.outputs.len()]);
        epilogue
    }

    fn run_buffered<T: Banked>(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let mut buffer = scratch.take::<T>(BUFFER, range.len());
        let made = &mut buffer[..range.len()];
        let Buffers { reads, writes } = buffers;
        let outcome = self.multiply(range.clone(), reads, T::slice_mut(made), scratch).and_then(|()| {
            let buffers = Buffers { reads, writes: &mut *writes };
            self.program.run_over(range, buffers, T::slice(made), scratch)
        });
        if let Some(kept) = self.kept {
            writes[kept].typed::<T>().copy_from_slice(made);
        }
        scratch.put(BUFFER, buffer);
        outcome
    }

    fn multiply(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        self.product.run(range, &self.reads.map(|at| reads[at]), write, scratch)
    }
}

impl ComputeAll for Epilogue {
    fn name(&self) -> &'static str {
        match self.product.name() {
            "conv" => "conv+fused",
            _ => "matmul+fused",
        }
    }

    fn pieces(&self) -> Pieces {
        let pieces = self.program.pieces();
        // What rows come to is known piece by piece.
        if self.program.combines() { pieces } else { pieces.together(self.product.pieces().a_call(1)) }
    }

    fn part(&self, write: usize, range: Range<usize>) -> Range<usize> {
        self.program.part(write, range)
    }

    fn in_place(&self) -> &[usize] {
        &self.in_place
    }

    fn overwrite(&mut self, in_place: &[Option<u32>]) {
        // Where the product belongs, there may be what the program is still to read.
        self.place = match self.kept {
            Some(kept) => in_place[kept].is_none().then_some(kept),
            None => self.program.lends_place(self.dtype, in_place),
        };
        let mut in_place: SmallVec<[Option<u32>; 8]> = in_place.into();
        if let Some(place) = self.place {
            in_place[place] = self.program.made().map(|made| made as u32);
        }
        self.program.overwrite(&in_place);
    }

    fn rest(&self, write: usize) -> Option<Totals> {
        self.program.rest(write)
    }

    fn flops(&self) -> u64 {
        self.product.flops() + self.program.flops()
    }

    fn flops_of_products(&self) -> u64 {
        self.product.flops()
    }

    fn run(
        &self,
        range: Range<usize>,
        buffers: Buffers<'_, '_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        match (self.place, self.dtype) {
            (Some(place), _) => {
                let write = &mut buffers.writes[place];
                let all = 0..write.len();
                self.multiply(range.clone(), buffers.reads, write.part(all), scratch)?;
                self.program.run(range, buffers, scratch)
            }
            (None, DType::F32) => self.run_buffered::<f32>(range, buffers, scratch),
            (None, DType::F64) => self.run_buffered::<f64>(range, buffers, scratch),
            (None, DType::I64 | DType::Bool) => Err("takes floating-point elements".into()),
        }
    }
}
