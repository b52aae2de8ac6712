//! Every loss against reference cases: values, and gradients of their sum weighted with a cotangent.
#![allow(clippy::unwrap_used, reason = "a test stops at what is wrong")]

mod common;

use common::Reference;
use pullback_autodiff::{GradOptions, gradients};
use pullback_graph::DType::{F64, I64};
use pullback_graph::{Builder, Expr, Tensor, interpret};
use pullback_nn::{
    BinaryCrossEntropyOptions, CrossEntropyOptions, CtcOptions, Reduction, TripletMarginOptions,
    binary_cross_entropy, binary_cross_entropy_of_probabilities, cosine_embedding, cross_entropy,
    cross_entropy_soft, ctc, gaussian_nll, hinge_embedding, huber, kl_div, kl_div_of_logs, mae,
    margin_ranking, mse, nll, poisson_nll, smooth_l1, soft_margin, triplet_margin,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    op: String,
    #[serde(default)]
    attrs: Attributes,
    inputs: Vec<Input>,
    outputs: Vec<Reference>,
    cotangents: Vec<Reference>,
    grads: Vec<Option<Reference>>,
}

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    value: Reference,
    grad: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Attributes {
    reduction: Option<String>,
    delta: Option<f64>,
    beta: Option<f64>,
    margin: Option<f64>,
    eps: Option<f64>,
    label_smoothing: f64,
    ignore_index: Option<i64>,
    log_target: bool,
    blank: usize,
    input_lengths: Vec<i64>,
    target_lengths: Vec<i64>,
}

impl Attributes {
    fn reduction(&self) -> Reduction {
        match self.reduction.as_deref() {
            Some("none") => Reduction::None,
            Some("mean") => Reduction::Mean,
            Some("sum") | None => Reduction::Sum,
            Some("batchmean") => Reduction::BatchMean,
            Some(other) => panic!("no reduction {other}"),
        }
    }

    fn classes<'g>(&self, weights: Option<&Expr<'g>>) -> CrossEntropyOptions<'g> {
        let mut options =
            CrossEntropyOptions::from(self.reduction()).axis(1).label_smoothing(self.label_smoothing);
        if let Some(label) = self.ignore_index {
            options = options.ignoring(label);
        }
        match weights {
            Some(weights) => options.class_weights(*weights),
            None => options,
        }
    }
}

fn build<'g>(case: &Case, x: &[Expr<'g>]) -> Expr<'g> {
    let attrs = &case.attrs;
    let reduction = attrs.reduction();
    let binary = BinaryCrossEntropyOptions::from(reduction);
    match &*case.op {
        "mse_loss" => mse(x[0], x[1], reduction),
        "l1_loss" => mae(x[0], x[1], reduction),
        "smooth_l1_loss" => smooth_l1(x[0], x[1], attrs.beta.unwrap(), reduction),
        "huber_loss" => huber(x[0], x[1], attrs.delta.unwrap(), reduction),
        "bce_loss" => {
            let options = x.get(2).map_or(binary, |weights| binary.weights(*weights));
            binary_cross_entropy_of_probabilities(x[0], x[1], options)
        }
        "bce_with_logits" => {
            let options = x.get(2).map_or(binary, |weights| binary.positive_weights(*weights));
            binary_cross_entropy(x[0], x[1], options)
        }
        "nll_loss" => nll(x[0], x[1], attrs.classes(x.get(2))),
        "cross_entropy" => cross_entropy(x[0], x[1], attrs.classes(x.get(2))),
        "cross_entropy_soft" => cross_entropy_soft(x[0], x[1], attrs.classes(None)),
        "kl_div" if attrs.log_target => kl_div_of_logs(x[0], x[1], reduction),
        "kl_div" => kl_div(x[0], x[1], reduction),
        "hinge_embedding_loss" => hinge_embedding(x[0], x[1], attrs.margin.unwrap(), reduction),
        "margin_ranking_loss" => margin_ranking(x[0], x[1], x[2], attrs.margin.unwrap(), reduction),
        "soft_margin_loss" => soft_margin(x[0], x[1], reduction),
        "triplet_margin_loss" => {
            let options = TripletMarginOptions::from(reduction).margin(attrs.margin.unwrap());
            triplet_margin(x[0], x[1], x[2], options)
        }
        "cosine_embedding_loss" => cosine_embedding(x[0], x[1], x[2], attrs.margin.unwrap(), reduction),
        "gaussian_nll_loss" => gaussian_nll(x[0], x[1], x[2], attrs.eps.unwrap(), reduction),
        "poisson_nll_loss" => poisson_nll(x[0], x[1], reduction),
        "ctc_loss" => {
            let b = x[0].builder();
            let [steps, lengths] = [&attrs.input_lengths, &attrs.target_lengths]
                .map(|lengths| b.constant(Tensor::vector(lengths.clone())));
            ctc(x[0], x[1], steps, lengths, CtcOptions::from(reduction).blank(attrs.blank))
        }
        other => panic!("no loss {other}"),
    }
}

/// Whether the values agree to `1e-9` of their size.
fn agree(got: &Tensor, expected: &Tensor) -> bool {
    let close = |(got, expected): (f64, f64)| (got - expected).abs() <= 1e-11 + 1e-9 * expected.abs();
    got.sizes() == expected.sizes() && got.to_f64_vec().into_iter().zip(expected.to_f64_vec()).all(close)
}

fn check(case: &Case) {
    let b = Builder::new();
    let values: Vec<Tensor> = case.inputs.iter().map(|input| input.value.tensor()).collect();
    let names: Vec<String> = (0..values.len()).map(|i| format!("x{i}")).collect();
    let x: Vec<Expr<'_>> =
        names.iter().zip(&values).map(|(name, value)| b.input(name, value.dtype(), value.shape())).collect();
    let loss = build(case, &x);
    assert!(x.iter().all(|x| x.dtype() == F64 || x.dtype() == I64));
    let weighted = (loss * b.constant(case.cotangents[0].tensor())).sum();
    let wrt: Vec<usize> = (0..x.len()).filter(|i| case.inputs[*i].grad).collect();
    let slopes: Vec<Expr<'_>> = wrt.iter().map(|i| x[*i]).collect();
    let slopes = gradients(weighted, &slopes, &GradOptions::default()).unwrap();
    let outputs = wrt.iter().map(|i| format!("d{i}")).collect::<Vec<_>>();
    let all = outputs.iter().map(|name| &**name).zip(slopes).chain([("loss", loss)]);
    let graph = b.finish(all).unwrap();
    let run = interpret(&graph, names.iter().map(|name| &**name).zip(&values)).unwrap();
    let (got, expected) = (run.output("loss").unwrap(), case.outputs[0].tensor());
    assert!(agree(got, &expected), "{}: got {got}, expected {expected}", case.id);
    for (i, name) in wrt.iter().zip(&outputs) {
        let (got, expected) = (run.output(name).unwrap(), case.grads[*i].as_ref().unwrap().tensor());
        assert!(
            agree(got, &expected),
            "{}, gradient of operand {i}: got {got}, expected {expected}",
            case.id
        );
    }
}

#[test]
fn values_and_gradients_agree_with_pytorch() {
    let lines = include_str!("data/losses.jsonl").lines();
    let cases: Vec<Case> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 48);
    cases.iter().for_each(check);
}
