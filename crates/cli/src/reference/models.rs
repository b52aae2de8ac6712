//! Whole small networks, up to their loss.

use pullback_graph::{AttentionOptions, ConvOptions, Expr, PoolOptions, RecurrentWeights};
use pullback_nn::{Reduction, cross_entropy};

use super::call::{Call, Outputs, Table, one, unknown_word};

pub(super) const OPERATIONS: Table = &[
    ("model_mlp_ce", |c| {
        let [x, labels, w1, b1, w2, b2, w3, b3] = c.inputs()?;
        let act: for<'g> fn(Expr<'g>) -> Expr<'g> = match c.word_or("act", "relu")? {
            "relu" => |x| x.relu(),
            "tanh" => |x| x.tanh(),
            "gelu" => |x| x.gelu(),
            "silu" => |x| x.silu(),
            other => return unknown_word("act", other),
        };
        let hidden = act(act(x.linear(w1, Some(b1))).linear(w2, Some(b2)));
        one(cross_entropy(hidden.linear(w3, Some(b3)), labels, Reduction::Mean))
    }),
    ("model_cnn_ce", |c| {
        let [x, labels, w1, b1, w2, b2, gamma, beta, w3, b3] = c.inputs()?;
        let pool = PoolOptions::new([2, 2]);
        let hidden = convolved(convolved(x, w1, b1).relu().max_pool(&pool), w2, b2);
        // The running values are not asked for.
        let running = (gamma.zeros_like(), gamma.ones_like());
        let (hidden, _, _) = hidden.batch_norm_train(Some(gamma), Some(beta), running, 0.1, 1e-5);
        let logits = hidden.relu().max_pool(&pool).flatten(1).linear(w3, Some(b3));
        one(cross_entropy(logits, labels, Reduction::Mean))
    }),
    ("model_transformer_block", transformer_block),
    ("model_char_lstm", |c| {
        let [ids, labels, table, h, state, w, u, b, d, out, bias] = c.inputs()?;
        let (all, _, _) = table.gather(ids, 0).lstm(h, state, &RecurrentWeights::new(w, u).biases(b, d));
        let logits = all.linear(out, Some(bias));
        one(cross_entropy(logits, labels, Reduction::Mean))
    }),
];

fn transformer_block<'g>(c: &Call<'g>) -> Outputs<'g> {
    let [x, g1, b1, w_qkv, b_qkv, w_o, b_o, g2, b2, w1, c1, w2, c2] = c.inputs()?;
    let heads = c.size("heads")?;
    let options = AttentionOptions::default().causal(c.flag("causal")?);
    let qkv = x.layer_norm(1, Some(g1), Some(b1), 1e-5).linear(w_qkv, Some(b_qkv));
    let parts = qkv.chunks(3, -1);
    let [q, k, v] = [0, 1, 2].map(|at| parts[at].split_heads(heads));
    let x = x + q.attention(k, v, &options).merge_heads().linear(w_o, Some(b_o));
    let hidden = x.layer_norm(1, Some(g2), Some(b2), 1e-5).linear(w1, Some(c1)).gelu_tanh();
    let y = x + hidden.linear(w2, Some(c2));
    one(y.square().mean())
}

/// A convolution that keeps the size of the image, plus a number per channel.
fn convolved<'g>(x: Expr<'g>, w: Expr<'g>, bias: Expr<'g>) -> Expr<'g> {
    x.conv(w, &ConvOptions::default().padding(1)) + bias.expand_dims(-1).expand_dims(-1)
}
