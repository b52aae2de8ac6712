//! Dimensions: a known size, or an integer polynomial in named symbols.
//!
//! Polynomials are kept in one canonical form (sorted monomials, no zero coefficients, never a bare constant), so
//! equal dimensions compare equal and print the same.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Product;
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Sizes given to symbols.
pub type Bindings = BTreeMap<Arc<str>, usize>;

/// A product of symbols, sorted, with repetition for powers.
type Monomial = Vec<Arc<str>>;

/// The size of one axis: known, or a polynomial such as `batch`, `batch*seq` or `4*d + 1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dim {
    /// A size known now.
    Known(usize),
    /// A size known when the graph is bound.
    Symbolic(Arc<Polynomial>),
}

/// An integer polynomial in named symbols, in canonical form. Made by arithmetic on [`Dim`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Polynomial {
    terms: BTreeMap<Monomial, i64>,
}

/// The dimension named `name`.
///
/// ```
/// use pullback_graph::sym;
/// assert_eq!((sym("batch") * 4.into()).to_string(), "4*batch");
/// ```
///
/// # Panics
/// When `name` is not an identifier (letters, digits and `_`, not starting with a digit).
#[must_use]
pub fn sym(name: &str) -> Dim {
    assert!(is_symbol(name), "a dimension's name must be an identifier, got {name:?}");
    Dim::Symbolic(Arc::new(Polynomial { terms: BTreeMap::from([(vec![Arc::from(name)], 1)]) }))
}

fn is_symbol(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || c == '_')
}

impl Dim {
    /// The most terms of a dimension that is read from text.
    const MAX_TERMS: usize = 256;
    /// The most factors of a term that is read from text.
    const MAX_DEGREE: usize = 64;

    /// The size, if it is known.
    #[must_use]
    pub fn known(&self) -> Option<usize> {
        match self {
            Dim::Known(size) => Some(*size),
            Dim::Symbolic(_) => None,
        }
    }

    /// Whether this is the known size 1, the only one that broadcasts.
    #[must_use]
    pub fn is_one(&self) -> bool {
        *self == Dim::Known(1)
    }

    /// The name, if this dimension is one symbol alone.
    #[must_use]
    pub fn symbol(&self) -> Option<&Arc<str>> {
        match self {
            Dim::Known(_) => None,
            Dim::Symbolic(polynomial) => match polynomial.terms.iter().next() {
                Some((monomial, 1)) if polynomial.terms.len() == 1 && monomial.len() == 1 => {
                    Some(&monomial[0])
                }
                _ => None,
            },
        }
    }

    /// Every symbol that occurs, sorted.
    #[must_use]
    pub fn symbols(&self) -> Vec<Arc<str>> {
        let Dim::Symbolic(polynomial) = self else { return Vec::new() };
        let mut names: Vec<_> = polynomial.terms.keys().flatten().cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Replaces the symbols that `bindings` gives sizes to; `None` if that makes the size negative or too large.
    #[must_use]
    pub fn bind(&self, bindings: &Bindings) -> Option<Dim> {
        let Dim::Symbolic(polynomial) = self else { return Some(self.clone()) };
        let mut terms: BTreeMap<Monomial, i64> = BTreeMap::new();
        for (monomial, coefficient) in &polynomial.terms {
            let mut coefficient = *coefficient;
            let mut rest = Monomial::new();
            for symbol in monomial {
                match bindings.get(symbol) {
                    Some(size) => coefficient = coefficient.checked_mul(i64::try_from(*size).ok()?)?,
                    None => rest.push(symbol.clone()),
                }
            }
            let sum = terms.entry(rest).or_default();
            *sum = sum.checked_add(coefficient)?;
        }
        Dim::try_from_terms(terms)
    }

    /// `self + other`; `None` where that is a negative number, as `n - 2` and `-n` make it.
    #[must_use]
    pub fn checked_add(&self, other: &Dim) -> Option<Dim> {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => Some(Dim::Known(a.saturating_add(*b))),
            _ => combine(self, other, 1),
        }
    }

    /// `self - other`; `None` where that is a negative number.
    #[must_use]
    pub fn checked_sub(&self, other: &Dim) -> Option<Dim> {
        combine(self, other, -1)
    }

    /// The number of terms of the polynomial; 1 for a known size.
    #[must_use]
    pub fn term_count(&self) -> usize {
        match self {
            Dim::Known(_) => 1,
            Dim::Symbolic(polynomial) => polynomial.terms.len(),
        }
    }

