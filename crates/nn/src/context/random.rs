//! Random numbers: one key per step, one stream per use.

use pullback_graph::op::{Distribution, Random};
use pullback_graph::{DType, Expr, TensorType};

use crate::context::Context;
use crate::hash::stable_hash;
use crate::names::RANDOM_KEY;
use crate::spec::{Initial, StateSpec};

impl<'g> Context<'g> {
    /// Independent draws of the type of `like`, others in every step. Each call has a stream of its own, told apart by
    /// path; the key is state that every step of training counts up.
    ///
    /// # Panics
    /// When the elements of `like` are not of floating point.
    #[must_use]
    #[track_caller]
    pub fn random_like(&self, distribution: Distribution, like: Expr<'g>) -> Expr<'g> {
        let stream = {
            let mut tables = self.tables.borrow_mut();
            let path = tables.frames.path().to_string();
            let taken = tables.streams.entry(path.clone()).or_default();
            *taken += 1;
            stable_hash(&format!("{path}#{}", *taken - 1))
        };
        let ty = like.ty();
        self.random_key().apply(Random { distribution, stream, dtype: ty.dtype, shape: ty.shape })
    }

    /// The key of this step: a scalar of type i64, the same for every layer.
    #[track_caller]
    pub fn random_key(&self) -> Expr<'g> {
        let found = self
            .tables
            .borrow()
            .states
            .iter()
            .find(|held| &*held.spec.name == RANDOM_KEY)
            .map(|held| held.input);
        found.unwrap_or_else(|| {
            let ty = TensorType::new(DType::I64, ());
            self.hold(StateSpec { name: RANDOM_KEY.into(), ty, initial: Initial::Key })
        })
    }
}
