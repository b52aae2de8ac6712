//! Operations that move elements.

use pullback_graph::{DType, Expr, Order, PadMode};

use super::call::{Call, Outputs, Skip, Table, one, unknown_word};

pub(super) const OPERATIONS: Table = &[
    ("reshape", |c| one(c.input(0)?.reshape_infer(&c.integers("shape")?))),
    ("transpose", |c| one(c.input(0)?.permute(c.integers("perm")?.as_slice()))),
    ("broadcast_to", |c| one(c.input(0)?.broadcast_to(c.sizes("shape")?))),
    ("squeeze", |c| one(c.input(0)?.squeeze(c.axes()?))),
    ("unsqueeze", |c| one(c.input(0)?.expand_dims(c.integer("axis")?))),
    ("flip", |c| one(c.input(0)?.flip(c.axes()?))),
    ("concat", |c| {
        let (first, others) = c.list()?;
        one(first.concat(others, c.integer_or("axis", 0)?))
    }),
    ("stack", |c| {
        let (first, others) = c.list()?;
        one(first.stack(others, c.integer_or("axis", 0)?))
    }),
    ("split", |c| Ok(c.input(0)?.split(c.integer("axis")?, &c.sizes("sizes")?))),
    ("slice", |c| slice(c)),
    ("pad", |c| pad(c)),
    ("roll", |c| one(c.input(0)?.roll(&c.integers("shifts")?, c.axes()?))),
    ("tile", |c| one(c.input(0)?.tile(&c.sizes("reps")?))),
    ("repeat", |c| one(c.input(0)?.repeat(c.size("repeats")?, c.integer("axis")?))),
    ("diagonal", |c| one(c.input(0)?.diagonal(c.integer_or("offset", 0)?))),
    ("diag", |c| c.unary(|x| x.diag())),
    ("tril", |c| one(c.input(0)?.tril(c.integer_or("k", 0)?))),
    ("triu", |c| one(c.input(0)?.triu(c.integer_or("k", 0)?))),
    ("masked_fill", |c| {
        let [x, mask] = c.inputs()?;
        one(x.masked_fill(mask, c.number("value")?))
    }),
    ("take", |c| {
        let [x, indices] = c.inputs()?;
        let axis = c.integer("axis")?;
        one(x.gather(from_front(x, indices, axis), axis))
    }),
    ("take_along_axis", |c| {
        let [x, indices] = c.inputs()?;
        let axis = c.integer("axis")?;
        one(x.gather_along(from_front(x, indices, axis), axis))
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
        one(x.index_add(indices, updates, c.integer("axis")?))
    }),
    ("segment_sum", |c| {
        let [x, ids] = c.inputs()?;
        one(x.segment_sum(ids, c.size("count")?))
    }),
    // Of double precision, as the cases are: nothing says otherwise.
    ("one_hot", |c| one(c.input(0)?.one_hot(c.size("depth")?, DType::F64))),
    ("sort", |c| {
        let (axis, order) = (c.integer("axis")?, order(c.flag("descending")?));
        let [x] = c.inputs()?;
        Ok(vec![x.sort(axis, order), x.argsort(axis, order)])
    }),
    ("topk", |c| {
        let (k, axis) = (c.size("k")?, c.integer("axis")?);
        // The largest unless it is said otherwise.
        let descending = c.attribute("largest").is_none() || c.flag("largest")?;
        let [x] = c.inputs()?;
        let (values, positions) = x.top_k(k, axis, order(descending));
        Ok(vec![values, positions])
    }),
];

/// Python's `x[start:end:step]` on every axis; an end that is null is open.
fn slice<'g>(call: &Call<'g>) -> Outputs<'g> {
    let (starts, ends) = (call.gaps("starts")?, call.gaps("ends")?);
    let steps = call.gaps_if_any("steps")?.unwrap_or_else(|| vec![None; starts.len()]);
    if ends.len() != starts.len() || steps.len() != starts.len() {
        return Err(Skip("starts, ends and steps are of different lengths".into()));
    }
    let ranges = starts.into_iter().zip(ends).zip(steps).enumerate();
    one(ranges.fold(call.input(0)?, |x, (axis, ((start, end), step))| {
        x.slice_step(axis as i64, start, end, step.unwrap_or(1))
    }))
}

fn pad<'g>(call: &Call<'g>) -> Outputs<'g> {
    let mode = match call.word_or("mode", "constant")? {
        "constant" => PadMode::Constant(call.number_or("value", 0.0)?),
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        "wrap" => PadMode::Wrap,
        other => return unknown_word("mode", other),
    };
    // Only constants have a value, but a case may give one to every mode.
    let _ = call.attribute("value");
    one(call.input(0)?.pad_with(call.pairs("pads")?, mode))
}

/// The indices along `axis` of `x`, negative ones counted from the end, as NumPy does.
fn from_front<'g>(x: Expr<'g>, indices: Expr<'g>, axis: i64) -> Expr<'g> {
    let sizes = x.shape().known().unwrap_or_default();
    let at = if axis < 0 { axis + sizes.len() as i64 } else { axis };
    let size = usize::try_from(at).ok().and_then(|at| sizes.get(at)).copied().unwrap_or(0) as i64;
    indices.lt(0).select(indices + size, indices)
}

fn order(descending: bool) -> Order {
    if descending { Order::Descending } else { Order::Ascending }
}
