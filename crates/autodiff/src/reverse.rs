//! Reverse mode: one sweep of node ids downwards, calling each op's pullback.
//!
//! The active nodes are those that depend on a variable and that an output depends on. Ids are a topological order, so
//! when the sweep meets a node, every user of it has already contributed to its cotangent. Contributions are summed in
//! the order in which they arrive, which the ids alone determine.

use std::collections::BTreeMap;

use pullback_graph::op::{Partial, Site};
use pullback_graph::{Builder, Expr, NodeId, Op, OpRules, ScopeId};

use crate::checkpoint::recompute;
use crate::error::{GradError, expect_type};
use crate::join::join;

/// What to answer for a variable that the loss does not depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disconnected {
    /// [`GradError::Disconnected`]: most often the variable was forgotten.
    #[default]
    Error,
    /// Zeros, made by the rule `disconnected`.
    Zeros,
}

/// How to differentiate. Made with [`GradOptions::default`] and changed by the methods of the same name.
///
/// ```
/// use pullback_autodiff::{Disconnected, GradOptions};
/// let options = GradOptions::default().disconnected(Disconnected::Zeros);
/// assert_eq!(options.disconnected, Disconnected::Zeros);
/// ```
#[derive(Clone, Debug)]
pub struct GradOptions {
    /// What to answer for a variable that the loss does not depend on.
    pub disconnected: Disconnected,
    /// Whether dumps are told which node holds the gradient of which forward node.
    pub link: bool,
}

impl Default for GradOptions {
    fn default() -> Self {
        GradOptions { disconnected: Disconnected::Error, link: true }
    }
}

impl GradOptions {
    /// See [`GradOptions::disconnected`](field@GradOptions::disconnected).
    #[must_use]
    pub fn disconnected(self, disconnected: Disconnected) -> Self {
        GradOptions { disconnected, ..self }
    }

    /// See [`GradOptions::link`](field@GradOptions::link).
    #[must_use]
    pub fn link(self, link: bool) -> Self {
        GradOptions { link, ..self }
    }

    /// Zeros for disconnected variables and no links: how transforms differentiate inside.
    pub(crate) fn inner() -> Self {
        GradOptions { disconnected: Disconnected::Zeros, link: false }
    }
}

/// The gradient of a scalar with respect to each variable.
///
/// Nodes appended: a constant times the active nodes; time likewise.
///
/// ```
/// use pullback_autodiff::grad;
/// use pullback_graph::{Builder, DType::F64, Tensor, interpret};
/// let b = Builder::new();
/// let x = b.input("x", F64, [2]);
/// let [dx] = grad(x.square().sum(), [x])?;
/// let graph = b.finish([("dx", dx)])?;
/// let values = interpret(&graph, [("x", &Tensor::of([2], [3.0, 4.0]))])?;
/// assert_eq!(values.output("dx")?, &Tensor::of([2], [6.0, 8.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`GradError`]: the loss is no floating-point scalar, a variable is not floating-point or disconnected, or an op on
/// the path has no derivative.
#[track_caller]
pub fn grad<'g, const N: usize>(loss: Expr<'g>, wrt: [Expr<'g>; N]) -> Result<[Expr<'g>; N], GradError> {
    let found = gradients(loss, &wrt, &GradOptions::default())?;
    Ok(std::array::from_fn(|i| found[i]))
}

/// [`grad`] with options, for any number of variables.
///
/// ```
/// use pullback_autodiff::{Disconnected, GradOptions, gradients};
/// use pullback_graph::{Builder, DType::F64};
/// let b = Builder::new();
/// let parameters = [b.parameter("w", F64, [2]), b.parameter("unused", F64, [3])];
/// let loss = parameters[0].square().sum();
/// assert!(gradients(loss, &parameters, &GradOptions::default()).is_err());
/// let options = GradOptions::default().disconnected(Disconnected::Zeros);
/// let found = gradients(loss, &parameters, &options)?;
/// assert_eq!(found[1].ty().to_string(), "f64[3]");
/// # Ok::<(), pullback_autodiff::GradError>(())
/// ```
///
/// # Errors
/// As [`grad`].
#[track_caller]
pub fn gradients<'g>(
    loss: Expr<'g>,
    wrt: &[Expr<'g>],
    options: &GradOptions,
) -> Result<Vec<Expr<'g>>, GradError> {
    let ty = loss.ty();
    if ty.rank() != 0 {
        return Err(GradError::NotScalar { node: loss.id(), ty, at: loss.source() });
    }
    sweep(&[loss], None, wrt, options)
}

