//! Plans as text: one line per step, then what the run will take.

use std::fmt;

use crate::plan::compile::Plan;
use crate::plan::id::{StepId, ValueId};
use crate::plan::step::{Owner, Place, Update};
use petgraph::Direction::Incoming;
use petgraph::graph::NodeIndex;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how =
            if self.in_order { "in order on one thread" } else { "as soon as their operands are there" };
        writeln!(f, "plan: {} steps, {how}", self.steps.len())?;
        for at in 0..self.steps.len() {
            self.write_step(f, StepId::new(at))?;
        }
        for state in &self.states {
            let name = self.graph.label(self.graph.inputs()[state.input]).map_or("", |label| label);
            match state.update {
                Update::InPlace(value) => {
                    writeln!(f, "  state {} \"{name}\" is updated in place by {value}", state.slot)?
                }
                Update::Copy(value) => {
                    writeln!(f, "  state {} \"{name}\" is copied from {value} at the end", state.slot)?
                }
                Update::Keep => writeln!(f, "  state {} \"{name}\" is kept", state.slot)?,
            }
        }
        let owned = |owner: fn(&Owner) -> bool| self.slots.iter().filter(move |slot| owner(&slot.owner));
        writeln!(
            f,
            "memory: {} at most: {} buffers of {}, state {}, results {}",
            bytes(self.peak_bytes()),
            owned(|owner| matches!(owner, Owner::Plan { .. })).count(),
            bytes(self.arena_bytes),
            bytes(owned(|owner| *owner == Owner::State).map(|slot| slot.bytes).sum()),
            bytes(owned(|owner| *owner == Owner::Result).map(|slot| slot.bytes).sum()),
        )?;
        let parallelism = self.work() as f64 / self.span().max(1) as f64;
        writeln!(
            f,
            "time: work {}, span {}, parallelism {parallelism:.1}",
            nanos(self.work()),
            nanos(self.span())
        )?;
        write!(f, "critical path:")?;
        const SHOWN: usize = 32;
        let path = self.critical_path();
        for step in path.iter().take(SHOWN) {
            write!(f, " {step}")?;
        }
        if path.len() > SHOWN {
            write!(f, " … ({} steps)", path.len())?;
        }
        Ok(())
    }
}

impl Plan {
    fn write_step(&self, f: &mut fmt::Formatter<'_>, id: StepId) -> fmt::Result {
        let step = &self.steps[id.index()];
        for (at, value) in step.writes.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { format!("  {id}: ") } else { ", ".into() }, self.show(*value))?;
        }
        write!(f, " = {}", step.kernel())?;
        for (at, value) in step.reads.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { " " } else { ", " }, self.show(*value))?;
        }
        write!(f, "  // {}", step.node)?;
        if let Some(label) = self.graph.label(step.node) {
            write!(f, " \"{label}\"")?;
        }
        write!(f, ": {}", self.graph.ty(step.node))?;
        if step.covers.len() > 1 {
            write!(f, ", {} nodes", step.covers.len())?;
        }
        if step.pieces() > 1 {
            write!(f, ", {} pieces", step.pieces())?;
        }
        for (at, position) in step.in_place.iter().flatten().enumerate() {
            let sep = if at == 0 { ", over " } else { " " };
            write!(f, "{sep}{}", step.reads[*position as usize])?;
        }
        if step.once {
            write!(f, ", once")?;
        }
        let mut after: Vec<StepId> = self
            .dag
            .neighbors_directed(NodeIndex::new(id.index()), Incoming)
            .map(|step| self.dag[step])
            .collect();
        after.sort_unstable();
        for (at, step) in after.iter().enumerate() {
            write!(f, "{}{step}", if at == 0 { ", after " } else { " " })?;
        }
        writeln!(f)
    }

    /// A value and where it is: `v5@b2`, `v0@feed`.
    fn show(&self, value: ValueId) -> String {
        match self.values[value.index()].place {
            Place::Feed(_) => format!("{value}@feed"),
            Place::Constant(_) => format!("{value}@constant"),
            Place::Slot(slot) => format!("{value}@{slot}"),
        }
    }
}

/// A number of bytes as people read it.
fn bytes(count: usize) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{:.1} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

/// A time as people read it.
fn nanos(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} ns"),
        10_000..10_000_000 => format!("{:.1} µs", count as f64 / 1e3),
        _ => format!("{:.1} ms", count as f64 / 1e6),
    }
}
