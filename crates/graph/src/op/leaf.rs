//! Ops without operands: inputs, literals, constants, positions and sizes.
//!
//! C1 of each: no operands. No gradient passes through a leaf; it is where gradients arrive.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dim::{Bindings, Dim};
use crate::dispatch;
use crate::dtype::{DType, Element};
use crate::error::Violation;
use crate::expr::Expr;
use crate::op::rules::{Batch, OpClass, OpRules, Partials, Site};
use crate::op::sample::{Choices, Sample};
use crate::op::table::expect_operands;
use crate::op::{Op, Scalar};
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
        let print = |scalar: Scalar| {
            let mut text = scalar.to_string();
            text.truncate(text.len() - suffix);
            text
        };
        let data = dispatch!(dtype, T => {
            self.value.values::<T>().iter().map(|element| print(Scalar::exactly(*element))).collect()
        });
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
            Tensor::new(&form.shape, scalars.iter().map(|scalar| scalar.get()).collect::<Vec<T>>())
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

impl OpRules for Input {
    fn name(&self) -> Cow<'static, str> {
        "input".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Leaf
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 0)?;
        Ok(self.ty.clone())
    }

    fn evaluate(&self, _operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Err(format!("input \"{}\" was not fed", self.name))
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::new()
    }

    fn batch<'g>(&self, _at: &Batch<'g>) -> Option<Expr<'g>> {
        // It has no operand that could be one element's: it is the same for all of them, and shared.
        None
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        Ok(Input { ty: self.ty.bind(bindings)?, ..self.clone() }.into())
    }
}

impl OpRules for Literal {
    fn name(&self) -> Cow<'static, str> {
        "literal".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Leaf
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 0)?;
        Ok(TensorType::new(self.value.dtype(), &self.shape))
    }

    fn evaluate(&self, _operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(self.value.splat(&known(result)?))
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::new()
    }

    fn batch<'g>(&self, _at: &Batch<'g>) -> Option<Expr<'g>> {
        // It has no operand that could be one element's: it is the same for all of them, and shared.
        None
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        Ok(Literal { value: self.value, shape: self.shape.bind(bindings)? }.into())
    }
}

impl OpRules for Constant {
    fn name(&self) -> Cow<'static, str> {
        "constant".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Leaf
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 0)?;
        Ok(self.value.ty())
    }

    fn evaluate(&self, _operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok((*self.value).clone())
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::new()
    }

    fn batch<'g>(&self, _at: &Batch<'g>) -> Option<Expr<'g>> {
        // It has no operand that could be one element's: it is the same for all of them, and shared.
        None
    }

    fn bind(&self, _bindings: &Bindings) -> Result<Op, Dim> {
        Ok(self.clone().into())
    }
}

impl OpRules for Iota {
    fn name(&self) -> Cow<'static, str> {
        "iota".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Leaf
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 0)?;
        match self.axis < self.shape.rank() {
            true => Ok(TensorType::new(DType::I64, &self.shape)),
            false => {
                Err(Violation::new("C2", format!("axis {} is out of range for {}", self.axis, self.shape)))
            }
        }
    }

    fn evaluate(&self, _operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let sizes = known(result)?;
        let inner: usize = sizes[self.axis + 1..].iter().product();
        Ok(Tensor::from_fn(&sizes, |i| (i / inner % sizes[self.axis]) as i64))
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::new()
    }

    fn batch<'g>(&self, _at: &Batch<'g>) -> Option<Expr<'g>> {
        // It has no operand that could be one element's: it is the same for all of them, and shared.
        None
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        Ok(Iota { shape: self.shape.bind(bindings)?, axis: self.axis }.into())
    }
}

impl OpRules for DimSize {
    fn name(&self) -> Cow<'static, str> {
        "dim_size".into()
    }

    fn class(&self) -> OpClass {
        OpClass::Leaf
    }

    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        expect_operands(operands, 0)?;
        match self.dtype {
            DType::Bool => Err(Violation::new("C2", "a size is a number, not a truth value")),
            dtype => Ok(TensorType::new(dtype, ())),
        }
    }

    fn evaluate(&self, _operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        match self.size.known() {
            Some(size) => Ok(Scalar::of(self.dtype, size as f64)?.splat(&[])),
            None => Err(format!("the size of {} is not known", self.size)),
        }
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::new()
    }

    fn batch<'g>(&self, _at: &Batch<'g>) -> Option<Expr<'g>> {
        // It has no operand that could be one element's: it is the same for all of them, and shared.
        None
    }

    fn bind(&self, bindings: &Bindings) -> Result<Op, Dim> {
        let size = self.size.bind(bindings).ok_or_else(|| self.size.clone())?;
        Ok(DimSize { size, dtype: self.dtype }.into())
    }
}

/// The sizes of a result whose graph has been bound.
pub(crate) fn known(result: &TensorType) -> Result<Sizes, String> {
    result.shape.known().ok_or_else(|| format!("the sizes of {result} are not known; bind the graph first"))
}
