//! Methods that take a tensor apart along an axis, and put tensors together along a new one.

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Slice;

impl<'g> Expr<'g> {
    /// The elements `start:end:step` along `axis` by Python's rules: negative bounds count from the end, open ones are the
    /// ends, bounds beyond the axis are its ends, and a negative step goes backwards from `start`.
    ///
    /// An axis of unknown size is taken in steps of 1, or of -1 as a whole; its bounds must then lie within it.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F64, Tensor, interpret};
    /// let b = Builder::new();
    /// let x = b.input("x", F64, [6]);
    /// let graph = b.finish([("y", x.slice_step(0, Some(-2), None, -2))])?;
    /// let values = interpret(&graph, [("x", &Tensor::vector([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))])?;
    /// assert_eq!(values.output("y")?, &Tensor::vector([4.0, 2.0, 0.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When there is no such axis, `step` is 0, or the size is needed and not known.
    #[must_use]
    #[track_caller]
    pub fn slice_step(self, axis: i64, start: Option<i64>, end: Option<i64>, step: i64) -> Expr<'g> {
        let axis = self.axis("slice", axis);
        if step == 0 {
            let message = format!("axis {axis} cannot be taken in steps of 0");
            self.refuse("slice", Violation::new("C3", message), &[]);
        }
        let own = self.shape();
        let Some(size) = own[axis].known() else {
            return match (start, end, step) {
                (None, None, -1) => self.flip(axis as i64),
                (_, _, 1) => {
                    let start = start.map_or(Dim::Known(0), |start| bound(&own[axis], start));
                    let end = end.map_or(own[axis].clone(), |end| bound(&own[axis], end));
                    self.apply(Slice::along(&own, axis, start, end))
                }
                _ => {
                    let message = format!("a step of {step} needs known sizes, got {}", own[axis]);
                    self.refuse("slice", Violation::new("C5", message), &[])
                }
            };
        };
        // The place before the first is where a step backwards may end.
        let size = size as i64;
        let (first, beyond) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let place = |bound: i64| {
            let counted = if bound < 0 { bound.saturating_add(size) } else { bound };
            counted.clamp(first, beyond)
        };
        let (open_start, open_end) = if step > 0 { (first, beyond) } else { (beyond, first) };
        let (from, to) = (start.map_or(open_start, place), end.map_or(open_end, place));
        let distance = if step > 0 { to - from } else { from - to };
        let count = distance.max(0).unsigned_abs().div_ceil(step.unsigned_abs()) as i64;
        // With one element or none the step may be longer than any axis.
        let step = if count > 1 { step } else { 1 };
        let last = from + (count - 1) * step;
        let (low, high) = if count == 0 { (0, 0) } else { (from.min(last), from.max(last) + 1) };
        let mut slice = Slice::along(&own, axis, low as usize, high as usize);
        slice.steps[axis] = step.unsigned_abs() as usize;
        let taken = self.apply(slice);
        if step < 0 { taken.flip(axis as i64) } else { taken }
    }

    /// The parts of these sizes along `axis`, in order.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F32};
    /// let b = Builder::new();
    /// let parts = b.input("x", F32, [2, 6]).split(1, &[1, 5]);
    /// assert_eq!(parts[1].ty().to_string(), "f32[2, 5]");
    /// ```
    ///
    /// # Panics
    /// When there is no such axis, or the sizes do not add up to that of the axis.
    #[must_use]
    #[track_caller]
    pub fn split<D: Into<Dim> + Clone>(self, axis: i64, sizes: &[D]) -> Vec<Expr<'g>> {
        let axis = self.axis("split", axis);
        let whole = self.shape();
        let sizes: Vec<Dim> = sizes.iter().map(|size| size.clone().into()).collect();
        let total = sizes.iter().try_fold(Dim::Known(0), |total, size| total.checked_add(size));
        if total.as_ref() != Some(&whole[axis]) {
            let message =
                format!("the sizes {sizes:?} do not add up to that of axis {axis} of {}", self.ty());
            self.refuse("split", Violation::new("C3", message), &[]);
        }
        let (mut parts, mut start) = (Vec::with_capacity(sizes.len()), Dim::Known(0));
        for size in sizes {
            let end = start.clone() + size;
            parts.push(self.apply(Slice::along(&whole, axis, start, end.clone())));
            start = end;
        }
        parts
    }

    /// `count` parts along `axis`, as `numpy.array_split`: where the size is not a multiple of `count`, the first parts
    /// have one element more than the last.
    ///
    /// # Panics
    /// When there is no such axis, `count` is 0, or the size is not known and not a multiple of `count`.
    #[must_use]
    #[track_caller]
    pub fn chunks(self, count: usize, axis: i64) -> Vec<Expr<'g>> {
        let size = self.shape()[self.axis("chunks", axis)].clone();
        let sizes: Option<Vec<Dim>> = match size.known() {
            _ if count == 0 => None,
            Some(size) => {
                let of = |part: usize| Dim::Known(size / count + usize::from(part < size % count));
                Some((0..count).map(of).collect())
            }
            None => size.exact_div(&Dim::Known(count)).map(|each| vec![each; count]),
        };
        let Some(sizes) = sizes else {
            let message = format!("an axis of size {size} has no {count} parts");
            self.refuse("chunks", Violation::new("C3", message), &[])
        };
        self.split(axis, &sizes)
    }

    /// This tensor and `others`, all of one shape, along a new axis at position `axis` of the result; -1 appends it. They
    /// are converted to the type in which they [meet](crate::DType::promote).
    ///
    /// # Panics
    /// When `axis` is out of range or the shapes differ.
    #[must_use]
    #[track_caller]
    pub fn stack(self, others: &[Expr<'g>], axis: i64) -> Expr<'g> {
        if let Some(other) = others.iter().find(|other| other.shape() != self.shape()) {
            let message = format!("takes tensors of one shape, got {} and {}", self.ty(), other.ty());
            self.refuse("stack", Violation::new("C3", message), &[*other]);
        }
        let first = self.expand_dims(axis);
        let axis = if axis < 0 { axis + first.rank() as i64 } else { axis } as usize;
        let mut rest = Vec::with_capacity(others.len());
        for other in others {
            rest.push(other.expand_dims(axis as i64));
        }
        first.concat(&rest, axis as i64)
    }

    /// The slices along `axis`, without it, in order: what [`stack`](Expr::stack) puts together.
    ///
    /// They are cut in halves again and again. Cut one by one, each would give a gradient of the whole size, and there would
    /// be as many to add up as there are slices; this way the gradient costs no more than a logarithm of them.
    ///
    /// # Panics
    /// When there is no such axis, or its size is not known.
    #[must_use]
    #[track_caller]
    pub fn unstack(self, axis: i64) -> Vec<Expr<'g>> {
        let axis = self.axis("unstack", axis);
        let Some(size) = self.shape()[axis].known() else {
            let message = format!("axis {axis} of {} has no known size", self.ty());
            self.refuse("unstack", Violation::new("C3", message), &[])
        };
        let mut slices = Vec::with_capacity(size);
        self.halve(axis as i64, size, &mut slices);
        slices
    }

    #[track_caller]
    fn halve(self, axis: i64, size: usize, slices: &mut Vec<Expr<'g>>) {
        match size {
            0 => {}
            1 => slices.push(self.squeeze(axis)),
            _ => {
                let half = size / 2;
                self.slice(axis, 0..half).halve(axis, half, slices);
                self.slice(axis, half..size).halve(axis, size - half, slices);
            }
        }
    }
}

/// A bound of an axis of unknown size; a negative one counts from the end.
fn bound(size: &Dim, bound: i64) -> Dim {
    let distance = Dim::Known(bound.unsigned_abs() as usize);
    if bound < 0 { size.clone() - distance } else { distance }
}
