//! Layers: windows, normalizations, attention, cells.

use pullback_graph::{ConvOptions, ConvTransposeOptions, Expr, PoolOptions};

use super::call::{Call, Outputs, Skip, Table, one};

pub(super) const OPERATIONS: Table = &[
    ("conv1d", |c| conv(c, 1)),
    ("conv2d", |c| conv(c, 2)),
    ("conv3d", |c| conv(c, 3)),
    ("conv_transpose1d", |c| conv_transpose(c, 1)),
    ("conv_transpose2d", |c| conv_transpose(c, 2)),
    ("conv_transpose3d", |c| conv_transpose(c, 3)),
    ("max_pool1d", |c| max_pool(c, 1)),
    ("max_pool2d", |c| max_pool(c, 2)),
    ("max_pool3d", |c| max_pool(c, 3)),
    ("avg_pool1d", |c| avg_pool(c, 1)),
    ("avg_pool2d", |c| avg_pool(c, 2)),
    ("avg_pool3d", |c| avg_pool(c, 3)),
    ("adaptive_avg_pool1d", |c| one(c.input(0)?.adaptive_avg_pool(&c.per_axis("output_size", 1)?))),
    ("adaptive_avg_pool2d", |c| one(c.input(0)?.adaptive_avg_pool(&c.per_axis("output_size", 2)?))),
    ("adaptive_max_pool2d", |c| one(c.input(0)?.adaptive_max_pool(&c.per_axis("output_size", 2)?))),
    ("upsample_nearest2d", |c| one(c.input(0)?.resize_nearest(&c.per_axis("factor", 2)?))),
    ("upsample_bilinear2d", |c| {
        one(c.input(0)?.resize_linear(&c.per_axis("size", 2)?, c.flag("align_corners")?))
    }),
    ("embedding", |c| {
        let [weights, ids] = c.inputs()?;
        // As other indices do in Python, a negative one counts from the end.
        let rows = weights.shape().first().and_then(|rows| rows.known()).unwrap_or(0);
        let padding = c.integer_if_any("padding_idx")?;
        let padding =
            padding.map(|at| usize::try_from(if at < 0 { at + rows as i64 } else { at })).transpose()?;
        one(weights.embedding(ids, padding))
    }),
    ("im2col", |c| {
        let options = ConvOptions::default()
            .stride(c.per_axis_or("stride", 2, 1)?)
            .padding(c.per_axis_or("padding", 2, 0)?)
            .dilation(c.per_axis_or("dilation", 2, 1)?);
        one(c.input(0)?.im2col(&c.per_axis("kernel", 2)?, &options))
    }),
    ("pixel_shuffle", |c| one(c.input(0)?.pixel_shuffle(c.size("factor")?))),
    ("local_response_norm", |c| {
        let (alpha, beta, k) =
            (c.number_or("alpha", 1e-4)?, c.number_or("beta", 0.75)?, c.number_or("k", 1.0)?);
        one(c.input(0)?.local_response_norm(c.size("size")?, alpha, beta, k))
    }),
];

/// `x` with the bias of each channel added, if there is one: axis 1.
fn with_bias<'g>(call: &Call<'g>, x: Expr<'g>, axes: usize) -> Outputs<'g> {
    one(match call.optional(2) {
        None => x,
        Some(bias) => {
            let shape =
                bias.shape().iter().cloned().chain(vec![1.into(); axes]).collect::<pullback_graph::Shape>();
            x + bias.reshape(shape)
        }
    })
}

fn conv<'g>(call: &Call<'g>, axes: usize) -> Outputs<'g> {
    let options = ConvOptions::default()
        .stride(call.per_axis_or("stride", axes, 1)?)
        .padding(call.per_axis_or("padding", axes, 0)?)
        .dilation(call.per_axis_or("dilation", axes, 1)?)
        .groups(call.size_or("groups", 1)?);
    with_bias(call, call.input(0)?.conv(call.input(1)?, &options), axes)
}

fn conv_transpose<'g>(call: &Call<'g>, axes: usize) -> Outputs<'g> {
    let options = ConvTransposeOptions::default()
        .stride(call.per_axis_or("stride", axes, 1)?)
        .padding(call.per_axis_or("padding", axes, 0)?)
        .output_padding(call.per_axis_or("output_padding", axes, 0)?)
        .dilation(call.per_axis_or("dilation", axes, 1)?)
        .groups(call.size_or("groups", 1)?);
    with_bias(call, call.input(0)?.conv_transpose(call.input(1)?, &options), axes)
}

/// What both kinds of pools are given; windows are side by side unless a stride is given.
fn pool(call: &Call<'_>, axes: usize) -> Result<PoolOptions, Skip> {
    let options = PoolOptions::new(call.per_axis("kernel", axes)?)
        .padding(call.per_axis_or("padding", axes, 0)?)
        .ceil_mode(call.flag("ceil_mode")?);
    Ok(match call.attribute("stride") {
        None => options,
        Some(_) => options.stride(call.per_axis("stride", axes)?),
    })
}

fn max_pool<'g>(call: &Call<'g>, axes: usize) -> Outputs<'g> {
    let options = pool(call, axes)?.dilation(call.per_axis_or("dilation", axes, 1)?);
    one(call.input(0)?.max_pool(&options))
}

fn avg_pool<'g>(call: &Call<'g>, axes: usize) -> Outputs<'g> {
    let counts = call.attribute("count_include_pad").is_none() || call.flag("count_include_pad")?;
    one(call.input(0)?.avg_pool(&pool(call, axes)?.count_include_pad(counts)))
}
