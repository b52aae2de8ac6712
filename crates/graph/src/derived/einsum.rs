//! Einstein summation: sums of products, written by naming axes.

use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::DotGeneral;
use crate::shape::{AxisList, Shape};

/// Sums of products over named axes, as `numpy.einsum`: `"bi,ijk,bk->bj"` names the axes of each operand, then those of the
/// result. An index that the result does not have is summed over.
///
/// - An index that stands twice in one operand takes its diagonal: `"ii->i"`; `"ii->"` is the trace.
/// - `...` stands for the axes that are not named. They are aligned at the end and broadcast.
/// - Without `->` the result has the axes of `...`, then every index that occurs once, in the order of the alphabet
///   (upper case first).
///
/// Three operands or more are multiplied pair by pair: the pair that costs least first, or from left to right where sizes
/// are not known.
///
/// Constraints: C1 as many terms as operands; C2 a well-formed equation; C3 as many indices as axes; C4 one size per index;
/// C5 the result's indices occur in the operands, each once; C6 one float type.
///
/// ```
/// use pullback_graph::{Builder, DType::F64, einsum};
/// let b = Builder::new();
/// let (x, w) = (b.input("x", F64, [5, 2]), b.input("w", F64, [3, 2, 4]));
/// assert_eq!(einsum("bi,oik->bok", &[x, w]).ty().to_string(), "f64[5, 3, 4]");
/// ```
///
/// # Panics
/// When there are no operands, or a constraint does not hold.
#[must_use]
#[track_caller]
pub fn einsum<'g>(equation: &str, operands: &[Expr<'g>]) -> Expr<'g> {
    let Some(first) = operands.first() else { panic!("einsum: takes at least one operand (C1)") };
    let refuse = |violation: Violation| -> ! { first.refuse("einsum", violation, &operands[1..]) };
    if let Some(other) =
        operands.iter().find(|other| other.dtype() != first.dtype() || !other.dtype().is_float())
    {
        let message =
            format!("takes elements of one floating-point type, got {} and {}", first.ty(), other.ty());
        refuse(Violation::new("C6", message).help("convert with `cast`"));
    }
    let shapes: Vec<Shape> = operands.iter().map(|operand| operand.shape()).collect();
    let plan = match Plan::of(equation, &shapes) {
        Ok(plan) => plan,
        Err(violation) => refuse(violation),
    };
    first.builder().derived("einsum", Location::caller(), || plan.build(operands))
}

/// The name of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Index {
    /// An axis of `...`, counted from its end.
    Dots(usize),
    /// A letter.
    Named(char),
}

/// What an equation says of operands of certain shapes.
struct Plan {
    operands: Vec<Vec<Index>>,
    result: Vec<Index>,
    sizes: Vec<(Index, Dim)>,
}

/// A factor of the product: a tensor, and the names of its axes.
#[derive(Clone)]
struct Factor<'g> {
    value: Expr<'g>,
    indices: Vec<Index>,
}

