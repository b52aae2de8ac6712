//! What a closure says of one element, for all elements of a leading axis.
//!
//! The closure runs once, on examples: zeros of the type of one element. The nodes that it appends are then taken away and
//! written anew: those that depend on an example by their op's rule for a leading axis, the others as they were, once
//! for all elements. Each keeps its line, scope, label and role.

use smallvec::{SmallVec, smallvec};

use super::Builder;
use crate::dim::Dim;
use crate::error::BatchError;
use crate::expr::Expr;
use crate::graph::{Graph, Node};
use crate::id::NodeId;
use crate::op::{Batch, Input, Literal, Op, OpRules, Scalar};
use crate::provenance::{CotangentLink, Origin, Provenance, Role};
use crate::shape::{Shape, TensorType};

/// What stands for a node that was written for one element.
#[derive(Clone, Copy, Debug)]
enum Place<'g> {
    /// The same for every element.
    Shared(Expr<'g>),
    /// One value per element, along an axis in front.
    Mapped(Expr<'g>),
}

/// Nodes that a closure has appended.
struct Taken {
    start: usize,
    nodes: Vec<Node>,
    provenance: Vec<Provenance>,
    cotangents: Vec<CotangentLink>,
}

impl Builder {
    /// Runs `build` on one example per input, and gives what it would give for every element of the inputs' leading axis,
    /// stacked along a new leading axis.
    ///
    /// The closure may use other expressions: what does not depend on an example is computed once, and a result that does
    /// not is repeated. Handles to nodes that depend on an example end with the closure; using one later panics.
    ///
    /// # Errors
    /// The closure's own; [`BatchError`] when an input has no leading axis, the axes' sizes differ, or an op that depends
    /// on an example has no rule for a leading axis.
    ///
    /// # Panics
    /// When there are no inputs, or one belongs to another builder.
    #[track_caller]
    pub fn over_leading_axis<'g, E: From<BatchError>>(
        &'g self,
        inputs: &[Expr<'g>],
        build: impl FnOnce(&[Expr<'g>]) -> Result<Vec<Expr<'g>>, E>,
    ) -> Result<Vec<Expr<'g>>, E> {
        let size = common_size(inputs)?;
        for input in inputs {
            input.id_in(self);
        }
        let caller = std::panic::Location::caller();
        let start = self.len();
        let examples: Vec<Expr<'g>> =
            self.at_line(caller, || inputs.iter().map(|input| example(*input)).collect());
        let found = build(&examples)?;
        let found: Vec<NodeId> = found.iter().map(|expr| expr.id_in(self)).collect();

        let taken = self.take(start);
        let mut places: Vec<Option<Place<'g>>> =
            inputs.iter().map(|input| Some(Place::Mapped(*input))).collect();
        let written = self.write_anew(&taken, &mut places, &size);
        let shared = places.iter().enumerate().map(|(at, place)| match place {
            Some(Place::Shared(expr)) if at >= inputs.len() => Some(expr.id()),
            _ => None,
        });
        let shared = shared.chain(std::iter::repeat(None)).take(taken.nodes.len()).collect();
        // Ids found so far are of the era that has begun with taking the nodes away.
        self.moves.borrow_mut().settle(shared);
        written?;
        let result = |id: &NodeId| {
            let place = match id.index().checked_sub(start) {
                Some(at) => places[at].expect("every node has been written anew"),
                None => Place::Shared(self.expr(*id)),
            };
            self.at_line(caller, || place.along(&size))
        };
        Ok(found.iter().map(result).collect())
    }

    /// Takes away the nodes from `start` on. Handles to them name nothing, until they are given places.
    fn take(&self, start: usize) -> Taken {
        let mut state = self.state.borrow_mut();
        let body = std::sync::Arc::make_mut(&mut state.body);
        let nodes = body.nodes.split_off(start);
        let provenance = body.provenance.split_off(start);
        body.inputs.retain(|id| id.index() < start);
        let is_kept = |link: &CotangentLink| link.forward.index().max(link.gradient.index()) < start;
        let (kept, cotangents) = body.cotangents.iter().partition(|link| is_kept(link));
        body.cotangents = kept;
        self.moves.borrow_mut().push(start, vec![None; nodes.len()]);
        Taken { start, nodes, provenance, cotangents }
    }

    /// Writes what stands for each node that was taken; `places` holds the examples' to begin with.
    fn write_anew<'g>(
        &'g self,
        taken: &Taken,
        places: &mut Vec<Option<Place<'g>>>,
        size: &Dim,
    ) -> Result<(), BatchError> {
        let examples = places.len();
        let place_of = |places: &[Option<Place<'g>>], id: NodeId| match id.index().checked_sub(taken.start) {
            Some(at) => places[at].expect("operands come before their users"),
            None => Place::Shared(self.expr(id)),
        };
        for (at, node) in taken.nodes.iter().enumerate().skip(examples) {
            let operands: SmallVec<[Place<'g>; 2]> =
                node.operands.iter().map(|operand| place_of(places, *operand)).collect();
            let origin = self.translate(taken, places, at);
            let before = self.len();
            let Provenance { scope, label, .. } = &taken.provenance[at];
            let place =
                self.pin(origin, || self.within(*scope, || along_leading_axis(self, node, &operands, size)));
            let place = place.map_err(|fault| {
                let at_line = origin
                    .source
                    .map(|source| self.read(|body| body.sources.items()[source.index()].clone()));
                fault.at(NodeId::new(taken.start + at), node, at_line)
            })?;
            let made = place.expr().id();
            if label.is_some() && made.index() >= before {
                std::sync::Arc::make_mut(&mut self.state.borrow_mut().body).provenance[made.index()].label =
                    *label;
            }
            places.push(Some(place));
        }
        for link in &taken.cotangents {
            self.link_cotangent(
                place_of(places, link.forward).expr(),
                place_of(places, link.gradient).expr(),
            );
        }
        Ok(())
    }

    /// Where the node that was taken as number `at` comes from, in the ids of today.
    fn translate(&self, taken: &Taken, places: &[Option<Place<'_>>], at: usize) -> Origin {
        let mut origin = taken.provenance[at].origins[0];
        if let Role::Gradient { forward: Some(forward), .. } = &mut origin.role
            && let Some(moved) = forward.index().checked_sub(taken.start)
        {
            *forward = places[moved].expect("forward nodes come before their gradients").expr().id();
        }
        origin
    }
}

impl Graph {
    /// The graph applied to every element of a leading axis of the inputs for which `mapped` holds; every output gets
    /// that axis. `None` when an op has no rule for it.
    pub(crate) fn over_leading_axis(&self, mapped: &[bool], size: &Dim) -> Option<Graph> {
        let builder = Builder::new();
        let mut places: Vec<Place<'_>> = Vec::with_capacity(self.len());
        let mut inputs = mapped.iter();
        for node in self.nodes() {
            let place = match &node.op {
                Op::Input(input) if *inputs.next()? => {
                    let ty = with_axis(&input.ty, size);
                    Place::Mapped(builder.leaf(Input { ty, ..input.clone() }))
                }
                _ => {
                    let operands: SmallVec<[Place<'_>; 2]> =
                        node.operands.iter().map(|operand| places[operand.index()]).collect();
                    along_leading_axis(&builder, node, &operands, size).ok()?
                }
            };
            places.push(place);
        }
        let outputs = self.outputs().iter().map(|output| {
            let node = places[output.node.index()].along(size);
            (output.name.clone(), node)
        });
        builder.finish(outputs.collect::<Vec<_>>()).ok()
    }
}

impl<'g> Place<'g> {
    fn expr(self) -> Expr<'g> {
        match self {
            Place::Shared(expr) | Place::Mapped(expr) => expr,
        }
    }

    /// The value with the leading axis.
    #[track_caller]
    fn along(self, size: &Dim) -> Expr<'g> {
        match self {
            Place::Mapped(expr) => expr,
            Place::Shared(expr) => {
                Batch { operands: smallvec![expr], mapped: smallvec![false], size: size.clone() }.spread(0)
            }
        }
    }
}

/// Why a node cannot be written for every element.
enum Fault {
    /// Its op has no rule.
    NoRule,
    /// The rule gave this type.
    Wrong { expected: TensorType, got: TensorType },
}

impl Fault {
    fn at(self, id: NodeId, node: &Node, at: Option<crate::provenance::Source>) -> BatchError {
        let op = node.op.name().to_string();
        match self {
            Fault::NoRule => BatchError::NoRule { node: id, op, at },
            Fault::Wrong { expected, got } => BatchError::Rule { node: id, op, expected, got, at },
        }
    }
}

/// `node` over these operands: by its op's rule if one of them has the leading axis, else as it is.
fn along_leading_axis<'g>(
    builder: &'g Builder,
    node: &Node,
    operands: &[Place<'g>],
    size: &Dim,
) -> Result<Place<'g>, Fault> {
    let exprs: SmallVec<[Expr<'g>; 2]> = operands.iter().map(|place| place.expr()).collect();
    let mapped: SmallVec<[bool; 2]> =
        operands.iter().map(|place| matches!(place, Place::Mapped(_))).collect();
    if !mapped.contains(&true) {
        let same = builder.push(node.op.clone(), &exprs);
        return Ok(Place::Shared(same.expect("the same op fitted operands of the same types")));
    }
    let result =
        node.op.batch(&Batch { operands: exprs, mapped, size: size.clone() }).ok_or(Fault::NoRule)?;
    let (expected, got) = (with_axis(&node.ty, size), result.ty());
    if expected == got { Ok(Place::Mapped(result)) } else { Err(Fault::Wrong { expected, got }) }
}

fn with_axis(ty: &TensorType, size: &Dim) -> TensorType {
    ty.with_shape(ty.shape.behind(size.clone()))
}

/// Zeros like one element of `input`: whatever the closure makes of them is taken away again.
fn example(input: Expr<'_>) -> Expr<'_> {
    let ty = input.ty();
    let shape: Shape = ty.shape[1..].iter().cloned().collect();
    let value = Scalar::of(ty.dtype, 0.0).expect("every type has a zero");
    let example = input.builder().leaf(Literal { value, shape });
    match input.label() {
        Some(label) => example.named(&label),
        None => example,
    }
}

/// The size of the inputs' leading axis.
fn common_size(inputs: &[Expr<'_>]) -> Result<Dim, BatchError> {
    let size_of = |input: Expr<'_>| {
        let ty = input.ty();
        match ty.shape.first() {
            Some(size) => Ok(size.clone()),
            None => Err(BatchError::NoAxis { node: input.id(), ty: ty.clone(), at: input.source() }),
        }
    };
    let first = *inputs.first().expect("there is at least one input to map over");
    let size = size_of(first)?;
    for input in &inputs[1..] {
        if size_of(*input)? != size {
            return Err(BatchError::Sizes {
                first: first.id(),
                first_ty: first.ty(),
                node: input.id(),
                ty: input.ty(),
                at: input.source(),
            });
        }
    }
    Ok(size)
}
