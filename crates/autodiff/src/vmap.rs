//! Vectorisation: a closure over one element becomes nodes over all elements of a leading axis.
//!
//! The graph makes it an ordinary transform. The closure appends its nodes for one example; those that depend on the
//! example are written anew by each op's rule for a leading axis ([`OpRules::batch`](pullback_graph::OpRules)), the
//! others stay as they are. So gradients inside the closure are gradients per element, and what comes out can be
//! differentiated, vectorised again, saved and executed.

use pullback_graph::Expr;

use crate::error::GradError;

/// `each` applied to every element of the inputs' leading axis, with the results stacked along a new leading axis.
///
/// The closure gets one element of each input, of the input's type without its first axis, and is called once. It may use
/// other expressions, and what depends on no element is computed once for all. It gives an expression, or an array,
/// tuple or `Vec` of them, or a `Result` of such; the same comes back. Nodes appended: those of the closure and some
/// broadcasts, however many elements there are; the axis may be a symbol.
///
/// ```
/// use pullback_autodiff::{grad, vmap};
/// use pullback_graph::{Builder, DType::F64, Tensor, interpret, sym};
/// let b = Builder::new();
/// let (x, t) = (b.input("x", F64, [sym("batch"), 2.into()]), b.input("t", F64, [sym("batch")]));
/// let w = b.input("w", F64, [2]);
/// // The norm of each sample's own gradient.
/// let norms = vmap([x, t], |[xi, ti]| {
///     let [dw] = grad(((xi * w).sum() - ti).square(), [w])?;
///     Ok(dw.norm())
/// })?;
/// assert_eq!(norms.ty().to_string(), "f64[batch]");
///
/// let graph = b.finish([("norms", norms)])?;
/// let values = interpret(&graph, [
///     ("x", &Tensor::of([2, 2], [3.0, 4.0, 0.0, 1.0])),
///     ("t", &Tensor::of([2], [0.0, 5.0])),
///     ("w", &Tensor::of([2], [1.0, 1.0])),
/// ])?;
/// assert_eq!(values.output("norms")?, &Tensor::of([2], [70.0, 8.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The closure's own, and [`GradError::Batch`] when an input has no leading axis, the axes' sizes differ, or an op that
/// depends on an element has no rule for a leading axis; it names the node, the op and the line.
///
/// # Panics
/// When there are no inputs. Later, when a handle to something that depends on an element is used outside of the closure.
#[track_caller]
pub fn vmap<'g, const N: usize, R: VmapOutput<'g>>(
    inputs: [Expr<'g>; N],
    each: impl FnOnce([Expr<'g>; N]) -> R,
) -> Result<R::Value, GradError> {
    let builder = inputs.first().expect("vmap takes at least one input").builder();
    let mut given = None;
    let scope = builder.open_scope("vmap");
    let stacked = builder.within(scope, || {
        builder.over_leading_axis(&inputs, |examples| {
            let mut value = each(std::array::from_fn(|at| examples[at])).into_value()?;
            let mut exprs = Vec::new();
            value.visit(&mut |expr| exprs.push(*expr));
            given = Some(value);
            Ok::<_, GradError>(exprs)
        })
    })?;
    let mut value = given.expect("the closure has been called");
    let mut stacked = stacked.into_iter();
    value.visit(&mut |expr| *expr = stacked.next().expect("one result per expression"));
    Ok(value)
}

/// Expressions in a form that closures give: one, or an array, tuple or `Vec` of them.
pub trait Exprs<'g>: Sized {
    /// Calls `each` on every expression, always in the same order.
    fn visit(&mut self, each: &mut dyn FnMut(&mut Expr<'g>));
}

impl<'g> Exprs<'g> for Expr<'g> {
    fn visit(&mut self, each: &mut dyn FnMut(&mut Expr<'g>)) {
        each(self);
    }
}

impl<'g, T: Exprs<'g>, const N: usize> Exprs<'g> for [T; N] {
    fn visit(&mut self, each: &mut dyn FnMut(&mut Expr<'g>)) {
        self.iter_mut().for_each(|item| item.visit(each));
    }
}

impl<'g, T: Exprs<'g>> Exprs<'g> for Vec<T> {
    fn visit(&mut self, each: &mut dyn FnMut(&mut Expr<'g>)) {
        self.iter_mut().for_each(|item| item.visit(each));
    }
}

impl<'g, A: Exprs<'g>, B: Exprs<'g>> Exprs<'g> for (A, B) {
    fn visit(&mut self, each: &mut dyn FnMut(&mut Expr<'g>)) {
        self.0.visit(each);
        self.1.visit(each);
    }
}

impl<'g, A: Exprs<'g>, B: Exprs<'g>, C: Exprs<'g>> Exprs<'g> for (A, B, C) {
    fn visit(&mut self, each: &mut dyn FnMut(&mut Expr<'g>)) {
        self.0.visit(each);
        self.1.visit(each);
        self.2.visit(each);
    }
}

/// What the closure of [`vmap`] may give: [`Exprs`], or a `Result` of such.
pub trait VmapOutput<'g> {
    /// What `vmap` gives: the same, without the `Result`.
    type Value: Exprs<'g>;

    /// The value, unless the closure failed.
    ///
    /// # Errors
    /// The closure's.
    fn into_value(self) -> Result<Self::Value, GradError>;
}

impl<'g, T: Exprs<'g>> VmapOutput<'g> for T {
    type Value = T;

    fn into_value(self) -> Result<T, GradError> {
        Ok(self)
    }
}

impl<'g, T: Exprs<'g>> VmapOutput<'g> for Result<T, GradError> {
    type Value = T;

    fn into_value(self) -> Result<T, GradError> {
        self
    }
}
