//! Optimizers against trajectories of PyTorch, through the interpreter.
#![allow(clippy::unwrap_used, reason = "a test stops at what is wrong")]

mod common;

use common::{Run, assert_close};
use pullback_graph::{DType::F64, Expr, Tensor, interpret};
use pullback_nn::{
    Adagrad, Adam, AdamW, Context, Initializer, LEARNING_RATE, NnError, Optimizer, RmsProp, STEP, Sgd, Step,
    TrainingStep, clip_by_norm, clip_by_value, global_norm,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    optimizer: String,
    problem: String,
    hyper: Hyper,
    start: Vec<f64>,
    steps: Vec<usize>,
    parameters: Vec<Vec<f64>>,
    losses: Vec<f64>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(default)]
struct Hyper {
    lr: f64,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    weight_decay: f64,
    alpha: f64,
    eps: f64,
    centered: bool,
    lr_decay: f64,
    initial_accumulator_value: f64,
    betas: (f64, f64),
    amsgrad: bool,
}

impl Case {
    fn optimizer(&self) -> Box<dyn Optimizer> {
        let h = &self.hyper;
        let (first, second) = h.betas;
        match &*self.optimizer {
            "sgd" => {
                let sgd =
                    Sgd::new(h.lr).momentum(h.momentum).dampening(h.dampening).weight_decay(h.weight_decay);
                Box::new(if h.nesterov { sgd.nesterov() } else { sgd })
            }
            "rmsprop" => {
                let rms = RmsProp::new(h.lr)
                    .rho(h.alpha)
                    .eps(h.eps)
                    .momentum(h.momentum)
                    .weight_decay(h.weight_decay);
                Box::new(if h.centered { rms.centered() } else { rms })
            }
            "adagrad" => Box::new(
                Adagrad::new(h.lr)
                    .rate_decay(h.lr_decay)
                    .initial_sum(h.initial_accumulator_value)
                    .eps(h.eps)
                    .weight_decay(h.weight_decay),
            ),
            "adam" => {
                let adam = Adam::new(h.lr).betas(first, second).eps(h.eps).weight_decay(h.weight_decay);
                Box::new(if h.amsgrad { adam.amsgrad() } else { adam })
            }
            "adamw" => {
                Box::new(AdamW::new(h.lr).betas(first, second).eps(h.eps).weight_decay(h.weight_decay))
            }
            other => panic!("no optimizer {other}"),
        }
    }
}

fn element<'g>(p: Expr<'g>, i: usize) -> Expr<'g> {
    p.slice(0, i..i + 1).reshape(())
}

fn objective<'g>(problem: &str, cx: &Context<'g>) -> Expr<'g> {
    cx.set_dtype(F64);
    match problem {
        "quadratic" => {
            let p = cx.parameter("p", [4], Initializer::Zeros);
            let matrix = [3.0, 1.0, 0.5, 0.0, 1.0, 2.0, 0.2, 0.1, 0.5, 0.2, 1.0, 0.3, 0.0, 0.1, 0.3, 0.5];
            let matrix = p.builder().constant(Tensor::of([4, 4], matrix));
            let vector = p.builder().constant(Tensor::of([4], [1.0, -2.0, 0.5, 3.0]));
            p.dot(matrix).dot(p) * 0.5 - vector.dot(p)
        }
        "rosenbrock" => {
            let p = cx.parameter("p", [2], Initializer::Zeros);
            let (x, y) = (element(p, 0), element(p, 1));
            (1.0 - x).square() + (y - x.square()).square() * 10.0
        }
        other => panic!("no problem {other}"),
    }
}

