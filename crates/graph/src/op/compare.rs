//! Comparisons and logic: elementwise ops whose result is a truth value. No gradient flows through them.
//!
//! Comparisons: C1 two operands; C2 of one shape; C3 of one element type. Comparing with NaN is false, but for `ne`.
//! Logic: C1 two operands; C2 of one shape; C4 of type bool.

use std::borrow::Cow;

use crate::dim::{Bindings, Dim};
use crate::dispatch;
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::{Expr, IntoOperand};
use crate::op::Op;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::table::{expect_one_dtype, expect_one_shape, expect_operands};
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// Turns rows `doc, Variant = method, value |a, b| …;` into an enum of ops with a truth value as result.
macro_rules! truth_ops {
    ($(#[doc = $enum_doc:literal])* $Enum:ident, bound $($bound:path)?, $($(#[doc = $doc:literal])* $Variant:ident = $method:ident, value |$a:ident, $b:ident| $value:expr;)*) => {
        $(#[doc = $enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $Enum {
            $($(#[doc = $doc])* $Variant,)*
        }

        impl $Enum {
            /// Every row, in order.
            pub const ALL: &'static [$Enum] = &[$($Enum::$Variant),*];

            /// The name in the text IR.
            #[must_use]
            pub fn name_static(self) -> &'static str {
                match self {
                    $($Enum::$Variant => stringify!($method),)*
                }
            }

            /// The row of a text name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$Enum> {
                $Enum::ALL.iter().copied().find(|op| op.name_static() == name)
            }

            /// The value of every element: one tight loop per row.
            ///
            /// # Panics
            /// When the lengths differ.
            #[inline(always)]
            pub fn map<T: Element $(+ $bound)?>(self, left: &[T], right: &[T], result: &mut [bool]) {
                assert!(
                    left.len() == result.len() && right.len() == result.len(),
                    "an elementwise loop needs slices of one length"
                );
                match self {
                    $($Enum::$Variant => {
                        for ((result, left), right) in result.iter_mut().zip(left).zip(right) {
                            let ($a, $b) = (*left, *right);
                            *result = $value;
                        }
                    })*
                }
            }
        }

        impl<'g> Expr<'g> {
            $($(#[doc = $doc])*
            ///
            /// The operands broadcast as in NumPy and meet in [one type](DType::promote); the result is of type bool.
            ///
            /// # Panics
            /// When the shapes do not broadcast or the element type has no such function; the message shows this line.
            #[must_use]
            #[track_caller]
            #[allow(clippy::should_implement_trait, reason = "comparison operators cannot give tensors")]
            pub fn $method(self, other: impl IntoOperand<'g>) -> Expr<'g> {
                self.apply_binary($Enum::$Variant, other)
            })*
        }
    };
}

truth_ops! {
    /// An elementwise comparison: a row of the table in this file.
    CompareOp, bound ,
    /// `a = b`.
    Eq = eq, value |a, b| a == b;
    /// `a ≠ b`; true if either is NaN.
    Ne = ne, value |a, b| a != b;
    /// `a < b`.
    Lt = lt, value |a, b| a < b;
    /// `a ≤ b`.
    Le = le, value |a, b| a <= b;
    /// `a > b`.
    Gt = gt, value |a, b| a > b;
    /// `a ≥ b`.
    Ge = ge, value |a, b| a >= b;
}

truth_ops! {
    /// An elementwise op on truth values: a row of the table in this file.
    LogicOp, bound Into<bool>,
    /// Both hold.
    And = and, value |a, b| a.into() & b.into();
    /// At least one holds.
    Or = or, value |a, b| a.into() | b.into();
    /// Exactly one holds.
    Xor = xor, value |a, b| a.into() ^ b.into();
}

impl CompareOp {
    pub(crate) fn sample(self, choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        let domain = |offset| OperandSample { ty: ty.clone(), domain: Domain::Lattice { step: 0.4, offset } };
        Sample { op: self.into(), operands: vec![domain(0.0), domain(0.2)] }
    }
}

impl LogicOp {
    pub(crate) fn sample(self, choices: &mut Choices) -> Sample {
        let operand =
            OperandSample { ty: choices.float_type(3).with_dtype(DType::Bool), domain: Domain::Truth };
        Sample { op: self.into(), operands: vec![operand.clone(), operand] }
    }
}

impl OpRules for CompareOp {
    fn name(&self) -> Cow<'static, str> {
        self.name_static().into()
    }

    fn class(&self) -> OpClass {
        OpClass::Elementwise
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 2)?;
        expect_one_dtype(operands)?;
        expect_one_shape(operands)?;
        Ok(operands[0].with_dtype(DType::Bool))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let (left, right) = (operands[0], operands[1]);
        let mut values = vec![false; left.len()];
        dispatch!(left.dtype(), T => self.map(left.values::<T>(), right.values::<T>(), &mut values));
        Ok(Tensor::new(left.sizes(), values).expect("one value per element"))
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Stops, Partial::Stops])
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.elementwise(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}

impl OpRules for LogicOp {
    fn name(&self) -> Cow<'static, str> {
        self.name_static().into()
    }

    fn class(&self) -> OpClass {
        OpClass::Elementwise
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 2)?;
        expect_one_shape(operands)?;
        match operands.iter().find(|operand| operand.dtype != DType::Bool) {
            None => Ok(operands[0].clone()),
            Some(other) => Err(Violation::new("C4", format!("takes truth values, got {other}"))
                .help("compare first, as in `x.gt(0.0)`")),
        }
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let mut values = vec![false; operands[0].len()];
        self.map::<bool>(operands[0].values(), operands[1].values(), &mut values);
        Ok(Tensor::new(operands[0].sizes(), values).expect("one value per element"))
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Stops, Partial::Stops])
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.elementwise(*self))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok((*self).into())
    }
}
