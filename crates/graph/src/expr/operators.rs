//! `+ - * / %` and unary `-` on expressions and numbers.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use crate::expr::{Expr, IntoOperand};

macro_rules! operator {
    ($($Trait:ident $method:ident),*) => {
        $(impl<'g, R: IntoOperand<'g>> $Trait<R> for Expr<'g> {
            type Output = Expr<'g>;

            #[track_caller]
            fn $method(self, other: R) -> Expr<'g> {
                Expr::$method(self, other)
            }
        }

        // Only f64: a second impl would leave the type of `1.0` in `1.0 - x` open.
        impl<'g> $Trait<Expr<'g>> for f64 {
            type Output = Expr<'g>;

            #[track_caller]
            fn $method(self, other: Expr<'g>) -> Expr<'g> {
                Expr::$method(other.full_like(self), other)
            }
        })*
    };
}

operator!(Add add, Sub sub, Mul mul, Div div, Rem rem);

impl<'g> Neg for Expr<'g> {
    type Output = Expr<'g>;

    #[track_caller]
    fn neg(self) -> Expr<'g> {
        Expr::neg(self)
    }
}