impl Plan {
    fn of(equation: &str, shapes: &[Shape]) -> Result<Plan, Violation> {
        let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (text.as_str(), None),
        };
        let terms: Vec<Term> =
            left.split(',').map(|term| Term::of(term, equation)).collect::<Result<_, _>>()?;
        if terms.len() != shapes.len() {
            let message = format!("\"{equation}\" has {} terms for {} operands", terms.len(), shapes.len());
            return Err(Violation::new("C1", message));
        }
        let mut plan = Plan { operands: Vec::new(), result: Vec::new(), sizes: Vec::new() };
        for (at, (term, shape)) in terms.iter().zip(shapes).enumerate() {
            let indices = term.indices(shape.rank()).ok_or_else(|| {
                let names = term.before.len() + term.after.as_ref().map_or(0, Vec::len);
                let least = if term.after.is_some() { "at least " } else { "" };
                let message = format!(
                    "operand {at} of \"{equation}\" has {least}{names} indices, but {} axes: {shape}",
                    shape.rank()
                );
                Violation::new("C3", message)
            })?;
            for (index, size) in indices.iter().zip(shape.iter()) {
                plan.meet(*index, size, equation)?;
            }
            plan.operands.push(indices);
        }
        plan.result = match right {
            Some(right) => plan.explicit(&Term::of(right, equation)?, equation)?,
            None => plan.implicit(),
        };
        Ok(plan)
    }

    /// Notes the size of an index; axes of `...` stretch from 1.
    fn meet(&mut self, index: Index, size: &Dim, equation: &str) -> Result<(), Violation> {
        let Some((_, known)) = self.sizes.iter_mut().find(|(other, _)| *other == index) else {
            self.sizes.push((index, size.clone()));
            return Ok(());
        };
        match index {
            _ if known == size => {}
            Index::Dots(_) if size.is_one() => {}
            Index::Dots(_) if known.is_one() => *known = size.clone(),
            Index::Dots(at) => {
                let message =
                    format!("axis {at} from the end of `...` has sizes {known} and {size} in \"{equation}\"");
                return Err(Violation::new("C4", message).help("axes of `...` must be equal or 1"));
            }
            Index::Named(name) => {
                let message = format!("index {name} has sizes {known} and {size} in \"{equation}\"");
                return Err(Violation::new("C4", message));
            }
        }
        Ok(())
    }

    /// The axes of `...`, outermost first.
    fn dots(&self) -> Vec<Index> {
        let count = self.sizes.iter().filter(|(index, _)| matches!(index, Index::Dots(_))).count();
        (0..count).rev().map(Index::Dots).collect()
    }

    fn explicit(&self, term: &Term, equation: &str) -> Result<Vec<Index>, Violation> {
        let dots = self.dots();
        if term.after.is_none() && !dots.is_empty() {
            let message = format!("\"{equation}\" leaves `...` out of the result");
            return Err(
                Violation::new("C5", message).help("write `...` on the right too, or sum over named axes")
            );
        }
        let named = |names: &[char]| names.iter().copied().map(Index::Named).collect::<Vec<_>>();
        let after = term.after.as_deref().unwrap_or_default();
        let result = [named(&term.before), dots, named(after)].concat();
        for (at, index) in result.iter().enumerate() {
            let Index::Named(name) = index else { continue };
            if !self.sizes.iter().any(|(other, _)| other == index) {
                let message = format!("index {name} of the result occurs in no operand of \"{equation}\"");
                return Err(Violation::new("C5", message));
            }
            if result[..at].contains(index) {
                let message = format!("index {name} stands twice in the result of \"{equation}\"");
                return Err(Violation::new("C5", message));
            }
        }
        Ok(result)
    }

    fn implicit(&self) -> Vec<Index> {
        let all = || self.operands.iter().flatten();
        let mut once: Vec<Index> = all()
            .filter(|index| matches!(index, Index::Named(_)))
            .filter(|index| all().filter(|other| other == index).count() == 1)
            .copied()
            .collect();
        once.sort_unstable();
        [self.dots(), once].concat()
    }

    /// The number of elements that the indices count, if it is known.
    fn count(&self, indices: &[Index]) -> Option<f64> {
        indices.iter().try_fold(1.0, |product, index| Some(product * self.size(*index).known()? as f64))
    }

    fn size(&self, index: Index) -> &Dim {
        let found = self.sizes.iter().find(|(other, _)| *other == index);
        &found.expect("every index has been met in an operand").1
    }

    fn build<'g>(&self, operands: &[Expr<'g>]) -> Expr<'g> {
        let factors = operands.iter().zip(&self.operands);
        let mut factors: Vec<Factor<'g>> =
            factors.map(|(value, indices)| self.prepared(*value, indices)).collect();
        while factors.len() > 1 {
            let (left, right) = self.cheapest(&factors);
            let right = factors.remove(right);
            let left = factors.remove(left);
            let needed = |index: Index| {
                self.result.contains(&index) || factors.iter().any(|factor| factor.indices.contains(&index))
            };
            let product = left.summed(|index| needed(index) || right.indices.contains(&index));
            let other = right.summed(|index| needed(index) || left.indices.contains(&index));
            factors.push(product.times(&other, needed));
        }
        let factor = factors.remove(0).summed(|index| self.result.contains(&index));
        // What remains has every index of the result, but for broadcast axes that were 1 everywhere they stood.
        factor.ordered(&self.result)
    }

    /// The operand with each index once, and without the axes that are to be stretched.
    fn prepared<'g>(&self, value: Expr<'g>, indices: &[Index]) -> Factor<'g> {
        let mut factor = Factor { value, indices: indices.to_vec() };
        while let Some((first, second)) = repeated(&factor.indices) {
            factor = factor.diagonal(first, second);
        }
        let stretched = |at: usize, index: Index| {
            factor.value.shape()[at].is_one() && !self.size(index).is_one() && matches!(index, Index::Dots(_))
        };
        let (mut kept, mut shape) = (Vec::new(), Vec::new());
        for (at, index) in factor.indices.iter().enumerate() {
            if !stretched(at, *index) {
                kept.push(*index);
                shape.push(factor.value.shape()[at].clone());
            }
        }
        Factor { value: factor.value.reshape(shape), indices: kept }
    }

    /// The two factors to multiply next.
    fn cheapest(&self, factors: &[Factor<'_>]) -> (usize, usize) {
        let mut best: Option<((f64, f64), (usize, usize))> = None;
        for left in 0..factors.len() {
            for right in left + 1..factors.len() {
                let pair = [&factors[left], &factors[right]];
                let mut all: Vec<Index> = pair.iter().flat_map(|factor| factor.indices.clone()).collect();
                all.sort_unstable();
                all.dedup();
                let needed = |index: &&Index| {
                    let others = factors.iter().enumerate().filter(|(at, _)| *at != left && *at != right);
                    let in_others =
                        others.map(|(_, factor)| factor).any(|factor| factor.indices.contains(index));
                    in_others || self.result.contains(index)
                };
                let made: Vec<Index> = all.iter().filter(needed).copied().collect();
                let cost = self.count(&all).zip(self.count(&made));
                // From left to right where a size is not known.
                let Some(cost) = cost else { return (0, 1) };
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, (left, right)));
                }
            }
        }
        best.expect("there are at least two factors").1
    }
}

