//! Losses.

use pullback_graph::{Expr, Tensor};
use pullback_nn::{
    BinaryCrossEntropyOptions, CrossEntropyOptions, CtcOptions, Reduction, TripletMarginOptions,
    binary_cross_entropy, binary_cross_entropy_of_probabilities, cosine_embedding, cross_entropy,
    cross_entropy_soft, ctc, gaussian_nll, hinge_embedding, huber, kl_div, kl_div_of_logs, mae,
    margin_ranking, mse, nll, poisson_nll, smooth_l1, soft_margin, triplet_margin,
};

use super::call::{Call, Outputs, Skip, Table, one, unknown_word};

pub(super) const OPERATIONS: Table = &[
    ("mse_loss", |c| pair(c, mse)),
    ("l1_loss", |c| pair(c, mae)),
    ("smooth_l1_loss", |c| {
        let beta = c.number_or("beta", 1.0)?;
        pair(c, |x, t, reduction| smooth_l1(x, t, beta, reduction))
    }),
    ("huber_loss", |c| {
        let delta = c.number_or("delta", 1.0)?;
        pair(c, |x, t, reduction| huber(x, t, delta, reduction))
    }),
    ("bce_loss", |c| {
        let options = BinaryCrossEntropyOptions::from(reduction(c)?);
        let options = c.optional(2).map_or(options, |weights| options.weights(weights));
        one(binary_cross_entropy_of_probabilities(c.input(0)?, c.input(1)?, options))
    }),
    ("bce_with_logits", |c| {
        let options = BinaryCrossEntropyOptions::from(reduction(c)?);
        let options = c.optional(2).map_or(options, |weights| options.positive_weights(weights));
        one(binary_cross_entropy(c.input(0)?, c.input(1)?, options))
    }),
    ("nll_loss", |c| one(nll(c.input(0)?, c.input(1)?, classes(c)?))),
    ("cross_entropy", |c| one(cross_entropy(c.input(0)?, c.input(1)?, classes(c)?))),
    ("cross_entropy_soft", |c| one(cross_entropy_soft(c.input(0)?, c.input(1)?, classes(c)?))),
    ("kl_div", |c| match c.flag("log_target")? {
        true => pair(c, kl_div_of_logs),
        false => pair(c, kl_div),
    }),
    ("hinge_embedding_loss", |c| {
        let margin = c.number_or("margin", 1.0)?;
        pair(c, |x, t, reduction| hinge_embedding(x, t, margin, reduction))
    }),
    ("margin_ranking_loss", |c| {
        let [x, other, target] = c.inputs()?;
        one(margin_ranking(x, other, target, c.number_or("margin", 0.0)?, reduction(c)?))
    }),
    ("soft_margin_loss", |c| pair(c, soft_margin)),
    ("triplet_margin_loss", |c| {
        let [anchor, positive, negative] = c.inputs()?;
        let power = c.number_or("p", 2.0)?;
        if power != 2.0 {
            let distance = |other| (anchor - other + 1e-6).p_norm_over(power, -1);
            let losses = distance(positive) - distance(negative) + c.number_or("margin", 1.0)?;
            return one(reduction(c)?.apply(losses.relu()));
        }
        let options = TripletMarginOptions::from(reduction(c)?).margin(c.number_or("margin", 1.0)?);
        one(triplet_margin(anchor, positive, negative, options))
    }),
    ("cosine_embedding_loss", |c| {
        let [a, b, target] = c.inputs()?;
        one(cosine_embedding(a, b, target, c.number_or("margin", 0.0)?, reduction(c)?))
    }),
    ("gaussian_nll_loss", |c| {
        let [mean, target, variance] = c.inputs()?;
        one(gaussian_nll(mean, target, variance, c.number_or("eps", 1e-6)?, reduction(c)?))
    }),
    ("poisson_nll_loss", |c| pair(c, poisson_nll)),
    ("ctc_loss", |c| {
        let [logits, labels] = c.inputs()?;
        let numbers = |name| Ok::<_, Skip>(logits.builder().constant(Tensor::vector(c.integers(name)?)));
        let (steps, lengths) = (numbers("input_lengths")?, numbers("target_lengths")?);
        let blank = c.size_or("blank", 0)?;
        // The cases give no reduction: theirs is the sum.
        let reduction = if c.attribute("reduction").is_some() { reduction(c)? } else { Reduction::Sum };
        let options = CtcOptions::from(reduction).blank(blank);
        let options = if c.flag("zero_infinity")? { options.zero_infinity() } else { options };
        one(ctc(logits, labels, steps, lengths, options))
    }),
];

/// The loss of a prediction and a target.
fn pair<'g>(call: &Call<'g>, loss: impl FnOnce(Expr<'g>, Expr<'g>, Reduction) -> Expr<'g>) -> Outputs<'g> {
    let [prediction, target] = call.inputs()?;
    one(loss(prediction, target, reduction(call)?))
}

fn reduction(call: &Call<'_>) -> Result<Reduction, Skip> {
    match call.word_or("reduction", "mean")? {
        "none" => Ok(Reduction::None),
        "mean" => Ok(Reduction::Mean),
        "sum" => Ok(Reduction::Sum),
        "batchmean" => Ok(Reduction::BatchMean),
        word => unknown_word("reduction", word),
    }
}

/// Options of a cross-entropy: the classes are on axis 1, or on the only one; input 2 may hold their weights.
fn classes<'g>(call: &Call<'g>) -> Result<CrossEntropyOptions<'g>, Skip> {
    let axis = if call.input(0)?.rank() == 1 { 0 } else { 1 };
    let options = CrossEntropyOptions::from(reduction(call)?)
        .axis(axis)
        .label_smoothing(call.number_or("label_smoothing", 0.0)?);
    let options = call.integer_if_any("ignore_index")?.map_or(options, |label| options.ignoring(label));
    Ok(call.optional(2).map_or(options, |weights| options.class_weights(weights)))
}