#[test]
fn trajectories_agree_with_pytorch() {
    let cases =
        include_str!("data/optimizers.jsonl").lines().map(|line| serde_json::from_str::<Case>(line).unwrap());
    let mut count = 0;
    for case in cases {
        let what = format!("{} on {} with {:?}", case.optimizer, case.problem, case.hyper);
        let step =
            TrainingStep::build(|cx| Step::minimize(objective(&case.problem, cx), case.optimizer())).unwrap();
        let mut run = Run::new(&step, 0);
        run.set("p", Tensor::vector(case.start.clone()));
        for at in 1..=*case.steps.last().unwrap() {
            let values = run.step(&[]);
            if let Some(row) = case.steps.iter().position(|step| *step == at) {
                let loss = Tensor::scalar(case.losses[row]);
                assert_close(
                    &format!("loss before step {at}, {what}"),
                    values.output("loss").unwrap(),
                    &loss,
                );
                let expected = Tensor::vector(case.parameters[row].clone());
                assert_close(&format!("step {at}, {what}"), &run.state["p"], &expected);
            }
        }
        assert_eq!(run.state[STEP].item(), Some(20.0));
        count += 1;
    }
    assert_eq!(count, 19);
}

#[test]
fn momentum_is_what_moves_rms_prop() {
    let build = |optimizer: RmsProp| {
        let step = TrainingStep::build(|cx| Step::minimize(objective("rosenbrock", cx), optimizer)).unwrap();
        let mut run = Run::new(&step, 0);
        let mut path = Vec::new();
        for _ in 0..3 {
            run.step(&[]);
            path.push(run.state["p"].to_f64_vec()[0]);
        }
        path
    };
    // By hand: at p = 0 the gradient is (-2, 0), so the first direction is -2 / (√(0.01·4) + 1e-8).
    let plain = build(RmsProp::new(0.01));
    let direction = -2.0 / (0.2 + 1e-8);
    assert!((plain[0] - 0.01 * -direction).abs() < 1e-15);
    let heavy = build(RmsProp::new(0.01).momentum(0.5));
    assert_eq!(plain[0], heavy[0]);
    assert!(heavy[1] > plain[1], "the velocity adds to the second step: {heavy:?} {plain:?}");
    assert_eq!(RmsProp::new(0.01).momentum(0.5).centered().slots().len(), 3);
}

#[test]
fn the_learning_rate_can_change_from_step_to_step() {
    let step = TrainingStep::build(|cx| Step::minimize(objective("quadratic", cx), Sgd::new(0.1))).unwrap();
    let mut run = Run::new(&step, 0);
    assert_eq!(run.state[LEARNING_RATE], Tensor::scalar(0.1));
    run.set(LEARNING_RATE, Tensor::scalar(0.5));
    run.step(&[]);
    // At 0 the gradient is -b.
    assert_eq!(run.state["p"], Tensor::of([4], [0.5, -1.0, 0.25, 1.5]));
    assert_eq!(run.state[LEARNING_RATE], Tensor::scalar(0.5));
}

/// Two gradients and their norm, of PyTorch's `clip_grad_norm_` with a limit of 1.
#[test]
fn gradients_are_clipped_by_their_global_norm() {
    let (first, second) =
        ([-1.4263, 0.9345, -0.227, -0.9253, -0.1904, -1.144], [0.1047, 0.3287, -1.0301, -0.5752]);
    let clipped = [
        [-0.5522121192108697, 0.36180482745744774, -0.0878862448719536, -0.3582429179736505].as_slice(),
        &[-0.0737160397516298, -0.44291570102870004],
        &[0.04053607858190987, 0.1272608312308861, -0.39881771296299295, -0.22269677555219256],
    ]
    .concat();
    let clip = |limit: f64, scale: f64| {
        let b = pullback_graph::Builder::new();
        let tensors =
            [b.constant(Tensor::of([3, 2], first)) * scale, b.constant(Tensor::of([4], second)) * scale];
        let limited = clip_by_norm(&tensors, limit);
        let norm = global_norm(&tensors);
        let graph = b.finish([("a", limited[0]), ("b", limited[1]), ("norm", norm)]).unwrap();
        let values = interpret(&graph, [] as [(&str, &Tensor); 0]).unwrap();
        let read = |name| values.output(name).unwrap().to_f64_vec();
        ([read("a"), read("b")].concat(), read("norm")[0])
    };
    let (found, norm) = clip(1.0, 1.0);
    assert_close("norm", &Tensor::scalar(norm), &Tensor::scalar(2.582883276495475));
    assert_close("clipped", &Tensor::vector(found), &Tensor::vector(clipped));
    assert_eq!(clip(100.0, 1.0).0, [first.as_slice(), &second].concat(), "a small gradient passes untouched");
    assert!(clip(1.0, 0.0).0.iter().all(|value| *value == 0.0), "zeros stay zeros");
    assert!(clip(1.0, f64::NAN).0.iter().all(|value| value.is_nan()), "a NaN shows");
}

