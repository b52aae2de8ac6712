//! Ops without operands: inputs, literals, constants, positions and sizes.
//!
//! C1 of each: no operands. No gradient passes through a leaf; it is where gradients arrive.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dim::{Bindings, Dim};
use crate::dispatch;
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::op::Op;
use crate::op::rules::{OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, Sample};
use crate::op::table::expect_operands;
use crate::shape::{Shape, Sizes, TensorType};
use crate::tensor::Tensor;

/// What an input is for. It changes nothing in how the graph computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// Fed anew in every run.
    Data,
    /// Changed by training.
    Parameter,
    /// Carried from run to run without being trained.
    State,
}

/// A value that a run is fed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Input {
    /// The name, unique among the graph's inputs.
    pub name: Arc<str>,
    /// What it is for.
    pub kind: InputKind,
    /// Its type.
    #[serde(rename = "type", with = "crate::op::attributes::as_text")]
    pub ty: TensorType,
}

impl Input {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let ty = choices.float_type(3);
        Sample { op: Input { name: "x".into(), kind: InputKind::Data, ty }.into(), operands: vec![] }
    }
}

/// One element with its type; equal when the bits are. Prints as `1.5f32`, `2i64`, `true`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar {
    dtype: DType,
    bits: u64,
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Scalar { dtype: DType::F64, bits: value.to_bits() }
    }
}

impl Scalar {
    /// `value` as an element of type `dtype`: rounded to f32, a truth value if not zero.
    ///
    /// # Errors
    /// A message, when `dtype` is i64 and `value` is not a whole number in its range.
    pub fn of(dtype: DType, value: f64) -> Result<Scalar, String> {
        if dtype == DType::I64 && (value.fract() != 0.0 || value.abs() >= 9.2e18) {
            return Err(format!("{value} is not a whole number, and the element type is i64"));
        }
        Ok(dispatch!(dtype, T => Scalar { dtype, bits: <T as Element>::from_f64(value).to_bits64() }))
    }

    /// The element that all elements of a tensor are; `None` when bits differ or there are none.
    #[must_use]
    pub fn of_uniform(tensor: &Tensor) -> Option<Scalar> {
        dispatch!(tensor.dtype(), T => {
            let (first, rest) = tensor.values::<T>().split_first()?;
            let bits = first.to_bits64();
            let same = rest.iter().all(|element| element.to_bits64() == bits);
            same.then_some(Scalar { dtype: T::DTYPE, bits })
        })
    }

