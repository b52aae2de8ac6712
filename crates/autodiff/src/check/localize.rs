//! The first wrong op: each node on its own, at the values it has in the failing graph.

use pullback_graph::{Builder, NodeId, OpClass, OpRules, Output, Values};

use crate::check::case::Case;
use crate::check::gradient_graph::{GradientGraph, unused};
use crate::check::options::CheckOptions;
use crate::check::orders::all_orders;
use crate::check::report::Culprit;
use crate::check::subject::Subject;
use crate::check::transcribe::{ancestors, descendants};
use crate::check::trial::{cotangent_of, directions_of};

/// A wrong op, and the graph of it alone, which fails by itself.
pub(crate) struct Found {
    pub(crate) culprit: Culprit,
    pub(crate) alone: Case,
}

/// The first node, operands before users, that fails alone; for a failing second order also those of the gradient, and
/// then the forward nodes whose second order is wrong though each node of their gradient is right.
///
/// Checks each active node once or twice.
pub(crate) fn localize(subject: &Subject, options: &CheckOptions) -> Option<Found> {
    let values = subject.values().ok()?;
    let active = active_nodes(subject);
    let nodes = || subject.graph.ids().filter(|id| active[id.index()]);
    let first_order = nodes().find_map(|id| fails_alone(subject, &values, id, 1, options));
    let second_order = || {
        let forward = nodes().take_while(|id| subject.order > 0 && id.index() < subject.forward_len());
        forward.into_iter().find_map(|id| fails_alone(subject, &values, id, 2, options))
    };
    first_order.or_else(second_order)
}

/// Interior nodes between the variables and the output.
pub(crate) fn active_nodes(subject: &Subject) -> Vec<bool> {
    let variables: Vec<NodeId> = subject.variables.iter().map(|variable| variable.node).collect();
    let mut active = descendants(&subject.graph, &variables);
    let needed = ancestors(&subject.graph, [subject.output]);
    active.iter_mut().zip(needed).for_each(|(active, needed)| *active &= needed);
    active
}

fn fails_alone(
    subject: &Subject,
    values: &Values,
    id: NodeId,
    order: usize,
    options: &CheckOptions,
) -> Option<Found> {
    let case = alone(subject, values, id)?;
    let options = CheckOptions { order, ..options.clone() };
    let failed = all_orders(&case, &options).ok().filter(|report| !report.is_ok())?;
    let wrong = match failed.failures[0].order {
        1 => "its gradient is wrong",
        _ => "its gradient is right, but the gradient of that is wrong",
    };
    Some(Found { culprit: Culprit { place: subject.place(&subject.graph, id), wrong }, alone: case })
}

/// Node `id` with its operands as inputs, fed what they are in `values`.
pub(crate) fn alone(subject: &Subject, values: &Values, id: NodeId) -> Option<Case> {
    let (graph, node) = (&subject.graph, subject.graph.node(id));
    if !node.ty.dtype.is_float() || node.op.class() == OpClass::Leaf {
        return None;
    }
    let builder = Builder::new().with_kinks(graph.kinks());
    let (mut operands, mut feeds, mut wrt) = (Vec::new(), Vec::new(), Vec::new());
    for (at, operand) in node.operands.iter().enumerate() {
        let value = values.node(*operand);
        let name =
            unused(&builder.snapshot(), &operand_name(at, graph.label(*operand).map(|label| &**label)));
        let input =
            builder.on_behalf_of(graph, *operand, || builder.input(&name, value.dtype(), value.shape()));
        operands.push(input);
        if value.dtype().is_float() {
            wrt.push(name.clone());
        }
        feeds.push((name, value.clone()));
    }
    let result = builder.on_behalf_of(graph, id, || builder.push(node.op.clone(), &operands)).ok()?;
    let graph = builder.finish([Output::new("out", result.id())]).ok()?;
    Some(Case { graph, output: "out".into(), wrt, feeds })
}

fn operand_name(at: usize, label: Option<&str>) -> String {
    let is_identifier = |label: &&str| {
        label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && label.starts_with(|c: char| c.is_ascii_lowercase())
    };
    label
        .filter(is_identifier)
        .map_or_else(|| ["a", "b", "c"].get(at).map_or("d", |name| *name).into(), String::from)
}

/// The first node, of the function or its gradient, that is not finite though its operands are.
pub(crate) fn first_not_finite(subject: &Subject, options: &CheckOptions) -> Option<Culprit> {
    let gradient = GradientGraph::of(subject).ok()?;
    let (cotangent, directions) =
        (cotangent_of(subject, options.seed, 0), directions_of(subject, options.seed, 0));
    let values = gradient.values(subject, &subject.point(), &cotangent, &directions).ok()?;
    let is_finite = |id: NodeId| values.node(id).to_f64_vec().iter().all(|x| x.is_finite());
    let graph = values.graph();
    let breaks = |id: &NodeId| {
        let operands = &graph.node(*id).operands;
        !is_finite(*id) && !operands.is_empty() && operands.iter().all(|operand| is_finite(*operand))
    };
    let first = graph.ids().find(breaks)?;
    let culprit = match first.index() < gradient.start {
        true => Culprit {
            place: subject.place(&subject.graph, first),
            wrong: "its value is not finite here, and a slope that is not finite times zero is not zero",
        },
        false => Culprit {
            place: subject.place(graph, first),
            wrong: "it is not finite here, though all that it is computed from is",
        },
    };
    Some(culprit)
}
