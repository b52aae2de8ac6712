//! Attributes as files and texts hold them: a map of names to JSON values, through serde.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Why a name and attributes are not an op.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// There is no op of that name.
    #[error("unknown op")]
    UnknownOp,
    /// An attribute is missing, unknown or of the wrong form.
    #[error("{0}")]
    Malformed(String),
}

/// The fields of an op's struct.
pub(crate) fn to_map<T: Serialize>(op: &T) -> Map<String, Value> {
    match serde_json::to_value(op) {
        Ok(Value::Object(map)) => map,
        // A struct without fields.
        Ok(Value::Null) => Map::new(),
        other => unreachable!("an op serializes to a map of attributes, got {other:?}"),
    }
}

/// The op's struct of its fields; attributes that it does not have are refused.
pub(crate) fn from_map<T: Serialize + DeserializeOwned>(map: Map<String, Value>) -> Result<T, AttributeError> {
    let given: Vec<String> = map.keys().cloned().collect();
    let value = if map.is_empty() { Value::Null } else { Value::Object(map.clone()) };
    let op: T = serde_json::from_value(value)
        .or_else(|_| serde_json::from_value(Value::Object(map)))
        .map_err(|error| AttributeError::Malformed(error.to_string()))?;
    let known = to_map(&op);
    match given.iter().find(|name| !known.contains_key(*name)) {
        None => Ok(op),
        Some(unknown) => Err(AttributeError::Malformed(format!("there is no attribute {unknown:?}"))),
    }
}

/// For ops without attributes.
pub(crate) fn expect_none(map: &Map<String, Value>) -> Result<(), AttributeError> {
    match map.keys().next() {
        None => Ok(()),
        Some(unknown) => Err(AttributeError::Malformed(format!("there is no attribute {unknown:?}"))),
    }
}

/// Serde form of types that print and parse: a string.
pub(crate) mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
