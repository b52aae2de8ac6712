//! Independent branches run side by side: a graph of eight towers uses both of two threads, as its trace shows.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

use pullback::DType::F32;
use pullback::exec::{Options, Record};
use pullback::graph::op::{Choices, CustomOp, OperandSample, Partials, Registry, Sample, Site, StopGradient};
use pullback::graph::{TensorType, Violation};
use pullback::{Builder, Expr, Graph, Session, Tensor};

/// Eight independent towers of four layers, joined at the end.
fn towers(width: usize) -> (Graph, Vec<(String, Tensor)>) {
    let b = Builder::new();
    let x = b.input("x", F32, [64, width]);
    let mut feeds = vec![("x".to_string(), Tensor::random([64, width], 0))];
    let mut tower = |tower: u64| -> Expr<'_> {
        (0..4).fold(x, |x, layer| {
            let name = format!("w{tower}_{layer}");
            let w = b.input(&name, F32, [width, width]);
            feeds.push((name, Tensor::random([width, width], tower * 4 + layer)));
            x.dot(w).tanh()
        })
    };
    let all: Vec<Expr<'_>> = (0..8).map(&mut tower).collect();
    (b.finish([("y", all[0].concat(&all[1..], 1))]).unwrap(), feeds)
}

#[test]
fn eight_towers_use_both_threads() {
    let (graph, feeds) = towers(128);
    let mut session = Session::with(&graph, Options::default().threads(2)).unwrap();
    session.record(Record::trace());
    // A busy machine may withhold the second core for one run, not for fifty.
    let used_both = (0..50).any(|_| {
        session.run(feeds.iter().cloned()).unwrap();
        let trace = session.last_run().trace().expect("it was recorded");
        trace.events().iter().map(|event| event.worker).collect::<BTreeSet<_>>().len() == 2
    });
    assert!(used_both, "all steps ran on one thread");
}

/// Waits until as many applications as the barrier counts run at the same moment.
#[derive(Debug)]
struct Meet(Arc<Barrier>, Arc<Mutex<usize>>);

impl CustomOp for Meet {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        self.0.wait();
        *self.1.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Ok(operands[0].clone())
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent)
    }

    fn sample(&self, choices: &mut Choices) -> Sample {
        Sample { op: StopGradient.into(), operands: vec![OperandSample::any(choices.float_type(1))] }
    }
}

#[test]
fn two_branches_are_inside_their_steps_at_the_same_moment() {
    let met = Arc::new(Mutex::new(0));
    let mut registry = Registry::new();
    // Two ops of different names, so that they are not one node to the passes.
    let barrier = Arc::new(Barrier::new(2));
    let left = registry.add("left", Meet(barrier.clone(), met.clone())).unwrap();
    let right = registry.add("right", Meet(barrier, met.clone())).unwrap();
    let b = Builder::new();
    let x = b.input("x", F32, [4]);
    let graph = b.finish([("y", x.apply(left) + x.apply(right))]).unwrap();
    let options = Options::default().threads(2).inline_below(Duration::ZERO);
    let mut session = Session::with(&graph, options).unwrap();
    // On one thread the first of the two would wait for ever.
    let out = session.run([("x", Tensor::ones([4]))]).unwrap();
    assert_eq!(out["y"], Tensor::full(&[4], 2.0_f32));
    assert_eq!(*met.lock().unwrap_or_else(PoisonError::into_inner), 2);
}
