//! Random numbers from an explicit key: the same key gives the same numbers, in any order of evaluation, and on any machine: to
//! the bit if they are uniform, while normal ones go through functions that machines round each in their way.
//!
//! The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): element `i`
//! is a function of the key, the stream and `i` alone.

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
        let [a, b, c, d] = self.words::<1>(key, (index / 2) as u64).map(|[word]| word);
        let is_first = index.is_multiple_of(2);
        match self.distribution {
            Distribution::Uniform => {
                let [high, low] = if is_first { [a, b] } else { [c, d] };
                if self.dtype == DType::F32 {
                    f64::from(Random::unit_f32(high))
                } else {
                    Random::unit_f64(high, low)
                }
            }
            Distribution::Normal => {
                // One block makes the two coordinates of a point in the plane.
                let radius = (-2.0 * (1.0 - Random::unit_f64(a, b)).ln()).sqrt();
                let angle = std::f64::consts::TAU * Random::unit_f64(c, d);
                radius * if is_first { angle.cos() } else { angle.sin() }
            }
        }
    }

    /// The four words of so many blocks from number `first` on, word by word: elements `2 · block` and `2 · block + 1` of the
    /// draws with `key` are made of them.
    #[inline(always)]
    #[must_use]
    pub fn words<const BLOCKS: usize>(&self, key: i64, first: u64) -> [[u32; BLOCKS]; 4] {
        philox(key as u64, self.stream, first)
    }

    /// A word as a number in [0, 1), in steps of 2⁻²⁴.
    #[inline(always)]
    #[must_use]
    pub fn unit_f32(word: u32) -> f32 {
        // Less than 2²⁴, as a signed number, which processors convert at once.
        (word >> 8) as i32 as f32 * (1.0 / (1 << 24) as f32)
    }

    /// Two words as a number in [0, 1), in steps of 2⁻⁵³.
    #[inline(always)]
    #[must_use]
    pub fn unit_f64(high: u32, low: u32) -> f64 {
        (((u64::from(high) << 32) | u64::from(low)) >> 11) as i64 as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

/// Philox4x32-10: four random words of a 64-bit key and a 128-bit counter (`stream`, `block`), for so many blocks from `first` on.
#[inline(always)]
fn philox<const BLOCKS: usize>(key: u64, stream: u64, first: u64) -> [[u32; BLOCKS]; 4] {
    const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    let mut key = [key as u32, (key >> 32) as u32];
    let block = |at: usize| first.wrapping_add(at as u64);
    let mut counter = [
        std::array::from_fn(|at| block(at) as u32),
        std::array::from_fn(|at| (block(at) >> 32) as u32),
        [stream as u32; BLOCKS],
        [(stream >> 32) as u32; BLOCKS],
    ];
    for _ in 0..10 {
        let [w, x, y, z] = &mut counter;
        for (((w, x), y), z) in w.iter_mut().zip(x).zip(y).zip(z) {
            let a = u64::from(MULTIPLIERS[0]) * u64::from(*w);
            let b = u64::from(MULTIPLIERS[1]) * u64::from(*y);
            (*w, *x, *y, *z) =
                ((b >> 32) as u32 ^ *x ^ key[0], b as u32, (a >> 32) as u32 ^ *z ^ key[1], a as u32);
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
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

    /// The known answers published with Random123 (Salmon et al. 2011).
    #[test]
    fn philox_gives_the_published_words() {
        let words = |key, stream, block| philox::<1>(key, stream, block).map(|[word]| word);
        assert_eq!(words(0, 0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(words(u64::MAX, u64::MAX, u64::MAX), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let (block, stream, key) = (0x85a3_08d3_243f_6a88, 0x0370_7344_1319_8a2e, 0x299f_31d0_a409_3822);
        assert_eq!(words(key, stream, block), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
        let many = philox::<16>(key, stream, u64::from(u32::MAX) - 3);
        for at in 0..16 {
            let one = words(key, stream, u64::from(u32::MAX) - 3 + at as u64);
            assert_eq!(many.map(|words| words[at]), one, "block {at}");
        }
    }

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
