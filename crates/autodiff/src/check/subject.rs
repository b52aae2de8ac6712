//! A case made ready: sizes known, f64 throughout, barriers frozen, the point in numbers.

use std::sync::Arc;

use pullback_graph::{DType, Graph, GraphError, NodeId, Op, OpRules, Output, Tensor, Values, interpret};

use crate::check::case::Case;
use crate::check::error::CheckError;
use crate::check::place::Place;
use crate::check::rounding::{SAMPLES, jittered};
use crate::check::transcribe::transcribe;
use crate::check::widen::widen;
use crate::reverse::{GradOptions, pullback};

/// What is differentiated, and what its values are taken from.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The graph that is differentiated.
    pub(crate) graph: Graph,
    /// The graph that the oracle evaluates: node for node the same, but that barriers hold their values at the point.
    /// To a difference quotient `stop_gradient` is otherwise the identity.
    pub(crate) reference: Graph,
    /// The node that is differentiated.
    pub(crate) output: NodeId,
    /// The same node of the reference.
    pub(crate) reference_output: NodeId,
    /// What it is differentiated in.
    pub(crate) variables: Vec<Variable>,
    /// The values of the other inputs.
    pub(crate) constants: Vec<(Arc<str>, Tensor)>,
    /// How often the case's function has been differentiated.
    pub(crate) order: usize,
    /// The user's node behind each node of the case's function.
    places: Arc<Vec<Place>>,
}

/// An input that is moved.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) node: NodeId,
    pub(crate) name: Arc<str>,
    /// Its value at the point.
    pub(crate) value: Tensor,
    /// How far a unit step moves it: the size of its largest element, or 1.
    pub(crate) scale: f64,
}

impl Variable {
    fn new(node: NodeId, name: Arc<str>, value: Tensor) -> Variable {
        let largest =
            value.to_f64_vec().into_iter().map(f64::abs).filter(|x| x.is_finite()).fold(0.0, f64::max);
        Variable { node, name, value, scale: if largest > 0.0 { largest } else { 1.0 } }
    }
}

impl Subject {
    /// # Errors
    /// When the feeds do not fit, or an op fails on them.
    pub(crate) fn of(case: &Case) -> Result<Subject, CheckError> {
        let feeds = case.feeds.iter().map(|(name, value)| (name.as_str(), value));
        let bindings = case.graph.solve(feeds).map_err(GraphError::from)?;
        let bound = case.graph.bind(&bindings)?;
        let output = bound.output(&case.output).expect("a case's output exists").node;
        let wanted = case.wrt.iter().map(|name| bound.input(name).expect("a case's variables exist"));
        let wide = widen(&bound, wanted.chain([output]))?;
        let places = wide.origin.iter().map(|id| Place::of(&case.graph, *id)).collect();

        let (mut variables, mut constants) = (Vec::new(), Vec::new());
        for node in wide.graph.inputs() {
            let name = wide.graph.label(*node).expect("inputs have names").clone();
            let fed = case.feeds.iter().find(|(fed, _)| **fed == *name);
            let (_, value) = fed.expect("`solve` has seen a feed for every input");
            let value = value.cast(wide.graph.ty(*node).dtype);
            match case.wrt.iter().any(|wanted| **wanted == *name) {
                true => variables.push(Variable::new(*node, name, value)),
                false => constants.push((name, value)),
            }
        }
        let output = wide.place[output.index()].expect("the output is a root");
        let mut subject = Subject {
            reference: wide.graph.clone(),
            graph: wide.graph,
            output,
            reference_output: output,
            variables,
            constants,
            order: 0,
            places: Arc::new(places),
        };
        subject.reference = subject.frozen()?;
        Ok(subject)
    }

    /// The reference graph with barriers replaced by their values.
    fn frozen(&self) -> Result<Graph, GraphError> {
        if !self.graph.nodes().iter().any(|node| matches!(node.op, Op::StopGradient(_))) {
            return Ok(self.graph.clone());
        }
        let values = self.values()?;
        let written = transcribe(&self.graph, self.graph.ids(), |builder, id, operands| {
            let op = &self.graph.node(id).op;
            match op {
                Op::StopGradient(_) => Ok(builder.constant(values.node(id).clone())),
                op => builder.push(op.clone(), operands),
            }
        })?;
        Ok(written.graph)
    }

    /// The values of the variables at the point.
    pub(crate) fn point(&self) -> Vec<Tensor> {
        self.variables.iter().map(|variable| variable.value.clone()).collect()
    }

