//! What the tests of this crate share.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "a module of tests")]
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod losses;

use std::collections::BTreeMap;
use std::sync::Arc;

use pullback_graph::{DType, Tensor, Values, interpret};
use pullback_nn::TrainingStep;
use serde::Deserialize;

/// A training run by the interpreter: the state by name, and steps over it.
pub struct Run<'s> {
    pub step: &'s TrainingStep,
    pub state: BTreeMap<Arc<str>, Tensor>,
}

impl<'s> Run<'s> {
    pub fn new(step: &'s TrainingStep, seed: u64) -> Self {
        Run { step, state: step.initial_state(seed).into_iter().collect() }
    }

    /// Sets a parameter or state that exists.
    pub fn set(&mut self, name: &str, value: Tensor) {
        let before = self.state.insert(name.into(), value);
        assert!(before.is_some(), "{name} is no state of {:?}", self.state.keys());
    }

    /// Runs a step on `data` and takes over the next state.
    pub fn step(&mut self, data: &[(&str, Tensor)]) -> Values {
        let state = self.state.iter().map(|(name, value)| (&**name, value));
        let data = data.iter().map(|(name, value)| (*name, value));
        let values = interpret(self.step.graph(), state.chain(data)).unwrap();
        for output in self.step.graph().outputs().iter().filter(|output| output.updates.is_some()) {
            self.state.insert(output.name.clone(), values.node(output.node).clone());
        }
        values
    }
}

/// A tensor of the reference files.
#[derive(Deserialize)]
pub struct Reference {
    pub dtype: String,
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

impl Reference {
    pub fn tensor(&self) -> Tensor {
        let dtype: DType = self.dtype.parse().unwrap();
        Tensor::new(&self.shape, self.data.clone()).unwrap().cast(dtype)
    }

    /// The transpose of a matrix; other tensors as they are.
    pub fn transposed(&self) -> Tensor {
        match self.shape[..] {
            [rows, columns] => {
                let at = |i: usize| self.data[i % rows * columns + i / rows];
                Tensor::from_fn(&[columns, rows], at)
            }
            _ => self.tensor(),
        }
    }
}

/// Asserts that the values agree to `1e-9` of their size.
#[track_caller]
pub fn assert_close(what: &str, got: &Tensor, expected: &Tensor) {
    assert_eq!(got.sizes(), expected.sizes(), "{what}");
    for (got, expected) in got.to_f64_vec().into_iter().zip(expected.to_f64_vec()) {
        let tolerance = 1e-11 + 1e-9 * expected.abs();
        assert!((got - expected).abs() <= tolerance, "{what}: got {got}, expected {expected}");
    }
}
