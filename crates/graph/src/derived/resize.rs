//! Images in other sizes.

use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<'g> Expr<'g> {
    /// The last axes with each element repeated in place as often as `factors` say.
    ///
    /// # Panics
    /// When there are fewer axes than factors.
    #[must_use]
    #[track_caller]
    pub fn resize_nearest(self, factors: &[usize]) -> Expr<'g> {
        self.builder().derived("resize_nearest", Location::caller(), || {
            let own = self.shape();
            let Some(lead) = own.rank().checked_sub(factors.len()) else {
                self.refuse_rank("resize_nearest", factors.len())
            };
            let lead_dims = || own[..lead].iter().cloned();
            let axes = |once: bool| {
                let pair =
                    |(size, factor): (&Dim, &usize)| [size.clone(), if once { 1 } else { *factor }.into()];
                lead_dims().chain(own[lead..].iter().zip(factors).flat_map(pair)).collect::<Shape>()
            };
            let sizes =
                own[lead..].iter().zip(factors).map(|(size, factor)| size.clone() * Dim::Known(*factor));
            self.reshape(axes(true))
                .broadcast_to(axes(false))
                .reshape(lead_dims().chain(sizes).collect::<Shape>())
        })
    }

    /// The last axes in other sizes: element `i` of `n` along an axis of `size` elements is that at `⌊i · size / n⌋`.
    ///
    /// # Panics
    /// When the sizes of these axes are not known, or there is nothing to take.
    #[must_use]
    #[track_caller]
    pub fn resize_nearest_to(self, sizes: &[usize]) -> Expr<'g> {
        self.builder().derived("resize_nearest_to", Location::caller(), || {
            let lead = self.rank().saturating_sub(sizes.len());
            let own = self.resized_sizes("resize_nearest_to", sizes);
            let axes = own.iter().zip(sizes).enumerate();
            axes.fold(self, |x, (at, (own, size))| {
                let index = Tensor::from_fn(&[*size], |at| (at * own / size) as i64);
                x.gather(self.builder().constant(index), (lead + at) as i64)
            })
        })
    }

    /// The last two axes in other sizes, each element the mean of its neighbours weighted by their distance: see
    /// [`resize_linear`](Expr::resize_linear).
    ///
    /// # Panics
    /// As [`resize_linear`](Expr::resize_linear).
    #[must_use]
    #[track_caller]
    pub fn resize_bilinear(self, size: [usize; 2], align_corners: bool) -> Expr<'g> {
        self.builder()
            .derived("resize_bilinear", Location::caller(), || self.resize_linear(&size, align_corners))
    }

    /// The last axes in other sizes, by linear interpolation along each.
    ///
    /// Element `i` of `n` along an axis of `size` elements lies at `i · (size - 1) / (n - 1)` if corners are aligned; else
    /// elements are the middles of equal parts of the axis, and it lies at `(i + 1/2) · size / n - 1/2`, but not before the
    /// first element nor after the last.
    ///
    /// # Panics
    /// When the sizes of these axes are not known, there is nothing to interpolate, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn resize_linear(self, sizes: &[usize], align_corners: bool) -> Expr<'g> {
        self.builder().derived("resize_linear", Location::caller(), || {
            if !self.dtype().is_float() {
                let message = format!("takes floating-point elements, got {}", self.ty());
                self.refuse("resize_linear", Violation::new("C3", message).help("convert with `cast`"), &[]);
            }
            let lead = self.rank().saturating_sub(sizes.len());
            let own = self.resized_sizes("resize_linear", sizes);
            let axes = own.iter().zip(sizes).enumerate();
            axes.fold(self, |x, (at, (own, size))| x.interpolate(lead + at, *own, *size, align_corners))
        })
    }

    /// `size` elements between those along an axis of `own` elements.
    #[track_caller]
    fn interpolate(self, axis: usize, own: usize, size: usize, align_corners: bool) -> Expr<'g> {
        if own == size {
            return self;
        }
        let b = self.builder();
        let sides: Vec<(usize, usize, f64)> = (0..size)
            .map(|at| {
                let place = match align_corners {
                    true => at as f64 * ((own - 1) as f64 / (size.max(2) - 1) as f64),
                    false => ((at as f64 + 0.5) * (own as f64 / size as f64) - 0.5).max(0.0),
                };
                let left = (place as usize).min(own - 1);
                let right = (left + 1).min(own - 1);
                match place - left as f64 {
                    // An element that is met is the mean of itself and itself: 0 · ∞ of a neighbour would not be a number.
                    0.0 => (left, left, 0.5),
                    weight => (left, right, weight),
                }
            })
            .collect();
        let weights = |weight: fn(f64) -> f64| {
            let along: Vec<usize> = [size].into_iter().chain(vec![1; self.rank() - 1 - axis]).collect();
            b.constant(Tensor::from_fn(&along, |at| weight(sides[at].2)).cast(self.dtype()))
        };
        let take = |side: fn(&(usize, usize, f64)) -> usize| {
            self.gather(b.constant(Tensor::from_fn(&[size], |at| side(&sides[at]) as i64)), axis as i64)
        };
        take(|side| side.0) * weights(|weight| 1.0 - weight) + take(|side| side.1) * weights(|weight| weight)
    }

    /// The sizes of the last axes, which are to be resized to `sizes`.
    #[track_caller]
    fn resized_sizes(self, op: &str, sizes: &[usize]) -> Vec<usize> {
        let own = self.last_sizes(op, sizes.len());
        if own.contains(&0) && !sizes.contains(&0) {
            let message = format!("{} has no elements to make {sizes:?} of", self.ty());
            self.refuse(op, Violation::new("C4", message), &[]);
        }
        own
    }
}
