//! Two functions of the table, one after the other, as one loop: what the first gives does not go through memory.
//!
//! Each function rounds for itself, so the bits are those of two loops.

use pullback_graph::op::{BinaryOp, Real};

use crate::kernel::simd::Loop;

/// `second(first(x, y), z)`, or what [`Side`] says instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chain {
    first: BinaryOp,
    second: BinaryOp,
    side: Side,
}

/// Which operand of the second function the first one gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Left,
    Right,
    Both,
}

/// A row of the table, as a type.
trait Row {
    fn at<T: Real>(x: T, y: T) -> T;
}

/// Declares which rows may come first, and which second, by what they do with what the first one gives.
macro_rules! chains {
    (first $($First:ident),+; second $($Second:ident $Side:ident),+ $(,)?) => {
        $(
            struct $First;

            impl Row for $First {
                #[inline(always)]
                fn at<T: Real>(x: T, y: T) -> T {
                    BinaryOp::$First.value(x, y)
                }
            }
        )+

        impl Chain {
            /// Every chain.
            #[cfg(test)]
            pub(crate) fn all() -> Vec<Chain> {
                let seconds = [$((BinaryOp::$Second, Side::$Side)),+];
                let chains = |first| seconds.map(|(second, side)| Chain { first, second, side });
                [$(BinaryOp::$First),+].into_iter().flat_map(chains).collect()
            }

            fn is_listed(self) -> bool {
                matches!(self.first, $(BinaryOp::$First)|+)
                    && matches!((self.second, self.side), $((BinaryOp::$Second, Side::$Side))|+)
            }
        }

        impl<T: Real> Loop for Chained<'_, T> {
            type Output = ();

            #[inline(always)]
            fn run<const FMA: bool>(self) {
                match self.chain.first {
                    $(BinaryOp::$First => self.after::<$First>(),)+
                    _ => unreachable!("no chain begins so"),
                }
            }
        }

        impl<T: Real> Chained<'_, T> {
            #[inline(always)]
            fn after<First: Row>(self) {
                match (self.chain.second, self.chain.side) {
                    $((BinaryOp::$Second, Side::$Side) => self.each::<First, $Second>(Side::$Side),)+
                    _ => unreachable!("no chain ends so"),
                }
            }
        }
    };
}

chains! {
    first Add, Sub, Mul, Div;
    second Add Left, Sub Left, Sub Right, Mul Left, Mul Both, Div Left, Div Right,
}

impl Chain {
    /// The chain of two functions, if there is one. Where operands may be swapped, sides are the same.
    pub(crate) fn of(first: BinaryOp, second: BinaryOp, side: Side) -> Option<Chain> {
        let side = if side == Side::Right && second.is_commutative() { Side::Left } else { side };
        let chain = Chain { first, second, side };
        chain.is_listed().then_some(chain)
    }

    /// The value at one point.
    #[cfg(test)]
    pub(crate) fn value<T: Real>(self, x: T, y: T, z: T) -> T {
        let between = self.first.value(x, y);
        match self.side {
            Side::Left => self.second.value(between, z),
            Side::Right => self.second.value(z, between),
            Side::Both => self.second.value(between, between),
        }
    }
}

/// A chain over slices of one length.
pub(crate) struct Chained<'a, T> {
    pub(crate) chain: Chain,
    pub(crate) x: &'a [T],
    pub(crate) y: &'a [T],
    pub(crate) z: &'a [T],
    pub(crate) out: &'a mut [T],
}

impl<T: Real> Chained<'_, T> {
    #[inline(always)]
    fn each<First: Row, Second: Row>(self, side: Side) {
        let Chained { chain: _, x, y, z, out } = self;
        for (((out, x), y), z) in out.iter_mut().zip(x).zip(y).zip(z) {
            let between = First::at(*x, *y);
            *out = match side {
                Side::Left => Second::at(between, *z),
                Side::Right => Second::at(*z, between),
                Side::Both => Second::at(between, between),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::run_as;
    use crate::kernel::simd::tests::all;

    /// All NaN count as one, since operands may be swapped.
    fn bits<T: Real>(value: T) -> u64 {
        if value.is_nan() { u64::MAX } else { value.to_bits64() }
    }

    fn check<T: Real>() {
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            1e-40,
            -1e-310,
            3e38,
            1.0 / 3.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        let count = special.len();
        // Every three numbers, and a length that fills no vector.
        let points = (0..count.pow(3)).map(|at| [at, at / count, at / count.pow(2)]);
        let [x, y, z]: [Vec<T>; 3] = [0, 1, 2].map(|operand| {
            points.clone().map(|point| T::from_f64(special[point[operand] % count])).collect()
        });
        for chain in Chain::all() {
            let expected: Vec<u64> = (0..x.len()).map(|at| bits(chain.value(x[at], y[at], z[at]))).collect();
            for set in all() {
                let mut out = vec![T::default(); x.len()];
                run_as(set, Chained { chain, x: &x, y: &y, z: &z, out: &mut out });
                let out: Vec<u64> = out.into_iter().map(bits).collect();
                assert_eq!(out, expected, "{chain:?}, {set:?}");
            }
        }
    }

    #[test]
    fn chains_have_the_bits_of_one_function_after_the_other() {
        check::<f32>();
        check::<f64>();
    }
}
