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
pub(crate) fn from_map<T: Serialize + DeserializeOwned>(
    map: Map<String, Value>,
) -> Result<T, AttributeError> {
    let given: Vec<String> = map.keys().cloned().collect();
    let read = |map: Map<String, Value>| serde_json::from_value::<T>(Value::Object(map));
    let op =
        if map.is_empty() { serde_json::from_value(Value::Null).or_else(|_| read(map)) } else { read(map) };
    let op = op.map_err(|error| AttributeError::Malformed(error.to_string()))?;
    let known = to_map(&op);
    // A field left out because it is empty is known, too: it does not take a value of any type.
    let is_field = |name: &String| {
        let mut probe = known.clone();
        probe.insert(name.clone(), Value::Object(Map::from_iter([("".into(), Value::Null)])));
        read(probe).is_err()
    };
    match given.iter().find(|name| !known.contains_key(*name) && !is_field(name)) {
        None => Ok(op),
        Some(unknown) => Err(AttributeError::Malformed(format!("there is no attribute {unknown:?}"))),
    }
}

/// Name and attributes as they are written today, of those that earlier versions wrote.
pub(crate) fn renamed(name: &str, mut map: Map<String, Value>) -> (&str, Map<String, Value>) {
    let present = match name {
        "scatter_add" => "scatter",
        "scatter_add_along" => "scatter_along",
        _ => return (name, map),
    };
    map.insert("kind".into(), "add".into());
    (present, map)
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
