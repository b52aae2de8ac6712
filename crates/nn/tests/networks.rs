//! Layers, contexts and steps.
#![allow(clippy::unwrap_used, reason = "a test stops at what is wrong")]

mod common;

use std::sync::Arc;

use common::{Reference, Run, assert_close};
use pullback_autodiff::grad;
use pullback_graph::DType::{F32, F64, I64};
use pullback_graph::{Builder, Expr, OpRules, Tensor, TensorType, interpret, sym, verify};
use pullback_nn::{
    Accuracy, Activation, Adam, AdamW, BinaryAccuracy, BinaryCrossentropy, Context, Dense, Dropout,
    EvaluationGraph, Flatten, Gelu, INPUT, Initial, Initializer, LogSoftmax, MeanSquaredError, Metric, Mode,
    Module, NnError, Optimizer, PREDICTION, RANDOM_KEY, Reduction, Regularizer, Relu, Sequential, Sgd,
    Sigmoid, Softmax, SparseCategoricalCrossentropy, Step, Summary, TARGET, Tanh, TrainingStep, accuracy,
    binary_accuracy, cross_entropy, mse,
};
use serde::Deserialize;

fn batch_of(features: usize) -> TensorType {
    TensorType::new(F32, [sym("batch"), features.into()])
}

fn xor() -> [(&'static str, Tensor); 2] {
    let x = Tensor::of([4, 2], [0.0_f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    [(INPUT, x), (TARGET, Tensor::of([4, 1], [0.0_f32, 1.0, 1.0, 0.0]))]
}

#[test]
fn xor_is_learned() {
    let mlp = Sequential::new([Dense::new(8).activation(Tanh).into(), Dense::new(1).into()]);
    let (loss, metric) = (BinaryCrossentropy::from_logits(), BinaryAccuracy::from_logits());
    let target = TensorType::new(F32, [sym("batch"), 1.into()]);
    let step = TrainingStep::new(&mlp, &loss, &Adam::new(0.05), &[&metric], &batch_of(2), &target).unwrap();
    verify(step.graph()).unwrap();
    let mut run = Run::new(&step, 1);
    let mut last = f64::INFINITY;
    for _ in 0..200 {
        last = run.step(&xor()).output("loss").unwrap().item().unwrap();
    }
    assert!(last < 0.01, "{last}");

    // The network in evaluation mode takes the trained parameters by name.
    let evaluation = EvaluationGraph::new(&mlp, &loss, &[&metric], &batch_of(2), &target).unwrap();
    let data = xor();
    let state = evaluation.state_names().map(|name| (&**name, &run.state[name]));
    let values =
        interpret(evaluation.graph(), state.chain(data.iter().map(|(name, value)| (*name, value)))).unwrap();
    assert_eq!(values.output("binary_accuracy").unwrap().item(), Some(1.0));
    assert!(values.output("loss").unwrap().item().unwrap() < 0.01);
    assert_eq!(values.output(PREDICTION).unwrap().sizes(), [4, 1]);
    assert!(evaluation.graph().outputs().iter().all(|output| output.updates.is_none()));
}

#[derive(Deserialize)]
struct Training {
    optimizer: TrainingOptimizer,
    inputs: std::collections::BTreeMap<String, Reference>,
    losses: Vec<f64>,
    r#final: Vec<Reference>,
}

#[derive(Deserialize)]
struct TrainingOptimizer {
    lr: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
}

#[test]
fn a_training_run_agrees_with_pytorch() {
    let reference: Training = serde_json::from_str(include_str!("data/training.json")).unwrap();
    let TrainingOptimizer { lr, betas, eps, weight_decay } = reference.optimizer;
    let mlp = Sequential::new([
        Dense::new(8).activation(Tanh).into(),
        Dense::new(8).activation(Tanh).into(),
        Dense::new(3).into(),
    ]);
    let optimizer = AdamW::new(lr).betas(betas.0, betas.1).eps(eps).weight_decay(weight_decay);
    let (input, target) = (TensorType::new(F64, [16, 4]), TensorType::new(I64, [16]));
    let loss = SparseCategoricalCrossentropy::from_logits();
    let step = TrainingStep::new(&mlp, &loss, &optimizer, &[&Accuracy], &input, &target).unwrap();
    let mut run = Run::new(&step, 0);
    let names =
        ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"];
    assert!(step.parameters().iter().map(|spec| &*spec.path).eq(names));
    for (name, from) in names.iter().zip(["W1", "b1", "W2", "b2", "W3", "b3"]) {
        run.set(name, reference.inputs[from].transposed());
    }
    let data = [(INPUT, reference.inputs["x"].tensor()), (TARGET, reference.inputs["y"].tensor())];
    for (at, expected) in reference.losses.iter().enumerate() {
        let values = run.step(&data);
        assert_close(&format!("loss {at}"), values.output("loss").unwrap(), &Tensor::scalar(*expected));
    }
    for (name, expected) in names.iter().zip(&reference.r#final) {
        assert_close(name, &run.state[*name], &expected.transposed());
    }
}

/// Every activation inside a dense layer: gradients of kernel, bias and input against central differences.
#[test]
fn gradients_of_layers_agree_with_differences() {
    let activations = [
        Activation::Linear,
        Sigmoid,
        Tanh,
        Relu,
        Activation::LeakyRelu(0.1),
        Activation::Elu(0.7),
        Gelu,
        Activation::Silu,
        Activation::Softplus,
        Softmax,
        LogSoftmax,
    ];
    for activation in activations {
        let b = Builder::new();
        let cx = Context::new(&b, Mode::Training);
        let x = b.input("x", F64, [2, 3]);
        let t = b.input("t", F64, [2, 4]);
        let y = Dense::new(4).activation(activation).forward(&cx, x);
        let loss = mse(y, t, Reduction::Mean);
        let id = |name: &str| b.finish([("loss", loss)]).unwrap().input(name).unwrap();
        let wrt = ["dense/kernel", "dense/bias", "x"];
        let gradients = grad(loss, wrt.map(|name| b.expr(id(name)))).unwrap();
        let outputs = [
            ("loss", loss),
            ("dense/kernel", gradients[0]),
            ("dense/bias", gradients[1]),
            ("x", gradients[2]),
        ];
        let graph = b.finish(outputs).unwrap();
        let draw = |path: &str, sizes: &[usize]| {
            Initializer::Uniform { low: -1.0, high: 1.0 }.tensor(3, path, F64, sizes).unwrap()
        };
        let mut feeds = vec![
            ("x", draw("x", &[2, 3])),
            ("t", draw("t", &[2, 4])),
            ("dense/kernel", draw("dense/kernel", &[3, 4])),
            ("dense/bias", draw("dense/bias", &[4])),
        ];
        let evaluate = |feeds: &[(&str, Tensor)]| {
            interpret(&graph, feeds.iter().map(|(name, value)| (*name, value))).unwrap()
        };
        let analytic = evaluate(&feeds);
        for (at, name) in [(0, "x"), (2, "dense/kernel"), (3, "dense/bias")] {
            let gradient = analytic.output(name).unwrap().to_f64_vec();
            for (element, derivative) in gradient.iter().enumerate() {
                let mut moved = |by: f64| {
                    feeds[at].1.make_mut::<f64>().unwrap()[element] += by;
                    evaluate(&feeds).output("loss").unwrap().item().unwrap()
                };
                let (up, down) = (moved(1e-5), moved(-2e-5));
                moved(1e-5);
                let difference = (up - down) / 2e-5;
                assert!(
                    (difference - derivative).abs() < 1e-8,
                    "{activation:?}, {name}: {derivative} for {difference}"
                );
            }
        }
    }
}

/// A network of nothing but dropout between a parameter and the loss: `loss = Σ dropout(w)`.
fn dropout_step(rate: f64) -> TrainingStep {
    TrainingStep::build(|cx| {
        cx.set_dtype(F64);
        let w = cx.parameter("w", [64], Initializer::Ones);
        let dropped = Dropout::new(rate).forward(cx, w);
        Step::minimize(dropped.sum(), Sgd::new(1.0)).report("dropped", dropped)
    })
    .unwrap()
}

#[test]
fn the_mask_of_dropout_is_the_same_forward_and_backward_and_new_in_every_step() {
    let step = dropout_step(0.25);
    let mut run = Run::new(&step, 5);
    let mut masks = Vec::new();
    for _ in 0..4 {
        run.set("w", Tensor::full(&[64], 1.0));
        let dropped = run.step(&[]).output("dropped").unwrap().to_f64_vec();
        let gradient: Vec<f64> = run.state["w"].to_f64_vec().iter().map(|next| 1.0 - next).collect();
        assert!(
            dropped.iter().all(|value| *value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-15),
            "{dropped:?}"
        );
        assert!(
            dropped.iter().zip(&gradient).all(|(value, slope)| (value - slope).abs() < 1e-15),
            "{gradient:?}"
        );
        masks.push(dropped);
    }
    assert!((1..4).all(|at| masks[at] != masks[at - 1]), "a step draws a mask of its own");
    let kept = masks.concat().iter().filter(|value| **value != 0.0).count();
    assert!((160..=224).contains(&kept), "about three quarters of 256: {kept}");

    let again = |seed| {
        let mut run = Run::new(&step, seed);
        run.step(&[]).output("dropped").unwrap().to_f64_vec()
    };
    assert_eq!(again(5), masks[0], "a seed gives the same masks again");
    assert_ne!(again(6), masks[0]);
}

#[test]
fn dropout_at_its_ends_and_in_evaluation() {
    assert!(dropout_step(0.0).states().iter().all(|state| &*state.name != RANDOM_KEY), "nothing is drawn");
    let all = dropout_step(1.0);
    let mut run = Run::new(&all, 0);
    run.set("w", Tensor::full(&[64], f64::NAN));
    let values = run.step(&[]);
    assert_eq!(values.output("dropped").unwrap(), &Tensor::full(&[64], 0.0), "not even NaN passes");
    run.set("w", Tensor::full(&[64], 1.0));
    run.step(&[]);
    assert_eq!(run.state["w"], Tensor::full(&[64], 1.0), "the gradient is 0");

    let layer = Sequential::new([Dropout::new(0.5).into()]);
    let graph = EvaluationGraph::prediction(&layer, &batch_of(3)).unwrap();
    assert_eq!(graph.graph().len(), 1, "the input is the prediction");
    for rate in [-0.1, 1.1, f64::NAN] {
        let error = Dropout::new(rate).output_type(&batch_of(3)).unwrap_err();
        assert!(error.to_string().contains("networks.rs"), "{error}");
    }
}

#[test]
fn dropouts_draw_from_streams_of_their_own() {
    let b = Builder::new();
    let cx = Context::new(&b, Mode::Training);
    let x = b.full(F32, [32], 1.0);
    let first = Dropout::new(0.5).forward(&cx, x);
    let second = Dropout::new(0.5).forward(&cx, x);
    // In a shared box the path is the same, and the stream is not.
    let shared = |x| cx.shared("twice", || Dropout::new(0.5).forward(&cx, x));
    let (third, fourth) = (shared(x), shared(x));
    let graph = b.finish([("a", first), ("b", second), ("c", third), ("d", fourth)]).unwrap();
    let values = interpret(&graph, [(RANDOM_KEY, &Tensor::scalar(9_i64))]).unwrap();
    let masks: Vec<&Tensor> = values.outputs().map(|(_, mask)| mask).collect();
    assert!((0..4).all(|i| (0..i).all(|j| masks[i] != masks[j])));
}

#[test]
fn parameters_are_named_by_path_and_drawn_by_seed() {
    let mlp = || {
        Sequential::new([
            Flatten.into(),
            Dense::new(4).into(),
            Relu.into(),
            Dense::new(2).named("head").into(),
        ])
    };
    let input = TensorType::new(F32, [sym("batch"), 2.into(), 3.into()]);
    let step = |optimizer: Adam| {
        let target = TensorType::new(F32, [sym("batch"), 2.into()]);
        TrainingStep::new(&mlp(), &MeanSquaredError, &optimizer, &[], &input, &target).unwrap()
    };
    let step_1 = step(Adam::new(1e-3));
    let names: Vec<Arc<str>> = step_1.initial_state(0).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "dense/kernel",
        "dense/bias",
        "head/kernel",
        "head/bias",
        "optimizer/step",
        "optimizer/learning_rate",
        "optimizer/dense/kernel/mean",
        "optimizer/dense/kernel/mean_square",
    ];
    assert!(names.iter().map(|name| &**name).take(8).eq(expected), "{names:?}");
    let again = step(Adam::new(0.5).amsgrad()).initial_state(3);
    for (name, value) in step_1.initial_state(3).iter().filter(|(name, _)| !name.starts_with("optimizer")) {
        let other = again.iter().find(|(other, _)| other == name);
        assert_eq!(other.map(|(_, value)| value), Some(value), "{name} does not depend on the optimizer");
    }
    assert_ne!(step_1.initial_state(3)[0], step_1.initial_state(4)[0]);
    let inputs = step_1.graph().inputs().len();
    assert_eq!(inputs, names.len() + 2, "every input but the data has a first value");
}

#[test]
fn penalties_are_added_once_per_parameter() {
    let layer = Dense::new(1)
        .use_bias(false)
        .kernel_initializer(Initializer::Constant(-3.0))
        .kernel_regularizer(Regularizer::L1L2 { l1: 0.1, l2: 0.01 });
    let build = |twice: bool| {
        TrainingStep::build(|cx| {
            cx.set_dtype(F64);
            let x = cx.input("x", F64, [1, 2]);
            let apply = || cx.shared("one", || layer.forward(cx, x));
            let mut y = apply();
            if twice {
                y = (y + apply()) * 0.5;
            }
            cx.penalize(y.square().sum() * 0.001);
            Step::minimize((y - y.stop_gradient()).sum(), Sgd::new(1.0))
        })
        .unwrap()
    };
    for twice in [false, true] {
        let step = build(twice);
        assert_eq!(step.parameters().len(), 1);
        let mut run = Run::new(&step, 0);
        let values = run.step(&[("x", Tensor::of([1, 2], [1.0, 1.0]))]);
        // 0.1·(3 + 3) + 0.01·(9 + 9) + 0.001·36, and 0 of the loss itself.
        let expected = 0.6 + 0.18 + 0.036;
        assert!((values.output("loss").unwrap().item().unwrap() - expected).abs() < 1e-12);
        // Slopes: the loss 1, the weights -0.1 - 0.06, the activity 0.002·(-6).
        let next = run.state["one/dense/kernel"].to_f64_vec()[0];
        assert!((next - (-3.0 - (1.0 - 0.1 - 0.06 - 0.012))).abs() < 1e-12, "{next}");
    }
    let decayed = EvaluationGraph::new(
        &Sequential::new([Dense::new(1).kernel_regularizer(Regularizer::L2(0.5)).into()]),
        &MeanSquaredError,
        &[],
        &TensorType::new(F64, [1, 1]),
        &TensorType::new(F64, [1, 1]),
    )
    .unwrap();
    let one = Tensor::full(&[1, 1], 2.0);
    let feeds =
        [(INPUT, &one), (TARGET, &one), ("dense/kernel", &one), ("dense/bias", &Tensor::of([1], [0.0]))];
    assert_eq!(interpret(decayed.graph(), feeds).unwrap().output("loss").unwrap().item(), Some(4.0 + 2.0));
}

#[test]
fn shared_boxes_share_and_layers_do_not() {
    let b = Builder::new();
    let cx = Context::new(&b, Mode::Training);
    let x = b.input("x", F32, [3]);
    let net = Sequential::new([Dense::new(3).into(), Dense::new(3).into()]);
    let twice = cx.shared("net", || net.forward(&cx, x));
    let _ = cx.shared("net", || net.forward(&cx, twice));
    let _ = net.forward(&cx, x);
    let paths: Vec<String> = cx.parameters().iter().map(|spec| spec.path.replace("/kernel", "")).collect();
    let kernels: Vec<&String> = paths.iter().filter(|path| !path.ends_with("bias")).collect();
    assert_eq!(kernels, ["net/dense", "net/dense_1", "dense", "dense_1"]);
}

#[test]
#[should_panic(expected = "\"w\": there is a parameter of this path already")]
fn parameters_are_not_shared_by_accident() {
    let b = Builder::new();
    let cx = Context::new(&b, Mode::Training);
    cx.parameter("w", [1], Initializer::Zeros);
    cx.parameter("w", [1], Initializer::Zeros);
}

#[test]
#[should_panic(expected = "shared, and was f32[1]")]
fn shared_parameters_agree() {
    let b = Builder::new();
    let cx = Context::new(&b, Mode::Training);
    cx.shared("s", || cx.parameter("w", [1], Initializer::Zeros));
    cx.shared("s", || cx.parameter("w", [2], Initializer::Zeros));
}

#[test]
#[should_panic(expected = "known sizes")]
fn parameters_have_known_sizes() {
    let b = Builder::new();
    Context::new(&b, Mode::Training).parameter("w", [sym("batch")], Initializer::Zeros);
}

#[test]
fn inputs_that_do_not_fit_are_errors_with_the_layers_line() {
    let mlp = Sequential::new([Dense::new(4).into(), Dense::new(2).into()]);
    let build = |input: TensorType, target: TensorType| {
        TrainingStep::new(&mlp, &MeanSquaredError, &Sgd::new(0.1), &[], &input, &target)
    };
    let unknown = build(TensorType::new(F32, [sym("batch"), sym("features")]), batch_of(2)).unwrap_err();
    assert!(unknown.to_string().contains("f32[batch, features]"), "{unknown}");
    assert!(unknown.source_line().is_some_and(|line| line.file.ends_with("networks.rs")));
    assert!(matches!(build(TensorType::new(F32, ()), batch_of(2)), Err(NnError::Input { .. })));
    assert!(matches!(build(TensorType::new(I64, [3, 4]), batch_of(2)), Err(NnError::Input { .. })));
    assert!(matches!(build(batch_of(3), batch_of(1)), Err(NnError::Input { .. })), "the target");
    let none = Sequential::new([Relu.into()]);
    let empty = TrainingStep::new(&none, &MeanSquaredError, &Sgd::new(0.1), &[], &batch_of(2), &batch_of(2));
    assert!(matches!(empty, Err(NnError::NoParameters)));
    let twice: [&dyn Metric; 2] = [&Accuracy, &Accuracy];
    let named =
        TrainingStep::new(&mlp, &MeanSquaredError, &Sgd::new(0.1), &twice, &batch_of(2), &batch_of(2));
    assert!(matches!(named, Err(NnError::Graph(_))), "two reports of one name");
}

#[test]
fn a_parameter_that_the_loss_does_not_depend_on_is_named() {
    let step = TrainingStep::build(|cx| {
        let used = cx.parameter("used", (), Initializer::Ones);
        cx.parameter("forgotten", (), Initializer::Ones);
        Step::minimize(used.square(), Sgd::new(0.1))
    });
    let error = step.unwrap_err();
    assert!(matches!(error, NnError::Gradient(_)) && error.to_string().contains("forgotten"), "{error}");
}

/// A layer of a user's own, with state that a step updates.
#[derive(Debug)]
struct RunningMax;

impl Module for RunningMax {
    fn forward<'g>(&self, cx: &Context<'g>, x: Expr<'g>) -> Expr<'g> {
        cx.layer("running_max", || {
            let largest = cx.state("largest", TensorType::new(x.dtype(), ()), Initial::Constant(0.0));
            cx.update(largest, largest.maximum(x.stop_gradient().max()));
            x * cx.parameter("scale", (), Initializer::Ones) / (largest + 1.0)
        })
    }
}

#[test]
fn users_write_layers_with_state_of_their_own() {
    let net = Sequential::new([RunningMax.into()]);
    let target = batch_of(1);
    let step =
        TrainingStep::new(&net, &MeanSquaredError, &Sgd::new(0.0), &[], &batch_of(1), &target).unwrap();
    let mut run = Run::new(&step, 0);
    for value in [2.0_f32, 5.0, 3.0] {
        run.step(&[(INPUT, Tensor::full(&[1, 1], value)), (TARGET, Tensor::zeros([1, 1]))]);
    }
    assert_eq!(run.state["running_max/largest"].item(), Some(5.0));
    let predict = EvaluationGraph::prediction(&net, &batch_of(1)).unwrap();
    let state = predict.state_names().map(|name| (&**name, &run.state[name]));
    let x = Tensor::full(&[1, 1], 12.0_f32);
    let values = interpret(predict.graph(), state.chain([(INPUT, &x)])).unwrap();
    assert_eq!(values.output(PREDICTION).unwrap().item(), Some(2.0));
}

#[test]
fn each_parameter_is_updated_in_a_box_of_its_own() {
    let mlp = Sequential::new([Dense::new(4).activation(Relu).into(), Dense::new(2).into()]);
    let optimizer = Adam::new(1e-3).clip_norm(1.0);
    let step =
        TrainingStep::new(&mlp, &MeanSquaredError, &optimizer, &[], &batch_of(3), &batch_of(2)).unwrap();
    let graph = step.graph();
    verify(graph).unwrap();
    let place = |id| graph.scope_path(graph.provenance(id).scope);
    for output in
        graph.outputs().iter().filter(|output| step.parameters().iter().any(|spec| spec.path == output.name))
    {
        assert_eq!(place(output.node), format!("update/{}", output.name));
    }
    // Nothing in the update of one parameter is used by the update of another.
    let boxes: Vec<String> = step.parameters().iter().map(|spec| format!("update/{}", spec.path)).collect();
    for id in graph.ids() {
        let own = place(id);
        if !boxes.contains(&own) {
            continue;
        }
        for operand in &graph.node(id).operands {
            let other = place(*operand);
            assert!(other == own || !boxes.contains(&other), "{id} in {own} reads {operand} in {other}");
        }
    }
    for place in [
        "forward/dense",
        "loss/mean_squared_error",
        "update/clock",
        "update/clip_by_norm",
        "grad/forward/dense_1",
    ] {
        assert!(graph.ids().any(|id| graph.scope_path(graph.provenance(id).scope) == *place), "{place}");
    }
    // Forward nodes carry the line of the layer; those of loss and update that of the step.
    for id in graph.ids() {
        let line = graph.source(id).unwrap_or_else(|| panic!("{id} has no line"));
        assert!(line.file.ends_with("networks.rs"), "{id} {} at {line}", graph.node(id).op.name());
    }
}

#[test]
fn a_summary_lists_layers_before_anything_runs() {
    let net = Sequential::new([
        Flatten.into(),
        Sequential::new([Dense::new(16).activation(Relu).into(), Dropout::new(0.1).into()]).into(),
        Dense::new(10).use_bias(false).into(),
        Softmax.into(),
    ]);
    let input = TensorType::new(F32, [sym("batch"), 8.into(), 8.into()]);
    let summary = Summary::of(&net, &input).unwrap();
    let rows: Vec<(&str, String, usize)> = summary
        .rows
        .iter()
        .map(|row| (&*row.path, row.output.as_ref().unwrap().to_string(), row.parameters))
        .collect();
    assert_eq!(
        rows,
        [
            ("flatten", "f32[batch, 64]".into(), 0),
            ("dense", "f32[batch, 16]".into(), 1040),
            ("dropout", "f32[batch, 16]".into(), 0),
            ("dense_1", "f32[batch, 10]".into(), 160),
            ("softmax", "f32[batch, 10]".into(), 0),
        ]
    );
    assert_eq!(summary.parameter_count(), 1200);
    assert_eq!(net.output_type(&input).unwrap(), summary.output);
    assert!(Summary::of(&net, &TensorType::new(F32, ())).is_err());
}

#[test]
fn dense_takes_any_leading_axes() {
    let layer = Dense::new(2);
    for shape in [vec![3], vec![5, 3], vec![2, 4, 3]] {
        let input = TensorType::new(F64, shape.clone());
        let b = Builder::new();
        let cx = Context::new(&b, Mode::Evaluation);
        let y = layer.forward(&cx, b.input("x", F64, shape));
        assert_eq!(y.ty(), layer.output_type(&input).unwrap());
    }
    assert!(Dense::new(0).output_type(&batch_of(3)).is_err());
    assert!(
        Dense::new(2)
            .bias_initializer(Initializer::Orthogonal { gain: 1.0 })
            .output_type(&batch_of(3))
            .is_err()
    );
}

fn scored(
    build: impl for<'g> FnOnce(Expr<'g>, Expr<'g>) -> Expr<'g>,
    prediction: Tensor,
    target: Tensor,
) -> f64 {
    let b = Builder::new();
    let value = build(
        b.input("p", prediction.dtype(), prediction.shape()),
        b.input("t", target.dtype(), target.shape()),
    );
    let graph = b.finish([("value", value)]).unwrap();
    interpret(&graph, [("p", &prediction), ("t", &target)]).unwrap().output("value").unwrap().item().unwrap()
}

#[test]
fn accuracies_count_what_is_right() {
    let logits = || Tensor::of([4, 3], [0.1_f32, 0.9, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0, -2.0, -0.5]);
    assert_eq!(scored(accuracy, logits(), Tensor::of([4], [1_i64, 0, 0, 0])), 0.75);
    assert_eq!(scored(accuracy, logits(), Tensor::of([4], [1_i64, 2, 1, 7])), 0.25);
    let one_hot = Tensor::of([4, 3], [0.0_f32, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(scored(accuracy, logits(), one_hot), 0.75);
    let p = || Tensor::of([4], [0.2_f32, 0.7, 0.5, 0.9]);
    assert_eq!(
        scored(|p, t| binary_accuracy(p, t, 0.5), p(), Tensor::of([4], [0.0_f32, 1.0, 0.0, 0.0])),
        0.75
    );
    assert_eq!(
        scored(|p, t| BinaryAccuracy::from_logits().value(p, t), p(), Tensor::of([4], [true; 4])),
        1.0
    );
    assert_eq!(scored(|p, t| Metric::value(&MeanSquaredError, p, t), p(), p()), 0.0);
    assert!(Accuracy.check(&batch_of(3), &TensorType::new(F32, [sym("batch")])).is_err());
}

#[test]
fn steps_by_hand_take_several_inputs() {
    let step = TrainingStep::build(|cx| {
        let (left, right) =
            (cx.input("left", F32, [sym("n"), 2.into()]), cx.input("right", F32, [sym("n"), 2.into()]));
        let labels = cx.input("labels", I64, [sym("n")]);
        let encode = |x| cx.shared("encoder", || Dense::new(4).activation(Tanh).forward(cx, x));
        let logits = Dense::new(3).forward(cx, encode(left).concat(&[encode(right)], -1));
        Step::minimize(cross_entropy(logits, labels, Reduction::Mean), Sgd::new(0.5).momentum(0.9))
            .report("accuracy", accuracy(logits, labels))
    })
    .unwrap();
    assert_eq!(step.reports(), [Arc::from("accuracy")]);
    let mut run = Run::new(&step, 0);
    let data = [
        ("left", Tensor::random([6, 2], 1)),
        ("right", Tensor::random([6, 2], 2)),
        ("labels", Tensor::of([6], [0_i64, 1, 2, 0, 1, 2])),
    ];
    let losses: Vec<f64> = (0..60).map(|_| run.step(&data).output("loss").unwrap().item().unwrap()).collect();
    assert!(losses[59] < 0.3 * losses[0], "{losses:?}");
}
