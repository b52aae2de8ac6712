//! The summary: how large a graph is, and where its nodes, parameters and operations are.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use crate::dim::Dim;
use crate::dump::table::Table;
use crate::dump::units;
use crate::graph::Graph;
use crate::id::NodeId;
use crate::kinks::KinkPolicy;
use crate::op::{InputKind, Op, OpRules};
use crate::shape::TensorType;

/// How large a graph is. Made by [`Graph::summary`]; prints as tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The number of nodes.
    pub nodes: usize,
    /// How many of them differentiation appended.
    pub gradient_nodes: usize,
    /// The number of nodes on the longest path: what no number of workers can do at once.
    pub depth: usize,
    /// The floating-point operations of one run; custom ops count none.
    pub flops: Dim,
    /// What gradients are at kinks.
    pub kinks: KinkPolicy,
    /// What training changes.
    pub parameters: Storage,
    /// What is carried from run to run without being trained.
    pub state: Storage,
    /// Constants that are part of the graph.
    pub constants: Storage,
    /// The inputs, in order.
    pub inputs: Vec<Port>,
    /// The outputs, in order.
    pub outputs: Vec<Port>,
    /// The scopes with nodes, in order; the first is the root.
    pub scopes: Vec<ScopeSummary>,
    /// The ops that occur, most frequent first.
    pub ops: Vec<OpSummary>,
}

/// Values that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The number of tensors.
    pub tensors: usize,
    /// The number of elements of all of them.
    pub elements: Dim,
    /// Their size in memory.
    pub bytes: Dim,
}

/// An input or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name.
    pub name: Arc<str>,
    /// The type.
    pub ty: TensorType,
    /// What it is for: the kind of an input, or which input an output updates.
    pub role: String,
}

/// One scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeSummary {
    /// The path, outermost first; empty for the root.
    pub path: String,
    /// The nodes in it, those of the scopes in it included.
    pub nodes: usize,
    /// How many of them differentiation appended.
    pub gradient_nodes: usize,
    /// The elements of the parameters in it.
    pub parameters: Dim,
    /// The operations of the nodes in it.
    pub flops: Dim,
}

/// One op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpSummary {
    /// Its name.
    pub name: String,
    /// How many nodes apply it.
    pub nodes: usize,
    /// Their operations.
    pub flops: Dim,
}

impl Storage {
    fn none() -> Self {
        Storage { tensors: 0, elements: Dim::Known(0), bytes: Dim::Known(0) }
    }

    fn add(&mut self, ty: &TensorType) {
        let elements = ty.shape.numel();
        self.tensors += 1;
        add(&mut self.bytes, &(elements.clone() * Dim::Known(ty.dtype.bytes())));
        add(&mut self.elements, &elements);
    }
}

/// A sum of sizes; one that would be negative, as only an absurd graph makes it, stays as it was.
fn add(total: &mut Dim, more: &Dim) {
    *total = total.checked_add(more).unwrap_or_else(|| total.clone());
}

impl Graph {
    /// How large this graph is, and where its nodes, parameters and operations are. Linear in the graph.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let zero = Dim::Known(0);
        let mut scopes: Vec<ScopeSummary> = Vec::with_capacity(self.scopes().len());
        for at in 0..self.scopes().len() {
            let path = self.scope_path(crate::id::ScopeId::new(at));
            scopes.push(ScopeSummary {
                path,
                nodes: 0,
                gradient_nodes: 0,
                parameters: zero.clone(),
                flops: zero.clone(),
            });
        }
        let mut ops: BTreeMap<String, (usize, Dim)> = BTreeMap::new();
        let mut kept = [Storage::none(), Storage::none(), Storage::none()];
        let mut depths: Vec<usize> = Vec::with_capacity(self.len());
        for id in self.ids() {
            let node = self.node(id);
            depths.push(
                1 + node.operands.iter().map(|operand| depths[operand.index()]).max().unwrap_or_default(),
            );
            let flops = self.flops(id).unwrap_or_else(|| zero.clone());
            let scope = &mut scopes[self.provenance(id).scope.index()];
            scope.nodes += 1;
            scope.gradient_nodes += usize::from(self.gradient_of(id).is_some());
            add(&mut scope.flops, &flops);
            match &node.op {
                Op::Input(input) if input.kind == InputKind::Parameter => {
                    add(&mut scope.parameters, &node.ty.shape.numel());
                    kept[0].add(&node.ty);
                }
                Op::Input(input) if input.kind == InputKind::State => kept[1].add(&node.ty),
                Op::Constant(_) => kept[2].add(&node.ty),
                _ => {}
            }
            let op = ops.entry(node.op.name().into_owned()).or_insert((0, zero.clone()));
            op.0 += 1;
            add(&mut op.1, &flops);
        }
        // A scope comes after the one around it: one sweep downwards adds every scope to its parent.
        for at in (1..scopes.len()).rev() {
            let (before, from) = scopes.split_at_mut(at);
            let Some(parent) = self.scopes()[at].parent else { continue };
            let (into, from) = (&mut before[parent.index()], &from[0]);
            into.nodes += from.nodes;
            into.gradient_nodes += from.gradient_nodes;
            add(&mut into.parameters, &from.parameters);
            add(&mut into.flops, &from.flops);
        }
        let root = scopes[0].clone();
        scopes.retain(|scope| scope.nodes > 0 || scope.path.is_empty());
        let mut ops: Vec<OpSummary> =
            ops.into_iter().map(|(name, (nodes, flops))| OpSummary { name, nodes, flops }).collect();
        ops.sort_by_key(|op| std::cmp::Reverse(op.nodes));
        let [parameters, state, constants] = kept;
        Summary {
            nodes: self.len(),
            gradient_nodes: root.gradient_nodes,
            depth: depths.into_iter().max().unwrap_or_default(),
            flops: root.flops,
            kinks: self.kinks(),
            parameters,
            state,
            constants,
            inputs: self.inputs().iter().map(|id| self.input_port(*id)).collect(),
            outputs: self.output_ports(),
            scopes,
            ops,
        }
    }

    fn input_port(&self, id: NodeId) -> Port {
        let kind = match &self.node(id).op {
            Op::Input(input) => input.kind,
            _ => InputKind::Data,
        };
        let role = match kind {
            InputKind::Data => "data",
            InputKind::Parameter => "parameter",
            InputKind::State => "state",
        };
        Port {
            name: self.label(id).cloned().unwrap_or_default(),
            ty: self.ty(id).clone(),
            role: role.to_string(),
        }
    }

    fn output_ports(&self) -> Vec<Port> {
        let names: HashMap<NodeId, &Arc<str>> =
            self.inputs().iter().filter_map(|id| self.label(*id).map(|name| (*id, name))).collect();
        let role =
            |updates: Option<NodeId>| updates.map(|id| format!("updates {}", names[&id])).unwrap_or_default();
        let outputs = self.outputs().iter();
        outputs
            .map(|output| Port {
                name: output.name.clone(),
                ty: self.ty(output.node).clone(),
                role: role(output.updates),
            })
            .collect()
    }
}

