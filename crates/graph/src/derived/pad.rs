//! Tensors made larger around their edges, by a number or by what they hold.

use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Slice;

/// What is put around a tensor. Of `1 2 3`, two places on each side:
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// The number: `0 0 1 2 3 0 0`.
    Constant(f64),
    /// The elements mirrored at the outermost ones, which are not repeated: `3 2 1 2 3 2 1`. Fewer than there are.
    Reflect,
    /// The outermost elements: `1 1 1 2 3 3 3`. There must be one.
    Edge,
    /// The elements of the other end, as if the axis were a ring: `2 3 1 2 3 1 2`. At most as many as there are.
    Wrap,
}

impl<'g> Expr<'g> {
    /// The tensor with more elements around it: `pads` holds the counts before and after, one pair per axis. Negative
    /// counts take elements away, before others are added. Each gets the gradient of all its copies.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F64, PadMode, Tensor, interpret};
    /// let b = Builder::new();
    /// let x = b.input("x", F64, [3]);
    /// let graph = b.finish([("y", x.pad_with([(2, -1)], PadMode::Edge))])?;
    /// let values = interpret(&graph, [("x", &Tensor::vector([1.0, 2.0, 3.0]))])?;
    /// assert_eq!(values.output("y")?, &Tensor::vector([1.0, 1.0, 1.0, 2.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When there is not one pair per axis (C2), the mode does not reach so far (C4), or more is taken away than there is
    /// (C5). Where a size is not known, the last two are errors when the graph is bound or runs.
    #[must_use]
    #[track_caller]
    pub fn pad_with(self, pads: impl IntoIterator<Item = (i64, i64)>, mode: PadMode) -> Expr<'g> {
        let pads: Vec<(i64, i64)> = pads.into_iter().collect();
        self.builder().derived("pad", Location::caller(), || {
            if pads.len() != self.rank() {
                let message = format!("takes a pair of counts per axis, got {pads:?} for {}", self.ty());
                self.refuse("pad", Violation::new("C2", message), &[]);
            }
            let x = self.cropped(&pads);
            let more = pads.iter().map(|(low, high)| ((*low).max(0) as usize, (*high).max(0) as usize));
            match mode {
                _ if pads.iter().all(|(low, high)| *low <= 0 && *high <= 0) => x,
                PadMode::Constant(value) => x.pad(more, value),
                _ => more.enumerate().fold(x, |x, (axis, (low, high))| x.extended(axis, low, high, mode)),
            }
        })
    }

    /// Without the elements that negative counts take away.
    fn cropped(self, pads: &[(i64, i64)]) -> Expr<'g> {
        let own = self.shape();
        let mut slice = Slice::whole(&own);
        for (axis, (low, high)) in pads.iter().enumerate() {
            let [low, high] = [low, high].map(|count| Dim::Known((*count).min(0).unsigned_abs() as usize));
            match own[axis].checked_sub(&high).filter(|end| end.checked_sub(&low).is_some()) {
                Some(end) => (slice.starts[axis], slice.ends[axis]) = (low, end),
                None => {
                    let message =
                        format!("axis {axis} of {} has fewer than {low} + {high} elements", self.ty());
                    self.refuse("pad", Violation::new("C5", message), &[])
                }
            }
        }
        if slice == Slice::whole(&own) { self } else { self.apply(slice) }
    }

    /// The tensor with its own elements before and after it along an axis.
    fn extended(self, axis: usize, low: usize, high: usize, mode: PadMode) -> Expr<'g> {
        if low == 0 && high == 0 {
            return self;
        }
        let size = self.shape()[axis].clone();
        let (name, most) = match mode {
            PadMode::Reflect => ("reflected", size.known().map(|size| size.saturating_sub(1))),
            PadMode::Wrap => ("wrapped", size.known()),
            PadMode::Edge if size == Dim::Known(0) => ("repeated", Some(0)),
            PadMode::Edge | PadMode::Constant(_) => ("repeated", None),
        };
        if most.is_some_and(|most| low.max(high) > most) {
            let message = format!(
                "{} elements of axis {axis} of {} cannot be {name} by {low} and {high}",
                size,
                self.ty()
            );
            self.refuse("pad", Violation::new("C4", message), &[]);
        }
        let part = |start: Dim, end: Dim| self.apply(Slice::along(&self.shape(), axis, start, end));
        let one = || Dim::Known(1);
        let before = |count: usize| match mode {
            PadMode::Reflect => part(one(), Dim::Known(count + 1)).flip(axis as i64),
            PadMode::Wrap => part(size.clone() - Dim::Known(count), size.clone()),
            PadMode::Edge | PadMode::Constant(_) => part(Dim::Known(0), one()).stretched(axis, count),
        };
        let after = |count: usize| match mode {
            PadMode::Reflect => {
                part(size.clone() - Dim::Known(count + 1), size.clone() - one()).flip(axis as i64)
            }
            PadMode::Wrap => part(Dim::Known(0), Dim::Known(count)),
            PadMode::Edge | PadMode::Constant(_) => {
                part(size.clone() - one(), size.clone()).stretched(axis, count)
            }
        };
        let mut parts = vec![self];
        if low > 0 {
            parts.insert(0, before(low));
        }
        if high > 0 {
            parts.push(after(high));
        }
        parts[0].concat(&parts[1..], axis as i64)
    }

    /// An axis of size 1 repeated.
    fn stretched(self, axis: usize, count: usize) -> Expr<'g> {
        self.broadcast_to(self.shape().with(axis, Dim::Known(count)))
    }
}
