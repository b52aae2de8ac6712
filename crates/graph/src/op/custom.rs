//! Ops of third parties: the same rules, looked up by name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::dim::{Bindings, Dim};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, Sample};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// What a third party implements: value, type rule and gradient of an op that this crate does not know.
///
/// The checker, dumps, files and sessions treat it as any other op.
/// Two custom ops are the same when their names are: give each set of attributes a name of its own.
pub trait CustomOp: fmt::Debug + Send + Sync {
    /// The type of the result.
    ///
    /// # Errors
    /// The constraint that does not hold.
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation>;

    /// The value. `result` is what `infer` gave, with every size known.
    ///
    /// # Errors
    /// What is wrong with the values.
    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String>;

    /// Appends the nodes that carry the cotangent back: one entry per operand.
    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g>;

    /// The op over a leading axis, as [`OpRules::batch`]; `None` where there is no such rule, and then elements are mapped
    /// over only if their number is known, by one application each.
    fn batch<'g>(&self, op: &Custom, at: &Batch<'g>) -> Option<Expr<'g>> {
        let _ = (op, at);
        None
    }

    /// A well-typed application, for tests; its `op` is ignored.
    fn sample(&self, choices: &mut Choices) -> Sample;
}

/// A custom op in a graph.
#[derive(Clone)]
pub struct Custom {
    name: Arc<str>,
    rules: Arc<dyn CustomOp>,
}

impl Custom {
    /// A sample application of this op, for tests.
    #[must_use]
    pub fn sample(&self, choices: &mut Choices) -> Sample {
        Sample { op: self.clone().into(), ..self.rules.sample(choices) }
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Custom {}

impl Hash for Custom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl OpRules for Custom {
    fn name(&self) -> Cow<'static, str> {
        self.name.to_string().into()
    }

    fn class(&self) -> OpClass {
        OpClass::Opaque
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        self.rules.infer(operands)
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        self.rules.evaluate(operands, result)
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        self.rules.pullback(at)
    }

    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        self.rules.batch(self, at).or_else(|| one_by_one(self, at))
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}

/// One application per element, joined: what every rule for a leading axis must agree with.
fn one_by_one<'g>(op: &Custom, at: &Batch<'g>) -> Option<Expr<'g>> {
    let element = |operand: usize, index: usize| match at.mapped[operand] {
        true => {
            let all = at.operands[operand];
            let shape: Shape = all.shape()[1..].iter().cloned().collect();
            all.slice(0, index..index + 1).reshape(shape)
        }
        false => at.operands[operand],
    };
    let each = |index: usize| {
        let operands: Vec<Expr<'g>> = (0..at.operands.len()).map(|operand| element(operand, index)).collect();
        operands[0].apply_to(op.clone(), &operands[1..]).expand_dims(0)
    };
    let count = at.size.known().filter(|count| *count > 0)?;
    let all: Vec<Expr<'g>> = (0..count).map(each).collect();
    Some(all[0].concat(&all[1..], 0))
}

/// The custom ops that a reader of files and texts knows.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    ops: BTreeMap<Arc<str>, Custom>,
}

impl Registry {
    /// A registry without ops.
    #[must_use]
    pub fn new() -> Self {
        Registry::default()
    }

    /// Adds an op and returns it, to be applied with [`Expr::apply`](crate::Expr::apply).
    ///
    /// # Errors
    /// A message, when the name is taken, by an op of this crate or of the registry, or is not an identifier.
    pub fn add(&mut self, name: &str, rules: impl CustomOp + 'static) -> Result<Custom, String> {
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || name.is_empty() {
            return Err(format!("an op's name is made of letters, digits and _, got {name:?}"));
        }
        if self.ops.contains_key(name) || Op::catalogue().iter().any(|(known, _)| *known == name) {
            return Err(format!("there is an op named {name:?} already"));
        }
        let custom = Custom { name: name.into(), rules: Arc::new(rules) };
        self.ops.insert(custom.name.clone(), custom.clone());
        Ok(custom)
    }

    /// The op of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Custom> {
        self.ops.get(name).cloned()
    }
}
