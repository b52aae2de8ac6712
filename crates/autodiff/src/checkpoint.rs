//! Regions that are computed again instead of being kept: memory for time.
//!
//! A [`Checkpoint`] node is its first operand, and names what the region before it reads. When the sweep meets one, it
//! appends the region once more over barriers: what the region reads, not before the cotangent has arrived. So nothing
//! of the first computation need be kept but what the region reads, no pass merges the two, and no schedule can start the
//! second early. Ops are pure, so both give the same bits.

use std::collections::{BTreeMap, BTreeSet};

use pullback_graph::op::Checkpoint;
use pullback_graph::{Expr, NodeId, Op, OpClass, OpRules};

use crate::reverse::Walk;
use crate::vmap::Exprs;

/// `region(inputs)`, of which only what it reads is kept for differentiation: the rest is computed again then.
///
/// Gives what the closure gives: an expression, or an array, tuple or `Vec` of them, bit for bit. The closure may use other
/// expressions; they count as inputs. Cut a deep network into `√n` regions of equal size, and its gradient needs memory
/// for about `2√n` layers instead of `n`, for one more forward pass (Chen et al., "Training Deep Nets with Sublinear
/// Memory Cost", 2016). Regions nest.
///
/// ```
/// use pullback_autodiff::{checkpoint, grad};
/// use pullback_graph::{Builder, DType::F64};
/// let b = Builder::new();
/// let (x, w) = (b.input("x", F64, [8]), b.input("w", F64, [8]));
/// let h = checkpoint("first", [x], |[x]| (x * w).tanh().exp().sin());
/// let y = checkpoint("second", [h], |[h]| (h * w).tanh().exp().sin());
/// let [dw] = grad(y.sum(), [w])?;
/// # let _ = dw;
/// # Ok::<(), pullback_autodiff::GradError>(())
/// ```
///
/// # Panics
/// When there are no inputs.
#[track_caller]
pub fn checkpoint<'g, const N: usize, R: Exprs<'g>>(
    name: &str,
    inputs: [Expr<'g>; N],
    region: impl FnOnce([Expr<'g>; N]) -> R,
) -> R {
    let builder = inputs.first().expect("a region has inputs").builder();
    let caller = std::panic::Location::caller();
    let start = builder.len();
    builder.scope(name, || {
        let mut results = region(inputs);
        let mut ends = Vec::new();
        results.visit(&mut |result| {
            if result.id().index() >= start && result.dtype().is_float() {
                ends.push(*result);
            }
        });
        let read = reads(&ends, |node| node.id().index() < start || matches!(node.op(), Op::Input(_)));
        let reads: Vec<Expr<'g>> = read.outside.into_iter().map(|id| builder.expr(id)).collect();
        results.visit(&mut |result| {
            if result.id().index() >= start && result.dtype().is_float() {
                *result = builder.at_line(caller, || result.apply_to(Checkpoint, &reads));
            }
        });
        results
    })
}

/// What lies before some nodes.
struct Reads {
    /// The nodes inside, ascending, without leaves.
    inside: BTreeSet<NodeId>,
    /// What they read from outside, ascending.
    outside: BTreeSet<NodeId>,
}

/// Walks from `ends` towards their operands, as far as `is_outside` says.
fn reads<'g>(ends: &[Expr<'g>], is_outside: impl Fn(Expr<'g>) -> bool) -> Reads {
    let mut found = Reads { inside: BTreeSet::new(), outside: BTreeSet::new() };
    let mut waiting = ends.to_vec();
    while let Some(node) = waiting.pop() {
        let id = node.id();
        if found.inside.contains(&id) || found.outside.contains(&id) {
            continue;
        }
        if is_outside(node) {
            found.outside.insert(id);
        } else if node.op().class() != OpClass::Leaf {
            found.inside.insert(id);
            waiting.extend(node.operands());
        }
    }
    found
}

/// A region that has been appended once more.
pub(crate) struct Recomputed<'g> {
    /// What the checkpoints' first operands are now.
    pub(crate) results: Vec<Expr<'g>>,
    /// What the region reads, and what stands for that in the new nodes.
    pub(crate) boundary: Vec<(Expr<'g>, Expr<'g>)>,
    /// The forward nodes behind the new ones.
    pub(crate) again: BTreeMap<NodeId, NodeId>,
}

/// Appends the region of these checkpoints once more, not before `cotangents` have been computed. Besides what the
/// checkpoints name, the variables of the sweep count as read from outside.
pub(crate) fn recompute<'g>(
    walk: &Walk<'g, '_>,
    checkpoints: &[Expr<'g>],
    cotangents: &[Expr<'g>],
    variables: &BTreeSet<NodeId>,
) -> Recomputed<'g> {
    let builder = walk.builder;
    let named: BTreeSet<NodeId> =
        checkpoints.iter().flat_map(|node| node.operands().split_off(1)).map(|node| node.id()).collect();
    let ends: Vec<Expr<'g>> = checkpoints.iter().map(|node| node.operands()[0]).collect();
    let region = reads(&ends, |node| {
        named.contains(&node.id()) || variables.contains(&node.id()) || matches!(node.op(), Op::Input(_))
    });
    let mut place: BTreeMap<NodeId, Expr<'g>> = BTreeMap::new();
    let mut again = BTreeMap::new();
    let mut append = |id: NodeId, rule: &str, build: &dyn Fn() -> Expr<'g>| {
        let made = builder.deriving(walk.root, walk.forward(id), rule, build);
        again.insert(made.id(), walk.forward(id));
        made
    };
    let mut boundary = Vec::new();
    for id in &region.outside {
        let outer = builder.expr(*id);
        let inner = append(*id, "barrier", &|| outer.not_before(cotangents));
        place.insert(*id, inner);
        boundary.push((outer, inner));
    }
    for id in &region.inside {
        let node = builder.expr(*id);
        let operands: Vec<Expr<'g>> =
            node.operands().into_iter().map(|x| place.get(&x.id()).copied().unwrap_or(x)).collect();
        let op = node.op();
        let made = append(*id, "recompute", &|| operands[0].apply_to(op.clone(), &operands[1..]));
        place.insert(*id, made);
    }
    let results = ends.iter().map(|end| place.get(&end.id()).copied().unwrap_or(*end)).collect();
    Recomputed { results, boundary, again }
}
