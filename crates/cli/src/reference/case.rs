//! A case: an operation with attributes, inputs, and what flows back into its outputs.

use pullback_graph::{DType, Tensor};
use serde_json::{Map, Value};

use super::call::Skip;
use super::numbers;

/// One line of a file of cases.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) operation: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) inputs: Vec<Input>,
    /// One per output; `None` where no gradient flows from it.
    pub(super) cotangents: Vec<Option<Tensor>>,
    /// One per input, for products with the Hessian.
    pub(super) vectors: Option<Vec<Option<Tensor>>>,
}

/// An input of a case.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) value: Tensor,
    /// Whether the gradient in this input is asked for.
    pub(super) wants_gradient: bool,
}

impl Case {
    /// The case of a JSON object; `single` makes doubles single.
    pub(super) fn read(value: &Value, single: bool) -> Result<Case, Skip> {
        let inputs = list(value, "inputs").iter().map(|input| {
            Ok(Input {
                name: input["name"].as_str().unwrap_or_default().to_string(),
                value: tensor(input, single)?,
                wants_gradient: input["grad"].as_bool().unwrap_or(false),
            })
        });
        let vectors = value.get("v").map(|_| tensors(value, "v", single)).transpose()?;
        Ok(Case {
            operation: value["op"].as_str().ok_or(Skip("the case names no operation".into()))?.to_string(),
            attributes: value["attrs"].as_object().cloned().unwrap_or_default(),
            inputs: inputs.collect::<Result<_, Skip>>()?,
            cotangents: tensors(value, "cotangents", single)?,
            vectors,
        })
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn tensors(value: &Value, name: &str, single: bool) -> Result<Vec<Option<Tensor>>, Skip> {
    let read = |item: &Value| (!item.is_null()).then(|| tensor(item, single)).transpose();
    list(value, name).iter().map(read).collect()
}

fn tensor(value: &Value, single: bool) -> Result<Tensor, Skip> {
    let tensor = numbers::tensor(value)?;
    Ok(if single && tensor.dtype() == DType::F64 { tensor.cast(DType::F32) } else { tensor })
}