/// The first two positions of an index that stands twice.
fn repeated(indices: &[Index]) -> Option<(usize, usize)> {
    (0..indices.len()).find_map(|second| {
        let first = indices[..second].iter().position(|index| *index == indices[second])?;
        Some((first, second))
    })
}

impl<'g> Factor<'g> {
    /// Axis `second` removed, on which only the elements at the position of axis `first` are kept.
    fn diagonal(mut self, first: usize, second: usize) -> Factor<'g> {
        let [on_first, on_second] = [first, second].map(|axis| self.value.iota_like(axis as i64));
        let kept = on_first.eq(on_second).select(self.value, 0.0);
        self.indices.remove(second);
        Factor { value: kept.sum_over(second as i64), indices: self.indices }
    }

    /// Summed over the indices that are not `needed`.
    fn summed(&self, needed: impl Fn(Index) -> bool) -> Factor<'g> {
        let axes: Vec<usize> = (0..self.indices.len()).filter(|axis| !needed(self.indices[*axis])).collect();
        let indices = self.indices.iter().copied().filter(|index| needed(*index)).collect();
        Factor { value: self.value.sum_over(axes), indices }
    }

    /// The product, summed over the common indices that are not `needed`.
    fn times(&self, other: &Factor<'g>, needed: impl Fn(Index) -> bool) -> Factor<'g> {
        let common: Vec<Index> =
            self.indices.iter().copied().filter(|index| other.indices.contains(index)).collect();
        let (batch, contracted): (Vec<Index>, Vec<Index>) =
            common.iter().copied().partition(|index| needed(*index));
        let only = |indices: &[Index]| {
            indices.iter().copied().filter(|index| !common.contains(index)).collect::<Vec<_>>()
        };
        let indices = [batch.clone(), only(&self.indices), only(&other.indices)].concat();
        let value = if contracted.is_empty() {
            self.aligned(&indices) * other.aligned(&indices)
        } else {
            let axes = |of: &Factor<'g>, listed: &[Index]| -> AxisList {
                listed.iter().map(|index| of.axis(*index).expect("a common index")).collect()
            };
            let op = DotGeneral::new(
                axes(self, &batch),
                axes(other, &batch),
                axes(self, &contracted),
                axes(other, &contracted),
            );
            self.value.apply_to(op, &[other.value])
        };
        Factor { value, indices }
    }

    fn axis(&self, index: Index) -> Option<usize> {
        self.indices.iter().position(|own| *own == index)
    }

    /// The axes in the order of `indices`, which has all of them.
    fn ordered(&self, indices: &[Index]) -> Expr<'g> {
        let order: Vec<usize> = indices.iter().filter_map(|index| self.axis(*index)).collect();
        self.value.permute(order)
    }

    /// The axes in the order of `indices`, with axes of size 1 for those that it lacks.
    fn aligned(&self, indices: &[Index]) -> Expr<'g> {
        let ordered = self.ordered(indices);
        let shape = self.value.shape();
        let size = |index: &Index| self.axis(*index).map_or(Dim::Known(1), |axis| shape[axis].clone());
        ordered.reshape(indices.iter().map(size).collect::<Shape>())
    }
}

/// The indices of one operand as written: before `...`, and after it if it is there.
struct Term {
    before: Vec<char>,
    after: Option<Vec<char>>,
}

impl Term {
    fn of(text: &str, equation: &str) -> Result<Term, Violation> {
        let names = |part: &str| {
            part.chars()
                .map(|c| if c.is_ascii_alphabetic() { Ok(c) } else { Err(c) })
                .collect::<Result<Vec<_>, _>>()
        };
        let read = match text.split_once("...") {
            Some((before, after)) => names(before).and_then(|before| Ok((before, Some(names(after)?)))),
            None => names(text).map(|before| (before, None)),
        };
        let (before, after) = read.map_err(|c| {
            let message = format!("{c:?} is no index in \"{equation}\"");
            Violation::new("C2", message)
                .help("indices are letters; `...` stands for the axes without a name")
        })?;
        Ok(Term { before, after })
    }

    /// One index per axis of a tensor of rank `rank`, if there are as many.
    fn indices(&self, rank: usize) -> Option<Vec<Index>> {
        let named = |names: &[char]| names.iter().copied().map(Index::Named).collect::<Vec<_>>();
        match &self.after {
            None => (self.before.len() == rank).then(|| named(&self.before)),
            Some(after) => {
                let dots = rank.checked_sub(self.before.len() + after.len())?;
                let dots: Vec<Index> = (0..dots).rev().map(Index::Dots).collect();
                Some([named(&self.before), dots, named(after)].concat())
            }
        }
    }
}