    /// `self / divisor` where that is exact for every size of the symbols, else `None`.
    #[must_use]
    pub fn exact_div(&self, divisor: &Dim) -> Option<Dim> {
        if self == divisor && *divisor != Dim::Known(0) {
            return Some(Dim::Known(1));
        }
        let divisor_terms = divisor.terms();
        // A polynomial divisor with several terms only divides its own multiples, handled above.
        let (by, factor) = divisor_terms.iter().next().filter(|_| divisor_terms.len() == 1)?;
        let mut quotient = BTreeMap::new();
        for (monomial, coefficient) in self.terms() {
            if coefficient.checked_rem(*factor) != Some(0) {
                return None;
            }
            let mut rest = monomial;
            for symbol in by {
                let at = rest.iter().position(|other| other == symbol)?;
                rest.remove(at);
            }
            quotient.insert(rest, coefficient / factor);
        }
        Dim::try_from_terms(quotient)
    }

    /// The dimension as a polynomial's terms; a known size is a constant term.
    fn terms(&self) -> BTreeMap<Monomial, i64> {
        match self {
            Dim::Known(0) => BTreeMap::new(),
            Dim::Known(size) => BTreeMap::from([(Vec::new(), i64::try_from(*size).unwrap_or(i64::MAX))]),
            Dim::Symbolic(polynomial) => polynomial.terms.clone(),
        }
    }

    /// `None` when the terms come to a negative constant.
    fn try_from_terms(mut terms: BTreeMap<Monomial, i64>) -> Option<Dim> {
        terms.retain(|_, coefficient| *coefficient != 0);
        match terms.len() {
            0 => Some(Dim::Known(0)),
            1 if terms.contains_key(&Vec::new()) => {
                Some(Dim::Known(usize::try_from(terms[&Vec::new()]).ok()?))
            }
            _ => Some(Dim::Symbolic(Arc::new(Polynomial { terms }))),
        }
    }
}

impl From<usize> for Dim {
    fn from(size: usize) -> Self {
        Dim::Known(size)
    }
}

impl From<&str> for Dim {
    /// The symbol of that name, as [`sym`] gives it.
    fn from(name: &str) -> Self {
        sym(name)
    }
}

/// Combines term by term.
///
/// Arithmetic saturates: a size read from a file may be absurd, and is refused where it becomes a type.
fn combine(left: &Dim, right: &Dim, sign: i64) -> Option<Dim> {
    let mut terms = left.terms();
    for (monomial, coefficient) in right.terms() {
        let sum = terms.entry(monomial).or_default();
        *sum = sum.saturating_add(coefficient.saturating_mul(sign));
    }
    Dim::try_from_terms(terms)
}

/// The result of arithmetic by the operators, which stop where a dimension becomes negative.
#[track_caller]
fn expect_size(dim: Option<Dim>, left: &Dim, operator: char, right: &Dim) -> Dim {
    match dim {
        Some(dim) => dim,
        None => panic!("a dimension must not be negative: ({left}) {operator} ({right})"),
    }
}

impl Add for Dim {
    type Output = Dim;

    /// # Panics
    /// When the sum is known and negative, as that of `n` and `-n - 1`.
    #[track_caller]
    fn add(self, other: Dim) -> Dim {
        expect_size(self.checked_add(&other), &self, '+', &other)
    }
}

impl Sub for Dim {
    type Output = Dim;

    /// # Panics
    /// When the difference is known and negative.
    #[track_caller]
    fn sub(self, other: Dim) -> Dim {
        expect_size(self.checked_sub(&other), &self, '-', &other)
    }
}

impl Mul for Dim {
    type Output = Dim;

    #[track_caller]
    fn mul(self, other: Dim) -> Dim {
        if let (Dim::Known(a), Dim::Known(b)) = (&self, &other) {
            return Dim::Known(a.saturating_mul(*b));
        }
        let mut terms: BTreeMap<Monomial, i64> = BTreeMap::new();
        for (left, a) in self.terms() {
            for (right, b) in other.terms() {
                let mut monomial = left.clone();
                monomial.extend(right);
                monomial.sort();
                let sum = terms.entry(monomial).or_default();
                *sum = sum.saturating_add(a.saturating_mul(b));
            }
        }
        expect_size(Dim::try_from_terms(terms), &self, '*', &other)
    }
}

