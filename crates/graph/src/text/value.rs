//! Attribute values and names: JSON, with quotes only where they are needed.

use std::fmt::Write;

use serde_json::{Number, Value};

use crate::error::FormatError;
use crate::shape::TensorType;
use crate::text::cursor::Cursor;

/// The attributes that may repeat the type of a node's result.
pub(super) const IMPLIED: [&str; 3] = ["type", "shape", "dtype"];

/// What the attribute `key` is if it repeats the type `ty`.
pub(super) fn implied(key: &str, ty: &TensorType) -> Option<Value> {
    match key {
        "type" => Some(Value::String(ty.to_string())),
        "shape" => serde_json::to_value(&ty.shape).ok(),
        "dtype" => Some(Value::String(ty.dtype.name().to_string())),
        _ => None,
    }
}

/// Letters that stand in a word: names, paths of inputs, scalars such as `-1.5f32`, dimensions such as `4*batch`.
pub(super) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || "_.+-*/".contains(c)
}

/// Whether `text` can be told apart from what stands around it without quotes.
fn is_word(text: &str) -> bool {
    // `//` starts the origin of a node, so a word does not hold it.
    !text.is_empty() && text.chars().all(is_word_char) && !text.contains("//")
}

/// Whether `text` without quotes would be read as something else than a string.
fn is_json(text: &str) -> bool {
    matches!(text, "true" | "false" | "null") || number(text).is_some()
}

fn number(text: &str) -> Option<Number> {
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if numeric { serde_json::from_str(text).ok() } else { None }
}

/// A name: as it is, or in quotes.
pub(super) fn write_name(out: &mut String, name: &str) {
    if is_word(name) { out.push_str(name) } else { write_quoted(out, name) }
}

/// A string in quotes, escaped as in JSON; all control characters are, so that a text cannot steer a terminal.
pub(super) fn write_quoted(out: &mut String, text: &str) {
    for c in Value::from(text).to_string().chars() {
        match c.is_control() {
            true => drop(write!(out, "\\u{:04x}", c as u32)),
            false => out.push(c),
        }
    }
}

/// An attribute's value.
pub(super) fn write_value(out: &mut String, value: &Value) {
    let separate = |out: &mut String, at| out.push_str(if at > 0 { ", " } else { "" });
    match value {
        Value::String(text) if is_word(text) && !is_json(text) => out.push_str(text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                separate(out, at);
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (at, (key, item)) in fields.iter().enumerate() {
                separate(out, at);
                write_name(out, key);
                out.push_str(": ");
                write_value(out, item);
            }
            out.push('}');
        }
        Value::String(text) => write_quoted(out, text),
        other => out.push_str(&other.to_string()),
    }
}

/// A name, with or without quotes.
pub(super) fn read_name(cursor: &mut Cursor<'_>, what: &str) -> Result<String, FormatError> {
    if cursor.peek() == Some('"') {
        return cursor.quoted();
    }
    Ok(cursor.word(what, is_word_char)?.to_string())
}

/// An attribute's value. Nesting is limited, so that no text can exhaust the stack.
pub(super) fn read_value(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value, FormatError> {
    const MAX_DEPTH: usize = 32;
    if depth > MAX_DEPTH {
        return Err(cursor.error(format!("values are nested more than {MAX_DEPTH} deep")));
    }
    match cursor.peek() {
        Some('"') => Ok(Value::String(cursor.quoted()?)),
        Some('[') => Ok(Value::Array(cursor.list('[', ']', |cursor| read_value(cursor, depth + 1))?)),
        Some('{') => {
            let fields = cursor.list('{', '}', |cursor| {
                let key = read_name(cursor, "a key")?;
                cursor.expect(":")?;
                cursor.skip_space();
                Ok((key, read_value(cursor, depth + 1)?))
            })?;
            Ok(Value::Object(fields.into_iter().collect()))
        }
        _ => Ok(match cursor.word("a value", is_word_char)? {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            word => number(word).map_or_else(|| Value::String(word.to_string()), Value::Number),
        }),
    }
}
