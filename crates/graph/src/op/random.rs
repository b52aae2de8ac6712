//! Random numbers from an explicit key: the same key gives the same bits, on any machine, in any order of evaluation.
//!
//! Element `i` is a function of the key, the stream and `i` alone: one of the two that a [block of the generator](PhiloxBlock)
//! makes.

mod normal;
mod philox;

pub use philox::PhiloxBlock;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::dim::{Bindings, Dim};
use crate::dispatch_float;
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::Op;
use crate::op::leaf::known;
use crate::op::rules::{Batch, OpClass, OpRules, Partial, Partials, Site};
use crate::op::sample::{Choices, Domain, OperandSample, Sample};
use crate::op::table::expect_operands;
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Evenly from [0, 1), in steps of 2⁻²⁴ (f32) or 2⁻⁵³ (f64).
    Uniform,
    /// The standard normal distribution, by the method of Box and Muller.
    Normal,
}

/// Independent draws, one per element: `result[k…, i…]` is draw `i…` with the key `keys[k…]`.
///
/// Operands: the key, a scalar of type i64; or a tensor of keys, each of which has draws of its own, those that it has
/// alone.
/// Constraints: C1 one operand; C2 it is of type i64; C3 the result is of a float type.
/// Gradient: none; the draws do not depend on anything continuous.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Random {
    /// What is drawn.
    pub distribution: Distribution,
    /// Tells draws with the same key apart: each layer takes a stream of its own.
    pub stream: u64,
    /// The element type.
    pub dtype: DType,
    /// The shape of the draws with one key.
    pub shape: Shape,
}

impl Random {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let distribution = [Distribution::Uniform, Distribution::Normal][choices.below(2)];
        let op = Random { distribution, stream: 7, dtype: DType::F64, shape: choices.shape(3) };
        let keys = choices.shape(1);
        let keys =
            OperandSample { ty: TensorType::new(DType::I64, keys), domain: Domain::Index { below: 100 } };
        Sample { op: op.into(), operands: vec![keys] }
    }

    /// Element `index` of the draws with `key`, as a double.
    #[must_use]
    pub fn draw(&self, key: i64, index: usize) -> f64 {
        let block = self.block(key, (index / 2) as u64);
        let pair = match self.distribution {
            Distribution::Uniform if self.dtype == DType::F32 => block.uniform_f32().map(f64::from),
            Distribution::Uniform => block.uniform_f64(),
            Distribution::Normal => block.normal(),
        };
        pair[index % 2]
    }

    /// The block that elements `2 · number` and `2 · number + 1` of the draws with `key` are made of.
    #[inline(always)]
    #[must_use]
    pub fn block(&self, key: i64, number: u64) -> PhiloxBlock {
        PhiloxBlock::new(key as u64, self.stream, number)
    }
}

impl OpRules for Random {
    fn name(&self) -> Cow<'static, str> {
        match self.distribution {
            Distribution::Uniform => "random_uniform",
            Distribution::Normal => "random_normal",
        }
        .into()
    }

    fn class(&self) -> OpClass {
        OpClass::Random
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 1)?;
        if operands[0].dtype != DType::I64 {
            return Err(Violation::new("C2", format!("a key is of type i64, got {}", operands[0])));
        }
        if !self.dtype.is_float() {
            return Err(Violation::new("C3", format!("draws floating-point numbers, not {}", self.dtype)));
        }
        Ok(TensorType::new(
            self.dtype,
            operands[0].shape.iter().chain(self.shape.iter()).cloned().collect::<Shape>(),
        ))
    }

    fn evaluate(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (keys, sizes) = (operands[0].values::<i64>(), known(result)?);
        let each: usize = sizes[operands[0].sizes().len()..].iter().product();
        dispatch_float!(self.dtype, T => {
            Ok(Tensor::from_fn(&sizes, |i| <T as Element>::from_f64(self.draw(keys[i / each], i % each))))
        }, else Err(format!("draws floating-point numbers, not {}", self.dtype)))
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Stops])
    }

    /// Each element of the axis draws with its own key.
    fn batch<'g>(&self, at: &Batch<'g>) -> Option<Expr<'g>> {
        Some(at.operands[0].apply(self.clone()))
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        Ok(Random { shape: self.shape.bind(bindings)?, ..self.clone() }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_moments_of_their_distribution() {
        for (distribution, mean, variance) in
            [(Distribution::Uniform, 0.5, 1.0 / 12.0), (Distribution::Normal, 0.0, 1.0)]
        {
            let op = Random { distribution, stream: 1, dtype: DType::F64, shape: Shape::scalar() };
            let draws: Vec<f64> = (0..20_000).map(|i| op.draw(3, i)).collect();
            let found = draws.iter().sum::<f64>() / draws.len() as f64;
            let spread = draws.iter().map(|x| (x - found).powi(2)).sum::<f64>() / draws.len() as f64;
            assert!((found - mean).abs() < 0.02 && (spread - variance).abs() < 0.03, "{found} {spread}");
        }
    }
}
