//! From a bound graph to steps, an order and buffers: everything that is decided before anything runs.
//!
//! [`plan`](plan()) is a straight line: let readers compute again what is not worth keeping, [`lower`] nodes to steps,
//! [`donate`] state, hold what is [`invariant`], [`order`] the steps, place values in [`memory`] that is safe for every
//! interleaving, and keep what [`cost`] says for the schedule.

mod id;
mod step;
mod compile;
mod invariant;
mod lower;
mod cost;
mod donate;
mod order;
mod reach;
mod problem;
mod memory;
mod verify;
mod fit;
mod text;
mod simulate;
#[cfg(test)]
pub(crate) mod tests;

pub use compile::{Plan, PlanOptions, plan};
pub use cost::{Cost, Rates};
pub use id::{SlotId, StepId, ValueId};
pub use simulate::{Simulation, predict, simulate};
pub use step::{Owner, Place, Slot, State, Step, Update, Value};
