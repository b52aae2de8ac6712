//! A subject's gradient and tangent in one graph, to be evaluated at many points.

use pullback_graph::{Builder, Graph, GraphError, NodeId, Output, Tensor, Values, interpret};

use crate::check::error::CheckError;
use crate::check::rounding::{SAMPLES, jittered};
use crate::check::subject::Subject;
use crate::forward::pushforward;
use crate::reverse::{GradOptions, pullback};

/// Reverse and forward mode of a subject, as a graph whose cotangent and tangents are inputs.
#[derive(Debug)]
pub(crate) struct GradientGraph {
    pub(crate) graph: Graph,
    /// The first node that is not the subject's.
    pub(crate) start: usize,
    cotangent: String,
    tangents: Vec<String>,
    gradient: Vec<NodeId>,
    tangent: NodeId,
}

/// Both modes at a point.
#[derive(Clone, Debug)]
pub(crate) struct Derivatives {
    /// The gradient in each variable: `Jᵀ · cotangent`.
    pub(crate) gradient: Vec<Tensor>,
    /// The change of the output: `J · tangents`.
    pub(crate) tangent: Tensor,
}

impl GradientGraph {
    /// # Errors
    /// When the subject cannot be differentiated.
    pub(crate) fn of(subject: &Subject) -> Result<GradientGraph, CheckError> {
        let builder = Builder::extending(&subject.graph);
        let start = builder.len();
        let output = builder.expr(subject.output);
        let variables: Vec<_> =
            subject.variables.iter().map(|variable| builder.expr(variable.node)).collect();
        let cotangent = unused(&subject.graph, "cotangent");
        let seed = builder.input(&cotangent, output.dtype(), output.shape());
        let names = (0..variables.len()).map(|at| unused(&subject.graph, &format!("tangent {at}")));
        let tangents: Vec<String> = names.collect();
        let moves = variables.iter().zip(&tangents);
        let moves: Vec<_> = moves.map(|(of, name)| builder.input(name, of.dtype(), of.shape())).collect();
        let gradient = pullback(&[output], &[seed], &variables, &GradOptions::inner())?;
        let tangent = pushforward(output, &variables, &moves)?;
        let gradient: Vec<NodeId> = gradient.iter().map(|gradient| gradient.id()).collect();
        let graph = builder.finish([Output::new("tangent", tangent.id())])?;
        Ok(GradientGraph { graph, start, cotangent, tangents, gradient, tangent: tangent.id() })
    }

    /// Both modes where the variables have the values `at`.
    pub(crate) fn at(
        &self,
        subject: &Subject,
        at: &[Tensor],
        cotangent: &Tensor,
        tangents: &[Tensor],
    ) -> Result<Derivatives, GraphError> {
        let values = self.values(subject, at, cotangent, tangents)?;
        let gradient = self.gradient.iter().map(|id| values.node(*id).clone()).collect();
        Ok(Derivatives { gradient, tangent: values.node(self.tangent).clone() })
    }

    /// Both modes at the point with rounding errors, a few times.
    pub(crate) fn rounded(
        &self,
        subject: &Subject,
        cotangent: &Tensor,
        tangents: &[Tensor],
    ) -> Vec<Derivatives> {
        let point = subject.point();
        let feeds = self.feeds(subject, &point, cotangent, tangents);
        let samples = (0..SAMPLES).filter_map(|sample| jittered(&self.graph, feeds.clone(), sample));
        let read = |values: Vec<Tensor>| Derivatives {
            gradient: self.gradient.iter().map(|id| values[id.index()].clone()).collect(),
            tangent: values[self.tangent.index()].clone(),
        };
        samples.map(read).collect()
    }

    /// The value of every node.
    pub(crate) fn values(
        &self,
        subject: &Subject,
        at: &[Tensor],
        cotangent: &Tensor,
        tangents: &[Tensor],
    ) -> Result<Values, GraphError> {
        interpret(&self.graph, self.feeds(subject, at, cotangent, tangents))
    }

    fn feeds<'a>(
        &'a self,
        subject: &'a Subject,
        at: &'a [Tensor],
        cotangent: &'a Tensor,
        tangents: &'a [Tensor],
    ) -> impl Iterator<Item = (&'a str, &'a Tensor)> + Clone {
        let moves = self.tangents.iter().map(String::as_str).zip(tangents);
        subject.feeds(at).chain(moves).chain([(self.cotangent.as_str(), cotangent)])
    }
}

/// A name like `name` that no input has.
pub(crate) fn unused(graph: &Graph, name: &str) -> String {
    let mut name = name.to_string();
    while graph.input(&name).is_some() {
        name.push('_');
    }
    name
}
