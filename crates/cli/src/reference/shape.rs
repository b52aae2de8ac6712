//! Operations that move elements.

use pullback_graph::Order;

use super::call::{Skip, Table, one};

pub(super) const OPERATIONS: Table = &[
    ("reshape", |c| {
        let x = c.input(0)?;
        let sizes = x.shape().known().unwrap_or_default();
        one(x.reshape(reshaped(sizes.iter().product(), &c.integers("shape")?)?))
    }),
    ("transpose", |c| one(c.input(0)?.permute(c.integers("perm")?.as_slice()))),
    ("broadcast_to", |c| one(c.input(0)?.broadcast_to(c.sizes("shape")?))),
    ("squeeze", |c| one(c.input(0)?.squeeze(c.axes()?))),
    ("unsqueeze", |c| one(c.input(0)?.expand_dims(c.integer("axis")?))),
    ("flip", |c| one(c.input(0)?.flip(c.axes()?))),
    ("concat", |c| {
        let (first, others) = c.list()?;
        one(first.concat(others, c.integer_or("axis", 0)?))
    }),
    ("masked_fill", |c| {
        let [x, mask] = c.inputs()?;
        one(x.masked_fill(mask, c.number("value")?))
    }),
    ("take", |c| {
        let [x, indices] = c.inputs()?;
        one(x.gather(indices, c.integer("axis")?))
    }),
    ("take_along_axis", |c| {
        let [x, indices] = c.inputs()?;
        one(x.gather_along(indices, c.integer("axis")?))
    }),
    ("scatter_add", |c| {
        let [x, indices, updates] = c.inputs()?;
        one(x.scatter_add_along(indices, updates, c.integer("axis")?))
    }),
    ("scatter", |c| {
        let [x, indices, updates] = c.inputs()?;
        one(x.scatter_set_along(indices, updates, c.integer("axis")?))
    }),
    ("scatter_max", |c| {
        let [x, indices, updates] = c.inputs()?;
        one(x.scatter_max_along(indices, updates, c.integer("axis")?))
    }),
    ("scatter_min", |c| {
        let [x, indices, updates] = c.inputs()?;
        one(x.scatter_min_along(indices, updates, c.integer("axis")?))
    }),
    ("index_add", |c| {
        let [x, indices, updates] = c.inputs()?;
        one(x.scatter_add(indices, updates, c.integer("axis")?))
    }),
    ("sort", |c| {
        let (axis, order) = (c.integer("axis")?, order(c.flag("descending")?));
        let [x] = c.inputs()?;
        Ok(vec![x.sort(axis, order), x.argsort(axis, order)])
    }),
    ("topk", |c| {
        let (k, axis) = (c.integer("k")?, c.integer("axis")?);
        let k = usize::try_from(k).map_err(|_| Skip("k is negative".into()))?;
        // The largest unless it is said otherwise.
        let descending = c.attribute("largest").is_none() || c.flag("largest")?;
        let [x] = c.inputs()?;
        let (values, positions) = x.top_k(k, axis, order(descending));
        Ok(vec![values, positions])
    }),
];

/// The sizes asked for, in which one may be -1: what remains of `count` elements.
fn reshaped(count: usize, asked: &[i64]) -> Result<Vec<usize>, Skip> {
    let given: usize = asked.iter().filter_map(|size| usize::try_from(*size).ok()).product();
    let open = asked.iter().filter(|size| **size < 0).count();
    if open > 1 || open == 1 && (given == 0 || !count.is_multiple_of(given)) {
        return Err(Skip(format!("{count} elements cannot have the shape {asked:?}")));
    }
    Ok(asked.iter().map(|size| usize::try_from(*size).unwrap_or(count / given.max(1))).collect())
}

fn order(descending: bool) -> Order {
    if descending { Order::Descending } else { Order::Ascending }
}
