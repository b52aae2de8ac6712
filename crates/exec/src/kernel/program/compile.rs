//! From a region of elementwise nodes to a [`Program`]: first steps over values, then registers for the values.

use rustc_hash::FxHashMap;

use pullback_graph::op::{Cast, Scalar};
use pullback_graph::{DType, Graph, NodeId, Op};
use smallvec::SmallVec;

use crate::kernel::movement::rearrange;
use crate::kernel::movement::view::View;
use crate::kernel::pieces::GRAIN;
use crate::kernel::program::build::{Parts, Program};
use crate::kernel::program::by_node::ByNode;
use crate::kernel::program::fixed::{Fixed, FixedValue};
use crate::kernel::program::instruction::{Action, Instruction, Place, Space, Target};
use crate::kernel::program::{agenda, chains, registers, scalar, spreads, stage, summands};
use crate::kernel::reductions::columns::{Columns, group, total_of};
use crate::kernel::reductions::fold::ROWS;
use crate::kernel::regions::region::{Extent, Region};
use crate::kernel::regions::role::{Role, numel, role};

/// What a node of the region is to the instructions that read it.
#[derive(Clone, Debug)]
enum Value {
    /// The operand at this position, element by element.
    Input(usize),
    /// The operand at this position, seen through a view.
    View(usize, Box<View>),
    /// The value of this node, one element per row, spread out along the rows.
    Spread(NodeId),
    /// A number.
    Literal(Scalar),
    /// The value at this position among those that need a place.
    Register(usize),
}

/// The region under compilation.
struct Compiler<'g> {
    graph: &'g Graph,
    region: &'g Region,
    values: ByNode<Value>,
    /// The position of each buffer among the operands of the region.
    positions: FxHashMap<NodeId, usize>,
    /// The position of the product that heads the region, behind the operands.
    made: Option<usize>,
    head: Option<Cut>,
    named: Vec<registers::Value>,
    fixed: Vec<Fixed>,
    /// The register of each value that is filled once.
    filled: FxHashMap<FixedValue, usize>,
    /// What the length of a tile must be a multiple of.
    period: usize,
    /// Elements per row; 1 if there are no rows.
    columns: usize,
    instructions: Vec<Instruction>,
}

/// The longest period of a view that is loaded once per piece instead of once per tile.
const PERIOD: usize = 1024;

/// How the product is cut that heads a region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Elements of a piece, at least.
    pub(crate) piece: usize,
    /// Elements of a row, whole ones of which are a piece.
    pub(crate) row: usize,
}

/// Elements of a piece of a program that does so much arithmetic per element.
pub(crate) fn grain(flops: usize) -> usize {
    GRAIN / flops.div_ceil(16).max(1).next_power_of_two()
}

/// The program of an elementwise region, perhaps one with a head.
pub(crate) fn compile(graph: &Graph, region: &Region, head: Option<Cut>) -> Program {
    let columns = match region.extent {
        Extent::Flat(_) => 1,
        Extent::Rows { columns, .. } => columns,
    };
    let mut compiler = Compiler {
        graph,
        region,
        values: ByNode::of(&region.nodes),
        positions: region.operands.iter().enumerate().map(|(at, operand)| (*operand, at)).collect(),
        made: None,
        head,
        named: Vec::with_capacity(region.nodes.len()),
        fixed: Vec::new(),
        filled: FxHashMap::default(),
        period: columns,
        columns,
        instructions: Vec::with_capacity(region.nodes.len()),
    };
    let mut flops = 0;
    for node in &region.nodes {
        let value = match role(graph, *node) {
            Role::Elementwise => {
                flops += 1;
                compiler.instruction(*node)
            }
            Role::Rows(_) => {
                flops += 1;
                compiler.fold(*node)
            }
            Role::Columns(columns) => {
                flops += 1;
                compiler.accumulate(*node, columns)
            }
            // What is spread out over the rows themselves is no row of theirs, however long it is.
            Role::Spread(columns)
                if columns == compiler.columns && compiler.space(*node) == Space::Elements =>
            {
                compiler.spread(*node)
            }
            Role::Alias => compiler.value(graph.node(*node).operands[0]),
            Role::Literal => compiler.literal(*node),
            Role::Spread(_) | Role::Broadcast | Role::Part => compiler.view(*node),
            // The head of the region: computed before the program runs, as one more operand of it.
            Role::Dot => {
                compiler.made = Some(region.operands.len());
                Value::Input(region.operands.len())
            }
            // Read by the head alone.
            Role::Permute | Role::Windows => continue,
            Role::Scatter | Role::Overlap | Role::Other => {
                unreachable!("fusion takes no such node into a program")
            }
        };
        compiler.values.insert(*node, value);
    }
    compiler.finish(flops)
}

