//! One to three functions of arithmetic as one: what one gives to the next does not go through memory.
//!
//! Each function rounds for itself, so the bits are those of one loop after another.

use std::marker::PhantomData;

use pullback_graph::op::{BinaryOp, Real};

/// `first(x, y)`, and what is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chain {
    first: BinaryOp,
    then: Then,
}

/// What is done with `first(x, y)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// It is the left operand, and `z` the right one.
    Left(BinaryOp),
    /// It is the right operand, and `z` the left one.
    Right(BinaryOp),
    /// It is both operands.
    Both(BinaryOp),
    /// It is the left operand, and `z · w` the right one.
    Product(BinaryOp),
}

/// A chain at one point, as a type.
pub(crate) trait Value<T> {
    /// How many operands it has.
    const OPERANDS: usize;
    /// The value.
    fn at(x: T, y: T, z: T, w: T) -> T;
}

/// What is made from a chain's type.
pub(crate) trait Make<T> {
    type Made;
    fn make<V: Value<T>>(self) -> Self::Made;
}

/// A row of the table, as a type.
trait Row {
    fn at<T: Real>(x: T, y: T) -> T;
}

/// Chains of rows.
struct Nothing<First>(PhantomData<First>);
struct Left<First, Second>(PhantomData<(First, Second)>);
struct Right<First, Second>(PhantomData<(First, Second)>);
struct Both<First, Second>(PhantomData<(First, Second)>);
struct Product<First, Second>(PhantomData<(First, Second)>);

impl<T: Real, First: Row> Value<T> for Nothing<First> {
    const OPERANDS: usize = 2;

    #[inline(always)]
    fn at(x: T, y: T, _z: T, _w: T) -> T {
        First::at(x, y)
    }
}

impl<T: Real, First: Row, Second: Row> Value<T> for Left<First, Second> {
    const OPERANDS: usize = 3;

    #[inline(always)]
    fn at(x: T, y: T, z: T, _w: T) -> T {
        Second::at(First::at(x, y), z)
    }
}

impl<T: Real, First: Row, Second: Row> Value<T> for Right<First, Second> {
    const OPERANDS: usize = 3;

    #[inline(always)]
    fn at(x: T, y: T, z: T, _w: T) -> T {
        Second::at(z, First::at(x, y))
    }
}

impl<T: Real, First: Row, Second: Row> Value<T> for Both<First, Second> {
    const OPERANDS: usize = 2;

    #[inline(always)]
    fn at(x: T, y: T, _z: T, _w: T) -> T {
        let between = First::at(x, y);
        Second::at(between, between)
    }
}

impl<T: Real, First: Row, Second: Row> Value<T> for Product<First, Second> {
    const OPERANDS: usize = 4;

    #[inline(always)]
    fn at(x: T, y: T, z: T, w: T) -> T {
        Second::at(First::at(x, y), z * w)
    }
}

/// Declares which rows may come first, and what may be done with what they give.
macro_rules! chains {
    ($($First:ident),+; then $thens:tt; two $Factor:ident $($Last:ident),+) => {
        $(
            struct $First;

            impl Row for $First {
                #[inline(always)]
                fn at<T: Real>(x: T, y: T) -> T {
                    BinaryOp::$First.value(x, y)
                }
            }
        )+

        /// Whether a function gives the product of its operands, as what adds products up computes them.
        pub(crate) fn is_product(op: BinaryOp) -> bool {
            op == BinaryOp::$Factor
        }

        impl Chain {
            /// Makes something from the chain's type; nothing if there is no such chain.
            pub(crate) fn make<T: Real, M: Make<T>>(self, of: M) -> Option<M::Made> {
                Some(match (self.first, self.then) {
                    $((BinaryOp::$Factor, Then::Product(BinaryOp::$Last)) => of.make::<Product<$Factor, $Last>>(),)+
                    $((BinaryOp::$First, then) => chains!(@ $First, then, of, $thens),)+
                    _ => return None,
                })
            }
        }
    };
    (@ $First:ident, $then:expr, $of:ident, [$($Then:ident $Second:ident),+]) => {
        match $then {
            Then::Nothing => $of.make::<Nothing<$First>>(),
            $(Then::$Then(BinaryOp::$Second) => $of.make::<$Then<$First, $Second>>(),)+
            _ => return None,
        }
    };
}

chains! {
    Add, Sub, Mul, Div;
    then [Left Add, Left Sub, Right Sub, Left Mul, Both Mul, Left Div, Right Div];
    two Mul Add, Sub
}

impl Chain {
    /// The chain, if there is one. Where operands may be swapped, sides are the same.
    pub(crate) fn of(first: BinaryOp, then: Then) -> Option<Chain> {
        let then = match then {
            Then::Right(second) if second.is_commutative() => Then::Left(second),
            other => other,
        };
        let chain = Chain { first, then };
        chain.make::<f32, _>(Listed).map(|()| chain)
    }

    /// How many functions it is.
    pub(crate) fn functions(self) -> usize {
        match self.then {
            Then::Nothing => 1,
            Then::Left(_) | Then::Right(_) | Then::Both(_) => 2,
            Then::Product(_) => 3,
        }
    }

    /// The value at one point.
    #[cfg(test)]
    pub(crate) fn value<T: Real>(self, [x, y, z, w]: [T; 4]) -> T {
        let between = self.first.value(x, y);
        match self.then {
            Then::Nothing => between,
            Then::Left(second) => second.value(between, z),
            Then::Right(second) => second.value(z, between),
            Then::Both(second) => second.value(between, between),
            Then::Product(second) => second.value(between, z * w),
        }
    }
}

/// Nothing is made: a chain is listed.
struct Listed;

impl<T> Make<T> for Listed {
    type Made = ();

    fn make<V: Value<T>>(self) {}
}
