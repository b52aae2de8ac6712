//! What a product makes for one strip, made once more for another.
//!
//! The weights of attention are read again by its gradient, a whole pass after they were made. If they are made once more there,
//! from the same queries and keys, both the way forward and the way back can be strips, and nothing of the size of the weights is
//! ever in memory. It takes as many multiplications as a row of queries has elements for each of them, and the exponential
//! functions: about as long as writing them and reading them again where they are too many for a cache.
//!
//! The rewriting is one of graphs, before regions are made for good. It is undone where the copies would not be held after all.

use std::collections::BTreeSet;

use pullback_graph::{Graph, NodeId, Op, Operands, Transcript};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::kernel::regions::heads::depth_and_columns;
use crate::kernel::regions::role::{Role, numel};
use crate::kernel::regions::survey::Survey;
use crate::kernel::strip::strips::{product_of, strips};

/// Elements of values that are worth it. On a processor with a large cache it takes a fifth more time for 8 million weights than
/// to keep them; with more, memory is what is scarce.
const LEAST: usize = 1 << 24;

/// Multiplications for an element at most: more take longer than memory does.
const DEPTH: usize = 128;

/// How many times as many elements a product must have as its operands, which are kept for it.
const TIMES: usize = 2;

/// A graph in which strips make for themselves what others make too.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    pub(crate) graph: Graph,
    /// The large values of those strips, which are held.
    pub(crate) held: FxHashSet<NodeId>,
}

/// The graph in which what is large and can be held is made where it is read; `None` if there is nothing of the kind.
///
/// # Complexity
/// Linear in nodes and operands.
pub(crate) fn again(graph: &Graph) -> Option<Again> {
    again_from(graph, LEAST)
}

/// [`again`] for values of `least` elements or more.
pub(crate) fn again_from(graph: &Graph, least: usize) -> Option<Again> {
    if graph.ids().any(|id| !graph.ty(id).shape.is_known())
        || !graph.ids().any(|id| is_wide(graph, id, least))
    {
        return None;
    }
    let survey = Survey::of(graph);
    let mut chosen: Vec<Choice> =
        (0..survey.regions.len()).filter_map(|at| Choice::of(&survey, at, least)).collect();
    if !chosen.is_empty() {
        // What is held as it is need not be made again.
        let in_memory = in_memory(&survey);
        chosen.retain(|choice| choice.large.iter().any(|value| in_memory.contains(value)));
    }
    while !chosen.is_empty() {
        let written = rewritten(&survey, &chosen);
        let in_memory = in_memory(&Survey::of(&written.graph));
        let count = chosen.len();
        let mut values = written.values.iter();
        chosen.retain(|_| values.next().is_some_and(|values| values.is_disjoint(&in_memory)));
        if chosen.len() == count {
            return Some(Again {
                graph: written.graph,
                held: written.values.into_iter().flatten().collect(),
            });
        }
    }
    None
}

/// Whether a product has many more elements than what it is made of, and takes little for each.
fn is_wide(graph: &Graph, id: NodeId, least: usize) -> bool {
    let Op::DotGeneral(op) = &graph.node(id).op else { return false };
    let len = numel(graph, id);
    let operands: usize = graph.node(id).operands.iter().map(|operand| numel(graph, *operand)).sum();
    len >= least && len >= TIMES * operands && depth_and_columns(graph, id, op).0 <= DEPTH
}

/// A region that is computed twice.
struct Choice {
    region: usize,
    /// Its large results.
    large: Vec<NodeId>,
    /// The regions that read the second copy.
    readers: FxHashSet<usize>,
}

