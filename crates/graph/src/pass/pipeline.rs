//! The list of passes, and how they run: each alone, or all in one sweep.

use crate::graph::Graph;
use crate::pass::{dead_code, fold_constants, push_movement, simplify};
use crate::rewrite::{Rule, sweep};

/// How often the passes may find more to do. Every application of a rule makes some node simpler, so this is not reached.
const MOST_SWEEPS: usize = 64;

/// A named set of rewrites.
#[derive(Clone, Copy)]
pub struct Pass {
    /// The name, as origins and command lines have it.
    pub name: &'static str,
    /// What it does, in one line.
    pub description: &'static str,
    pub(crate) rules: &'static [(&'static str, Rule)],
}

/// Every pass, in the order in which [`optimize`] offers a node to them.
///
/// 1. `fold_constants` first: what it leaves is a literal, which the later rules look for.
/// 2. `simplify` next: it removes nodes, so that the last pass meets fewer.
/// 3. `push_movement` last: it only changes what nobody could remove, and makes single ops out of chains.
/// 4. `dead_code` has no rules: dropping is what every sweep ends with, after the rules have let go of nodes.
pub static PASSES: [&Pass; 4] =
    [&fold_constants::PASS, &simplify::PASS, &push_movement::PASS, &dead_code::PASS];

/// The graph with all passes applied until none finds anything: the same inputs and outputs, the same bits.
///
/// All rules see a node in one sweep, because its operands are final by then; that reaches in one sweep what running the
/// passes one after the other would need several rounds for. Only the rules that ask how often a node is used can be held
/// up until the next one. Nodes never become more, and optimizing twice gives what optimizing once does.
///
/// ```
/// use pullback_graph::{Builder, DType::F32, pass::optimize};
/// let b = Builder::new();
/// let x = b.input("x", F32, [3]);
/// let graph = b.finish([("y", (x * 1.0).tanh() + (1.0 * x).tanh())])?;
/// assert_eq!((graph.len(), optimize(&graph).len()), (8, 3));
/// # Ok::<(), pullback_graph::GraphError>(())
/// ```
#[must_use]
pub fn optimize(graph: &Graph) -> Graph {
    let mut swept = sweep(graph, &PASSES);
    for _ in 1..MOST_SWEEPS {
        if !swept.is_unsettled {
            break;
        }
        swept = sweep(&swept.graph, &PASSES);
    }
    debug_assert!(!swept.is_unsettled, "rules undo each other");
    debug_assert_eq!(
        sweep(&swept.graph, &PASSES).graph.nodes(),
        swept.graph.nodes(),
        "another sweep finds more to do"
    );
    swept.graph
}

impl Pass {
    /// This pass alone, in one sweep; equal nodes are merged and dead ones dropped on the way.
    #[must_use]
    pub fn run(&self, graph: &Graph) -> Graph {
        sweep(graph, &[self]).graph
    }

    /// The names of the rules. Each has an example in `tests/passes`.
    pub fn rules(&self) -> impl Iterator<Item = &'static str> {
        self.rules.iter().map(|(name, _)| *name)
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
