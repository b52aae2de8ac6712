//! Promotion: the element type in which operands of two types meet.
//!
//! |      | bool | i64  | f32  | f64  |
//! | ---- | ---- | ---- | ---- | ---- |
//! | bool | bool | i64  | f32  | f64  |
//! | i64  | i64  | i64  | f32  | f64  |
//! | f32  | f32  | f32  | f32  | f64  |
//! | f64  | f64  | f64  | f64  | f64  |
//!
//! Methods and operators of [`Expr`] insert `cast` nodes by this table where tensors meet: arithmetic, comparisons, the
//! branches of `select`, products, and what is joined. Ops themselves never convert. A number takes the element type of the
//! tensor it meets, whatever its own.

use crate::dtype::DType;
use crate::expr::Expr;

impl DType {
    /// The element type in which elements of this type and of `other` meet: the first of f64, f32, i64 and bool that is one
    /// of the two. Whole numbers become f32 beside f32, as in PyTorch and JAX, though not all of them fit.
    ///
    /// ```
    /// use pullback_graph::DType::{Bool, F32, F64, I64};
    /// assert_eq!(I64.promote(F32), F32);
    /// assert_eq!(F64.promote(F32), F64);
    /// assert_eq!(Bool.promote(I64), I64);
    /// ```
    #[must_use]
    pub fn promote(self, other: DType) -> DType {
        match (self, other) {
            (DType::F64, _) | (_, DType::F64) => DType::F64,
            (DType::F32, _) | (_, DType::F32) => DType::F32,
            (DType::I64, _) | (_, DType::I64) => DType::I64,
            (DType::Bool, DType::Bool) => DType::Bool,
        }
    }

    /// The table of [`promote`](DType::promote) as text, in Markdown.
    #[must_use]
    pub fn promotion_table() -> String {
        let order = [DType::Bool, DType::I64, DType::F32, DType::F64];
        let line = |name: &str, cells: [&str; 4]| {
            format!("| {name:<4} | {} |\n", cells.map(|cell| format!("{cell:<4}")).join(" | "))
        };
        let mut table = line("", order.map(DType::name)) + &line("----", ["----"; 4]);
        for left in order {
            table += &line(left.name(), order.map(|right| left.promote(right).name()));
        }
        table
    }
}

impl<'g> Expr<'g> {
    /// Both converted to the type in which they meet.
    #[track_caller]
    pub(crate) fn promoted_with(self, other: Expr<'g>) -> (Expr<'g>, Expr<'g>) {
        let dtype = self.dtype().promote(other.dtype());
        (self.cast(dtype), other.cast(dtype))
    }
}
