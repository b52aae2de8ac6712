//! Every workload gives the answers of the other engines, or, where those are too large for a test, small ones give the
//! answers of the interpreter.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use pullback::interpret;
use pullback_bench::workloads::{
    Encoder, Gpt, MODELS, WORKLOADS, Workload, autoencoder, batch_norm, causal, causal_inference, cnn,
    encoder, find, gpt, gru, lstm, penalty, pooled, projected, row_norm, separable, stack, stack_inference,
    towers,
};
use pullback_bench::{Runner, check, rivals};

/// Two steps at full size, on two threads.
fn agrees(name: &str) {
    let workload = (find(name).unwrap().build)().unwrap();
    let mut runner = Runner::new(&workload, 2).unwrap();
    let agreement = check(&mut runner, rivals::published(name).unwrap(), 1, Duration::MAX).unwrap();
    assert!(agreement.compared > 0 && agreement.holds(), "{name}: {:?}", agreement.off);
}

/// Two steps with the interpreter beside.
fn agrees_with_the_interpreter(workload: &Workload) {
    let mut runner = Runner::new(workload, 2).unwrap();
    let mut state = workload.start.clone();
    for _ in 0..2 {
        let outputs = runner.step().unwrap();
        let feeds = workload.feeds.iter().map(|(name, value)| (name.as_str(), value));
        let kept = state.iter().map(|(name, value)| (&**name, value));
        let values = interpret(&workload.graph, feeds.chain(kept)).unwrap();
        for (name, value) in outputs.iter() {
            let expected = values.output(name).unwrap();
            let scale = expected.to_f64_vec().iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
            assert!(value.max_abs_diff(expected) <= 1e-5 * scale, "{name} is off");
        }
        for (name, value) in &mut state {
            *value = values.output(name).unwrap().clone();
        }
    }
}

#[test]
fn a_multilayer_perceptron_trains_as_elsewhere() {
    agrees("W1b32");
    agrees("W1b128");
    agrees("W3");
}

#[test]
fn a_wide_multilayer_perceptron_trains_as_elsewhere() {
    agrees("W2");
}

#[test]
fn towers_train_as_elsewhere() {
    agrees("W4");
    agrees_with_the_interpreter(&towers(3, 8, 4).unwrap());
}

#[test]
fn a_convolutional_network_trains_as_interpreted() {
    agrees_with_the_interpreter(&cnn(1).unwrap());
}

#[test]
fn a_transformer_trains_as_interpreted() {
    let sizes = Gpt { tokens: 12, length: 6, width: 8, heads: 2, layers: 2, batch: 2 };
    agrees_with_the_interpreter(&gpt(sizes).unwrap());
}

#[test]
fn a_formula_and_its_gradients_are_those_of_others() {
    agrees("W7");
}

#[test]
fn normalized_rows_are_those_of_others() {
    agrees_with_the_interpreter(&row_norm(8, 24).unwrap());
    agrees("W8");
}

#[test]
fn graphs_of_scalars_have_the_gradients_of_others() {
    agrees("W9n1000");
}

#[test]
fn a_hessian_vector_product_is_that_of_others() {
    agrees("W10");
}

#[test]
fn a_deep_chain_trains_as_elsewhere() {
    agrees("W11");
}

#[test]
fn recurrent_networks_train_as_elsewhere() {
    agrees_with_the_interpreter(&lstm("LSTM128", 6, [5, 3, 4]).unwrap());
    agrees_with_the_interpreter(&gru("GRU64", 6, [5, 3, 4]).unwrap());
    agrees("LSTM128");
    agrees("GRU64");
}

#[test]
fn dense_layers_train_and_answer_as_elsewhere() {
    agrees_with_the_interpreter(&autoencoder(&[12, 8, 3, 8, 12], 5).unwrap());
    agrees_with_the_interpreter(&stack(16, 3, 4).unwrap());
    agrees_with_the_interpreter(&stack_inference(16, 3, 4).unwrap());
    agrees("AUTOENCODER");
    agrees("DENSE512");
    agrees("DENSE512INF");
}

#[test]
fn a_penalty_of_slopes_trains_as_elsewhere() {
    agrees_with_the_interpreter(&penalty(&[6, 8, 8, 1], 5).unwrap());
    agrees("PENALTY");
}

#[test]
fn convolutions_with_normalization_with_pools_and_by_channel_train_as_interpreted() {
    agrees_with_the_interpreter(&batch_norm(2, 6).unwrap());
    agrees_with_the_interpreter(&pooled(1, 8).unwrap());
    agrees_with_the_interpreter(&separable(2, 6).unwrap());
}

#[test]
fn attention_trains_and_answers_as_interpreted() {
    agrees_with_the_interpreter(&causal("CAUSAL256", 2, 9).unwrap());
    agrees_with_the_interpreter(&causal_inference("CAUSALINF", 2, 9).unwrap());
    agrees_with_the_interpreter(&projected(16, 4, 10).unwrap());
}

#[test]
fn an_encoder_trains_as_interpreted() {
    let sizes = Encoder { length: 6, width: 8, heads: 2, layers: 2, batch: 3 };
    agrees_with_the_interpreter(&encoder(sizes).unwrap());
}

#[test]
fn every_workload_is_known_of_other_engines() {
    for row in WORKLOADS.iter().chain(&MODELS) {
        let known = rivals::published(row.name).unwrap_or_else(|| panic!("{}", row.name));
        assert!(!known.losses.is_empty() || !known.sums.is_empty(), "{}", row.name);
    }
}