/// The vector-Jacobian product: `Σ over outputs of cotangentᵀ · ∂output/∂variable`, for each variable.
///
/// # Errors
/// As [`grad`], and [`GradError::Seed`] when a cotangent does not have its output's type.
pub fn vjp<'g, const M: usize, const N: usize>(
    outputs: [Expr<'g>; M],
    cotangents: [Expr<'g>; M],
    wrt: [Expr<'g>; N],
) -> Result<[Expr<'g>; N], GradError> {
    let found = pullback(&outputs, &cotangents, &wrt, &GradOptions::default())?;
    Ok(std::array::from_fn(|i| found[i]))
}

/// [`vjp`] with options, for any number of outputs and variables.
///
/// # Errors
/// As [`vjp`].
///
/// # Panics
/// When there is not one cotangent per output.
#[track_caller]
pub fn pullback<'g>(
    outputs: &[Expr<'g>],
    cotangents: &[Expr<'g>],
    wrt: &[Expr<'g>],
    options: &GradOptions,
) -> Result<Vec<Expr<'g>>, GradError> {
    assert_eq!(outputs.len(), cotangents.len(), "one cotangent per output");
    for (output, cotangent) in outputs.iter().zip(cotangents) {
        expect_type("cotangent", *output, *cotangent)?;
    }
    sweep(outputs, Some(cotangents), wrt, options)
}

/// What has reached a node so far.
#[derive(Clone, Copy)]
enum Arrived<'g> {
    /// Nothing: no path, as far as the sweep has come.
    Nothing,
    /// A path on which the derivative is zero.
    Zero,
    /// The sum of the contributions.
    Sum(Expr<'g>),
}

/// The sweep; without cotangents every output's is one.
fn sweep<'g>(
    outputs: &[Expr<'g>],
    cotangents: Option<&[Expr<'g>]>,
    wrt: &[Expr<'g>],
    options: &GradOptions,
) -> Result<Vec<Expr<'g>>, GradError> {
    let Some(first) = outputs.first() else { return Ok(Vec::new()) };
    if let Some(other) = outputs.iter().chain(wrt).find(|expr| !expr.dtype().is_float()) {
        return Err(GradError::not_differentiable(*other));
    }
    let builder = first.builder();
    let all = outputs.iter().chain(cotangents.unwrap_or_default()).chain(wrt);
    if let Some(foreign) = all.into_iter().find(|expr| !std::ptr::eq(expr.builder(), builder)) {
        return Err(GradError::Foreign { node: foreign.id(), ty: foreign.ty(), at: foreign.source() });
    }
    let again = BTreeMap::new();
    let walk = Walk { builder, root: builder.open_scope("grad"), options, again: &again };
    let seeds = outputs.iter().enumerate().map(|(at, output)| match cotangents {
        Some(cotangents) => cotangents[at],
        None => walk.make("seed", *output, || output.ones_like()),
    });
    let seeds: Vec<Expr<'g>> = seeds.collect();
    let answer = |(variable, arrived): (&Expr<'g>, Arrived<'g>)| match arrived {
        Arrived::Sum(sum) => Ok(sum),
        Arrived::Zero => Ok(walk.make("zero", *variable, || variable.zeros_like())),
        Arrived::Nothing if options.disconnected == Disconnected::Zeros => {
            Ok(walk.make("disconnected", *variable, || variable.zeros_like()))
        }
        Arrived::Nothing => Err(GradError::Disconnected {
            loss: first.id(),
            variable: variable.id(),
            label: variable.label().map(|label| label.to_string()),
            at: variable.source(),
        }),
    };
    wrt.iter().zip(walk.arrivals(outputs, &seeds, wrt, &[])?).map(answer).collect()
}

/// The nodes between the variables and the outputs: those through which a derivative may flow. The list begins at the
/// first variable, before which nothing depends on any.
struct Active {
    base: usize,
    members: Vec<bool>,
}

impl Active {
    fn between(builder: &Builder, wrt: &[Expr<'_>], outputs: &[Expr<'_>]) -> Self {
        // The snapshot shares the builder's nodes and is dropped before any are appended, so nothing is copied.
        let graph = builder.snapshot();
        let base = wrt.iter().map(|variable| variable.id().index()).min().unwrap_or(graph.len());
        let end = outputs.iter().map(|output| output.id().index() + 1).max().unwrap_or(0).max(base);
        let mut depends = vec![false; end - base];
        for variable in wrt.iter().filter(|variable| variable.id().index() < end) {
            depends[variable.id().index() - base] = true;
        }
        for at in base..end {
            let node = &graph.nodes()[at];
            let reached = node.operands.iter().enumerate().any(|(index, operand)| {
                operand.index() >= base && depends[operand.index() - base] && !node.op.blocks(index)
            });
            depends[at - base] |= reached && node.ty.dtype.is_float();
        }
        let mut wanted = vec![false; end - base];
        for output in outputs.iter().filter(|output| output.id().index() >= base) {
            wanted[output.id().index() - base] = true;
        }
        for at in (base..end).rev().filter(|at| depends[*at - base]) {
            if wanted[at - base] {
                for operand in graph.nodes()[at].operands.iter().filter(|operand| operand.index() >= base) {
                    wanted[operand.index() - base] = true;
                }
            }
        }
        let members = depends.into_iter().zip(wanted).map(|(depends, wanted)| depends && wanted);
        Active { base, members: members.collect() }
    }

    fn contains(&self, id: NodeId) -> bool {
        id.index().checked_sub(self.base).and_then(|at| self.members.get(at)).copied().unwrap_or(false)
    }

    /// The members, descending.
    fn descending(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        (0..self.members.len()).rev().filter(|at| self.members[*at]).map(|at| NodeId::new(self.base + at))
    }
}

/// What has reached each active node.
struct Arrivals<'g> {
    base: usize,
    slots: Vec<Arrived<'g>>,
}

impl<'g> Arrivals<'g> {
    fn at(&self, id: NodeId) -> Arrived<'g> {
        let slot = id.index().checked_sub(self.base).and_then(|at| self.slots.get(at));
        slot.copied().unwrap_or(Arrived::Nothing)
    }

    fn slot(&mut self, id: NodeId) -> &mut Arrived<'g> {
        &mut self.slots[id.index() - self.base]
    }

    /// Records a path on which the derivative is zero.
    fn add_zero(&mut self, id: NodeId) {
        let slot = self.slot(id);
        if matches!(slot, Arrived::Nothing) {
            *slot = Arrived::Zero;
        }
    }
}

/// What every step of a sweep needs.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'g, 'o> {
    pub(crate) builder: &'g Builder,
    /// The box of what is appended.
    pub(crate) root: ScopeId,
    pub(crate) options: &'o GradOptions,
    /// The forward nodes behind those that have been computed again.
    pub(crate) again: &'o BTreeMap<NodeId, NodeId>,
}