impl<'d> Product<&'d Dim> for Dim {
    fn product<I: Iterator<Item = &'d Dim>>(dims: I) -> Dim {
        dims.fold(Dim::Known(1), |product, dim| product * dim.clone())
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dim::Symbolic(polynomial) = self else {
            return write!(f, "{}", self.known().unwrap_or_default());
        };
        // Highest degree first, the constant last.
        let mut terms: Vec<_> = polynomial.terms.iter().collect();
        terms.sort_by_key(|(monomial, _)| std::cmp::Reverse(monomial.len()));
        for (at, (monomial, coefficient)) in terms.into_iter().enumerate() {
            match (at, *coefficient < 0) {
                (0, true) => write!(f, "-")?,
                (0, false) => {}
                (_, true) => write!(f, " - ")?,
                (_, false) => write!(f, " + ")?,
            }
            let size = coefficient.unsigned_abs();
            match (size, monomial.is_empty()) {
                (_, true) => write!(f, "{size}")?,
                (1, false) => write!(f, "{}", monomial.join("*"))?,
                (_, false) => write!(f, "{size}*{}", monomial.join("*"))?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Dim {
    type Err = String;

    /// Reads what `Display` writes: terms joined by ` + ` and ` - `, factors joined by `*`.
    fn from_str(text: &str) -> Result<Self, String> {
        let malformed =
            || format!("malformed dimension {text:?}, expected a size or a sum such as 4*batch + 1");
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut terms: BTreeMap<Monomial, i64> = BTreeMap::new();
        let mut rest = compact.as_str();
        while !rest.is_empty() {
            let (sign, tail) = match rest.as_bytes()[0] {
                b'-' => (-1, &rest[1..]),
                b'+' if rest.len() < compact.len() => (1, &rest[1..]),
                _ if rest.len() == compact.len() => (1, rest),
                _ => return Err(malformed()),
            };
            let end = tail.find(['+', '-']).unwrap_or(tail.len());
            let (mut coefficient, mut monomial) = (sign, Monomial::new());
            for factor in tail[..end].split('*') {
                match factor.parse::<i64>() {
                    Ok(number) if number >= 0 => {
                        coefficient = number.checked_mul(coefficient).ok_or_else(malformed)?;
                    }
                    _ if is_symbol(factor) => monomial.push(Arc::from(factor)),
                    _ => return Err(malformed()),
                }
            }
            monomial.sort();
            let within = monomial.len() <= Dim::MAX_DEGREE && terms.len() <= Dim::MAX_TERMS;
            let sum = terms.entry(monomial).or_default();
            // The smallest i64 has no absolute value to print.
            let checked = sum.checked_add(coefficient).filter(|sum| within && *sum != i64::MIN);
            *sum = checked.ok_or_else(malformed)?;
            rest = &tail[end..];
        }
        if compact.is_empty() {
            return Err(malformed());
        }
        Dim::try_from_terms(terms).ok_or_else(malformed)
    }
}

impl Serialize for Dim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Dim::Known(size) => serializer.serialize_u64(*size as u64),
            Dim::Symbolic(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Dim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Known(usize),
            Symbolic(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Known(size) => Ok(Dim::Known(size)),
            Form::Symbolic(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_canonical_and_prints_back() {
        let dim = sym("b") * sym("a") * Dim::Known(4) + Dim::Known(3) - sym("a");
        assert_eq!(dim.to_string(), "4*a*b - a + 3");
        assert_eq!(dim.to_string().parse::<Dim>(), Ok(dim.clone()));
        assert_eq!(dim.clone() - dim, Dim::Known(0));
        assert_eq!(sym("n") + sym("n"), sym("n") * Dim::Known(2));
    }

    #[test]
    fn absurd_sizes_saturate_and_absurd_texts_are_refused() {
        assert_eq!(Dim::Known(usize::MAX) * Dim::Known(2) + Dim::Known(1), Dim::Known(usize::MAX));
        assert_eq!(sym("n").checked_sub(&(sym("n") + Dim::Known(1))), None);
        for text in ["9223372036854775808*n", "-9223372036854775807*n - n", &["n"; 65].join("*")] {
            assert!(text.parse::<Dim>().is_err(), "{text}");
        }
    }

    #[test]
    fn binding_gives_sizes_and_refuses_negative_ones() {
        let sizes = Bindings::from([("n".into(), 3)]);
        assert_eq!((sym("n") * sym("n") - Dim::Known(2)).bind(&sizes), Some(Dim::Known(7)));
        assert_eq!((sym("n") - Dim::Known(4)).bind(&sizes), None);
        assert_eq!((sym("n") * sym("m")).bind(&sizes), Some(sym("m") * Dim::Known(3)));
    }

    #[test]
    fn division_is_exact_or_refused() {
        let area = sym("a") * sym("b") * Dim::Known(6);
        assert_eq!(area.exact_div(&(sym("a") * Dim::Known(2))), Some(sym("b") * Dim::Known(3)));
        assert_eq!(area.exact_div(&Dim::Known(4)), None);
        assert_eq!(area.exact_div(&sym("c")), None);
        assert_eq!(Dim::Known(0).exact_div(&Dim::Known(3)), Some(Dim::Known(0)));
        assert_eq!(Dim::Known(3).exact_div(&Dim::Known(0)), None);
    }

    #[test]
    fn malformed_dimensions_are_refused() {
        for text in ["", "+", "-3", "a**b", "a b*", "2x+", "3.5", "-"] {
            assert!(text.parse::<Dim>().is_err(), "{text:?} was accepted");
        }
    }
}
