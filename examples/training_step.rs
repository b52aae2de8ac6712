//! The complete training of a network as one DAG: forward, backward, and gradient descent with a choice of optimizer.
//!
//! ```text
//! cargo run --release --example training_step            # or: -- sgd | momentum | rmsprop | adam
//! ```
//! The graph is printed before and after the passes, then the plan: gradients of different layers, and the updates of
//! different parameters, depend on nothing but their own inputs, so their steps are listed side by side.

use std::time::Duration;

use pullback::exec::{Options, Plan, Session, compile};
use pullback::graph::{Bindings, Graph, pass};
use pullback::nn::{
    Activation, Adam, Dense, Module, Optimizer, Reduction, RmsProp, Sequential, Sgd, Step, TrainingStep, mse,
};
use pullback::{DType::F32, Error, Tensor, sym};

/// A 3-4-2 network that is trained to reproduce a linear map.
fn step(optimizer: impl Optimizer + 'static) -> Result<TrainingStep, Error> {
    let network = Sequential::new([Dense::new(4).activation(Activation::Tanh).into(), Dense::new(2).into()]);
    Ok(TrainingStep::build(|cx| {
        let x = cx.input("x", F32, [sym("batch"), 3.into()]);
        let t = cx.input("t", F32, [sym("batch"), 2.into()]);
        Step::minimize(mse(network.forward(cx, x), t, Reduction::Mean), optimizer)
    })?)
}

fn step_with(optimizer: &str) -> Result<TrainingStep, Error> {
    match optimizer {
        "momentum" => step(Sgd::new(0.05).momentum(0.9)),
        "rmsprop" => step(RmsProp::new(0.01)),
        "adam" => step(Adam::new(0.02)),
        _ => step(Sgd::new(0.1)),
    }
}

/// Sixteen samples of the map `(a, b, c) ↦ (a - b, b + c)`.
fn samples() -> (Tensor, Tensor) {
    let x = Tensor::random([16, 3], 9);
    let t: Vec<f32> =
        x.values::<f32>().chunks(3).flat_map(|row| [row[0] - row[1], row[1] + row[2]]).collect();
    (x, Tensor::of([16, 2], t))
}

/// Runs a hundred steps and returns the step's graph and the parameters.
pub fn train_with(optimizer: &str, options: Options) -> Result<(Graph, Vec<(String, Tensor)>), Error> {
    let step = step_with(optimizer)?;
    let mut session = Session::with(step.graph(), options)?;
    for (name, value) in step.initial_state(3) {
        session.set_state(&name, value)?;
    }
    let (x, t) = samples();
    for number in 0..100 {
        let out = session.run([("x", x.clone()), ("t", t.clone())])?;
        if number % 20 == 0 || number == 99 {
            println!("step {number:3}  loss {:.6}", out["loss"].item().unwrap_or(f64::NAN));
        }
    }
    let parameters = step.parameters().iter();
    let value = |name: &str| session.state(name).expect("parameters are state");
    let values = parameters.map(|spec| (spec.path.to_string(), value(&spec.path))).collect();
    Ok((step.graph().clone(), values))
}

/// The steps that may run at the same time, wave by wave: those of a wave depend on earlier waves alone.
fn print_waves(plan: &Plan) {
    let graph = plan.graph();
    for (number, wave) in plan.waves().iter().enumerate() {
        println!("  wave {number}:");
        for step in wave.iter().map(|id| plan.step(*id)) {
            let scope = graph.scope_path(graph.provenance(step.node()).scope);
            println!("    {:6} {:14} {scope}", step.node().to_string(), step.kernel());
        }
    }
}

#[allow(dead_code, reason = "the tests call `train_with` instead")]
fn main() -> Result<(), Error> {
    let optimizer = std::env::args().nth(1).unwrap_or_else(|| "sgd".into());
    let (graph, _) = train_with(&optimizer, Options::default())?;

    println!("\nthe training step as it was built, {} nodes:\n{graph}", graph.len());
    let bound = graph.bind(&Bindings::from([("batch".into(), 16)]))?;
    let optimized = pass::optimize(&bound);
    println!("\nthe same after the passes, for 16 samples, {} nodes:\n{optimized}", optimized.len());

    // So small a plan would run on the calling thread; planned for two threads, it shows what can run side by side.
    let options = Options::default().threads(2).inline_below(Duration::ZERO);
    let plan = compile(&graph, &Bindings::from([("batch".into(), 16)]), &options)?;
    println!("\nits plan, {} steps, {} bytes at the peak:", plan.steps().len(), plan.peak_bytes());
    print_waves(&plan);
    Ok(())
}
