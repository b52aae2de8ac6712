//! Operations along axes.

use super::call::{Table, one};

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
];
