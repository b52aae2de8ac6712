//! What the call of an operation is made from: inputs and attributes, and why it cannot be made.

use std::cell::RefCell;
use std::collections::BTreeSet;

use pullback_graph::{Axes, Expr};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::numbers;

/// Why a case has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Skip(pub(super) String);

impl<E: std::error::Error> From<E> for Skip {
    fn from(error: E) -> Self {
        Skip(error.to_string())
    }
}

/// The outputs of an operation.
pub(super) type Outputs<'g> = Result<Vec<Expr<'g>>, Skip>;

/// Operations by name, and how each is called.
pub(super) type Table = &'static [(&'static str, for<'g> fn(&Call<'g>) -> Outputs<'g>)];

/// A single output.
pub(super) fn one(output: Expr<'_>) -> Outputs<'_> {
    Ok(vec![output])
}

/// The inputs and attributes of a case.
pub(super) struct Call<'g> {
    inputs: Vec<Expr<'g>>,
    attributes: Map<String, Value>,
    /// The attributes asked for so far: one that nobody asks for is not known.
    known: RefCell<BTreeSet<String>>,
}

impl<'g> Call<'g> {
    pub(super) fn new(inputs: Vec<Expr<'g>>, attributes: Map<String, Value>) -> Self {
        Call { inputs, attributes, known: RefCell::default() }
    }

