//! What is read off sorted elements: the sorted tensor, its largest elements, medians and quantiles.

use std::panic::Location;

use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::{Axes, Expr};
use crate::op::{DimSize, Order, joined};

impl<'g> Expr<'g> {
    /// The elements sorted along `axis`; equal ones keep their order, and NaN counts as larger than any number. The
    /// gradient goes where each element came from.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn sort(self, axis: i64, order: Order) -> Expr<'g> {
        let at = self.axis("sort", axis) as i64;
        self.builder().derived("sort", Location::caller(), || self.gather_along(self.argsort(at, order), at))
    }

    /// The first `k` elements along `axis` in their order, and their positions, of type i64: the largest for
    /// [`Order::Descending`].
    ///
    /// ```
    /// use pullback_graph::{Builder, DType, Order};
    /// let b = Builder::new();
    /// let scores = b.input("scores", DType::F32, [8, 10]);
    /// let (best, places) = scores.top_k(3, -1, Order::Descending);
    /// assert_eq!((best.ty().to_string(), places.ty().to_string()), ("f32[8, 3]".into(), "i64[8, 3]".into()));
    /// ```
    ///
    /// # Panics
    /// When there is no such axis, or it is known to have fewer than `k` elements.
    #[must_use]
    #[track_caller]
    pub fn top_k(self, k: usize, axis: i64, order: Order) -> (Expr<'g>, Expr<'g>) {
        let axis = self.axis("top_k", axis);
        if let Some(size) = self.shape()[axis].known().filter(|size| *size < k) {
            let message = format!("{k} elements are more than the {size} along axis {axis} of {}", self.ty());
            self.refuse("top_k", Violation::new("C4", message), &[]);
        }
        self.builder().derived("top_k", Location::caller(), || {
            let at = axis as i64;
            let positions = self.argsort(at, order).slice(at, 0..k);
            (self.gather_along(positions, at), positions)
        })
    }

    /// The median along `axes`, which disappear: of an even number of elements the lower of both in the middle; NaN if
    /// there is one. The gradient goes to the one element that it is, the first of equal ones.
    ///
    /// # Panics
    /// When there is no such axis, or there are known to be no elements.
    #[must_use]
    #[track_caller]
    pub fn median_over(self, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("median", Location::caller(), || {
            let ranked = Ranked::of(self, "median", axes);
            let median = match ranked.size.known() {
                Some(size) => ranked.between((size - 1) / 2, (size - 1) / 2)[0],
                None => ranked.at((ranked.count(DType::I64) - 1) / 2),
            };
            let median = median.expand_dims(-1);
            let elements = ranked.elements;
            let is_median = elements.eq(median).or(elements.is_nan());
            let first = is_median.cast(DType::I64).argmax(-1).expand_dims(-1);
            elements.gather_along(first, -1).squeeze(-1)
        })
    }

    /// The median of all elements.
    ///
    /// # Panics
    /// When there are known to be no elements.
    #[must_use]
    #[track_caller]
    pub fn median(self) -> Expr<'g> {
        self.median_over(Axes::All)
    }

    /// The `q`-quantile along `axes`, which disappear, between neighbours by linear interpolation, as `numpy.quantile`; NaN
    /// if there is one. The gradient goes to the one or two elements that it lies between.
    ///
    /// # Panics
    /// When there is no such axis, `q` is not in 0 … 1, the elements are not floats, or there are known to be none.
    #[must_use]
    #[track_caller]
    pub fn quantile_over(self, q: f64, axes: impl Into<Axes>) -> Expr<'g> {
        let axes = axes.into();
        self.builder().derived("quantile", Location::caller(), || {
            if !(0.0..=1.0).contains(&q) || !self.dtype().is_float() {
                let message = format!("takes floats and a q from 0 to 1, got {} and {q}", self.ty());
                self.refuse("quantile", Violation::new("C3", message), &[]);
            }
            let ranked = Ranked::of(self, "quantile", axes);
            let ([below, above], part) = match ranked.size.known() {
                Some(size) => {
                    let place = (size as f64 - 1.0) * q;
                    let part = self.builder().full(self.dtype(), (), place - place.floor());
                    (ranked.between(place.floor() as usize, place.ceil() as usize), part)
                }
                None => {
                    let place = (ranked.count(DType::F64) - 1.0) * q;
                    let (below, above) = (place.floor(), place.ceil());
                    let places = [below, above].map(|place| ranked.at(place.cast(DType::I64)));
                    (places, (place - below).cast(self.dtype()))
                }
            };
            // An infinite neighbour has no part in a quantile that is an element.
            let above = part.gt(0.0).select(above, 0.0);
            below * (1.0 - part) + above * part
        })
    }
}

/// Elements along axes that were joined into one, and their order.
struct Ranked<'g> {
    /// The elements, along the last axis.
    elements: Expr<'g>,
    /// Their positions in ascending order.
    order: Expr<'g>,
    size: Dim,
}

impl<'g> Ranked<'g> {
    #[track_caller]
    fn of(x: Expr<'g>, op: &str, axes: Axes) -> Ranked<'g> {
        let mut axes = x.axes_in_order(op, axes);
        axes.sort_unstable();
        axes.dedup();
        let (elements, _) = joined(x, &axes.into_iter().collect());
        let shape = elements.shape();
        let size = shape[shape.rank() - 1].clone();
        if size == Dim::Known(0) {
            let message = format!("{} has no elements to choose from", x.ty());
            x.refuse(op, Violation::new("C4", message), &[]);
        }
        Ranked { elements, order: elements.argsort(-1, Order::Ascending), size }
    }

    /// How many elements are ranked, as a scalar.
    fn count(&self, dtype: DType) -> Expr<'g> {
        let builder = self.elements.builder();
        match self.size.known() {
            Some(size) => builder.full(dtype, (), size as f64),
            None => builder.leaf(DimSize { size: self.size.clone(), dtype }),
        }
    }

    /// The elements of two ranks, one or none apart, or twice the first NaN if there is one.
    ///
    /// Ranks that are known are slices of the order, for which nothing else need be sorted.
    fn between(&self, below: usize, above: usize) -> [Expr<'g>; 2] {
        let order = self.order.slice(-1, below..above + 1);
        let is_nan = self.elements.is_nan();
        let first = is_nan.cast(DType::I64).argmax(-1).expand_dims(-1);
        let is_missing = is_nan.any_over(-1).expand_dims(-1);
        [0, above - below].map(|place| {
            let position = is_missing.select(first, order.slice(-1, place..place + 1));
            self.elements.gather_along(position, -1).squeeze(-1)
        })
    }

    /// The element of rank `place`, a scalar of type i64, or the first NaN if there is one.
    fn at(&self, place: Expr<'g>) -> Expr<'g> {
        let missing = self.elements.is_nan().cast(DType::I64).sum_over(-1);
        // Those that are NaN come last.
        let place = missing.eq(0).select(place, self.count(DType::I64) - missing);
        let position = self.order.gather_along(place.expand_dims(-1), -1);
        self.elements.gather_along(position, -1).squeeze(-1)
    }
}