impl Compiler<'_> {
    /// The value of a node that is computed before, inside the region or outside.
    fn value(&self, node: NodeId) -> Value {
        match self.values.get(node) {
            Some(value) => value.clone(),
            None => Value::Input(self.position(node)),
        }
    }

    /// The position of a buffer among the operands of the region.
    fn position(&self, node: NodeId) -> usize {
        *self.positions.get(&node).expect("what a region does not compute is among its operands")
    }

    fn literal(&self, node: NodeId) -> Value {
        match &self.graph.node(node).op {
            Op::Literal(op) => Value::Literal(op.value),
            other => unreachable!("{other:?} has the role of a literal"),
        }
    }

    fn view(&self, node: NodeId) -> Value {
        let source = self.graph.node(node).operands[0];
        // What is read through elsewhere in the region may have a buffer too.
        let value = match self.positions.get(&source) {
            Some(input) => Value::Input(*input),
            None => self.value(source),
        };
        match value {
            Value::Literal(value) => Value::Literal(value),
            Value::Input(input) => {
                let view = rearrange::view(self.graph, node).expect("a broadcast and a part are views");
                if view.is_dense() { Value::Input(input) } else { Value::View(input, Box::new(view)) }
            }
            other => unreachable!("a view is of a buffer or a number, got {other:?}"),
        }
    }

    fn spread(&self, node: NodeId) -> Value {
        let source = self.graph.node(node).operands[0];
        match self.value(source) {
            Value::Literal(value) => Value::Literal(value),
            _ => Value::Spread(source),
        }
    }

    fn fold(&mut self, node: NodeId) -> Value {
        let operand = self.graph.node(node).operands[0];
        let dtype = self.graph.ty(node).dtype;
        let Op::Reduce(op) = &self.graph.node(node).op else { unreachable!("only reductions combine rows") };
        let kind = op.kind;
        let x = self.whole(operand, Space::Elements);
        self.computed(node, Action::Fold { kind, dtype, x, times: None }, Space::Rows)
    }

    fn accumulate(&mut self, node: NodeId, Columns { run, .. }: Columns) -> Value {
        let operand = self.graph.node(node).operands[0];
        let dtype = self.graph.ty(node).dtype;
        let Op::Reduce(op) = &self.graph.node(node).op else { unreachable!("only reductions combine rows") };
        let (kind, columns) = (op.kind, numel(self.graph, node));
        let (x, space) = if run > 1 {
            let x = self.whole(operand, Space::Elements);
            (
                Place::Register(self.emit(Action::Fold { kind, dtype, x, times: None }, dtype, Space::Rows)),
                Space::Rows,
            )
        } else {
            let space = self.space(operand);
            (self.whole(operand, space), space)
        };
        self.computed(node, Action::Accumulate { kind, dtype, x, times: None, columns }, space)
    }

    /// Where instructions that go through whole tiles find `node`.
    fn whole(&mut self, node: NodeId, space: Space) -> Place {
        let (x, dtype) = (self.place(node, space), self.graph.ty(node).dtype);
        match x {
            // What is filled once is as long as a block or a lap only.
            Place::Register(value) if self.fixed.iter().any(|fixed| fixed.register == value) => {
                Place::Register(self.emit(Action::Cast { op: Cast { dtype }, dtype, x }, dtype, space))
            }
            _ => x,
        }
    }

    /// Which elements a node of the region has.
    fn space(&self, node: NodeId) -> Space {
        let all = numel(self.graph, node) == self.region.extent.len();
        if all { Space::Elements } else { Space::Rows }
    }

    /// Appends the instruction that computes a node.
    fn computed(&mut self, node: NodeId, action: Action, space: Space) -> Value {
        let register = self.emit(action, self.graph.ty(node).dtype, space);
        self.named[register].result = self.region.outputs.binary_search(&node).ok();
        Value::Register(register)
    }

    fn instruction(&mut self, node: NodeId) -> Value {
        let operands = self.graph.node(node).operands.clone();
        let dtype = |at: usize| self.graph.ty(operands[at]).dtype;
        // The element type of what the loop compares, chooses or computes with.
        let last = dtype(operands.len() - 1);
        let space = self.space(node);
        let places: SmallVec<[Place; 3]> =
            operands.iter().map(|operand| self.place(*operand, space)).collect();
        let (x, y) = (places[0], places.get(1).copied().unwrap_or(places[0]));
        let action = match &self.graph.node(node).op {
            Op::Unary(op) => Action::Unary { op: *op, dtype: last, x },
            Op::Binary(op) => Action::Binary { op: *op, dtype: last, x, y },
            Op::Compare(op) => Action::Compare { op: *op, dtype: last, x, y },
            Op::Logic(op) => Action::Logic { op: *op, x, y },
            Op::Select(_) => Action::Select { dtype: last, condition: x, x: y, y: places[2] },
            Op::Clamp(op) => Action::Clamp { op: *op, dtype: last, x },
            Op::Polygamma(op) => Action::Polygamma { op: *op, dtype: last, x },
            Op::Cast(op) => Action::Cast { op: *op, dtype: last, x },
            other => unreachable!("{other:?} has the role of an elementwise op"),
        };
        self.computed(node, action, space)
    }

    /// Where instructions that go through `space` find `node`; loads it into a register if it is not there.
    fn place(&mut self, node: NodeId, space: Space) -> Place {
        let dtype = self.graph.ty(node).dtype;
        let register = match self.value(node) {
            Value::Input(input) => return Place::Input(input),
            Value::Register(register) => return Place::Register(register),
            Value::Literal(value) => self.fix(dtype, FixedValue::Literal(value)),
            Value::View(input, view) if view.is_splat() => {
                self.fix(dtype, FixedValue::Element { input, at: view.offset() })
            }
            Value::Spread(source) => {
                let x = self.place(source, Space::Rows);
                match x {
                    // The same number everywhere needs no spreading.
                    Place::Register(value) if self.fixed.iter().any(|fixed| fixed.register == value) => value,
                    _ => self.emit(Action::Spread { dtype, x }, dtype, Space::Elements),
                }
            }
            Value::View(input, view) if space == Space::Elements && self.repeats(&view) => {
                self.fix(dtype, FixedValue::Repeat { input, view: *view })
            }
            Value::View(input, view) => self.emit(Action::Load { input, dtype, view }, dtype, space),
        };
        // The next reader of the same node finds it in the register.
        self.values.insert(node, Value::Register(register));
        Place::Register(register)
    }

    /// Whether a view looks the same from every tile; makes tiles fit it if they can.
    fn repeats(&mut self, view: &View) -> bool {
        match view.period() {
            Some(period) if self.period.is_multiple_of(period) => true,
            Some(period) if period <= PERIOD && period.is_multiple_of(self.period) => {
                self.period = period;
                true
            }
            _ => false,
        }
    }

    /// A register that is filled once per piece; one for equal values.
    fn fix(&mut self, dtype: DType, value: FixedValue) -> usize {
        if let Some(register) = self.filled.get(&value) {
            return *register;
        }
        let register = self.named.len();
        self.named.push(registers::Value { dtype, result: None });
        self.filled.insert(value.clone(), register);
        self.fixed.push(Fixed { register, dtype, value });
        register
    }

    /// Appends an instruction; the position of its value.
    fn emit(&mut self, action: Action, dtype: DType, space: Space) -> usize {
        let register = self.named.len();
        self.named.push(registers::Value { dtype, result: None });
        self.instructions.push(Instruction { action, space, target: Target::Register(register) });
        register
    }

    /// Puts the instructions in order and gives every value a place.
    fn finish(mut self, flops: usize) -> Program {
        let piece = self.piece(flops);
        let results: Vec<(DType, Space)> =
            self.region.outputs.iter().map(|node| self.result(*node, piece)).collect();
        let (unordered, values) = (std::mem::take(&mut self.instructions), self.named.len());
        let mut instructions = match self.region.extent.len() == 1 && unordered.iter().all(scalar::takes) {
            true => {
                agenda::by_kind(unordered, values).into_iter().map(|instruction| (0, instruction)).collect()
            }
            false => {
                let ordered = spreads::repeated(stage::ordered(unordered, values), &mut self.named);
                summands::multiplied(chains::chained(ordered, &self.named), &self.named)
            }
        };
        let counts = registers::assign(&self.named, &mut self.fixed, &mut instructions);
        Program::new(Parts {
            in_place: self.in_place(&instructions, &results),
            operands: self.region.operands.len(),
            made: self.made,
            held: self.region.held.iter().map(|node| self.position(*node)).collect(),
            instructions,
            fixed: self.fixed,
            counts,
            period: self.period,
            columns: self.columns,
            results,
            len: self.region.extent.len(),
            piece,
            flops,
            narrow: self.region.narrow,
        })
    }

    /// How many elements are a piece: what does little for each has more of them. Rows are not cut, and blocks of rows that
    /// are combined are only if there is no other way.
    fn piece(&self, flops: usize) -> usize {
        let least = self.head.map_or_else(|| grain(flops), |head| head.piece);
        let groups = self.instructions.iter().filter_map(|instruction| match instruction.action {
            Action::Accumulate { columns, .. } => Some(group(columns)),
            _ => None,
        });
        let row = self.head.map_or(self.columns, |head| head.row.max(self.columns));
        match groups.max() {
            Some(group) if self.head.is_some() => {
                least.next_multiple_of(group.max(ROWS * row).next_multiple_of(row))
            }
            Some(group) if group.is_multiple_of(self.columns) => least.next_multiple_of(group),
            Some(group) => least.max(group).next_multiple_of(self.columns),
            None => (least / row).max(1) * row,
        }
    }

    /// The element type of what is written for a node, and which elements a piece of so many writes.
    fn result(&self, node: NodeId, piece: usize) -> (DType, Space) {
        let dtype = self.graph.ty(node).dtype;
        let (Role::Columns(_), Op::Reduce(op)) = (role(self.graph, node), &self.graph.node(node).op) else {
            return (dtype, self.space(node));
        };
        let is_one = self.region.extent.len() <= piece;
        let written = if is_one { dtype } else { total_of(op.kind, dtype) };
        (written, Space::Groups { columns: numel(self.graph, node), piece })
    }

    /// The operands that are only ever read at the position that is being written.
    fn in_place(&self, instructions: &[(usize, Instruction)], results: &[(DType, Space)]) -> Vec<usize> {
        let mut along: Vec<bool> =
            self.region.operands.iter().map(|operand| !self.region.held.contains(operand)).collect();
        for (_, instruction) in instructions {
            if let Action::Load { input, .. } = instruction.action {
                along[input] = false;
            }
        }
        for fixed in &self.fixed {
            if let FixedValue::Element { input, .. } | FixedValue::Repeat { input, .. } = fixed.value {
                along[input] = false;
            }
        }
        // What rows come to is written when the piece ends, not where an operand was read.
        for (dtype, space) in results.iter().filter(|(_, space)| matches!(space, Space::Groups { .. })) {
            let written = space.part(0..self.region.extent.len(), self.columns).len();
            for (along, operand) in along.iter_mut().zip(&self.region.operands) {
                let read = (self.graph.ty(*operand).dtype, numel(self.graph, *operand));
                *along &= read != (*dtype, written);
            }
        }
        (0..along.len()).filter(|at| along[*at]).collect()
    }
}
