//! From nodes to steps: which kernel computes what, and which values exist.
//!
//! Fusion is decided in [`kernel`](crate::kernel); here regions become steps, leaves become constants that are evaluated
//! once, and a node whose bytes are its operand's gets no step at all.

use pullback_graph::{DType, Element, Graph, NodeId, Op, OpClass, OpRules, Tensor, dispatch};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::error::ExecError;
use crate::kernel::{Kernel, Rearrange, Region, Turned, regions, strips, turned};
use crate::plan::compile::PlanOptions;
use crate::plan::id::{SlotId, ValueId};
use crate::plan::invariant::invariant;
use crate::plan::step::{Place, Step, Value};

/// Steps in a topological order, and the values they read and write. Values that steps write have no slot yet.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) steps: Vec<Step>,
    pub(crate) values: Vec<Value>,
    /// The value of each node that has one of its own or shares one.
    pub(crate) value_of: Vec<Option<ValueId>>,
    pub(crate) constants: Vec<Tensor>,
    /// The step that writes each value, as an index into `steps`.
    pub(crate) writer: Vec<Option<u32>>,
    /// The steps that each step must come after although it reads nothing of theirs: a barrier stands between.
    pub(crate) after: Vec<SmallVec<[u32; 2]>>,
    /// Which steps compute the same in every run.
    pub(crate) invariant: Vec<bool>,
}

/// Lowers what the outputs of `graph` need; or every node on its own, needed or not, if the options say so.
///
/// # Errors
/// [`ExecError::Unbound`] when a size is not known, [`ExecError::Kernel`] when a constant cannot be evaluated.
pub(crate) fn lower(graph: &Graph, options: &PlanOptions) -> Result<Lowered, ExecError> {
    if let Some(node) = graph.ids().find(|id| !graph.ty(*id).shape.is_known()) {
        return Err(ExecError::unbound(graph, node));
    }
    let holds = options.hold_invariants && !options.every_node;
    let mut lowering = Lowering {
        graph,
        invariant: if holds { invariant(graph) } else { vec![false; graph.len()] },
        lowered: Lowered { value_of: vec![None; graph.len()], ..Lowered::default() },
        inputs: graph.inputs().iter().enumerate().map(|(at, id)| (*id, at)).collect(),
        literals: FxHashMap::default(),
        waits: FxHashMap::default(),
        turned: FxHashMap::default(),
    };
    if options.every_node {
        for node in graph.ids() {
            lowering.region(&Region::single(graph, node))?;
        }
    } else {
        let mut kept = vec![false; graph.len()];
        for output in graph.outputs() {
            kept[output.node.index()] = true;
        }
        let keep = |node: NodeId| kept[node.index()];
        let regions = strips(graph, regions(graph, &keep), &keep);
        for region in turned(graph, regions, &lowering.invariant) {
            lowering.region(&region)?;
        }
    }
    // State that nothing reads is there all the same.
    for input in graph.outputs().iter().filter_map(|output| output.updates) {
        if lowering.lowered.value_of[input.index()].is_none() {
            lowering.region(&Region::single(graph, input))?;
        }
    }
    Ok(lowering.lowered)
}

/// The number of elements of a node of known size.
pub(crate) fn numel(graph: &Graph, node: NodeId) -> usize {
    graph.ty(node).shape.known_numel().expect("the graph is bound")
}

struct Lowering<'g> {
    graph: &'g Graph,
    /// The nodes that are the same in every run.
    invariant: Vec<bool>,
    lowered: Lowered,
    inputs: FxHashMap<NodeId, usize>,
    /// The constant that repeats each scalar, by its bits: shorter literals are the start of longer ones.
    literals: FxHashMap<(DType, u64), usize>,
    /// What must have run before a node is read whose bytes were there already.
    waits: FxHashMap<NodeId, SmallVec<[u32; 2]>>,
    /// Copies of buffers that products read in their place.
    turned: FxHashMap<Turned, ValueId>,
}