    /// Input `at`.
    pub(super) fn input(&self, at: usize) -> Result<Expr<'g>, Skip> {
        self.optional(at).ok_or_else(|| Skip(format!("takes more than {} inputs", self.inputs.len())))
    }

    /// Input `at`, if there is one.
    pub(super) fn optional(&self, at: usize) -> Option<Expr<'g>> {
        self.inputs.get(at).copied()
    }

    /// All inputs: exactly `N`.
    pub(super) fn inputs<const N: usize>(&self) -> Result<[Expr<'g>; N], Skip> {
        <[Expr<'g>; N]>::try_from(self.inputs.as_slice())
            .map_err(|_| Skip(format!("takes {N} inputs, got {}", self.inputs.len())))
    }

    /// All inputs, at least one: the first and the others.
    pub(super) fn list(&self) -> Result<(Expr<'g>, &[Expr<'g>]), Skip> {
        let (first, others) = self.inputs.split_first().ok_or(Skip("takes at least one input".into()))?;
        Ok((*first, others))
    }

    /// The attribute `name`, unless it is absent or null.
    pub(super) fn attribute(&self, name: &str) -> Option<&Value> {
        self.known.borrow_mut().insert(name.to_string());
        self.attributes.get(name).filter(|value| !value.is_null())
    }

    fn required(&self, name: &str) -> Result<&Value, Skip> {
        self.attribute(name).ok_or_else(|| Skip(format!("the attribute {name:?} is missing")))
    }

    /// The first attribute that nobody has asked for.
    pub(super) fn unknown(&self) -> Option<String> {
        let known = self.known.borrow();
        self.attributes.keys().find(|name| !known.contains(*name)).cloned()
    }

    /// A number that may be absent.
    pub(super) fn number_if_any(&self, name: &str) -> Result<Option<f64>, Skip> {
        let read = |value| numbers::number(value).ok_or_else(|| wrong(name, value, "number"));
        self.attribute(name).map(read).transpose()
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<f64, Skip> {
        let value = self.required(name)?;
        numbers::number(value).ok_or_else(|| wrong(name, value, "number"))
    }

    /// A number, `default` if it is absent.
    pub(super) fn number_or(&self, name: &str, default: f64) -> Result<f64, Skip> {
        Ok(self.number_if_any(name)?.unwrap_or(default))
    }

    /// A whole number that may be absent.
    pub(super) fn integer_if_any(&self, name: &str) -> Result<Option<i64>, Skip> {
        let read = |value: &Value| value.as_i64().ok_or_else(|| wrong(name, value, "whole number"));
        self.attribute(name).map(read).transpose()
    }

    /// A whole number.
    pub(super) fn integer(&self, name: &str) -> Result<i64, Skip> {
        self.required(name)?;
        self.integer_or(name, 0)
    }

    /// A whole number, `default` if it is absent.
    pub(super) fn integer_or(&self, name: &str, default: i64) -> Result<i64, Skip> {
        Ok(self.integer_if_any(name)?.unwrap_or(default))
    }

    /// A size.
    pub(super) fn size(&self, name: &str) -> Result<usize, Skip> {
        self.required(name)?;
        self.size_or(name, 0)
    }

    /// A size, `default` if it is absent.
    pub(super) fn size_or(&self, name: &str, default: usize) -> Result<usize, Skip> {
        let size = |number| usize::try_from(number).map_err(|_| Skip(format!("{name} is negative")));
        self.integer_if_any(name)?.map_or(Ok(default), size)
    }

    /// A truth value, false if it is absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Skip> {
        let read = |value: &Value| value.as_bool().ok_or_else(|| wrong(name, value, "truth value"));
        self.attribute(name).map_or(Ok(false), read)
    }

    /// A word, `default` if it is absent.
    pub(super) fn word_or<'c>(&'c self, name: &str, default: &'c str) -> Result<&'c str, Skip> {
        let read = |value: &'c Value| value.as_str().ok_or_else(|| wrong(name, value, "word"));
        self.attribute(name).map_or(Ok(default), read)
    }

    /// A list of whole numbers that may be absent.
    pub(super) fn integers_if_any(&self, name: &str) -> Result<Option<Vec<i64>>, Skip> {
        self.list_if_any(name)
    }

    /// A list of whole numbers.
    pub(super) fn integers(&self, name: &str) -> Result<Vec<i64>, Skip> {
        self.required(name)?;
        Ok(self.integers_if_any(name)?.unwrap_or_default())
    }

    /// A list of sizes.
    pub(super) fn sizes(&self, name: &str) -> Result<Vec<usize>, Skip> {
        let size = |number| usize::try_from(number).map_err(|_| Skip(format!("{name} has negative sizes")));
        self.integers(name)?.into_iter().map(size).collect()
    }

    /// A list of whole numbers in which some may be null.
    pub(super) fn gaps(&self, name: &str) -> Result<Vec<Option<i64>>, Skip> {
        self.required(name)?;
        Ok(self.gaps_if_any(name)?.unwrap_or_default())
    }

    /// A list of whole numbers, some null, that may be absent.
    pub(super) fn gaps_if_any(&self, name: &str) -> Result<Option<Vec<Option<i64>>>, Skip> {
        self.list_if_any(name)
    }

    /// A list of pairs of whole numbers.
    pub(super) fn pairs(&self, name: &str) -> Result<Vec<(i64, i64)>, Skip> {
        self.required(name)?;
        Ok(self.list_if_any(name)?.unwrap_or_default())
    }

    fn list_if_any<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Skip> {
        let read =
            |value: &Value| serde_json::from_value(value.clone()).map_err(|_| wrong(name, value, "list"));
        self.attribute(name).map(read).transpose()
    }

    /// Sizes, one for each of `axes` axes: a list, or a number for all of them.
    pub(super) fn per_axis(&self, name: &str, axes: usize) -> Result<Vec<usize>, Skip> {
        match self.required(name)? {
            Value::Array(_) => self.sizes(name),
            _ => Ok(vec![self.size(name)?; axes]),
        }
    }

    /// Sizes, one for each of `axes` axes; `default` for all if they are absent.
    pub(super) fn per_axis_or(&self, name: &str, axes: usize, default: usize) -> Result<Vec<usize>, Skip> {
        if self.attribute(name).is_some() { self.per_axis(name, axes) } else { Ok(vec![default; axes]) }
    }

    /// The axes that the attribute `axes` or `axis` names; all if there is neither.
    pub(super) fn axes(&self) -> Result<Axes, Skip> {
        let listed = self.integers_if_any("axes")?;
        let single = self.integer_if_any("axis")?.map(|axis| vec![axis]);
        Ok(listed.or(single).map_or(Axes::All, Axes::Some))
    }

    /// The operation `apply` on one input.
    pub(super) fn unary(&self, apply: impl FnOnce(Expr<'g>) -> Expr<'g>) -> Outputs<'g> {
        let [x] = self.inputs()?;
        one(apply(x))
    }

    /// The operation `apply` on two inputs.
    pub(super) fn binary(&self, apply: impl FnOnce(Expr<'g>, Expr<'g>) -> Expr<'g>) -> Outputs<'g> {
        let [a, b] = self.inputs()?;
        one(apply(a, b))
    }

    /// The operation `apply` on one input along the axes that the attributes name; with `keepdims`, they stay with size 1.
    pub(super) fn reduction(&self, apply: impl FnOnce(Expr<'g>, Axes) -> Expr<'g>) -> Outputs<'g> {
        let ([x], axes) = (self.inputs()?, self.axes()?);
        let reduced = apply(x, axes.clone());
        one(if self.flag("keepdims")? { reduced.keep_dims(x, axes) } else { reduced })
    }
}

fn wrong(name: &str, value: &Value, expected: &str) -> Skip {
    Skip(format!("the attribute {name:?} is no {expected}: {value}"))
}

/// A word that an attribute may not hold.
pub(super) fn unknown_word<T>(name: &str, word: &str) -> Result<T, Skip> {
    Err(Skip(format!("the attribute {name:?} is {word:?}, which is not known")))
}