    /// The element type.
    #[must_use]
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The value as a double.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        match self.dtype {
            DType::F32 => f64::from(f32::from_bits(self.bits as u32)),
            DType::F64 => f64::from_bits(self.bits),
            DType::I64 => self.bits as i64 as f64,
            DType::Bool => self.bits as f64,
        }
    }

    /// The value as an element of its own type.
    ///
    /// # Panics
    /// When `T` stands for another type.
    #[must_use]
    pub fn get<T: Element>(self) -> T {
        assert_eq!(T::DTYPE, self.dtype, "a scalar is read as its own type");
        match self.dtype {
            // Exact: whole numbers beyond 2^53 do not pass through a double.
            DType::I64 => Tensor::scalar(self.bits as i64).values::<T>()[0],
            _ => T::from_f64(self.to_f64()),
        }
    }

    /// A tensor whose every element is this one.
    #[must_use]
    pub fn splat(self, sizes: &[usize]) -> Tensor {
        dispatch!(self.dtype, T => Tensor::full(sizes, self.get::<T>()))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let canonical_nan = match self.dtype {
            DType::F32 => u64::from(f32::NAN.to_bits()),
            _ => f64::NAN.to_bits(),
        };
        match self.dtype {
            DType::F32 | DType::F64 if self.to_f64().is_nan() && self.bits != canonical_nan => {
                write!(f, "nan_{:x}{}", self.bits, self.dtype)
            }
            DType::F32 => write!(f, "{:?}f32", f32::from_bits(self.bits as u32)),
            DType::F64 => write!(f, "{:?}f64", f64::from_bits(self.bits)),
            DType::I64 => write!(f, "{}i64", self.bits as i64),
            DType::Bool => write!(f, "{}", self.bits != 0),
        }
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Scalar {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("malformed scalar {text:?}, expected 1.5f32, 2i64 or true");
        let (digits, dtype) = match text {
            "true" => return Ok(Scalar { dtype: DType::Bool, bits: 1 }),
            "false" => return Ok(Scalar { dtype: DType::Bool, bits: 0 }),
            _ => text.split_at_checked(text.len().saturating_sub(3)).ok_or_else(malformed)?,
        };
        let dtype: DType = dtype.parse().map_err(|_| malformed())?;
        if let Some(payload) = digits.strip_prefix("nan_") {
            let bits = u64::from_str_radix(payload, 16).map_err(|_| malformed())?;
            let scalar = Scalar { dtype, bits };
            let fits = dtype.bytes() == 8 || u32::try_from(bits).is_ok();
            return if fits && scalar.to_f64().is_nan() { Ok(scalar) } else { Err(malformed()) };
        }
        let bits = match dtype {
            DType::F32 => u64::from(digits.parse::<f32>().map_err(|_| malformed())?.to_bits()),
            DType::F64 => digits.parse::<f64>().map_err(|_| malformed())?.to_bits(),
            DType::I64 => digits.parse::<i64>().map_err(|_| malformed())? as u64,
            DType::Bool => return Err(malformed()),
        };
        Ok(Scalar { dtype, bits })
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A tensor whose every element is one number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Literal {
    /// The number, with its type.
    pub value: Scalar,
    /// The shape.
    pub shape: Shape,
}

impl Literal {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let shape = choices.shape(3);
        Sample { op: Literal { value: Scalar::from(1.5), shape }.into(), operands: vec![] }
    }
}

/// A tensor that is part of the program. Equal when the bits are.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// The value.
    pub value: Arc<Tensor>,
}

impl Constant {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let sizes: Sizes = choices.shape(3).known().expect("samples have known sizes");
        let value = Tensor::from_fn(&sizes, |i| i as f64 * 0.5 - 1.0);
        Sample { op: Constant { value: Arc::new(value) }.into(), operands: vec![] }
    }
}

impl Eq for Constant {}

impl Hash for Constant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.ty().hash(state);
        dispatch!(self.value.dtype(), T => {
            for element in self.value.values::<T>() {
                element.to_bits64().hash(state);
            }
        });
    }
}

/// The form of a constant in files: every element as [`Scalar`] prints it, without its type.
#[derive(Serialize, Deserialize)]
struct ConstantForm {
    dtype: DType,
    shape: Sizes,
    data: Vec<String>,
}

impl Serialize for Constant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let dtype = self.value.dtype();
        let suffix = if dtype == DType::Bool { 0 } else { dtype.name().len() };
        let print = |bits| {
            let mut text = Scalar { dtype, bits }.to_string();
            text.truncate(text.len() - suffix);
            text
        };
        let data = dispatch!(dtype, T => self.value.values::<T>().iter().map(|element| print(element.to_bits64())).collect());
        ConstantForm { dtype, shape: self.value.sizes().into(), data }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Constant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = ConstantForm::deserialize(deserializer)?;
        let suffix = if form.dtype == DType::Bool { "" } else { form.dtype.name() };
        let parse = |text: &String| format!("{text}{suffix}").parse::<Scalar>();
        let scalars: Result<Vec<Scalar>, String> = form.data.iter().map(parse).collect();
        let scalars = scalars.map_err(serde::de::Error::custom)?;
        let value = dispatch!(form.dtype, T => {
            let exact = |scalar: &Scalar| match T::DTYPE {
                // The payload of a NaN passes through the bits, not through a conversion.
                DType::F32 => Tensor::scalar(f32::from_bits(scalar.bits as u32)).values::<T>()[0],
                DType::F64 => Tensor::scalar(f64::from_bits(scalar.bits)).values::<T>()[0],
                _ => scalar.get::<T>(),
            };
            Tensor::new(&form.shape, scalars.iter().map(exact).collect::<Vec<T>>())
        });
        Ok(Constant { value: Arc::new(value.map_err(serde::de::Error::custom)?) })
    }
}

