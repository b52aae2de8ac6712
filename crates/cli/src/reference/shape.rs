//! Operations that move elements.

use super::call::{Table, one};

pub(super) const OPERATIONS: Table = &[
    ("transpose", |c| one(c.input(0)?.permute(c.integers("perm")?.as_slice()))),
    ("broadcast_to", |c| one(c.input(0)?.broadcast_to(c.sizes("shape")?))),
    ("squeeze", |c| one(c.input(0)?.squeeze(c.axes()?))),
    ("unsqueeze", |c| one(c.input(0)?.expand_dims(c.integer("axis")?))),
    ("flip", |c| one(c.input(0)?.flip(c.axes()?))),
    ("concat", |c| {
        let (first, others) = c.list()?;
        one(first.concat(others, c.integer_or("axis", 0)?))
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
    ("index_add", |c| {
        let [x, indices, updates] = c.inputs()?;
        one(x.scatter_add(indices, updates, c.integer("axis")?))
    }),
];
