//! From a failing graph to a minimal one: fewer nodes, fewer elements, rounder numbers.

use std::fmt;

use pullback_graph::{Builder, NodeId, Op, Output, Tensor, dispatch};

use crate::check::case::Case;
use crate::check::error::CheckError;
use crate::check::gradient_graph::unused;
use crate::check::localize::{active_nodes, localize};
use crate::check::options::CheckOptions;
use crate::check::orders::{all_orders, differentiated};
use crate::check::paste;
use crate::check::subject::Subject;
use crate::check::transcribe::transcribe;

/// A failing case from which nothing more can be taken.
#[derive(Clone, Debug)]
pub struct Minimal {
    /// The graph, what is differentiated, and the values fed.
    pub case: Case,
}

impl Minimal {
    /// A Rust test of the case, ready to be pasted.
    #[must_use]
    pub fn test(&self) -> String {
        paste::test(&self.case)
    }
}

impl fmt::Display for Minimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "minimal graph:\n{}", self.case.graph)?;
        for (name, value) in &self.case.feeds {
            writeln!(f, "  {name} = {value}")?;
        }
        write!(f, "a test to paste:\n{}", self.test())
    }
}

/// How many candidates are tried at most; each is a whole check.
const MOST_TRIALS: usize = 150;

/// Makes a failing case smaller as long as it fails.
pub(crate) fn shrink(case: Case, options: &CheckOptions) -> Minimal {
    let mut shrinker = Shrinker { case, options, trials: 0 };
    shrinker.smaller_sizes();
    if !shrinker.isolate_op() {
        shrinker.earlier_output();
        shrinker.shorter_paths();
    }
    shrinker.isolate_element();
    shrinker.rounder_values();
    Minimal { case: shrinker.case }
}

struct Shrinker<'o> {
    /// The smallest case so far; it fails.
    case: Case,
    options: &'o CheckOptions,
    trials: usize,
}

impl Shrinker<'_> {
    /// Takes the candidate if it fails too.
    fn adopt(&mut self, candidate: Case) -> bool {
        self.trials += 1;
        let fails = self.trials <= MOST_TRIALS
            && all_orders(&candidate, self.options).is_ok_and(|report| !report.is_ok());
        if fails {
            self.case = candidate;
        }
        fails
    }

    fn subject(&self) -> Result<Subject, CheckError> {
        Subject::of(&self.case)
    }

    /// Smaller sizes for symbols, with the leading part of each feed.
    fn smaller_sizes(&mut self) {
        let Ok(bindings) = self.case.graph.solve(self.case.feeds.iter().map(|(name, value)| (name, value)))
        else {
            return;
        };
        for (symbol, size) in bindings.clone() {
            for smaller in 1..size {
                let mut bindings = bindings.clone();
                bindings.insert(symbol.clone(), smaller);
                let sizes_of = |name: &str| {
                    let input = self.case.graph.input(name)?;
                    self.case.graph.ty(input).shape.bind(&bindings).ok()?.known()
                };
                let feeds = self.case.feeds.iter();
                let feeds =
                    feeds.map(|(name, value)| Some((name.clone(), leading_part(value, &sizes_of(name)?))));
                let Some(feeds) = feeds.collect() else { continue };
                if self.adopt(Case { feeds, ..self.case.clone() }) {
                    break;
                }
            }
        }
    }

    /// The first wrong op alone.
    fn isolate_op(&mut self) -> bool {
        let Ok(mut subject) = self.subject() else { return false };
        for order in 1..=self.options.order {
            if let Some(found) = localize(&subject, self.options) {
                return self.adopt(found.alone);
            }
            if order < self.options.order {
                match differentiated(&subject, self.options) {
                    Ok(next) => subject = next,
                    Err(_) => return false,
                }
            }
        }
        false
    }

    /// The first interior node that fails as the output.
    fn earlier_output(&mut self) {
        let Ok(subject) = self.subject() else { return };
        let active = active_nodes(&subject);
        let interior = subject.graph.ids().filter(|id| {
            let node = subject.graph.node(*id);
            active[id.index()]
                && !node.operands.is_empty()
                && node.ty.dtype.is_float()
                && *id != subject.output
        });
        for id in interior {
            let candidate = subject.graph.with_outputs([Output::new("out", id)]);
            let Ok(graph) = candidate else { return };
            let feeds = as_wide(&subject);
            if self.adopt(Case { graph, output: "out".into(), feeds, ..self.case.clone() }) {
                break;
            }
        }
        self.drop_unused();
    }

    /// Interior nodes, those next to the output first, in the place of which an input does.
    fn shorter_paths(&mut self) {
        let mut at = 0;
        while let Ok(subject) = self.subject() {
            let Ok(values) = subject.values() else { return };
            let interior: Vec<NodeId> = subject
                .graph
                .ids()
                .rev()
                .filter(|id| *id != subject.output && !matches!(subject.graph.node(*id).op, Op::Input(_)))
                .collect();
            let Some(id) = interior.get(at).copied() else { return };
            let candidate = cut(&self.case, &subject, id, values.node(id));
            if !candidate.is_some_and(|candidate| self.adopt(candidate)) {
                at += 1;
            }
        }
    }

    /// Without the nodes and inputs that the output does not depend on.
    fn drop_unused(&mut self) {
        let Ok(subject) = self.subject() else { return };
        let written = transcribe(&subject.graph, [subject.output], |builder, id, operands| {
            builder.push(subject.graph.node(id).op.clone(), operands)
        });
        let Ok(graph) = written.map(|written| written.graph) else { return };
        let feeds: Vec<_> =
            as_wide(&subject).into_iter().filter(|(name, _)| graph.input(name).is_some()).collect();
        let wrt = self.case.wrt.iter().filter(|name| graph.input(name).is_some()).cloned().collect();
        self.adopt(Case { graph, output: self.case.output.clone(), wrt, feeds });
    }

    /// One element of each operand, for an op alone whose operands have one shape.
    fn isolate_element(&mut self) {
        let Some(op) = only_op(&self.case) else { return };
        if self.case.feeds.iter().any(|(_, value)| value.sizes() != self.case.feeds[0].1.sizes()) {
            return;
        }
        let count = self.case.feeds.first().map_or(0, |(_, value)| value.len());
        for element in 0..count {
            let builder = Builder::new().with_kinks(self.case.graph.kinks());
            let one = |(name, value): &(String, Tensor)| (name.clone(), element_of(value, element));
            let feeds: Vec<(String, Tensor)> = self.case.feeds.iter().map(one).collect();
            let input = |(name, value): &(String, Tensor)| {
                let id = self.case.graph.input(name).expect("inputs are fed by name");
                builder.on_behalf_of(&self.case.graph, id, || builder.input(name, value.dtype(), ()))
            };
            let inputs: Vec<_> = feeds.iter().map(input).collect();
            let last = NodeId::new(self.case.graph.len() - 1);
            let result = builder.on_behalf_of(&self.case.graph, last, || builder.push(op.clone(), &inputs));
            let Ok(result) = result else { return };
            let Ok(graph) = builder.finish([Output::new(self.case.output.as_str(), result.id())]) else {
                return;
            };
            if self.adopt(Case { graph, feeds, ..self.case.clone() }) {
                return;
            }
        }
    }

    /// Numbers with fewer digits.
    fn rounder_values(&mut self) {
        for at in 0..self.case.feeds.len() {
            for digits in [1.0, 10.0, 1000.0] {
                let (name, value) = &self.case.feeds[at];
                if !value.dtype().is_float() {
                    continue;
                }
                // Adding zero turns -0 into 0.
                let rounded = value
                    .to_f64_vec()
                    .into_iter()
                    .map(|x| (x * digits).round() / digits + 0.0)
                    .collect::<Vec<f64>>();
                let rounded = Tensor::from_fn(value.sizes(), |i| rounded[i]).cast(value.dtype());
                let mut feeds = self.case.feeds.clone();
                feeds[at] = (name.clone(), rounded);
                if self.adopt(Case { feeds, ..self.case.clone() }) {
                    break;
                }
            }
        }
    }
}

