//! Layers: convolutions, pools, normalizations, attention, cells.

use pullback_graph::{ConvOptions, ConvTransposeOptions, Dim, Expr, PerAxis, PoolOptions, Shape};

use super::call::{Call, Outputs, Skip, Table, one};

pub(super) const OPERATIONS: Table = &[
    ("conv1d", conv),
    ("conv2d", conv),
    ("conv3d", conv),
    ("conv_transpose1d", conv_transpose),
    ("conv_transpose2d", conv_transpose),
    ("max_pool1d", max_pool),
    ("max_pool2d", max_pool),
    ("avg_pool1d", avg_pool),
    ("avg_pool2d", avg_pool),
    ("adaptive_avg_pool2d", |c| {
        let sizes = c.sizes("output_size")?;
        c.unary(|x| x.adaptive_avg_pool(&sizes))
    }),
    ("upsample_nearest2d", |c| {
        let factor = c.size_or("factor", 1)?;
        c.unary(|x| x.resize_nearest(&[factor, factor]))
    }),
    ("upsample_bilinear2d", |c| {
        let (size, align_corners) = (c.sizes("size")?, c.flag("align_corners")?);
        c.unary(|x| x.resize_linear(&size, align_corners))
    }),
    ("im2col", |c| {
        let (kernel, options) = (c.sizes("kernel")?, conv_options(c)?);
        c.unary(|x| x.im2col(&kernel, &options))
    }),
    ("pixel_shuffle", |c| {
        let factor = c.size_or("factor", 1)?;
        c.unary(|x| x.pixel_shuffle(factor))
    }),
    ("local_response_norm", |c| {
        let (size, alpha, beta) = (c.size_or("size", 1)?, c.number("alpha")?, c.number("beta")?);
        let k = c.number("k")?;
        c.unary(|x| x.local_response_norm(size, alpha, beta, k))
    }),
];

fn conv<'g>(c: &Call<'g>) -> Outputs<'g> {
    let options = conv_options(c)?.groups(c.size_or("groups", 1)?);
    biased(c, c.input(0)?.conv(c.input(1)?, &options))
}

fn conv_transpose<'g>(c: &Call<'g>) -> Outputs<'g> {
    let options = ConvTransposeOptions::default()
        .stride(per_axis(c, "stride", 1)?)
        .padding(per_axis(c, "padding", 0)?)
        .output_padding(per_axis(c, "output_padding", 0)?)
        .dilation(per_axis(c, "dilation", 1)?)
        .groups(c.size_or("groups", 1)?);
    biased(c, c.input(0)?.conv_transpose(c.input(1)?, &options))
}

/// The stride, padding and dilation of a convolution.
fn conv_options(c: &Call<'_>) -> Result<ConvOptions, Skip> {
    let options = ConvOptions::default().stride(per_axis(c, "stride", 1)?);
    Ok(options.padding(per_axis(c, "padding", 0)?).dilation(per_axis(c, "dilation", 1)?))
}

/// `y` and the third input, one number per channel, if there is one.
fn biased<'g>(c: &Call<'g>, y: Expr<'g>) -> Outputs<'g> {
    let Some(bias) = c.optional(2) else { return one(y) };
    let ones = vec![Dim::Known(1); y.rank() - 2];
    one(y + bias.reshape(bias.shape().iter().cloned().chain(ones).collect::<Shape>()))
}

fn max_pool<'g>(c: &Call<'g>) -> Outputs<'g> {
    let options = pool_options(c)?.dilation(per_axis(c, "dilation", 1)?);
    c.unary(|x| x.max_pool(&options))
}

fn avg_pool<'g>(c: &Call<'g>) -> Outputs<'g> {
    let counts = c.attribute("count_include_pad").is_none() || c.flag("count_include_pad")?;
    let options = pool_options(c)?.count_include_pad(counts);
    c.unary(|x| x.avg_pool(&options))
}

/// What all pools are told.
fn pool_options(c: &Call<'_>) -> Result<PoolOptions, Skip> {
    let options = PoolOptions::new(c.sizes("kernel")?);
    let options = match c.attribute("stride") {
        Some(_) => options.stride(per_axis(c, "stride", 1)?),
        None => options,
    };
    Ok(options.padding(per_axis(c, "padding", 0)?).ceil_mode(c.flag("ceil_mode")?))
}

/// One number for all axes, or one per axis; `default` if the attribute is absent.
fn per_axis(c: &Call<'_>, name: &str, default: usize) -> Result<PerAxis, Skip> {
    match c.attribute(name) {
        Some(value) if value.is_array() => Ok(c.sizes(name)?.into()),
        _ => Ok(c.size_or(name, default)?.into()),
    }
}
