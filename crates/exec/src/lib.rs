//! Running tensor-op graphs: a plan of steps and buffers, and a session that runs it on all cores.
//!
//! - [`plan`](plan()): a bound graph becomes a [`Plan`]: nodes are fused into steps, steps are ordered, values get
//!   buffers. Everything about a run that can be known before it is in the plan, and prints.
//! - [`Session`]: holds plans (one per binding of symbolic sizes), their memory and training state, and runs them.
//! - [`Profile`]: where the time of runs goes; [`predict`]: what they would take on a machine with more threads.
//!
//! Results do not depend on the number of threads nor on the schedule, to the bit. A step that fails or panics ends
//! the run with an error that names the node and the user's line, and leaves the session usable. Nothing here asks
//! whether a node is a gradient.

mod csr;
mod error;
mod kernel;
mod plan;
mod run;

pub use error::ExecError;
pub use plan::{
    Cost, Owner, Place, Plan, PlanOptions, Rates, Simulation, Slot, SlotId, State, Step, StepId, Update,
    Value, ValueId, plan, predict, simulate,
};
pub use run::{CancelToken, Event, Options, Outputs, Profile, Record, RunReport, Session, Trace, compile};
