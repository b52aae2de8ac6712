//! Reverse mode: one sweep of node ids downwards, calling each op's pullback.
//!
//! The active nodes are those that depend on a variable and that an output depends on. Ids are a topological order, so
//! when the sweep meets a node, every user of it has already contributed to its cotangent. Contributions are summed in
//! the order in which they arrive, which the ids alone determine.

use pullback_graph::op::{Partial, Site};
use pullback_graph::{Builder, Expr, NodeId, Op, OpRules, ScopeId};

use crate::error::{GradError, expect_type};

/// What to answer for a variable that the loss does not depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disconnected {
    /// [`GradError::Disconnected`]: most often the variable was forgotten.
    #[default]
    Error,
    /// Zeros, made by the rule `disconnected`.
    Zeros,
}

/// How to differentiate.
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
pub fn grad<'g, const N: usize>(loss: Expr<'g>, wrt: [Expr<'g>; N]) -> Result<[Expr<'g>; N], GradError> {
    let found = gradients(loss, &wrt, &GradOptions::default())?;
    Ok(std::array::from_fn(|i| found[i]))
}

/// [`grad`] with options, for any number of variables.
///
/// # Errors
/// As [`grad`].
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
    let root = builder.open_scope("grad");
    let active = active_nodes(builder, outputs, wrt);
    let mut arrived = vec![Arrived::Nothing; active.last().map_or(0, |id| id.index() + 1)];
    let walk = Walk { builder, root, options };

    for (at, output) in outputs.iter().enumerate() {
        let seed = || match cotangents {
            Some(cotangents) => cotangents[at],
            None => walk.make("seed", *output, || output.ones_like()),
        };
        if let Some(slot) = arrived.get_mut(output.id().index()) {
            walk.add(slot, *output, seed());
        }
    }
    let is_active = ActiveSet::of(&active);
    for id in active.iter().rev() {
        match arrived[id.index()] {
            Arrived::Nothing => {}
            Arrived::Zero => {
                let node = builder.expr(*id);
                let passes = !matches!(node.op(), Op::StopGradient(_));
                for operand in
                    node.operands().iter().filter(|operand| passes && is_active.contains(operand.id()))
                {
                    let slot = &mut arrived[operand.id().index()];
                    if matches!(slot, Arrived::Nothing) {
                        *slot = Arrived::Zero;
                    }
                }
            }
            Arrived::Sum(cotangent) => walk.visit(*id, cotangent, &is_active, &mut arrived)?,
        }
    }
    let answer = |variable: &Expr<'g>| {
        let arrived = arrived.get(variable.id().index()).copied().unwrap_or(Arrived::Nothing);
        match arrived {
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
        }
    };
    wrt.iter().map(answer).collect()
}

/// The nodes between the variables and the outputs, ascending: those through which a derivative may flow.
fn active_nodes(builder: &Builder, outputs: &[Expr<'_>], wrt: &[Expr<'_>]) -> Vec<NodeId> {
    // The snapshot shares the builder's nodes and is dropped before any are appended, so nothing is copied.
    let graph = builder.snapshot();
    let last = outputs.iter().map(|output| output.id().index()).max().unwrap_or(0);
    let mut depends = vec![false; last + 1];
    for variable in wrt.iter().filter(|variable| variable.id().index() <= last) {
        depends[variable.id().index()] = true;
    }
    for at in 0..=last {
        let node = &graph.nodes()[at];
        let reached = node.operands.iter().any(|operand| depends[operand.index()]);
        depends[at] |= reached && node.ty.dtype.is_float();
    }
    let mut wanted = vec![false; last + 1];
    for output in outputs {
        wanted[output.id().index()] = true;
    }
    for at in (0..=last).rev().filter(|at| depends[*at]) {
        if wanted[at] {
            for operand in &graph.nodes()[at].operands {
                wanted[operand.index()] = true;
            }
        }
    }
    (0..=last).filter(|at| depends[*at] && wanted[*at]).map(NodeId::new).collect()
}

/// Membership in the active nodes.
struct ActiveSet(Vec<bool>);

impl ActiveSet {
    fn of(active: &[NodeId]) -> Self {
        let mut members = vec![false; active.last().map_or(0, |id| id.index() + 1)];
        for id in active {
            members[id.index()] = true;
        }
        ActiveSet(members)
    }

    fn contains(&self, id: NodeId) -> bool {
        self.0.get(id.index()).copied().unwrap_or(false)
    }
}

/// What every step of the sweep needs.
struct Walk<'g, 'o> {
    builder: &'g Builder,
    root: ScopeId,
    options: &'o GradOptions,
}

impl<'g> Walk<'g, '_> {
    /// Appends nodes of the walk itself, on behalf of `of`.
    fn make(&self, rule: &str, of: Expr<'g>, build: impl FnOnce() -> Expr<'g>) -> Expr<'g> {
        self.builder.deriving(self.root, of.id(), rule, build)
    }

    /// Adds a contribution to what has reached `operand`.
    fn add(&self, slot: &mut Arrived<'g>, operand: Expr<'g>, contribution: Expr<'g>) {
        *slot = Arrived::Sum(match *slot {
            Arrived::Nothing | Arrived::Zero => contribution,
            Arrived::Sum(sum) => self.make("accumulate", operand, || sum + contribution),
        });
    }

    /// Applies the pullback of node `id`.
    fn visit(
        &self,
        id: NodeId,
        cotangent: Expr<'g>,
        active: &ActiveSet,
        arrived: &mut [Arrived<'g>],
    ) -> Result<(), GradError> {
        let result = self.builder.expr(id);
        if self.options.link {
            self.builder.link_cotangent(result, cotangent);
        }
        let op = result.op();
        let operands = result.operands();
        let site = Site {
            wanted: operands.iter().map(|operand| active.contains(operand.id())).collect(),
            operands: operands.iter().copied().collect(),
            result,
            cotangent,
        };
        let name = op.name();
        let partials = self.builder.deriving(self.root, id, &name, || op.pullback(&site));
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
            let slot = &mut arrived[operand.id().index()];
            match partials[at] {
                Partial::Flows(partial) => {
                    let (expected, got) = (operand.ty(), partial.ty());
                    if expected != got {
                        return Err(wrong(format!("operand {at} is {expected}, its cotangent {got}")));
                    }
                    self.add(slot, operand, partial);
                }
                Partial::Flat => {
                    if matches!(slot, Arrived::Nothing) {
                        *slot = Arrived::Zero;
                    }
                }
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
