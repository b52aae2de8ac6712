//! Recurrent cells, and sequences of their steps.
//!
//! Weights stand as in most checkpoints: those of all gates below each other, `[gates · hidden, …]`, in the order that each
//! cell names.

use std::panic::Location;

use crate::error::Violation;
use crate::expr::Expr;

/// The weights of a recurrent cell of some gates.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentWeights<'g> {
    /// What the input is multiplied by: `[gates · hidden, input]`.
    pub input: Expr<'g>,
    /// What the hidden state is multiplied by: `[gates · hidden, hidden]`.
    pub hidden: Expr<'g>,
    /// What is added to the input's part: `[gates · hidden]`.
    pub input_bias: Option<Expr<'g>>,
    /// What is added to the hidden state's part: `[gates · hidden]`.
    pub hidden_bias: Option<Expr<'g>>,
}

impl<'g> RecurrentWeights<'g> {
    /// Weights without biases.
    #[must_use]
    pub fn new(input: Expr<'g>, hidden: Expr<'g>) -> Self {
        RecurrentWeights { input, hidden, input_bias: None, hidden_bias: None }
    }

    /// The same weights with these biases.
    #[must_use]
    pub fn biases(self, input: Expr<'g>, hidden: Expr<'g>) -> Self {
        RecurrentWeights { input_bias: Some(input), hidden_bias: Some(hidden), ..self }
    }

    /// The size of the hidden state, which must be known, if the weights are those of so many gates.
    #[track_caller]
    fn hidden_size(&self, op: &str, gates: usize) -> usize {
        let (input, hidden) = (self.input.shape(), self.hidden.shape());
        let size = hidden.last().and_then(|size| size.known()).filter(|size| {
            let rows = (gates * size).into();
            input.rank() == 2 && hidden.rank() == 2 && input[0] == rows && hidden[0] == rows
        });
        let Some(size) = size else {
            let message = format!(
                "the weights of {gates} gates are [{gates}·hidden, input] and [{gates}·hidden, hidden], got {} and {}",
                self.input.ty(),
                self.hidden.ty()
            );
            self.input.refuse(op, Violation::new("C2", message), &[self.hidden])
        };
        size
    }

    fn of_input(&self, x: Expr<'g>) -> Expr<'g> {
        x.linear(self.input, self.input_bias)
    }

    fn of_hidden(&self, h: Expr<'g>) -> Expr<'g> {
        h.linear(self.hidden, self.hidden_bias)
    }
}

impl<'g> Expr<'g> {
    /// One step of a simple recurrent network from this input `[…, input]` and the state `h`, `[…, hidden]`:
    /// `tanh(W·x + b + U·h + c)` (Elman, "Finding structure in time", 1990).
    ///
    /// # Panics
    /// When the sizes or types do not fit.
    #[must_use]
    #[track_caller]
    pub fn rnn_cell(self, h: Expr<'g>, weights: &RecurrentWeights<'g>) -> Expr<'g> {
        let _ = weights.hidden_size("rnn_cell", 1);
        self.builder()
            .derived("rnn_cell", Location::caller(), || rnn_step(weights.of_input(self), h, weights))
    }

    /// One step of long short-term memory from this input `[…, input]` and the states `h` and `c`, `[…, hidden]`: the next two
    /// (Hochreiter and Schmidhuber, 1997; Gers et al., "Learning to forget", 2000).
    ///
    /// Gates in the order input i, forget f, candidate g, output o: `c' = σ(f)·c + σ(i)·tanh(g)`, `h' = σ(o)·tanh(c')`.
    ///
    /// # Panics
    /// When the sizes or types do not fit.
    #[must_use]
    #[track_caller]
    pub fn lstm_cell(self, h: Expr<'g>, c: Expr<'g>, weights: &RecurrentWeights<'g>) -> (Expr<'g>, Expr<'g>) {
        let size = weights.hidden_size("lstm_cell", 4);
        self.builder().derived("lstm_cell", Location::caller(), || {
            lstm_step(weights.of_input(self), h, c, weights, size)
        })
    }

    /// One step of a gated recurrent unit from this input `[…, input]` and the state `h`, `[…, hidden]` (Cho et al., 2014).
    ///
    /// Gates in the order reset r, update z, candidate n: `n = tanh(W·x + b + σ(r)·(U·h + c))`, `h' = (1 - σ(z))·n + σ(z)·h`.
    ///
    /// # Panics
    /// When the sizes or types do not fit.
    #[must_use]
    #[track_caller]
    pub fn gru_cell(self, h: Expr<'g>, weights: &RecurrentWeights<'g>) -> Expr<'g> {
        let size = weights.hidden_size("gru_cell", 3);
        self.builder()
            .derived("gru_cell", Location::caller(), || gru_step(weights.of_input(self), h, weights, size))
    }

