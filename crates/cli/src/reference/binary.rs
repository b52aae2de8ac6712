//! Operations on the elements of several tensors, which broadcast.

use super::call::{Table, one};

pub(super) const OPERATIONS: Table = &[
    ("add", |c| c.binary(|a, b| a + b)),
    ("sub", |c| c.binary(|a, b| a - b)),
    ("mul", |c| c.binary(|a, b| a * b)),
    ("div", |c| c.binary(|a, b| a / b)),
    ("pow", |c| c.binary(|a, b| a.pow(b))),
    ("maximum", |c| c.binary(|a, b| a.maximum(b))),
    ("minimum", |c| c.binary(|a, b| a.minimum(b))),
    ("fmod", |c| c.binary(|a, b| a % b)),
    ("remainder", |c| c.binary(|a, b| a.remainder(b))),
    ("atan2", |c| c.binary(|a, b| a.atan2(b))),
    ("hypot", |c| c.binary(|a, b| a.hypot(b))),
    ("logaddexp", |c| c.binary(|a, b| a.logaddexp(b))),
    ("xlogy", |c| c.binary(|a, b| a.xlogy(b))),
    ("xlog1py", |c| c.binary(|a, b| a.xlog1py(b))),
    ("lerp", |c| {
        let [a, b, weight] = c.inputs()?;
        one(a.lerp(b, weight))
    }),
    ("eq", |c| c.binary(|a, b| a.eq(b))),
    ("ne", |c| c.binary(|a, b| a.ne(b))),
    ("lt", |c| c.binary(|a, b| a.lt(b))),
    ("le", |c| c.binary(|a, b| a.le(b))),
    ("gt", |c| c.binary(|a, b| a.gt(b))),
    ("ge", |c| c.binary(|a, b| a.ge(b))),
    ("where", |c| {
        let [condition, a, b] = c.inputs()?;
        one(condition.select(a, b))
    }),
    ("safe_sqrt_where", |c| {
        c.unary(|x| {
            let positive = x.gt(0.0);
            positive.select(positive.select(x, x.ones_like()).sqrt(), 0.0)
        })
    }),
];
