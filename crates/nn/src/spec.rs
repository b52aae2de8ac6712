//! What a network asks to be kept from step to step: its parameters, and state that is not trained.

use std::sync::Arc;

use pullback_graph::{DType, Sizes, Tensor, TensorType};

use crate::error::NnError;
use crate::hash::{mix, stable_hash};
use crate::init::Initializer;
use crate::regularizer::Regularizer;

/// A parameter of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// The path, such as `dense_1/kernel`; also the name of the graph's input.
    pub path: Arc<str>,
    /// The type; every size is known.
    pub ty: TensorType,
    /// How it gets its first value.
    pub initializer: Initializer,
    /// What training adds to the loss for it.
    pub regularizer: Option<Regularizer>,
}

impl ParameterSpec {
    /// The number of elements.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sizes().iter().product()
    }

    /// The size of each axis.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        known(&self.ty)
    }

    /// The first value under `seed`.
    #[must_use]
    pub fn initial(&self, seed: u64) -> Tensor {
        let drawn = self.initializer.tensor(seed, &self.path, self.ty.dtype, &self.sizes());
        drawn.expect("the initializer was checked when the parameter was made")
    }

    pub(crate) fn check(&self) -> Result<(), NnError> {
        if self.ty.shape.known().is_none() {
            let message = format!("a parameter has known sizes, got {}", self.ty);
            return Err(NnError::input(&*self.path, message).help(
                "a layer's own sizes cannot depend on a symbol such as the batch; give that axis a size",
            ));
        }
        if !self.ty.dtype.is_float() {
            return Err(NnError::input(
                &*self.path,
                format!("a parameter is of floating point, got {}", self.ty),
            ));
        }
        self.regularizer.map_or(Ok(()), Regularizer::check)?;
        self.initializer.check(&self.sizes())
    }
}

/// The first value of state that is not trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// One number everywhere.
    Constant(f64),
    /// A whole number that the seed decides: a key of random numbers.
    Key,
}

/// State that is carried from step to step without being trained: moments, counters, running means, the random key.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSpec {
    /// The name of the graph's input.
    pub name: Arc<str>,
    /// The type; every size is known.
    pub ty: TensorType,
    /// Its first value.
    pub initial: Initial,
}

impl StateSpec {
    /// The first value under `seed`.
    #[must_use]
    pub fn initial(&self, seed: u64) -> Tensor {
        match self.initial {
            Initial::Constant(value) => Tensor::full(&known(&self.ty), value).cast(self.ty.dtype),
            Initial::Key => {
                // A step adds 1 to its key; mixed, neighbouring seeds do not run into each other's keys.
                let key = mix(seed ^ stable_hash(&self.name));
                Tensor::full(&known(&self.ty), key as i64).cast(self.ty.dtype)
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), NnError> {
        match (self.ty.shape.known(), self.initial, self.ty.dtype) {
            (None, _, _) => Err(NnError::input(
                &*self.name,
                format!("state that outlives a step has known sizes, got {}", self.ty),
            )),
            (_, Initial::Key, dtype) if dtype != DType::I64 => {
                Err(NnError::input(&*self.name, format!("a random key is of type i64, got {}", self.ty)))
            }
            _ => Ok(()),
        }
    }
}

fn known(ty: &TensorType) -> Sizes {
    ty.shape.known().expect("sizes were checked when the state was made")
}