    /// [Steps](Expr::rnn_cell) over this sequence `[time, …, input]`: all states `[time, …, hidden]`, and the last one.
    ///
    /// # Panics
    /// When the sizes or types do not fit, or the length of the sequence is not known.
    #[must_use]
    #[track_caller]
    pub fn rnn(self, h: Expr<'g>, weights: &RecurrentWeights<'g>) -> (Expr<'g>, Expr<'g>) {
        let _ = weights.hidden_size("rnn", 1);
        self.expect_length("rnn");
        self.builder().derived("rnn", Location::caller(), || {
            let steps = weights.of_input(self).unstack(0);
            states(h, steps, h, |x, h| rnn_step(x, h, weights), |h| h)
        })
    }

    /// [Steps](Expr::lstm_cell) over this sequence `[time, …, input]`: all states h `[time, …, hidden]`, and the last h and c.
    ///
    /// # Panics
    /// When the sizes or types do not fit, or the length of the sequence is not known.
    #[must_use]
    #[track_caller]
    pub fn lstm(
        self,
        h: Expr<'g>,
        c: Expr<'g>,
        weights: &RecurrentWeights<'g>,
    ) -> (Expr<'g>, Expr<'g>, Expr<'g>) {
        let size = weights.hidden_size("lstm", 4);
        self.expect_length("lstm");
        self.builder().derived("lstm", Location::caller(), || {
            let steps = weights.of_input(self).unstack(0);
            let step = |x: Expr<'g>, (h, c): (Expr<'g>, Expr<'g>)| lstm_step(x, h, c, weights, size);
            let (all, (h, c)) = states(h, steps, (h, c), step, |(h, _)| h);
            (all, h, c)
        })
    }

    /// [Steps](Expr::gru_cell) over this sequence `[time, …, input]`: all states `[time, …, hidden]`, and the last one.
    ///
    /// # Panics
    /// When the sizes or types do not fit, or the length of the sequence is not known.
    #[must_use]
    #[track_caller]
    pub fn gru(self, h: Expr<'g>, weights: &RecurrentWeights<'g>) -> (Expr<'g>, Expr<'g>) {
        let size = weights.hidden_size("gru", 3);
        self.expect_length("gru");
        self.builder().derived("gru", Location::caller(), || {
            let steps = weights.of_input(self).unstack(0);
            states(h, steps, h, |x, h| gru_step(x, h, weights, size), |h| h)
        })
    }

    /// A sequence is unrolled, so its length must be known.
    #[track_caller]
    fn expect_length(self, op: &str) {
        if self.shape().first().is_none_or(|time| time.known().is_none()) {
            let message = format!("takes a sequence [time, …, input] of known length, got {}", self.ty());
            self.refuse(op, Violation::new("C3", message), &[])
        }
    }

    /// Part `at` of the last axis, which holds the gates beside each other.
    fn gate(self, at: usize, size: usize) -> Expr<'g> {
        self.slice(-1, at * size..(at + 1) * size)
    }
}

fn rnn_step<'g>(x: Expr<'g>, h: Expr<'g>, weights: &RecurrentWeights<'g>) -> Expr<'g> {
    (x + weights.of_hidden(h)).tanh()
}

fn lstm_step<'g>(
    x: Expr<'g>,
    h: Expr<'g>,
    c: Expr<'g>,
    weights: &RecurrentWeights<'g>,
    size: usize,
) -> (Expr<'g>, Expr<'g>) {
    let gates = x + weights.of_hidden(h);
    let [input, forget, candidate, output] = std::array::from_fn(|at| gates.gate(at, size));
    let c = forget.sigmoid() * c + input.sigmoid() * candidate.tanh();
    (output.sigmoid() * c.tanh(), c)
}

fn gru_step<'g>(x: Expr<'g>, h: Expr<'g>, weights: &RecurrentWeights<'g>, size: usize) -> Expr<'g> {
    let of_hidden = weights.of_hidden(h);
    let both = |at: usize| x.gate(at, size) + of_hidden.gate(at, size);
    let (reset, update) = (both(0).sigmoid(), both(1).sigmoid());
    let candidate = (x.gate(2, size) + reset * of_hidden.gate(2, size)).tanh();
    (1.0 - update) * candidate + update * h
}

/// The states after every step, along a new first axis, and the last one; `seen` is the part of a state that others see, like
/// `first`.
fn states<'g, S: Copy>(
    first: Expr<'g>,
    steps: Vec<Expr<'g>>,
    state: S,
    step: impl Fn(Expr<'g>, S) -> S,
    seen: impl Fn(S) -> Expr<'g>,
) -> (Expr<'g>, S) {
    let mut state = state;
    let mut all = Vec::with_capacity(steps.len());
    for x in steps {
        state = step(x, state);
        all.push(seen(state).expand_dims(0));
    }
    let joined = match all.split_first() {
        Some((first, others)) => first.concat(others, 0),
        None => first.expand_dims(0).slice(0, 0..0),
    };
    (joined, state)
}
