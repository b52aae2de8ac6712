//! Operations along axes.

use pullback_graph::Expr;

use super::call::{Call, Outputs, Table, one};

pub(super) const OPERATIONS: Table = &[
    ("sum", |c| c.reduction(|x, axes| x.sum_over(axes))),
    ("mean", |c| c.reduction(|x, axes| x.mean_over(axes))),
    ("max", |c| c.reduction(|x, axes| x.max_over(axes))),
    ("min", |c| c.reduction(|x, axes| x.min_over(axes))),
    ("logsumexp", |c| c.reduction(|x, axes| x.logsumexp(axes))),
    ("var", |c| {
        let ddof = c.size_or("ddof", 0)?;
        c.reduction(|x, axes| x.var_over(axes, ddof))
    }),
    ("std", |c| {
        let ddof = c.size_or("ddof", 0)?;
        c.reduction(|x, axes| x.std_over(axes, ddof))
    }),
    ("softmax", |c| one(c.input(0)?.softmax(c.integer("axis")?))),
    ("log_softmax", |c| one(c.input(0)?.log_softmax(c.integer("axis")?))),
    ("argmax", |c| {
        let axis = c.integer("axis")?;
        c.reduction(|x, _| x.argmax(axis))
    }),
    ("argmin", |c| {
        let axis = c.integer("axis")?;
        c.reduction(|x, _| x.argmin(axis))
    }),
    ("prod", |c| c.reduction(|x, axes| x.prod_over(axes))),
    ("median", |c| c.reduction(|x, axes| x.median_over(axes))),
    ("norm", |c| {
        let p = c.number_or("p", 2.0)?;
        c.reduction(|x, axes| x.p_norm_over(p, axes))
    }),
    ("cumsum", |c| running(c, |x, axis| x.cumsum(axis))),
    ("cumprod", |c| running(c, |x, axis| x.cumprod(axis))),
    ("cummax", |c| running(c, |x, axis| x.cummax(axis))),
    ("cummin", |c| running(c, |x, axis| x.cummin(axis))),
    ("logcumsumexp", |c| running(c, |x, axis| x.logcumsumexp(axis))),
];

/// A combination of every element with all before it.
fn running<'g>(c: &Call<'g>, apply: impl FnOnce(Expr<'g>, i64) -> Expr<'g>) -> Outputs<'g> {
    let axis = c.integer("axis")?;
    c.unary(|x| apply(x, axis))
}
