//! Regions that are computed again: the planned memory is smaller, the results are the same to the bit.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use pullback::DType::F32;
use pullback::exec::{Options, PlanOptions, plan};
use pullback::graph::pass::optimize;
use pullback::{Builder, Expr, Graph, Session, Tensor, checkpoint, grad};

const REGIONS: usize = 8;
const LAYERS: usize = 8;
const SIZES: [usize; 2] = [64, 64];

fn layer<'g>(x: Expr<'g>, w: Expr<'g>) -> Expr<'g> {
    x.dot(w).tanh() + x
}

/// A deep network, its loss and gradients.
fn network(regions: bool) -> Graph {
    let b = Builder::new();
    let (x, w) = (b.input("x", F32, SIZES), b.parameter("w", F32, SIZES));
    let layers = |x| (0..LAYERS).fold(x, |x, _| layer(x, w));
    let y = (0..REGIONS)
        .fold(x, |x, _| if regions { checkpoint("region", [x], |[x]| layers(x)) } else { layers(x) });
    let loss = y.square().mean();
    let [dx, dw] = grad(loss, [x, w]).unwrap();
    b.finish([("loss", loss), ("dx", dx), ("dw", dw)]).unwrap()
}

fn feeds() -> [(&'static str, Tensor); 2] {
    let filled = |scale: f64| Tensor::from_fn(&SIZES, |i| ((i as f64 * 0.731).sin() * scale) as f32);
    [("x", filled(1.0)), ("w", filled(0.05))]
}

#[test]
fn the_planned_peak_is_lower() {
    for threads in [1, 4] {
        let peak = |regions| {
            let mut options = PlanOptions::default();
            (options.threads, options.inline_below) = (threads, 0);
            let graph = network(regions);
            // The gradient of shared weights is one long sum, whose terms are kept whatever is computed again.
            let asked = graph.outputs().iter().filter(|output| &*output.name != "dw").cloned();
            let graph = graph.with_outputs(asked.collect::<Vec<_>>()).unwrap();
            plan(&optimize(&graph), &options).unwrap().peak_bytes()
        };
        let (with, without) = (peak(true), peak(false));
        let tensor = SIZES[0] * SIZES[1] * 4;
        assert!(with * 2 < without, "{threads} threads: {} and {} tensors", with / tensor, without / tensor);
    }
}

#[test]
fn results_are_the_same_to_the_bit() {
    for threads in [1, 2, 3] {
        let run = |regions| {
            let options = Options::default().threads(threads).inline_below(Duration::ZERO);
            let mut session = Session::with(&network(regions), options).unwrap();
            let out = session.run(feeds()).unwrap();
            ["loss", "dx", "dw"].map(|name| out[name].clone())
        };
        for (with, without) in run(true).iter().zip(run(false)) {
            assert!(with.bits_eq(&without), "{threads} threads");
        }
    }
}
