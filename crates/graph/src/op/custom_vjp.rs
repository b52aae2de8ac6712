//! A value with a gradient that the user wrote: the rule is a graph, held as data.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::builder::Builder;
use crate::dim::{Bindings, Dim};
use crate::error::{FormatError, Violation};
use crate::expr::Expr;
use crate::graph::Graph;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, OperandSample, Sample};
use crate::op::{Op, Registry};
use crate::shape::TensorType;
use crate::tensor::Tensor;

/// The first operand, with a gradient of its own for the others.
///
/// Operands: the value; those that the rule differentiates in.
/// Constraints: C1 at least two operands; C2 the rule takes the other operands, the value and a cotangent of the value's
/// type; C3 it gives a cotangent of its type for each of the other operands that is floating-point, in order.
/// Gradient: what the rule gives; none passes to the value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CustomVjp {
    /// What messages and dumps call it.
    pub name: Arc<str>,
    /// From the operands, the value and its cotangent to the operands' cotangents.
    #[serde(with = "crate::op::attributes::as_text")]
    pub rule: VjpRule,
}

/// A rule of differentiation as a graph, without lines and without nodes that do nothing. Equal when the texts are.
///
/// In files and texts it stands as text IR, and custom ops in it are not found again: a reader does not pass its registry on.
#[derive(Clone)]
pub struct VjpRule {
    graph: Arc<Graph>,
    text: Arc<str>,
}

impl VjpRule {
    /// The rule that a graph is.
    pub(crate) fn new(graph: &Graph) -> VjpRule {
        let graph = Arc::new(graph.anonymous());
        let text = graph.to_string().into();
        VjpRule { graph, text }
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}

impl fmt::Display for VjpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for VjpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for VjpRule {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        Ok(VjpRule::new(&Graph::parse(text, &Registry::new())?))
    }
}

impl PartialEq for VjpRule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for VjpRule {}

impl Hash for VjpRule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl CustomVjp {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        // What the value does not depend on has gradient zero, and so has what it depends on through this rule.
        let (value, operand) = (choices.float_type(3), choices.float_type(3));
        let builder = Builder::new();
        let x = builder.input("operand_0", operand.dtype, &operand.shape);
        let _ = builder.input("result", value.dtype, &value.shape);
        let _ = builder.input("cotangent", value.dtype, &value.shape);
        let graph = builder.finish([("0", x.zeros_like())]).expect("names are different");
        let op = CustomVjp { name: "constant".into(), rule: VjpRule::new(&graph) };
        Sample { op: op.into(), operands: vec![OperandSample::any(value), OperandSample::any(operand)] }
    }
}

impl OpRules for CustomVjp {
    fn name(&self) -> Cow<'static, str> {
        self.name.to_string().into()
    }

    fn class(&self) -> OpClass {
        OpClass::Movement
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        if operands.len() < 2 {
            let message = format!("takes a value and at least one operand, got {} operands", operands.len());
            return Err(Violation::new("C1", message));
        }
        let (value, others, rule) = (operands[0], &operands[1..], &self.rule.graph);
        let takes: Vec<&TensorType> = rule.inputs().iter().map(|id| rule.ty(*id)).collect();
        let expected: Vec<&TensorType> = others.iter().copied().chain([value, value]).collect();
        if takes != expected {
            let message = format!("the rule takes {}, and is given {}", list(&takes), list(&expected));
            return Err(Violation::new("C2", message));
        }
        let gives: Vec<&TensorType> = rule.outputs().iter().map(|output| rule.ty(output.node)).collect();
        let floats: Vec<(usize, &TensorType)> =
            others.iter().copied().enumerate().filter(|(_, ty)| ty.dtype.is_float()).collect();
        if gives.len() != floats.len() {
            let message =
                format!("{} operands take a cotangent, the rule gives {}", floats.len(), gives.len());
            return Err(Violation::new("C3", message));
        }
        match floats.iter().zip(&gives).find(|((_, ty), got)| ty != *got) {
            Some(((at, ty), got)) => {
                Err(Violation::new("C3", format!("operand {at} is {ty}, and the rule gives it {got}")))
            }
            None => Ok(value.clone()),
        }
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok(operands[0].clone())
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let others = &at.operands[1..];
        let inputs: Vec<Expr<'g>> = others.iter().copied().chain([at.result, at.cotangent]).collect();
        let mut found = self.rule.graph.inline(at.builder(), &inputs).into_iter();
        let partial = |operand: &Expr<'g>| match operand.dtype().is_float() {
            true => Partial::Flows(found.next().expect("C3: one per floating-point operand")),
            false => Partial::Stops,
        };
        std::iter::once(Partial::Stops).chain(others.iter().map(partial)).collect()
    }

    fn blocks(&self, operand: usize) -> bool {
        operand == 0
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        let operands: Vec<Expr<'g>> = (0..at.operands.len()).map(|index| at.spread(index)).collect();
        let mapped = vec![true; operands.len() + 1];
        let rule = VjpRule::new(&self.rule.graph.over_leading_axis(&mapped, &at.size)?);
        Some(operands[0].apply_to(CustomVjp { name: self.name.clone(), rule }, &operands[1..]))
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        let rule = &self.rule.graph;
        let unbound = || {
            let dims = rule.nodes().iter().flat_map(|node| node.ty.shape.iter().cloned());
            dims.into_iter().find(|dim| dim.bind(bindings).is_none()).unwrap_or(Dim::Known(0))
        };
        let rule = VjpRule::new(&rule.bind(bindings).map_err(|_| unbound())?);
        Ok(CustomVjp { name: self.name.clone(), rule }.into())
    }
}

fn list(types: &[&TensorType]) -> String {
    types.iter().map(|ty| ty.to_string()).collect::<Vec<_>>().join(", ")
}