/// Tables longer than this are cut.
const SHOWN: usize = 50;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grouped = |count: usize| units::grouped(count as u64);
        let forward = self.nodes - self.gradient_nodes;
        let (nodes, gradient) = (grouped(self.nodes), grouped(self.gradient_nodes));
        writeln!(
            f,
            "nodes       {nodes}: {} forward, {gradient} gradient; depth {}",
            grouped(forward),
            grouped(self.depth)
        )?;
        writeln!(f, "operations  {} a run", count(&self.flops))?;
        if !self.kinks.is_default() {
            writeln!(f, "kinks       as {}", self.kinks)?;
        }
        for (name, kept) in
            [("parameters", &self.parameters), ("state", &self.state), ("constants", &self.constants)]
        {
            if kept.tensors > 0 {
                let bytes = kept
                    .bytes
                    .known()
                    .map_or_else(|| format!("{} B", kept.bytes), |size| units::bytes(size as u64));
                let elements = kept.elements.known().map_or_else(|| kept.elements.to_string(), grouped);
                let elements = plural(&elements, "element");
                let tensors = plural(&grouped(kept.tensors), "tensor");
                writeln!(f, "{name:<10}  {elements} in {tensors}, {bytes}")?;
            }
        }
        for (name, ports) in [("input", &self.inputs), ("output", &self.outputs)] {
            let mut table = Table::new([name, "type", ""], [false; 3]);
            for port in ports.iter().take(SHOWN) {
                table.row([port.name.to_string(), port.ty.to_string(), port.role.clone()]);
            }
            write!(f, "\n{table}")?;
            cut(f, ports.len())?;
        }
        let mut table = Table::new(
            ["scope", "nodes", "gradient", "parameters", "operations"],
            [false, true, true, true, true],
        );
        for scope in self.scopes.iter().take(SHOWN) {
            let path = if scope.path.is_empty() { "/".to_string() } else { scope.path.clone() };
            let (parameters, flops) = (count(&scope.parameters), count(&scope.flops));
            table.row([path, grouped(scope.nodes), grouped(scope.gradient_nodes), parameters, flops]);
        }
        write!(f, "\n{table}")?;
        cut(f, self.scopes.len())?;
        let mut table = Table::new(["op", "nodes", "operations"], [false, true, true]);
        for op in &self.ops {
            table.row([op.name.clone(), grouped(op.nodes), count(&op.flops)]);
        }
        write!(f, "\n{table}")
    }
}

fn cut(f: &mut fmt::Formatter<'_>, rows: usize) -> fmt::Result {
    if rows > SHOWN { writeln!(f, "… {} more", rows - SHOWN) } else { Ok(()) }
}

fn plural(count: &str, name: &str) -> String {
    if count == "1" { format!("1 {name}") } else { format!("{count} {name}s") }
}

/// A number of things, in short; a polynomial as it is.
fn count(number: &Dim) -> String {
    number.known().map_or_else(|| number.to_string(), |number| units::metric(number as u64))
}
