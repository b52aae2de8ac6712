//! What the tests share: gradients at points, and for the checker custom ops with rules that may be wrong, and how much is
//! tried.

#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod slopes;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::FileFailurePersistence;
use pullback_graph::op::{
    Choices, Custom, CustomOp, OperandSample, Partial, Partials, Registry, Sample, Site,
};
use pullback_graph::{Expr, Op, OpRules, Tensor, TensorType, Violation};

/// An elementwise op of one operand: its value, and its rule, which is given the operand and the cotangent.
#[derive(Debug)]
pub(crate) struct Elementwise {
    pub(crate) value: fn(f64) -> f64,
    pub(crate) rule: for<'g> fn(Expr<'g>, Expr<'g>) -> Expr<'g>,
}

impl Elementwise {
    /// The op under a name of its own.
    pub(crate) fn named(
        name: &str,
        value: fn(f64) -> f64,
        rule: for<'g> fn(Expr<'g>, Expr<'g>) -> Expr<'g>,
    ) -> Custom {
        Registry::new().add(name, Elementwise { value, rule }).unwrap()
    }
}

impl CustomOp for Elementwise {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let values = operands[0].to_f64_vec();
        Ok(Tensor::from_fn(operands[0].sizes(), |i| (self.value)(values[i])).cast(operands[0].dtype()))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Flows((self.rule)(at.operands[0], at.cotangent))])
    }

    fn sample(&self, choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        Sample { op: pullback_graph::op::StopGradient.into(), operands: vec![OperandSample::any(ty)] }
    }
}

/// `[rows, columns] + [columns]` whose rule forgets to sum the cotangent over the rows.
#[derive(Debug)]
pub(crate) struct ForgetfulBias;

impl CustomOp for ForgetfulBias {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        let (x, bias) = (operands[0].to_f64_vec(), operands[1].to_f64_vec());
        Ok(Tensor::from_fn(operands[0].sizes(), |i| x[i] + bias[i % bias.len()]).cast(operands[0].dtype()))
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let first_row = at.cotangent.slice(0, 0..1).reshape(at.operands[1].shape());
        Partials::from_iter([Partial::Flows(at.cotangent), Partial::Flows(first_row)])
    }

    fn sample(&self, _choices: &mut Choices) -> Sample {
        let of = |sizes: &[usize]| OperandSample::any(Tensor::full(sizes, 0.0).ty());
        Sample { op: pullback_graph::op::StopGradient.into(), operands: vec![of(&[2, 3]), of(&[3])] }
    }
}

/// An op whose rule is off by a factor.
#[derive(Debug)]
pub(crate) struct Scaled {
    op: Op,
    factor: f64,
}

impl Scaled {
    pub(crate) fn custom(op: &Op, factor: f64) -> Custom {
        let name = format!("scaled_{}", op.name());
        Registry::new().add(&name, Scaled { op: op.clone(), factor }).unwrap()
    }
}

impl CustomOp for Scaled {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        self.op.infer(operands)
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        self.op.evaluate(operands, result)
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        let partials = self.op.pullback(at).into_iter();
        let scaled = partials.map(|partial| match partial {
            Partial::Flows(cotangent) if self.factor != 1.0 => Partial::Flows(cotangent * self.factor),
            partial => partial,
        });
        scaled.collect()
    }

    fn sample(&self, _choices: &mut Choices) -> Sample {
        Sample { op: self.op.clone(), operands: Vec::new() }
    }
}

/// So many cases per property; `PROPTEST_CASES` raises it. Failures are kept beside the tests.
pub(crate) fn config(cases: u32, file: &str) -> ProptestConfig {
    let default = ProptestConfig::default();
    let path = format!("{}/tests/proptest-regressions/{file}.txt", env!("CARGO_MANIFEST_DIR"));
    let persistence = FileFailurePersistence::Direct(Box::leak(path.into_boxed_str()));
    ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases },
        failure_persistence: Some(Box::new(persistence)),
        ..default
    }
}
