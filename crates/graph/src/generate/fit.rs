//! Bringing nodes into the types and domains that an op takes.

use std::sync::Arc;

use super::Grower;
use crate::dim::Dim;
use crate::expr::Expr;
use crate::op::{
    BinaryOp, Cast, Constant, Domain, Literal, Op, OperandSample, Pad, Reshape, Scalar, Slice, UnaryOp,
};
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// How far values stay from the points where a derivative jumps.
const MARGIN: f64 = 0.05;

impl<'g> Grower<'g, '_> {
    /// Whether the program may have an op that takes such operands.
    pub(super) fn is_allowed(&self, samples: &[OperandSample]) -> bool {
        let has_kinks = |sample: &OperandSample| match sample.domain {
            // Of two operands, kinks keep the divisor from zero, where nothing is defined.
            Domain::Between { kinks, .. } => samples.len() == 1 && !kinks.is_empty(),
            Domain::Lattice { .. } | Domain::Distinct => true,
            Domain::Index { .. } | Domain::Truth | Domain::Dominant => false,
        };
        !(self.spec.smooth_only && samples.iter().any(has_kinks))
    }

    /// Applies an op if its operands' values lie where it is defined and smooth.
    pub(super) fn apply_within(
        &mut self,
        op: Op,
        operands: &[Expr<'g>],
        samples: &[OperandSample],
    ) -> Option<Expr<'g>> {
        if self.suits(operands, samples) { self.apply(op, operands) } else { None }
    }

    /// Whether values lie in the domains of an op's operands.
    pub(super) fn suits(&self, operands: &[Expr<'g>], samples: &[OperandSample]) -> bool {
        let values = |index: usize| self.values[operands[index].id().index()].to_f64_vec();
        let are_apart = |index: usize| {
            let mut sorted = values(index);
            sorted.sort_by(f64::total_cmp);
            sorted.windows(2).all(|pair| pair[1] - pair[0] >= MARGIN)
        };
        let each = |index: usize| match samples[index].domain {
            Domain::Between { .. } | Domain::Index { .. } => {
                values(index).iter().all(|x| holds(samples[index].domain, *x))
            }
            // Two lattices are there to keep two operands apart from each other.
            Domain::Lattice { .. } => {
                let other = samples.iter().enumerate().find(|(other, sample)| {
                    *other != index && matches!(sample.domain, Domain::Lattice { .. })
                });
                match other {
                    Some((other, _)) => {
                        values(index).iter().zip(values(other)).all(|(a, b)| (a - b).abs() >= MARGIN)
                    }
                    // One alone is where its operand lies.
                    None => values(index).iter().all(|x| holds(samples[index].domain, *x)),
                }
            }
            Domain::Distinct => are_apart(index),
            Domain::Truth => true,
            Domain::Dominant => is_dominant(&values(index), &operands[index].shape()),
        };
        (0..operands.len()).all(each)
    }

    /// A node brought into a domain: as it is, or squashed between the bounds.
    pub(super) fn fit(&mut self, x: Expr<'g>, sample: &OperandSample) -> Option<Expr<'g>> {
        if sample.domain == Domain::Dominant {
            return self.dominant(x);
        }
        let Domain::Between { low, high, .. } = sample.domain else {
            // Two lattices are about two operands: whether they suit is seen when both are there.
            let is_pair = matches!(sample.domain, Domain::Lattice { .. });
            return (is_pair || self.suits(&[x], std::slice::from_ref(sample))).then_some(x);
        };
        if self.suits(&[x], std::slice::from_ref(sample)) {
            return Some(x);
        }
        let number = |this: &mut Self, value| {
            let value = Scalar::of(x.dtype(), value).ok()?;
            this.apply(Literal { value, shape: x.shape() }, &[])
        };
        let squashed = self.apply(UnaryOp::Tanh, &[x])?;
        let (half, middle) = (number(self, (high - low) * 0.45)?, number(self, (high + low) / 2.0)?);
        let scaled = self.apply(BinaryOp::Mul, &[squashed, half])?;
        let moved = self.apply(BinaryOp::Add, &[scaled, middle])?;
        self.suits(&[moved], std::slice::from_ref(sample)).then_some(moved)
    }

    /// Square matrices far from singular: squashed, with a diagonal added that outweighs the rest.
    fn dominant(&mut self, x: Expr<'g>) -> Option<Expr<'g>> {
        let sizes = x.shape().known()?;
        let n = sizes[sizes.len() - 1];
        let diagonal = |i: usize| if i / n % n == i % n { n as f64 + 1.5 } else { 0.0 };
        let diagonal = Tensor::from_fn(&sizes, diagonal).cast(x.dtype());
        let squashed = self.apply(UnaryOp::Tanh, &[x])?;
        let diagonal = self.apply(Constant { value: Arc::new(diagonal) }, &[])?;
        self.apply(BinaryOp::Add, &[squashed, diagonal])
    }

    /// A node of type `ty` that has as many elements of `x` as there is room for.
    pub(super) fn coerce(&mut self, x: Expr<'g>, ty: &TensorType) -> Option<Expr<'g>> {
        let mut x = x;
        if x.dtype() != ty.dtype {
            if !x.dtype().is_float() || !ty.dtype.is_float() {
                return None;
            }
            x = self.apply(Cast { dtype: ty.dtype }, &[x])?;
        }
        if x.shape() == ty.shape {
            return Some(x);
        }
        let (own, wanted) = (x.shape().numel().known()?, ty.shape.numel().known()?);
        if own != wanted {
            x = self.apply(Reshape { shape: [own].into() }, &[x])?;
            let op: Op = if own > wanted {
                let first = self.choices.below(own - wanted + 1);
                let (starts, ends) = (vec![Dim::Known(first)], vec![Dim::Known(first + wanted)]);
                Slice { starts, ends, steps: vec![1] }.into()
            } else {
                let value = Scalar::of(ty.dtype, 1.0).ok()?;
                Pad { low: vec![Dim::Known(0)], high: vec![Dim::Known(wanted - own)], inner: vec![0], value }
                    .into()
            };
            x = self.apply(op, &[x])?;
        }
        if x.shape() == ty.shape { Some(x) } else { self.apply(Reshape { shape: ty.shape.clone() }, &[x]) }
    }
}

/// Whether every matrix of a stack has a diagonal that outweighs the rest, with some margin.
fn is_dominant(values: &[f64], shape: &Shape) -> bool {
    let n = shape[shape.rank() - 1].known().unwrap_or_default();
    values.chunks(n.max(1) * n.max(1)).all(|matrix| {
        (0..n).all(|row| {
            let others = (0..n).filter(|column| *column != row);
            let rest: f64 =
                others.map(|column| matrix[row * n + column].abs().max(matrix[column * n + row].abs())).sum();
            matrix[row * n + row] >= rest + 0.25 * (1.0 + rest)
        })
    })
}

/// Whether a value lies in a domain of single values.
fn holds(domain: Domain, value: f64) -> bool {
    match domain {
        Domain::Between { low, high, kinks } => {
            let Domain::Between { low: any_low, high: any_high, .. } = Domain::ANY else { return true };
            // The bounds of ordinary numbers are where samples come from, not where functions end.
            let is_within = (low, high) == (any_low, any_high) || (low <= value && value <= high);
            is_within && kinks.iter().all(|kink| (value - kink).abs() >= MARGIN)
        }
        Domain::Index { below } => (0.0..below as f64).contains(&value),
        Domain::Lattice { step, offset } => {
            let nearest = ((value - offset) / step).round().clamp(-4.0, 4.0);
            (value - offset - nearest * step).abs() < MARGIN
        }
        Domain::Distinct | Domain::Truth | Domain::Dominant => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::dtype::DType;
    use crate::generate::{GraphSpec, generate};
    use crate::interpret::interpret;
    use crate::op::{Choices, Op, OpRules};

    #[test]
    fn an_empty_stream_makes_one_number() {
        let made = generate(&mut Choices::new(vec![]), &GraphSpec::default());
        assert_eq!((made.graph.len(), made.feeds.len()), (1, 1), "{}", made.graph);
    }

    /// Ops that programs do not have: the gradient of a user's rule is not that of its value.
    const LEFT_OUT: [&str; 1] = ["custom_vjp"];

    #[test]
    fn programs_run_and_meet_every_op_of_the_catalogue() {
        let all: BTreeSet<&str> = Op::catalogue().into_iter().map(|(name, _)| name).collect();
        for dtype in [DType::F64, DType::F32] {
            let mut met = BTreeSet::new();
            for seed in 0..1000 {
                let spec = GraphSpec { dtype, ..GraphSpec::default() };
                let made = generate(&mut Choices::seeded(seed), &spec);
                let values =
                    interpret(&made.graph, made.feeds.iter().map(|(name, value)| (name, value))).unwrap();
                let loss = values.output("loss").unwrap();
                assert!(
                    loss.dtype() == dtype && loss.item().is_some_and(f64::is_finite),
                    "seed {seed}: {loss}"
                );
                met.extend(made.graph.nodes().iter().map(|node| node.op.to_parts().0));
            }
            let missing: Vec<_> = all.iter().filter(|name| !met.contains(**name)).collect();
            assert_eq!(missing, LEFT_OUT.iter().collect::<Vec<_>>(), "{dtype}");
        }
    }

    #[test]
    fn smooth_programs_have_no_kinks() {
        let kinked =
            ["abs", "relu", "sign", "floor", "round", "maximum", "reduce_max", "argmax", "clamp", "lt"];
        for seed in 0..200 {
            let spec = GraphSpec { smooth_only: true, ..GraphSpec::default() };
            let made = generate(&mut Choices::seeded(seed), &spec);
            for node in made.graph.nodes() {
                assert!(!kinked.contains(&&*node.op.name()), "seed {seed}: {}", node.op.name());
            }
        }
    }
}