impl Lowering<'_> {
    fn region(&mut self, region: &Region) -> Result<(), ExecError> {
        let root = region.root;
        let value = match &self.graph.node(root).op {
            Op::Input(_) => self.value(root, Place::Feed(self.inputs[&root]), None),
            op if op.class() == OpClass::Leaf => {
                let constant = self.constant(root)?;
                self.value(root, Place::Constant(constant), None)
            }
            _ => {
                self.step(region);
                return Ok(());
            }
        };
        self.lowered.value_of[root.index()] = Some(value);
        Ok(())
    }

    fn value(&mut self, node: NodeId, place: Place, writer: Option<u32>) -> ValueId {
        let elements = (self.graph.ty(node).dtype, numel(self.graph, node));
        self.value_of(node, elements, place, writer)
    }

    /// A value of so many elements of a type, on the way to that of `node`.
    fn value_of(
        &mut self,
        node: NodeId,
        (dtype, len): (DType, usize),
        place: Place,
        writer: Option<u32>,
    ) -> ValueId {
        let id = ValueId::new(self.lowered.values.len());
        self.lowered.values.push(Value { node, dtype, len, place });
        self.lowered.writer.push(writer);
        id
    }

    fn step(&mut self, region: &Region) {
        let kernel = Kernel::lower(self.graph, region);
        let mut reads: SmallVec<[ValueId; 4]> = region
            .operands
            .iter()
            .map(|node| self.lowered.value_of[node.index()].expect("regions come after their operands"))
            .collect();
        let waits = region.operands.iter().filter_map(|node| self.waits.get(node)).flatten().copied();
        let mut waits: SmallVec<[u32; 2]> = waits.collect();
        if let Some(operand) = kernel.alias() {
            // An operand whose bytes are not the result's is there for its time alone.
            let others = reads.iter().enumerate().filter(|(at, _)| *at != operand);
            waits.extend(others.filter_map(|(_, read)| self.lowered.writer[read.index()]));
            if !waits.is_empty() {
                waits.sort_unstable();
                waits.dedup();
                self.waits.insert(region.root, waits);
            }
            self.lowered.value_of[region.root.index()] = Some(reads[operand]);
            return;
        }
        waits.sort_unstable();
        waits.dedup();
        for (place, turned) in region.turned() {
            reads[place] = self.turned(turned, reads[place]);
        }
        let at = self.next_step();
        // The slot is chosen when memory is planned.
        let slot = Place::Slot(SlotId::new(0));
        let mut rests = Vec::new();
        let mut writes = SmallVec::new();
        for (write, node) in region.outputs.iter().enumerate() {
            let value = match kernel.rest(write) {
                Some(rest) => {
                    let value = self.value_of(*node, (rest.operand(), rest.len()), slot, Some(at));
                    rests.push((*node, value, rest));
                    value
                }
                None => self.value(*node, slot, Some(at)),
            };
            self.lowered.value_of[node.index()] = Some(value);
            writes.push(value);
        }
        let covers = region.nodes.iter().copied().collect();
        let invariant = region.outputs.iter().all(|node| self.invariant[node.index()]);
        self.push(Step::new(kernel, region.root, covers, reads, writes), waits, invariant);
        for (node, totals, rest) in rests {
            let value = self.value(node, slot, Some(self.next_step()));
            self.lowered.value_of[node.index()] = Some(value);
            let (covers, reads, writes) = ([node].into(), [totals].into_iter().collect(), [value].into());
            self.push(Step::new(rest.into(), node, covers, reads, writes), SmallVec::new(), invariant);
        }
    }

    /// The copy of `buffer` that a product reads in its place.
    fn turned(&mut self, turned: &Turned, buffer: ValueId) -> ValueId {
        if let Some(copy) = self.turned.get(turned) {
            return *copy;
        }
        let (node, dtype) = (turned.buffer, self.graph.ty(turned.buffer).dtype);
        let (at, slot) = (self.next_step(), Place::Slot(SlotId::new(0)));
        let copy = self.value_of(node, (dtype, turned.view.len()), slot, Some(at));
        let kernel = Rearrange::turning(dtype, turned.view.clone()).into();
        let (reads, writes) = ([buffer].into_iter().collect(), [copy].into());
        let waits = self.waits.get(&node).cloned().unwrap_or_default();
        let invariant = self.invariant[node.index()];
        self.push(Step::new(kernel, node, SmallVec::new(), reads, writes), waits, invariant);
        self.turned.insert(turned.clone(), copy);
        copy
    }

    /// The number of the step that is pushed next.
    fn next_step(&self) -> u32 {
        u32::try_from(self.lowered.steps.len()).expect("fewer than 2^32 steps")
    }

    fn push(&mut self, step: Step, after: SmallVec<[u32; 2]>, invariant: bool) {
        self.lowered.steps.push(step);
        self.lowered.after.push(after);
        self.lowered.invariant.push(invariant);
    }

    /// The constant whose first elements are the value of a leaf.
    fn constant(&mut self, node: NodeId) -> Result<usize, ExecError> {
        let (op, ty) = (&self.graph.node(node).op, self.graph.ty(node));
        let constants = &mut self.lowered.constants;
        if let Op::Literal(literal) = op {
            let bits = dispatch!(ty.dtype, T => literal.value.get::<T>().to_bits64());
            let known = self.literals.entry((ty.dtype, bits)).or_insert(constants.len());
            let len = numel(self.graph, node);
            if *known == constants.len() {
                constants.push(literal.value.splat(&[len]));
            } else if constants[*known].len() < len {
                constants[*known] = literal.value.splat(&[len]);
            }
            return Ok(*known);
        }
        let value = op.evaluate(&[], ty).map_err(|message| ExecError::kernel(self.graph, node, message))?;
        constants.push(value);
        Ok(constants.len() - 1)
    }
}