impl<'g> Walk<'g, '_> {
    /// The user's node behind `id`.
    pub(crate) fn forward(&self, id: NodeId) -> NodeId {
        self.again.get(&id).copied().unwrap_or(id)
    }

    /// Appends nodes of the walk itself, on behalf of `of`.
    fn make(&self, rule: &str, of: Expr<'g>, build: impl FnOnce() -> Expr<'g>) -> Expr<'g> {
        self.builder.deriving(self.root, self.forward(of.id()), rule, build)
    }

    /// What reaches each variable from the outputs, given their cotangents, and added to what has reached it `before`.
    fn arrivals(
        &self,
        outputs: &[Expr<'g>],
        seeds: &[Expr<'g>],
        wrt: &[Expr<'g>],
        before: &[Arrived<'g>],
    ) -> Result<Vec<Arrived<'g>>, GradError> {
        let builder = self.builder;
        let active = Active::between(builder, wrt, outputs);
        let mut arrived = Arrivals { base: active.base, slots: vec![Arrived::Nothing; active.members.len()] };
        for (variable, before) in
            wrt.iter().zip(before).filter(|(variable, _)| active.contains(variable.id()))
        {
            *arrived.slot(variable.id()) = *before;
        }
        for (output, seed) in outputs.iter().zip(seeds).filter(|(output, _)| active.contains(output.id())) {
            self.add(&mut arrived, *output, *seed);
        }
        let mut done = None;
        for id in active.descending() {
            // A region with several results is computed again once, at its last.
            if done.is_some_and(|done| id >= done) {
                continue;
            }
            match arrived.at(id) {
                Arrived::Nothing => {}
                Arrived::Zero => {
                    let node = builder.expr(id);
                    let op = node.op();
                    for (index, operand) in node.operands().into_iter().enumerate() {
                        if active.contains(operand.id()) && !op.blocks(index) {
                            arrived.add_zero(operand.id());
                        }
                    }
                }
                Arrived::Sum(cotangent) => match builder.expr(id).op() {
                    Op::Checkpoint(_) => {
                        let first = self.visit_region(id, wrt, &active, &mut arrived)?;
                        done = Some(first);
                    }
                    _ => self.visit(id, cotangent, &active, &mut arrived)?,
                },
            }
        }
        Ok(wrt.iter().map(|variable| arrived.at(variable.id())).collect())
    }

    /// Adds a contribution to what has reached `operand`.
    fn add(&self, arrived: &mut Arrivals<'g>, operand: Expr<'g>, contribution: Expr<'g>) {
        let sum = match arrived.at(operand.id()) {
            Arrived::Nothing | Arrived::Zero => contribution,
            Arrived::Sum(sum) => self.make("accumulate", operand, || {
                join(sum, contribution).unwrap_or_else(|| sum + contribution)
            }),
        };
        *arrived.slot(operand.id()) = Arrived::Sum(sum);
    }

    /// Computes the region again of which checkpoint `last` is the last result, and carries the cotangents of its results
    /// back to what the region reads. Gives the first checkpoint of the region.
    fn visit_region(
        &self,
        last: NodeId,
        wrt: &[Expr<'g>],
        active: &Active,
        arrived: &mut Arrivals<'g>,
    ) -> Result<NodeId, GradError> {
        let read =
            |id: NodeId| self.builder.expr(id).operands()[1..].iter().map(|x| x.id()).collect::<Vec<_>>();
        let reads = read(last);
        let (mut results, mut cotangents, mut first) = (Vec::new(), Vec::new(), last);
        let is_one =
            |id: &NodeId| matches!(self.builder.expr(*id).op(), Op::Checkpoint(_)) && read(*id) == reads;
        // The results of one region stand side by side, and all that reads them stands behind.
        let before = (active.base..=last.index()).rev().map(NodeId::new);
        for id in before.take_while(is_one).filter(|id| active.contains(*id)) {
            let result = self.builder.expr(id);
            let operand = result.operands()[0];
            match arrived.at(id) {
                Arrived::Nothing => {}
                Arrived::Zero => arrived.add_zero(operand.id()),
                Arrived::Sum(cotangent) => {
                    if self.options.link {
                        self.builder.link_cotangent(result, cotangent);
                    }
                    results.push(result);
                    cotangents.push(cotangent);
                }
            }
            first = id;
        }
        let region =
            recompute(self, &results, &cotangents, &wrt.iter().map(|variable| variable.id()).collect());
        let inside: Vec<(Expr<'g>, Expr<'g>)> =
            region.boundary.iter().copied().filter(|(outer, _)| active.contains(outer.id())).collect();
        let variables: Vec<Expr<'g>> = inside.iter().map(|(_, inner)| *inner).collect();
        let options = GradOptions { link: false, ..self.options.clone() };
        let walk = Walk { again: &region.again, options: &options, ..*self };
        // Contributions are added in the order in which they would be without the checkpoint: to the same bits.
        let before: Vec<Arrived<'g>> = inside.iter().map(|(outer, _)| arrived.at(outer.id())).collect();
        let found = walk.arrivals(&region.results, &cotangents, &variables, &before)?;
        for ((outer, _), found) in inside.iter().zip(found) {
            if !matches!(found, Arrived::Nothing) {
                *arrived.slot(outer.id()) = found;
            }
        }
        Ok(first)
    }

    /// Applies the pullback of node `id`.
    fn visit(
        &self,
        id: NodeId,
        cotangent: Expr<'g>,
        active: &Active,
        arrived: &mut Arrivals<'g>,
    ) -> Result<(), GradError> {
        let result = self.builder.expr(id);
        if self.options.link {
            self.builder.link_cotangent(result, cotangent);
        }
        let op = result.op();
        let operands = result.operands();
        let wanted = operands.iter().enumerate();
        let site = Site {
            wanted: wanted.map(|(at, operand)| active.contains(operand.id()) && !op.blocks(at)).collect(),
            operands: operands.iter().copied().collect(),
            result,
            cotangent,
        };
        let name = op.name();
        let partials = self.builder.deriving(self.root, self.forward(id), &name, || op.pullback(&site));
        let wrong = |message: String| GradError::Rule {
            node: id,
            op: name.to_string(),
            message,
            at: result.source(),
        };
        if partials.len() != operands.len() {
            return Err(wrong(format!("{} operands, but {} partials", operands.len(), partials.len())));
        }
        for (at, operand) in operands.into_iter().enumerate().filter(|(at, _)| site.wants(*at)) {
            match partials[at] {
                Partial::Flows(partial) => {
                    let (expected, got) = (operand.ty(), partial.ty());
                    if expected != got {
                        return Err(wrong(format!("operand {at} is {expected}, its cotangent {got}")));
                    }
                    self.add(arrived, operand, partial);
                }
                Partial::Flat => arrived.add_zero(operand.id()),
                Partial::Stops => {}
                Partial::Unsupported(reason) => {
                    let (op, at) = (name.to_string(), result.source());
                    return Err(GradError::Unsupported { node: id, op, reason, at });
                }
            }
        }
        Ok(())
    }
}
