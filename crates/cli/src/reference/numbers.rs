//! Tensors as JSON: flat lists of numbers, in which NaN and the infinities are strings or bare words.

use std::borrow::Cow;

use pullback_graph::{DType, Tensor};
use serde_json::{Value, json};

use super::call::Skip;

/// The line with bare `NaN`, `Infinity` and `-Infinity` made strings, which JSON has.
pub(super) fn quote_words(line: &str) -> Cow<'_, str> {
    const WORDS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];
    if !line.contains("NaN") && !line.contains("Infinity") {
        return line.into();
    }
    let mut quoted = String::with_capacity(line.len() + 32);
    let (mut rest, mut in_string) = (line, false);
    while let Some(c) = rest.chars().next() {
        let word = WORDS.iter().find(|word| !in_string && rest.starts_with(**word));
        let taken = match word {
            Some(word) => {
                quoted.push('"');
                quoted.push_str(word);
                quoted.push('"');
                word.len()
            }
            None => {
                in_string ^= c == '"';
                // What is escaped ends no string.
                let escaped = if in_string && c == '\\' { rest[1..].chars().next() } else { None };
                let len = c.len_utf8() + escaped.map_or(0, char::len_utf8);
                quoted.push_str(&rest[..len]);
                len
            }
        };
        rest = &rest[taken..];
    }
    quoted.into()
}

/// A number, also one that JSON does not have.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(word) => match word.as_str() {
            "NaN" | "nan" => Some(f64::NAN),
            "Infinity" | "inf" => Some(f64::INFINITY),
            "-Infinity" | "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// A number as JSON.
pub(super) fn to_json(number: f64) -> Value {
    match number {
        number if number.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        number => number.into(),
    }
}

/// The tensor of a JSON object with `dtype`, `shape` and `data`.
pub(super) fn tensor(value: &Value) -> Result<Tensor, Skip> {
    let dtype: DType = value["dtype"].as_str().unwrap_or("(none)").parse().map_err(Skip)?;
    let sizes: Vec<usize> = serde_json::from_value(value["shape"].clone())?;
    let mut leaves = Vec::new();
    flatten(&value["data"], &mut leaves);
    let wrong = |leaf: &Value| Skip(format!("{leaf} is no element of type {dtype}"));
    let tensor = match dtype {
        DType::F32 | DType::F64 => {
            let numbers = leaves.iter().map(|leaf| number(leaf).ok_or_else(|| wrong(leaf)));
            Tensor::new(&sizes, numbers.collect::<Result<Vec<f64>, Skip>>()?)?.cast(dtype)
        }
        DType::I64 => {
            let numbers = leaves.iter().map(|leaf| leaf.as_i64().ok_or_else(|| wrong(leaf)));
            Tensor::new(&sizes, numbers.collect::<Result<Vec<i64>, Skip>>()?)?
        }
        DType::Bool => {
            let truths = leaves.iter().map(|leaf| leaf.as_bool().ok_or_else(|| wrong(leaf)));
            Tensor::new(&sizes, truths.collect::<Result<Vec<bool>, Skip>>()?)?
        }
    };
    Ok(tensor)
}

/// The leaves of nested lists; a number alone is its own leaf, and nothing has none.
fn flatten<'v>(value: &'v Value, leaves: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, leaves)),
        Value::Null => {}
        leaf => leaves.push(leaf),
    }
}

/// The JSON object of a tensor.
pub(super) fn tensor_to_json(tensor: &Tensor) -> Value {
    let data: Vec<Value> = match tensor.dtype() {
        DType::F32 | DType::F64 => tensor.to_f64_vec().into_iter().map(to_json).collect(),
        DType::I64 => tensor.values::<i64>().iter().map(|value| (*value).into()).collect(),
        DType::Bool => tensor.values::<bool>().iter().map(|value| (*value).into()).collect(),
    };
    json!({ "dtype": tensor.dtype().name(), "shape": tensor.sizes(), "data": data })
}
