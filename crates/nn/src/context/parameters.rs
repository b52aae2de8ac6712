//! Parameters, state that is not trained, and penalties.

use std::sync::Arc;

use pullback_graph::{Expr, Shape, TensorType};

use crate::context::Context;
use crate::context::tables::Held;
use crate::error::{NnError, accept};
use crate::init::Initializer;
use crate::regularizer::Regularizer;
use crate::spec::{Initial, ParameterSpec, StateSpec};

impl<'g> Context<'g> {
    /// The parameter called `name` at the present path, of type [`dtype`](Context::dtype): made, or, inside
    /// [`shared`](Context::shared), found.
    ///
    /// # Panics
    /// As [`parameter_of`](Context::parameter_of).
    #[track_caller]
    pub fn parameter(&self, name: &str, shape: impl Into<Shape>, initializer: Initializer) -> Expr<'g> {
        self.parameter_of(name, TensorType::new(self.dtype(), shape), initializer, None)
    }

    /// [`parameter`](Context::parameter) of any floating-point type, with a penalty that training adds to the loss.
    ///
    /// # Panics
    /// With the message of an [`NnError`] and the caller's line: when a size is not known, the initializer or the penalty
    /// has no meaning, or another parameter has this path and is not shared, or is of another type.
    #[track_caller]
    pub fn parameter_of(
        &self,
        name: &str,
        ty: TensorType,
        initializer: Initializer,
        regularizer: Option<Regularizer>,
    ) -> Expr<'g> {
        let path = self.claim(name);
        let spec = ParameterSpec { path, ty, initializer, regularizer };
        if let Some(found) = self.found(&spec) {
            return found;
        }
        accept(spec.check());
        let input = self.builder.parameter(&spec.path, spec.ty.dtype, &spec.ty.shape);
        self.tables.borrow_mut().parameters.push((spec, input));
        input
    }

    /// The parameter of this path, if it was made and may be used again.
    #[track_caller]
    fn found(&self, spec: &ParameterSpec) -> Option<Expr<'g>> {
        let tables = self.tables.borrow();
        let (other, input) = tables.parameters.iter().find(|(other, _)| other.path == spec.path)?;
        let message = if !tables.frames.is_shared() {
            "there is a parameter of this path already".to_string()
        } else if other != spec {
            format!(
                "this parameter is shared, and was {} with another initializer or penalty, or of another type",
                other.ty
            )
        } else {
            return Some(*input);
        };
        drop(tables);
        self.refuse_name(
            &spec.path,
            message,
            "each layer opens a box with `cx.layer`; `cx.shared` uses parameters again",
        )
    }

    /// State at the present path that is carried from step to step: fed to every run, and changed by those that
    /// [`update`](Context::update) it.
    ///
    /// # Panics
    /// When a size is not known, or there is such state already and it is not shared.
    #[track_caller]
    pub fn state(&self, name: &str, ty: TensorType, initial: Initial) -> Expr<'g> {
        let name = self.claim(name);
        let tables = self.tables.borrow();
        let found = tables.states.iter().find(|held| held.spec.name == name).map(|held| held.input);
        let shared = tables.frames.is_shared();
        drop(tables);
        match found {
            Some(input) if shared => input,
            Some(_) => self.refuse_name(
                &name,
                "there is state of this name already".into(),
                "open a box with `cx.layer`",
            ),
            None => self.hold(StateSpec { name, ty, initial }),
        }
    }

    /// State under its full name, outside all layers.
    #[track_caller]
    pub(crate) fn hold(&self, spec: StateSpec) -> Expr<'g> {
        accept(spec.check());
        let input = self.builder.state(&spec.name, spec.ty.dtype, &spec.ty.shape);
        self.tables.borrow_mut().states.push(Held { spec, input, next: None });
        input
    }

    /// Makes `next` the value of `state` for the next step. The last call counts. Only training changes state.
    ///
    /// # Panics
    /// When `state` was not made by [`state`](Context::state).
    #[track_caller]
    pub fn update(&self, state: Expr<'g>, next: Expr<'g>) {
        let mut tables = self.tables.borrow_mut();
        let held = tables.states.iter_mut().find(|held| held.input.id() == state.id());
        match held {
            Some(held) => held.next = Some(next),
            None => {
                drop(tables);
                NnError::input("update", format!("{state:?} is not state of this context")).stop()
            }
        }
    }

    /// The path of a name at this place.
    #[track_caller]
    fn claim(&self, name: &str) -> Arc<str> {
        self.expect_simple(name);
        self.tables.borrow().frames.join(name).into()
    }

    /// Adds a scalar to the loss: what a layer wants kept small besides its parameters, such as its activity.
    pub fn penalize(&self, penalty: Expr<'g>) {
        self.tables.borrow_mut().penalties.push(penalty);
    }

    /// What is added to the loss: the penalty of every parameter that has one, then those of
    /// [`penalize`](Context::penalize). [`TrainingStep`](crate::TrainingStep) adds them by itself.
    #[must_use]
    pub fn penalties(&self) -> Vec<Expr<'g>> {
        let (regularized, others) = {
            let tables = self.tables.borrow();
            let regularized: Vec<_> = tables
                .parameters
                .iter()
                .filter_map(|(spec, input)| Some((spec.regularizer?, *input)))
                .collect();
            (regularized, tables.penalties.clone())
        };
        let mut penalties: Vec<_> =
            regularized.into_iter().map(|(regularizer, input)| regularizer.penalty(input)).collect();
        penalties.extend(others);
        penalties
    }

    /// Whether anything is added to the loss.
    pub(crate) fn has_penalties(&self) -> bool {
        let tables = self.tables.borrow();
        !tables.penalties.is_empty() || tables.parameters.iter().any(|(spec, _)| spec.regularizer.is_some())
    }
}