    /// The values of the variables after `step` steps along `direction`.
    pub(crate) fn moved(&self, direction: &[Tensor], step: f64) -> Vec<Tensor> {
        let moved = self.variables.iter().zip(direction).map(|(variable, direction)| {
            let (start, along) = (variable.value.values::<f64>(), direction.values::<f64>());
            Tensor::from_fn(variable.value.sizes(), |i| start[i] + step * along[i])
        });
        moved.collect()
    }

    /// Whether `step` steps along `direction` move every variable that they should: short ones may round to nothing.
    pub(crate) fn moves(&self, direction: &[Tensor], step: f64) -> bool {
        let mut pairs = self.variables.iter().zip(direction);
        pairs.all(|(variable, direction)| {
            let mut pairs = variable.value.values::<f64>().iter().zip(direction.values::<f64>());
            pairs.all(|(start, along)| *along == 0.0 || start + step * along != *start)
        })
    }

    /// What every input is fed when the variables have the values `at`.
    pub(crate) fn feeds<'a>(
        &'a self,
        at: &'a [Tensor],
    ) -> impl Iterator<Item = (&'a str, &'a Tensor)> + Clone {
        let moved = self.variables.iter().zip(at).map(|(variable, value)| (&*variable.name, value));
        moved.chain(self.constants.iter().map(|(name, value)| (&**name, value)))
    }

    /// The value of every node at the point.
    pub(crate) fn values(&self) -> Result<Values, GraphError> {
        interpret(&self.graph, self.feeds(&self.point()))
    }

    /// The output when the variables have the values `at`, as the oracle sees it.
    pub(crate) fn evaluate(&self, at: &[Tensor]) -> Result<Tensor, GraphError> {
        Ok(interpret(&self.reference, self.feeds(at))?.node(self.reference_output).clone())
    }

    /// The output at the point with rounding errors, a few times.
    pub(crate) fn rounded(&self) -> Vec<Tensor> {
        let point = self.point();
        let samples = (0..SAMPLES).filter_map(|sample| jittered(&self.reference, self.feeds(&point), sample));
        samples.map(|values| values[self.reference_output.index()].clone()).collect()
    }

    /// The function `Σ cotangent · d/dvariable output · tangent`, of which the gradient is the second order.
    ///
    /// # Errors
    /// When the graph cannot be differentiated.
    pub(crate) fn derived(&self, cotangent: &Tensor, tangents: &[Tensor]) -> Result<Subject, CheckError> {
        let derive = |graph: &Graph, output: NodeId| -> Result<(Graph, NodeId), CheckError> {
            let builder = pullback_graph::Builder::extending(graph);
            let variables: Vec<_> =
                self.variables.iter().map(|variable| builder.expr(variable.node)).collect();
            let output = builder.expr(output);
            let seed = builder.constant(cotangent.clone());
            let gradient = pullback(&[output], &[seed], &variables, &GradOptions::inner())?;
            let products = gradient.iter().zip(tangents);
            let products =
                products.map(|(gradient, tangent)| (*gradient * builder.constant(tangent.clone())).sum());
            let sum = products.reduce(|sum, product| sum + product);
            let sum = sum.unwrap_or_else(|| builder.full(DType::F64, (), 0.0));
            Ok((builder.finish([Output::new("derivative", sum.id())])?, sum.id()))
        };
        let (graph, output) = derive(&self.graph, self.output)?;
        let (reference, reference_output) = derive(&self.reference, self.reference_output)?;
        Ok(Subject { graph, reference, output, reference_output, order: self.order + 1, ..self.clone() })
    }

    /// The number of nodes of the case's function, which come first.
    pub(crate) fn forward_len(&self) -> usize {
        self.places.len()
    }

    /// The user's node behind a node of `graph`, which is that of this subject, or the reference.
    pub(crate) fn place(&self, graph: &Graph, id: NodeId) -> Place {
        if let Some(place) = self.places.get(id.index()) {
            return place.clone();
        }
        let forward = graph.gradient_of(id).and_then(|(forward, _)| forward);
        let behind = forward.and_then(|forward| self.places.get(forward.index()));
        // What ends a derived function stands for the output, which comes last of the nodes that it depends on.
        let place = behind.unwrap_or_else(|| self.places.last().expect("a function has nodes"));
        Place { within: Some(graph.node(id).op.name().to_string()), ..place.clone() }
    }
}