impl Choice {
    /// The region number `at`, if a wide product heads it, and what it makes is multiplied and then read again.
    fn of(survey: &Survey<'_>, at: usize, least: usize) -> Option<Choice> {
        let (graph, region) = (survey.graph, &survey.regions[at]);
        product_of(graph, region).filter(|product| is_wide(graph, *product, least))?;
        let is_large = |id: &NodeId| numel(graph, *id) == region.extent.len();
        let large: Vec<NodeId> = region.outputs.iter().copied().filter(is_large).collect();
        if large.iter().any(|id| survey.kept[id.index()]) {
            return None;
        }
        let readers_of = |id: &NodeId| survey.readers.get(id).map_or(&[][..], |(readers, _)| &readers[..]);
        let first = *large.iter().flat_map(readers_of).min()?;
        let product = product_of(graph, &survey.regions[first])?;
        if !large.contains(&graph.node(product).operands[0]) {
            return None;
        }
        let readers: FxHashSet<usize> =
            region.outputs.iter().flat_map(readers_of).copied().filter(|reader| *reader != first).collect();
        large.iter().flat_map(readers_of).any(|reader| *reader != first).then_some(Choice {
            region: at,
            large,
            readers,
        })
    }
}

/// A graph with what was chosen in it twice.
struct Written {
    graph: Graph,
    /// Both copies of the large results of each choice.
    values: Vec<FxHashSet<NodeId>>,
}

fn rewritten(survey: &Survey<'_>, chosen: &[Choice]) -> Written {
    let graph = survey.graph;
    // The choice that a node belongs to; what is read through, with what it reads.
    let choice_of: FxHashMap<usize, usize> =
        chosen.iter().enumerate().map(|(at, choice)| (choice.region, at)).collect();
    let own = |id: NodeId| {
        let through = matches!(survey.role(id), Role::Broadcast | Role::Spread(_) | Role::Permute);
        let id = if through { graph.node(id).operands[0] } else { id };
        survey.home[id.index()].and_then(|home| choice_of.get(&home).copied())
    };
    let mut transcript = Transcript::of(graph);
    let mut copies: FxHashMap<NodeId, NodeId> = FxHashMap::default();
    for id in graph.ids().filter(|id| !matches!(graph.node(*id).op, Op::Input(_))) {
        let mut operands = Operands::new();
        for operand in &graph.node(id).operands {
            let reads_copy = own(*operand).is_some_and(|choice| {
                survey.home[id.index()].is_some_and(|home| chosen[choice].readers.contains(&home))
            });
            operands.push(match reads_copy {
                true => copy(graph, &own, &mut transcript, &mut copies, *operand),
                false => transcript.place(*operand),
            });
        }
        transcript.copy(id, operands);
    }
    let both = |id: &NodeId| [Some(transcript.place(*id)), copies.get(id).copied()].into_iter().flatten();
    let values = chosen.iter().map(|choice| choice.large.iter().flat_map(both).collect()).collect();
    Written { values, graph: transcript.finish() }
}

/// The second copy of `id`, with those nodes of its region that it follows from.
fn copy(
    graph: &Graph,
    own: &dyn Fn(NodeId) -> Option<usize>,
    transcript: &mut Transcript<'_>,
    copies: &mut FxHashMap<NodeId, NodeId>,
    id: NodeId,
) -> NodeId {
    let mut missing = BTreeSet::new();
    let mut waiting = vec![id];
    while let Some(at) = waiting.pop() {
        if !copies.contains_key(&at) && missing.insert(at) {
            waiting.extend(graph.node(at).operands.iter().filter(|operand| own(**operand) == own(id)));
        }
    }
    for at in missing {
        let operands = graph.node(at).operands.iter();
        let operands = operands
            .map(|operand| copies.get(operand).copied().unwrap_or_else(|| transcript.place(*operand)));
        let operands = operands.collect();
        let copied = transcript.copy(at, operands);
        copies.insert(at, copied);
    }
    copies[&id]
}

/// The values that the kernels of a graph write.
fn in_memory(survey: &Survey<'_>) -> FxHashSet<NodeId> {
    let kernels = strips(survey.graph, survey.regions.clone(), &|id| survey.kept[id.index()]);
    kernels.into_iter().flat_map(|region| region.outputs).collect()
}