/// `0, 1, 2, …` along one axis, of type i64.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Iota {
    /// The shape.
    pub shape: Shape,
    /// The axis that is counted. C2: it exists.
    pub axis: usize,
}

impl Iota {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        let mut shape = choices.shape(3);
        if shape.rank() == 0 {
            shape = [3].into();
        }
        let axis = choices.below(shape.rank());
        Sample { op: Iota { shape, axis }.into(), operands: vec![] }
    }
}

/// The size of a dimension, as a scalar; known once the graph is bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DimSize {
    /// The dimension.
    pub size: Dim,
    /// The element type of the result. C2: not bool.
    pub dtype: DType,
}

impl DimSize {
    pub(crate) fn sample(choices: &mut Choices) -> Sample {
        Sample { op: DimSize { size: choices.below(5).into(), dtype: DType::F64 }.into(), operands: vec![] }
    }
}

macro_rules! leaf_rules {
    ($Leaf:ty, $name:literal, infer |$this:ident| $infer:expr, evaluate |$it:ident, $result:ident| $evaluate:expr,
        bind |$op:ident, $bindings:ident| $bind:expr) => {
        impl OpRules for $Leaf {
            fn name(&self) -> Cow<'static, str> {
                $name.into()
            }

            fn class(&self) -> OpClass {
                OpClass::Leaf
            }

            fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
                expect_operands(operands, 0)?;
                let $this = self;
                $infer
            }

            fn evaluate(&self, _operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
                let ($it, $result) = (self, result);
                $evaluate
            }

            fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
                Partials::new()
            }

            fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
                let ($op, $bindings) = (self, bindings);
                $bind
            }
        }
    };
}

leaf_rules!(
    Input,
    "input",
    infer | op | Ok(op.ty.clone()),
    evaluate | op,
    _result | Err(format!("input \"{}\" was not fed", op.name)),
    bind | op,
    bindings | Ok(Input { ty: op.ty.bind(bindings)?, ..op.clone() }.into())
);

leaf_rules!(
    Literal,
    "literal",
    infer | op | Ok(TensorType::new(op.value.dtype(), &op.shape)),
    evaluate | op,
    result | Ok(op.value.splat(&known(result)?)),
    bind | op,
    bindings | Ok(Literal { value: op.value, shape: op.shape.bind(bindings)? }.into())
);

leaf_rules!(
    Constant,
    "constant",
    infer | op | Ok(op.value.ty()),
    evaluate | op,
    _result | Ok((*op.value).clone()),
    bind | op,
    _bindings | Ok(op.clone().into())
);

leaf_rules!(
    Iota,
    "iota",
    infer
        | op
        | match op.axis < op.shape.rank() {
            true => Ok(TensorType::new(DType::I64, &op.shape)),
            false => Err(Violation::new("C2", format!("axis {} is out of range for {}", op.axis, op.shape))),
        },
    evaluate | op,
    result | {
        let sizes = known(result)?;
        let inner: usize = sizes[op.axis + 1..].iter().product();
        Ok(Tensor::from_fn(&sizes, |i| (i / inner % sizes[op.axis]) as i64))
    },
    bind | op,
    bindings | Ok(Iota { shape: op.shape.bind(bindings)?, axis: op.axis }.into())
);

leaf_rules!(
    DimSize,
    "dim_size",
    infer
        | op
        | match op.dtype {
            DType::Bool => Err(Violation::new("C2", "a size is a number, not a truth value")),
            dtype => Ok(TensorType::new(dtype, ())),
        },
    evaluate | op,
    _result
        | match op.size.known() {
            Some(size) => Ok(Scalar::of(op.dtype, size as f64)?.splat(&[])),
            None => Err(format!("the size of {} is not known", op.size)),
        },
    bind | op,
    bindings
        | Ok(DimSize { size: op.size.bind(bindings).ok_or_else(|| op.size.clone())?, dtype: op.dtype }.into())
);

/// The sizes of a result whose graph has been bound.
pub(crate) fn known(result: &TensorType) -> Result<Sizes, String> {
    result.shape.known().ok_or_else(|| format!("the sizes of {result} are not known; bind the graph first"))
}
