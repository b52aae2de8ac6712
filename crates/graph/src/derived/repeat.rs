//! Elements repeated, and axes turned like a wheel.

use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::{Axes, Expr};
use crate::op::{Broadcast, Iota};

impl<'g> Expr<'g> {
    /// The whole tensor repeated `reps` times along each axis, as `numpy.tile`: where `reps` and the axes differ in number,
    /// the shorter is filled with 1 in front. The gradient is summed over the copies.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::F64, Tensor, interpret};
    /// let b = Builder::new();
    /// let x = b.input("x", F64, [2]);
    /// let graph = b.finish([("tile", x.tile(&[2])), ("repeat", x.repeat(2, 0))])?;
    /// let values = interpret(&graph, [("x", &Tensor::vector([1.0, 2.0]))])?;
    /// assert_eq!(values.output("tile")?, &Tensor::vector([1.0, 2.0, 1.0, 2.0]));
    /// assert_eq!(values.output("repeat")?, &Tensor::vector([1.0, 1.0, 2.0, 2.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When the result has more elements than can be counted.
    #[must_use]
    #[track_caller]
    pub fn tile(self, reps: &[usize]) -> Expr<'g> {
        self.builder().derived("tile", Location::caller(), || {
            let own = self.shape();
            let rank = own.rank().max(reps.len());
            // A repeated axis is two axes at first: the copies, and the elements of each.
            let (mut shape, mut axes, mut joined) = (Vec::new(), Vec::new(), Vec::new());
            for axis in 0..rank {
                let rep = (axis + reps.len()).checked_sub(rank).map_or(1, |at| reps[at]);
                let size = (axis + own.rank()).checked_sub(rank).map(|at| own[at].clone());
                joined.push(Dim::Known(rep) * size.clone().unwrap_or(Dim::Known(1)));
                if rep != 1 || size.is_none() {
                    shape.push(Dim::Known(rep));
                }
                if let Some(size) = size {
                    axes.push(shape.len());
                    shape.push(size);
                }
            }
            if joined[..] == own[..] && shape.len() == rank {
                return self;
            }
            self.apply(Broadcast { shape: shape.into(), axes: axes.into() }).reshape(joined)
        })
    }

    /// Each element `count` times in its place along `axis`, as `numpy.repeat`. The gradient is summed over the copies.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn repeat(self, count: usize, axis: i64) -> Expr<'g> {
        self.builder().derived("repeat", Location::caller(), || {
            let (own, axis) = (self.shape(), self.axis("repeat", axis));
            let mut shape: Vec<Dim> = own.to_vec();
            shape.insert(axis + 1, Dim::Known(count));
            let axes = (0..shape.len()).filter(|at| *at != axis + 1).collect();
            let joined = own.with(axis, own[axis].clone() * Dim::Known(count));
            self.apply(Broadcast { shape: shape.into(), axes }).reshape(joined)
        })
    }

    /// The elements moved on by `shifts` along `axes`, those that leave an axis at one end coming back at the other, as
    /// `numpy.roll`. An axis named twice is moved twice.
    ///
    /// # Panics
    /// When there is no such axis, or there is not one shift per axis.
    #[must_use]
    #[track_caller]
    pub fn roll(self, shifts: &[i64], axes: impl Into<Axes>) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("roll", Location::caller(), || {
            let axes = self.axes_in_order("roll", axes);
            if axes.len() != shifts.len() {
                let message = format!("takes one shift per axis, got {shifts:?} for {axes:?}");
                self.refuse("roll", Violation::new("C3", message), &[]);
            }
            axes.into_iter().zip(shifts).fold(self, |x, (axis, shift)| x.roll_axis(axis, *shift))
        })
    }

    fn roll_axis(self, axis: usize, shift: i64) -> Expr<'g> {
        let size = self.shape()[axis].clone();
        match size.known() {
            Some(0) => self,
            Some(known) => {
                // A shift of `s` begins with the last `s`.
                let front = shift.rem_euclid(known as i64) as usize;
                let parts = self.split(axis as i64, &[known - front, front]);
                if front == 0 { self } else { parts[1].concat(&parts[..1], axis as i64) }
            }
            None => {
                let places = self.builder().leaf(Iota { shape: [size.clone()].into(), axis: 0 }) - shift;
                let size = places.size_like(size);
                // The remainder has the sign of the place, and is brought above 0.
                self.gather((places % size + size) % size, axis as i64)
            }
        }
    }
}
