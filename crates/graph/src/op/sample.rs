//! Well-typed applications of ops, drawn from a stream of choices: what the catalogue suites run on.
//!
//! A stream is a plain list of numbers, and smaller numbers make smaller samples: a property test that shrinks the list
//! shrinks the sample.

use crate::dim::Dim;
use crate::dtype::{DType, Element};
use crate::op::Op;
use crate::shape::{AxisList, Shape, TensorType};
use crate::tensor::Tensor;

/// An op and the operands it takes.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The op.
    pub op: Op,
    /// Its operands, in order.
    pub operands: Vec<OperandSample>,
}

/// An operand: its type, and where its elements are drawn from.
#[derive(Clone, Debug)]
pub struct OperandSample {
    /// The type; all sizes are known.
    pub ty: TensorType,
    /// Where elements come from.
    pub domain: Domain,
}

impl OperandSample {
    /// An operand whose elements may be anything ordinary.
    #[must_use]
    pub fn any(ty: TensorType) -> Self {
        let domain = if ty.dtype == DType::Bool { Domain::Truth } else { Domain::ANY };
        OperandSample { ty, domain }
    }

    /// A value of this type and domain.
    #[must_use]
    pub fn value(&self, choices: &mut Choices) -> Tensor {
        let sizes = self.ty.shape.known().expect("samples have known sizes");
        let count: usize = sizes.iter().product();
        let order = if self.domain == Domain::Distinct { choices.permutation(count) } else { Vec::new() };
        let values: Vec<f64> = (0..count)
            .map(|i| match self.domain {
                Domain::Between { low, high, kinks } => choices.between(low, high, kinks),
                Domain::Lattice { step, offset } => (choices.below(9) as f64 - 4.0) * step + offset,
                Domain::Distinct => (order[i] as f64 - count as f64 / 2.0) * 0.3,
                Domain::Index { below } => choices.below(below) as f64,
                Domain::Truth => choices.below(2) as f64,
                Domain::Dominant => {
                    let n = sizes[sizes.len() - 1];
                    let is_diagonal = i / n % n == i % n;
                    if is_diagonal {
                        choices.between(1.0, 2.0, &[]) + n as f64
                    } else {
                        choices.between(-1.0, 1.0, &[])
                    }
                }
            })
            .collect();
        crate::dispatch!(self.ty.dtype, T => Tensor::from_fn(&sizes, |i| <T as Element>::from_f64(values[i])))
    }
}

/// Where the elements of an operand are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// Evenly between two bounds, at least 0.05 away from each kink.
    Between {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
        /// Points to keep away from.
        kinks: &'static [f64],
    },
    /// Multiples of `step` plus `offset`: two lattices with different offsets never meet.
    Lattice {
        /// The distance of neighbours.
        step: f64,
        /// The lattice's own shift.
        offset: f64,
    },
    /// No two elements closer than 0.3.
    Distinct,
    /// Whole numbers below a bound.
    Index {
        /// The bound; at least 1.
        below: usize,
    },
    /// Truth values.
    Truth,
    /// Square matrices, in the last two axes, whose every diagonal element exceeds the rest of its row and of its column
    /// in absolute value, together, by more than 1: far from singular, with a positive definite symmetric part.
    Dominant,
}

impl Domain {
    /// Ordinary numbers.
    pub const ANY: Domain = Domain::Between { low: -3.0, high: 3.0, kinks: &[] };
}

/// A stream of choices. When it is exhausted every further choice is the smallest one.
#[derive(Clone, Debug)]
pub struct Choices {
    stream: Vec<u32>,
    at: usize,
}

impl Choices {
    /// The choices `stream`, in order.
    #[must_use]
    pub fn new(stream: Vec<u32>) -> Self {
        Choices { stream, at: 0 }
    }

    /// A long stream of choices that look random, the same for one seed on every machine.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        Choices::new((0..4096).map(|_| rng.random()).collect())
    }

    fn next(&mut self) -> u32 {
        let choice = self.stream.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        choice
    }

    /// Whether the stream has been used up.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.at >= self.stream.len()
    }

    /// A number below `count`; 0 when `count` is.
    pub fn below(&mut self, count: usize) -> usize {
        if count <= 1 {
            return 0;
        }
        self.next() as usize % count
    }

    /// A number between two bounds, at least 0.05 away from each kink.
    pub fn between(&mut self, low: f64, high: f64, kinks: &[f64]) -> f64 {
        const MARGIN: f64 = 0.05;
        let value = low + (high - low) * (f64::from(self.next()) / f64::from(u32::MAX));
        match kinks.iter().find(|kink| (value - **kink).abs() < MARGIN) {
            None => value,
            // Kinks stand further apart than two margins, so a step aside is clear of the next one.
            Some(kink) => *kink + if value < *kink { -MARGIN } else { MARGIN },
        }
    }

    /// A shape of at most `rank` axes of sizes 1 to 4, rarely 0.
    pub fn shape(&mut self, rank: usize) -> Shape {
        let rank = self.below(rank + 1);
        (0..rank).map(|_| Dim::Known(if self.below(16) == 15 { 0 } else { 1 + self.below(4) })).collect()
    }

    /// An f64 type of at most `rank` axes.
    pub fn float_type(&mut self, rank: usize) -> TensorType {
        TensorType { dtype: DType::F64, shape: self.shape(rank) }
    }

    /// An f64 type of at most `rank` axes, none of them empty.
    pub fn nonempty_float_type(&mut self, rank: usize) -> TensorType {
        let ty = self.float_type(rank);
        let shape =
            ty.shape.iter().map(|dim| if *dim == Dim::Known(0) { Dim::Known(1) } else { dim.clone() });
        TensorType { dtype: DType::F64, shape: shape.collect() }
    }

    /// Some of `rank` axes, ascending.
    pub fn axes(&mut self, rank: usize) -> AxisList {
        (0..rank).filter(|_| self.below(2) == 1).collect()
    }

    /// An order of `count` things.
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, at - self.below(at + 1));
        }
        order
    }
}