#[test]
fn gradients_are_clipped_by_value_and_in_the_order_written() {
    let b = pullback_graph::Builder::new();
    let x = b.constant(Tensor::of([4], [-3.0, 0.5, f64::NAN, f64::INFINITY]));
    let graph = b.finish([("y", clip_by_value(&[x], 2.0)[0])]).unwrap();
    let found = interpret(&graph, [] as [(&str, &Tensor); 0]).unwrap().output("y").unwrap().to_f64_vec();
    assert_eq!((found[0], found[1], found[3]), (-2.0, 0.5, 2.0));
    assert!(found[2].is_nan());

    // The gradient of the quadratic at 0 is (-1, 2, -0.5, -3).
    let next = |optimizer: Box<dyn Optimizer>| {
        let step = TrainingStep::build(|cx| Step::minimize(objective("quadratic", cx), optimizer)).unwrap();
        let mut run = Run::new(&step, 0);
        run.step(&[]);
        run.state["p"].to_f64_vec()
    };
    let norm = 14.25_f64.sqrt();
    let both = next(Box::new(Sgd::new(1.0).clip_norm(1.0).clip_value(0.5)));
    assert!((both[1] + 0.5).abs() < 1e-15 && (both[0] - 1.0 / (norm + 1e-6)).abs() < 1e-12, "{both:?}");
    let other = next(Box::new(Sgd::new(1.0).clip_value(0.5).clip_norm(1.0)));
    assert!(other.iter().all(|value| (value.abs() - 0.5).abs() < 1e-6), "a norm of 1: {other:?}");
}

#[test]
fn hyper_parameters_without_meaning_are_errors() {
    let wrong: [Box<dyn Optimizer>; 9] = [
        Box::new(Sgd::new(-0.1)),
        Box::new(Sgd::new(0.1).momentum(1.5)),
        Box::new(Sgd::new(0.1).nesterov()),
        Box::new(Adam::new(f64::NAN)),
        Box::new(Adam::new(0.1).betas(1.0, 0.9)),
        Box::new(AdamW::new(0.1).weight_decay(-1.0)),
        Box::new(RmsProp::new(0.1).rho(2.0)),
        Box::new(Adagrad::new(0.1).initial_sum(-1.0)),
        Box::new(Sgd::new(0.1).clip_norm(f64::NAN)),
    ];
    for optimizer in wrong {
        let shown = format!("{optimizer:?}");
        let step = TrainingStep::build(|cx| Step::minimize(objective("quadratic", cx), optimizer));
        assert!(matches!(step, Err(NnError::Setting { .. })), "{shown}: {step:?}");
    }
}

/// Moments of f32 parameters, but corrections in double precision: 1 - 0.999 has few digits in f32.
#[test]
fn single_precision_follows_double_precision() {
    let follow = |dtype| {
        let step = TrainingStep::build(|cx| {
            cx.set_dtype(dtype);
            let p = cx.parameter("p", [3], Initializer::Constant(1.0));
            let target = p.builder().constant(Tensor::of([3], [0.5, -1.0, 2.0]).cast(dtype));
            Step::minimize((p - target).square().sum(), Adam::new(0.1))
        });
        let step = step.unwrap();
        let mut run = Run::new(&step, 0);
        (0..50).for_each(|_| drop(run.step(&[])));
        run.state["p"].cast(F64)
    };
    let distance = follow(pullback_graph::DType::F32).max_abs_diff(&follow(F64));
    assert!(distance < 1e-4, "{distance}");
}
