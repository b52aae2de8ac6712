//! A product whose result is windows that overlap, added up as soon as they are there.

use std::ops::Range;

use pullback_graph::DType;

use crate::kernel::compute::Compute;
use crate::kernel::pieces::Pieces;
use crate::kernel::products::dot::Dot;
use crate::kernel::reductions::fold::{Fold as Combine, Sum};
use crate::kernel::scratch::{Banked, Scratch};
use crate::kernel::slice::{Slice, SliceMut, Typed};
use crate::kernel::windows::window::Fold;

/// The gradient of a convolution in its input, and a transposed convolution.
#[derive(Debug)]
pub(crate) struct Overlap {
    product: Dot,
    fold: Fold,
}

/// Elements of the product that are held at once: they stay in the second-level cache.
const HELD: usize = 1 << 17;

/// The worker's buffer for them, behind those that the product uses.
const BUFFER: usize = 6;

impl Overlap {
    /// `fold` of the result of `product`.
    pub(crate) fn new(product: Dot, fold: Fold) -> Overlap {
        Overlap { product, fold }
    }

    fn compute<T: Banked + Typed>(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        out: &mut [T],
        scratch: &mut Scratch,
    ) -> Result<(), String>
    where
        Sum: Combine<T>,
    {
        let (plane, windows) = self.fold.planes();
        let planes = (HELD / windows).max(1);
        let mut buffer = scratch.take::<T>(BUFFER, planes * windows);
        for (out, first) in out.chunks_mut(planes * plane).zip((range.start / plane..).step_by(planes)) {
            let count = out.len() / plane;
            let terms = &mut buffer[..count * windows];
            let part = first * windows..(first + count) * windows;
            self.product.run(part, reads, T::slice_mut(terms), scratch)?;
            self.fold.add(terms, out);
        }
        scratch.put(BUFFER, buffer);
        Ok(())
    }
}

impl Compute for Overlap {
    fn name(&self) -> &'static str {
        "matmul+fold"
    }

    fn pieces(&self) -> Pieces {
        let (plane, windows) = self.fold.planes();
        // About as much work as a piece of the product.
        let (whole, piece) = (self.product.pieces().range(0..1), windows.max(1));
        let planes = whole.len().div_ceil(piece).max(1);
        Pieces::of(self.fold.len(), planes * plane)
    }

    fn flops(&self) -> u64 {
        self.product.flops() + self.fold.flops()
    }

    fn flops_of_products(&self) -> u64 {
        self.product.flops()
    }

    fn run(
        &self,
        range: Range<usize>,
        reads: &[Slice<'_>],
        mut write: SliceMut<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        if range.is_empty() {
            return Ok(());
        }
        match write.dtype() {
            DType::F32 => self.compute::<f32>(range, reads, write.typed(), scratch),
            DType::F64 => self.compute::<f64>(range, reads, write.typed(), scratch),
            DType::I64 | DType::Bool => Err("takes floating-point elements".into()),
        }
    }
}
