//! Methods that walk along an axis: running combinations, recurrences, the order of elements.

use crate::expr::{Expr, IntoOperand};
use crate::op::{ArgSort, Cumulative, CumulativeKind, LinearScan, Op, Order};

/// Declares a pair of methods per kind: from the start of an axis, and from its end. A row reads: doc of the first,
/// `method, method_reversed = Kind;`.
macro_rules! running {
    ($($(#[doc = $doc:literal])* $method:ident, $reversed:ident = $Kind:ident;)*) => {
        impl<'g> Expr<'g> {
            $($(#[doc = $doc])*
            ///
            /// # Panics
            /// When there is no such axis, or the elements are of a type without this combination.
            #[must_use]
            #[track_caller]
            pub fn $method(self, axis: i64) -> Expr<'g> {
                self.cumulative(CumulativeKind::$Kind, axis, false)
            }

            #[doc = concat!("[`", stringify!($method), "`](Expr::", stringify!($method), ") from the end of the axis: each element combined with all after it.")]
            ///
            /// # Panics
            /// When there is no such axis, or the elements are of a type without this combination.
            #[must_use]
            #[track_caller]
            pub fn $reversed(self, axis: i64) -> Expr<'g> {
                self.cumulative(CumulativeKind::$Kind, axis, true)
            }
            )*
        }
    };
}

running! {
    /// Running sums along `axis`, as `numpy.cumsum`.
    cumsum, cumsum_reversed = Sum;
    /// Running products along `axis`, as `numpy.cumprod`; their gradient is right at zeros.
    cumprod, cumprod_reversed = Prod;
    /// The largest element so far along `axis`, NaN from the first NaN on. The gradient goes to the element that holds the
    /// place, the latest of equal ones.
    cummax, cummax_reversed = Max;
    /// The smallest element so far along `axis`, NaN from the first NaN on. The gradient goes to the element that holds the
    /// place, the latest of equal ones.
    cummin, cummin_reversed = Min;
    /// Running `log Σ e^x` along `axis`, without overflow. While all elements are -∞ it is -∞, with gradient 0.
    logcumsumexp, logcumsumexp_reversed = LogSumExp;
}

impl<'g> Expr<'g> {
    #[track_caller]
    fn cumulative(self, kind: CumulativeKind, axis: i64, reverse: bool) -> Expr<'g> {
        let axis = self.axis("cumulative", axis);
        self.apply(Cumulative { kind, axis, reverse })
    }

    /// The recurrence `h_t = a_t · h_(t-1) + b_t` along `axis`, of which this is `a`; the first `h` is the first `b`.
    ///
    /// `a` and `b` broadcast as in NumPy.
    ///
    /// ```
    /// use pullback_graph::{Builder, DType, Tensor, interpret};
    /// let b = Builder::new();
    /// let x = b.input("x", DType::F64, [3]);
    /// // A moving average that forgets half at each step.
    /// let average = x.full_like(0.5).linear_scan(x * 0.5, 0);
    /// let graph = b.finish([("average", average)])?;
    /// let values = interpret(&graph, [("x", &Tensor::vector([4.0, 0.0, 8.0]))])?;
    /// assert_eq!(values.output("average")?.to_f64_vec(), [2.0, 1.0, 4.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When there is no such axis, the shapes do not broadcast, or the elements are not of one float type.
    #[must_use]
    #[track_caller]
    pub fn linear_scan(self, b: impl IntoOperand<'g>, axis: i64) -> Expr<'g> {
        self.scan(b.into_operand(self), axis, false)
    }

    /// [`linear_scan`](Expr::linear_scan) from the end of the axis: `h_t = a_t · h_(t+1) + b_t`.
    ///
    /// # Panics
    /// As [`linear_scan`](Expr::linear_scan).
    #[must_use]
    #[track_caller]
    pub fn linear_scan_reversed(self, b: impl IntoOperand<'g>, axis: i64) -> Expr<'g> {
        self.scan(b.into_operand(self), axis, true)
    }

    #[track_caller]
    fn scan(self, b: Expr<'g>, axis: i64, reverse: bool) -> Expr<'g> {
        let (a, b) = self.promoted_with(b);
        let (a, b) = a.broadcast_with(b, &Op::from(LinearScan { axis: 0, reverse }));
        let axis = a.axis("linear_scan", axis);
        a.apply_to(LinearScan { axis, reverse }, &[b])
    }

    /// The positions of the elements along `axis` in the order of their values, of type i64. Equal elements keep their
    /// order; NaN counts as larger than any number.
    ///
    /// # Panics
    /// When there is no such axis.
    #[must_use]
    #[track_caller]
    pub fn argsort(self, axis: i64, order: Order) -> Expr<'g> {
        let axis = self.axis("argsort", axis);
        self.apply(ArgSort { axis, order, ranks: None })
    }
}
