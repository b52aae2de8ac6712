//! Normalizations, attention and recurrent cells.

use pullback_graph::{AttentionOptions, Expr, RecurrentWeights};

use super::call::{Call, Skip, Table, one};

pub(super) const OPERATIONS: Table = &[
    ("layer_norm", |c| {
        let [x, w, b] = c.inputs()?;
        one(x.layer_norm(w.rank(), Some(w), Some(b), c.number("eps")?))
    }),
    ("rms_norm", |c| {
        let [x, w] = c.inputs()?;
        one(x.rms_norm(w.rank(), Some(w), c.number("eps")?))
    }),
    ("group_norm", |c| {
        let [x, w, b] = c.inputs()?;
        one(x.group_norm(c.size("groups")?, Some(w), Some(b), c.number("eps")?))
    }),
    ("instance_norm", |c| {
        let [x, w, b] = c.inputs()?;
        one(x.instance_norm(Some(w), Some(b), c.number("eps")?))
    }),
    ("batch_norm_train", |c| {
        let ([x, w, b, mean, var], momentum) = (c.inputs()?, c.number("momentum")?);
        let (y, mean, var) = x.batch_norm_train(Some(w), Some(b), (mean, var), momentum, c.number("eps")?);
        Ok(vec![y, mean, var])
    }),
    ("batch_norm_eval", |c| {
        let [x, w, b, mean, var] = c.inputs()?;
        one(x.batch_norm_eval(Some(w), Some(b), (mean, var), c.number("eps")?))
    }),
    ("l2_normalize", |c| one(c.input(0)?.l2_normalize(c.axes()?, c.number("eps")?))),
    ("cosine_similarity", |c| {
        let ([a, b], axis) = (c.inputs()?, c.integer_or("axis", 1)?);
        one(a.cosine_similarity(b, axis, c.number_or("eps", 1e-8)?))
    }),
    ("attention", |c| {
        let (mask, scale) = (c.optional(3), c.number_if_any("scale")?);
        let options = AttentionOptions { mask, causal: c.flag("causal")?, scale };
        one(c.input(0)?.attention(c.input(1)?, c.input(2)?, &options))
    }),
    ("rnn_cell", |c| {
        let [x, h] = [c.input(0)?, c.input(1)?];
        one(x.rnn_cell(h, &weights(c, 2)?))
    }),
    ("lstm_cell", |c| {
        let [x, h, state] = [c.input(0)?, c.input(1)?, c.input(2)?];
        let (h, state) = x.lstm_cell(h, state, &weights(c, 3)?);
        Ok(vec![h, state])
    }),
    ("gru_cell", |c| {
        let [x, h] = [c.input(0)?, c.input(1)?];
        one(x.gru_cell(h, &weights(c, 2)?))
    }),
    ("lstm", |c| {
        let [x, h, state] = [c.input(0)?, c.input(1)?, c.input(2)?];
        let (all, h, state) = x.lstm(h, state, &weights(c, 3)?);
        Ok(vec![all, h, state])
    }),
    ("gru", |c| {
        let [x, h] = [c.input(0)?, c.input(1)?];
        let (all, h) = x.gru(h, &weights(c, 2)?);
        Ok(vec![all, h])
    }),
];

/// The weights and biases of a cell, from input `at` on.
fn weights<'g>(c: &Call<'g>, at: usize) -> Result<RecurrentWeights<'g>, Skip> {
    let [w, u, b, d]: [Expr<'g>; 4] = [c.input(at)?, c.input(at + 1)?, c.input(at + 2)?, c.input(at + 3)?];
    Ok(RecurrentWeights::new(w, u).biases(b, d))
}
