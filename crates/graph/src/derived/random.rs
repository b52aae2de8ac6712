//! Random draws from an explicit key.
//!
//! A key is an i64 scalar: an input that the caller changes from run to run. The same key and stream give the same
//! numbers, on every machine; two uses of one key are told apart by their streams. A tensor of keys has draws for each,
//! behind the axes of the keys. No gradient reaches a key: scale and shift draws by expressions to learn a distribution.

use std::cmp::Ordering;
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::ops::Range;
use std::panic::Location;

use crate::builder::Builder;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::{Distribution, Order, Random};
use crate::shape::Shape;

impl Builder {
    /// Numbers drawn evenly from `range`, without its end.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::{F64, I64}, Tensor, interpret};
    /// let b = Builder::new();
    /// let key = b.input("key", I64, ());
    /// let graph = b.finish([("y", b.uniform(key, 0, F64, [100], -1.0..1.0))])?;
    /// let values = interpret(&graph, [("key", &Tensor::scalar(7_i64))])?;
    /// assert!(values.output("y")?.to_f64_vec().iter().all(|x| (-1.0..1.0).contains(x)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When the key is not of type i64, `dtype` is no float, or the range is not finite or ends before it starts.
    #[must_use]
    #[track_caller]
    pub fn uniform<'g>(
        &'g self,
        key: Expr<'g>,
        stream: u64,
        dtype: DType,
        shape: impl Into<Shape>,
        range: Range<f64>,
    ) -> Expr<'g> {
        let shape = shape.into();
        self.derived("uniform", Location::caller(), || {
            let width = range.end - range.start;
            if !(width.is_finite() && width >= 0.0) {
                let message = format!("cannot draw from {range:?}");
                key.refuse("uniform", Violation::new("C4", message), &[]);
            }
            let draws = key.apply(Random { distribution: Distribution::Uniform, stream, dtype, shape });
            if range == (0.0..1.0) {
                return draws;
            }
            // The last draw below 1 may round up to the end.
            let drawn = draws * width + range.start;
            let end = drawn.full_like(range.end);
            drawn.lt(end).select(drawn, range.start)
        })
    }

    /// Numbers drawn from the normal distribution with this mean and standard deviation.
    ///
    /// # Panics
    /// When the key is not of type i64, `dtype` is no float, or the deviation is negative or NaN.
    #[must_use]
    #[track_caller]
    pub fn normal<'g>(
        &'g self,
        key: Expr<'g>,
        stream: u64,
        dtype: DType,
        shape: impl Into<Shape>,
        mean: f64,
        deviation: f64,
    ) -> Expr<'g> {
        let shape = shape.into();
        self.derived("normal", Location::caller(), || {
            if deviation.is_nan() || deviation < 0.0 {
                let message = format!("a standard deviation is not negative, got {deviation}");
                key.refuse("normal", Violation::new("C4", message), &[]);
            }
            let draws = key.apply(Random { distribution: Distribution::Normal, stream, dtype, shape });
            if (mean, deviation) == (0.0, 1.0) { draws } else { draws * deviation + mean }
        })
    }

    /// Numbers drawn from the part of the standard normal distribution that lies in `range`, by the inverse of its
    /// distribution function.
    ///
    /// # Panics
    /// When the key is not of type i64, `dtype` is no float, or the range is empty or lies beyond what can be told from
    /// the ends of the distribution, some 8 deviations away.
    #[must_use]
    #[track_caller]
    pub fn truncated_normal<'g>(
        &'g self,
        key: Expr<'g>,
        stream: u64,
        dtype: DType,
        shape: impl Into<Shape>,
        range: Range<f64>,
    ) -> Expr<'g> {
        let shape = shape.into();
        self.derived("truncated_normal", Location::caller(), || {
            let [low, high] = [range.start, range.end].map(|x| libm::erf(x * FRAC_1_SQRT_2));
            if low.partial_cmp(&high) != Some(Ordering::Less) {
                let message = format!("cannot draw normal numbers from {range:?}");
                key.refuse("truncated_normal", Violation::new("C4", message), &[]);
            }
            let draws = key.apply(Random { distribution: Distribution::Uniform, stream, dtype, shape });
            let normal = (draws * (high - low) + low).erfinv() * SQRT_2;
            // Rounding, and an end where the distribution function is 1 already.
            normal.clamp(range.start, range.end)
        })
    }

    /// The numbers from 0 to `count - 1` in a random order, of type i64: every order is as likely as any other.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType::I64, Tensor, interpret};
    /// let b = Builder::new();
    /// let order = b.permutation(b.input("key", I64, ()), 0, 5);
    /// let rows = b.input("rows", I64, [5]).gather(order, 0);
    /// let graph = b.finish([("rows", rows.sum())])?;
    /// let feeds = [("key", &Tensor::scalar(7_i64)), ("rows", &Tensor::vector([1_i64, 2, 3, 4, 5]))];
    /// assert_eq!(interpret(&graph, feeds)?.output("rows")?.item(), Some(15.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When the key is not of type i64.
    #[must_use]
    #[track_caller]
    pub fn permutation<'g>(&'g self, key: Expr<'g>, stream: u64, count: impl Into<Dim>) -> Expr<'g> {
        let shape = [count.into()].into();
        self.derived("permutation", Location::caller(), || {
            // Of draws that have 53 bits hardly two are equal.
            let (distribution, dtype) = (Distribution::Uniform, DType::F64);
            key.apply(Random { distribution, stream, dtype, shape }).argsort(-1, Order::Ascending)
        })
    }

    /// Truth values that hold with probability `p`, to 2⁻⁵³.
    ///
    /// # Panics
    /// When the key is not of type i64, or `p` does not lie in 0 … 1.
    #[must_use]
    #[track_caller]
    pub fn bernoulli<'g>(&'g self, key: Expr<'g>, stream: u64, shape: impl Into<Shape>, p: f64) -> Expr<'g> {
        let shape = shape.into();
        self.derived("bernoulli", Location::caller(), || {
            if !(0.0..=1.0).contains(&p) {
                let message = format!("a probability lies in 0 … 1, got {p}");
                key.refuse("bernoulli", Violation::new("C4", message), &[]);
            }
            // A draw is below 1 and not below 0.
            let dtype = DType::F64;
            key.apply(Random { distribution: Distribution::Uniform, stream, dtype, shape }).lt(p)
        })
    }

    /// Whole numbers drawn evenly from `range`, without its end. Each is as likely as the others to a relative error of the
    /// width of the range times 2⁻⁵³.
    ///
    /// # Panics
    /// When the key is not of type i64, or the range is empty or wider than 2⁵³.
    #[must_use]
    #[track_caller]
    pub fn integers<'g>(
        &'g self,
        key: Expr<'g>,
        stream: u64,
        shape: impl Into<Shape>,
        range: Range<i64>,
    ) -> Expr<'g> {
        let shape = shape.into();
        self.derived("integers", Location::caller(), || {
            let width = range.end.checked_sub(range.start).filter(|width| (1..=1 << 53).contains(width));
            let Some(width) = width else {
                let message = format!("{range:?} does not hold between 1 and 2^53 numbers");
                key.refuse("integers", Violation::new("C4", message), &[])
            };
            let dtype = DType::F64;
            let draws = key.apply(Random { distribution: Distribution::Uniform, stream, dtype, shape });
            // The largest draw, 1 - 2^-53, times the width is at most the number before the width.
            (draws * width as f64).cast(DType::I64) + range.start
        })
    }
}
