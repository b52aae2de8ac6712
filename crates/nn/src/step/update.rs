//! The part of a step after the gradients: clipping, clock, and one box per parameter.

use std::collections::HashMap;
use std::sync::Arc;

use pullback_graph::{DType, Expr, ScopeId, TensorType};

use crate::context::Context;
use crate::names::{LEARNING_RATE, RANDOM_KEY, STEP};
use crate::optim::{Clock, Optimizer, UpdateSite};
use crate::spec::{Initial, StateSpec};

/// Appends the update of every parameter and of all state, in the present box; the parameters' next values, in order.
pub(super) fn update<'g>(
    cx: &Context<'g>,
    optimizer: &(impl Optimizer + ?Sized),
    gradients: Vec<Expr<'g>>,
) -> Vec<Expr<'g>> {
    let builder = cx.builder();
    let gradients = optimizer.transform(gradients);
    let mut boxes = Boxes { cx, found: HashMap::new() };
    let clock_box = builder.open_scope("clock");
    let scalars = builder.within(clock_box, || optimizer.scalars(&tick(cx, optimizer.learning_rate())));
    let mut converted: Vec<(DType, Vec<Expr<'g>>)> = Vec::new();
    let parameters: Vec<(Arc<str>, Expr<'g>)> =
        cx.read(|tables| tables.parameters.iter().map(|(spec, input)| (spec.path.clone(), *input)).collect());
    let mut answers = Vec::with_capacity(parameters.len());
    for ((path, parameter), gradient) in parameters.into_iter().zip(gradients) {
        let dtype = parameter.dtype();
        if !converted.iter().any(|(other, _)| *other == dtype) {
            let cast =
                builder.within(clock_box, || scalars.iter().map(|scalar| scalar.cast(dtype)).collect());
            converted.push((dtype, cast));
        }
        let scalars = converted.iter().find(|(other, _)| *other == dtype).map(|(_, scalars)| scalars.clone());
        let place = boxes.of(&path);
        builder.within(place, || {
            let slots: Vec<Expr<'g>> = optimizer
                .slots()
                .into_iter()
                .map(|slot| {
                    let name = format!("optimizer/{path}/{}", slot.name).into();
                    cx.hold(StateSpec { name, ty: parameter.ty(), initial: Initial::Constant(slot.initial) })
                })
                .collect();
            let site = UpdateSite {
                parameter,
                gradient,
                slots: slots.clone(),
                scalars: scalars.unwrap_or_default(),
            };
            let next = optimizer.update(&site);
            assert_eq!(next.slots.len(), slots.len(), "{} answers one value per slot", optimizer.name());
            for (slot, next) in slots.into_iter().zip(next.slots) {
                cx.update(slot, next);
            }
            answers.push(next.parameter);
        });
    }
    advance_key(cx, boxes.of(RANDOM_KEY));
    answers
}

/// The clock of this step; counts it.
fn tick<'g>(cx: &Context<'g>, learning_rate: f64) -> Clock<'g> {
    let scalar = |name: &str, dtype, initial| {
        let spec = StateSpec {
            name: name.into(),
            ty: TensorType::new(dtype, ()),
            initial: Initial::Constant(initial),
        };
        cx.hold(spec)
    };
    let taken = scalar(STEP, DType::I64, 0.0);
    let learning_rate = scalar(LEARNING_RATE, DType::F64, learning_rate);
    let step = taken + 1;
    cx.update(taken, step);
    Clock { step: step.cast(DType::F64).named("step"), learning_rate }
}

/// Another key for the next step, if anything draws random numbers.
fn advance_key(cx: &Context<'_>, place: ScopeId) {
    let key = cx.read(|tables| {
        tables.states.iter().find(|held| &*held.spec.name == RANDOM_KEY).map(|held| held.input)
    });
    if let Some(key) = key {
        cx.builder().within(place, || cx.update(key, key + 1));
    }
}

/// Boxes in the present one that mirror the paths of parameters.
struct Boxes<'c, 'g> {
    cx: &'c Context<'g>,
    found: HashMap<String, ScopeId>,
}

impl Boxes<'_, '_> {
    /// The box of a path, made on first use, outermost first.
    fn of(&mut self, path: &str) -> ScopeId {
        if let Some(found) = self.found.get(path) {
            return *found;
        }
        let builder = self.cx.builder();
        let made = match path.rsplit_once('/') {
            None => builder.open_scope(path),
            Some((outer, name)) => builder.within(self.of(outer), || builder.open_scope(name)),
        };
        self.found.insert(path.to_string(), made);
        made
    }
}