/// The case with an input in the place of node `id`, fed its value.
fn cut(case: &Case, subject: &Subject, id: NodeId, value: &Tensor) -> Option<Case> {
    let name = unused(&subject.graph, "cut");
    let written = transcribe(&subject.graph, [subject.output], |builder, node, operands| match node == id {
        true => Ok(builder.input(&name, value.dtype(), value.shape())),
        false => builder.push(subject.graph.node(node).op.clone(), operands),
    });
    // Operands of the node that nothing else uses are still there.
    let cut = written.ok()?.graph;
    let output = cut.output(&case.output)?.node;
    let again = transcribe(&cut, [output], |builder, node, operands| {
        builder.push(cut.node(node).op.clone(), operands)
    });
    let graph = again.ok()?.graph;
    let mut feeds = as_wide(subject);
    feeds.push((name.clone(), value.clone()));
    feeds.retain(|(name, _)| graph.input(name).is_some());
    let mut wrt = case.wrt.clone();
    if value.dtype().is_float() {
        wrt.push(name);
    }
    wrt.retain(|name| graph.input(name).is_some());
    Some(Case { graph, output: case.output.clone(), wrt, feeds })
}

/// The feeds as the subject's graph takes them.
fn as_wide(subject: &Subject) -> Vec<(String, Tensor)> {
    let point = subject.point();
    subject.feeds(&point).map(|(name, value)| (name.to_string(), value.clone())).collect()
}

/// The op of a graph that has one besides inputs.
fn only_op(case: &Case) -> Option<Op> {
    let mut ops = case.graph.nodes().iter().map(|node| &node.op).filter(|op| !matches!(op, Op::Input(_)));
    let first = ops.next()?.clone();
    ops.next().is_none().then_some(first)
}

/// The part of `value` that has these sizes and starts where it does.
fn leading_part(value: &Tensor, sizes: &[usize]) -> Tensor {
    let offset = |mut at: usize| {
        let (mut offset, mut stride) = (0, 1);
        for axis in (0..sizes.len()).rev() {
            offset += at % sizes[axis] * stride;
            at /= sizes[axis];
            stride *= value.sizes()[axis];
        }
        offset
    };
    picked(value, sizes, offset)
}

/// One element as a scalar.
fn element_of(value: &Tensor, element: usize) -> Tensor {
    picked(value, &[], |_| element)
}

fn picked(value: &Tensor, sizes: &[usize], from: impl Fn(usize) -> usize) -> Tensor {
    dispatch!(value.dtype(), T => {
        let values = value.values::<T>();
        Tensor::from_fn(sizes, |at| values[from(at)])
    })
}
