//! What a plan is made of: values, the slots they are in, and the steps that write them.

use pullback_graph::{DType, NodeId};
use smallvec::SmallVec;

use crate::kernel::Kernel;
use crate::plan::id::{SlotId, ValueId};

/// For each value that a step writes, the position in its reads of the one it overwrites.
pub(crate) type InPlace = SmallVec<[Option<u32>; 1]>;

/// One kernel call.
#[derive(Debug)]
pub struct Step {
    pub(crate) kernel: Kernel,
    pub(crate) node: NodeId,
    pub(crate) covers: SmallVec<[NodeId; 1]>,
    pub(crate) reads: SmallVec<[ValueId; 4]>,
    pub(crate) writes: SmallVec<[ValueId; 1]>,
    pub(crate) in_place: InPlace,
    pub(crate) once: bool,
}

impl Step {
    /// A step that runs in every run and overwrites nothing.
    pub(crate) fn new(
        kernel: Kernel,
        node: NodeId,
        covers: SmallVec<[NodeId; 1]>,
        reads: SmallVec<[ValueId; 4]>,
        writes: SmallVec<[ValueId; 1]>,
    ) -> Step {
        Step { kernel, node, covers, reads, writes, in_place: InPlace::new(), once: false }
    }

    /// The name of the kernel.
    #[must_use]
    pub fn kernel(&self) -> &'static str {
        self.kernel.name()
    }

    /// The last of the nodes whose values are written.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The nodes that are computed, or of which a part is, ascending.
    #[must_use]
    pub fn covers(&self) -> &[NodeId] {
        &self.covers
    }

    /// The values read, in the kernel's order.
    #[must_use]
    pub fn reads(&self) -> &[ValueId] {
        &self.reads
    }

    /// The values written, in the kernel's order.
    #[must_use]
    pub fn writes(&self) -> &[ValueId] {
        &self.writes
    }

    /// For each value written, the position in [`reads`](Step::reads) of the one that it overwrites.
    #[must_use]
    pub fn in_place(&self) -> &[Option<u32>] {
        &self.in_place
    }

    /// Whether later runs find what it wrote where it was: it depends on constants alone, and on state that no run changes.
    /// It runs in the first run, and in the first after state was set.
    #[must_use]
    pub fn is_once(&self) -> bool {
        self.once
    }

    /// Whether the value at `position` of [`reads`](Step::reads) is overwritten.
    pub(crate) fn overwrites(&self, position: usize) -> bool {
        self.in_place.contains(&Some(position as u32))
    }

    /// How many parts may run side by side.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.kernel.pieces()
    }
}

/// A tensor that exists during a run.
#[derive(Clone, Debug)]
pub struct Value {
    /// The node that has this value. Reshapes of it share the value.
    pub node: NodeId,
    /// The element type.
    pub dtype: DType,
    /// The number of elements.
    pub len: usize,
    /// Where the elements are.
    pub place: Place,
}

/// Where the elements of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the tensor fed for this input, an index into [`Graph::inputs`](pullback_graph::Graph::inputs).
    Feed(usize),
    /// At the start of this constant of the plan.
    Constant(usize),
    /// In a buffer.
    Slot(SlotId),
}

/// A buffer that steps write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its size.
    pub bytes: usize,
    /// Who owns it.
    pub owner: Owner,
}

/// Who owns a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The plan: it starts so many bytes into the plan's memory.
    Plan {
        /// The first byte.
        offset: usize,
    },
    /// The session: it is training state, which outlives runs.
    State,
    /// The caller, once the run has ended: it is a result.
    Result,
}

/// An input that keeps its value from run to run, and what becomes of it in a run.
#[derive(Clone, Debug)]
pub struct State {
    /// The index of the input in [`Graph::inputs`](pullback_graph::Graph::inputs).
    pub input: usize,
    /// The index of the output in [`Graph::outputs`](pullback_graph::Graph::outputs).
    pub output: usize,
    /// The buffer it is in.
    pub slot: SlotId,
    /// How the new value gets there.
    pub update: Update,
}

/// How the next value of a state gets into its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// A step writes it there: the old value is gone as soon as that step has started.
    InPlace(ValueId),
    /// It is copied from this value once all steps have succeeded.
    Copy(ValueId),
    /// It stays as it is.
    Keep,
}
