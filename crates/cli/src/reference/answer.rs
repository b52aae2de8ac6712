//! The answer to a line.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pullback_graph::{KinkPolicy, Tensor};
use serde_json::{Map, Value};

use super::call::Skip;
use super::case::Case;
use super::numbers::{quote_words, tensor_to_json};
use super::run::run;

/// How cases are answered.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether cases of double precision are computed in single.
    pub single: bool,
    /// How gradients at kinks are chosen.
    pub kinks: KinkPolicy,
    /// What runs the graphs.
    pub engine: Engine,
}

/// What runs the graphs.
#[derive(Clone, Debug)]
pub enum Engine {
    /// A session, with these options.
    Session(pullback_exec::Options),
    /// The reference interpreter.
    Interpreter,
}

impl Default for Engine {
    fn default() -> Self {
        Engine::Session(pullback_exec::Options::default())
    }
}

/// The answer to the case in line `number` of a file, a JSON object.
///
/// `{"id", "outputs", "grads"}`, and `"hvp"` for a case with `v`; or `{"id", "skip"}` with the reason why there is no
/// answer, also when an operation has panicked.
#[must_use]
pub fn answer(line: &str, number: usize, options: &Options) -> Value {
    let case: Result<Value, Skip> = serde_json::from_str(&quote_words(line)).map_err(Skip::from);
    let id = match case.as_ref().map(|case| &case["id"]) {
        Ok(Value::String(id)) => id.clone(),
        _ => format!("line {number}"),
    };
    let fields = case.and_then(|case| {
        catch_unwind(AssertUnwindSafe(|| fields(&case, options)))
            .unwrap_or_else(|panic| Err(Skip(message(&*panic))))
    });
    let mut answer = Map::from_iter([("id".to_string(), Value::from(id))]);
    match fields {
        Ok(fields) => answer.extend(fields),
        // Only what is wrong: the lines behind it show where in this program.
        Err(Skip(why)) => drop(answer.insert("skip".into(), why.lines().next().into())),
    }
    answer.into()
}

fn fields(case: &Value, options: &Options) -> Result<Map<String, Value>, Skip> {
    let results = run(&Case::read(case, options.single)?, options)?;
    let tensors = |tensors: &[Option<Tensor>]| -> Value {
        tensors.iter().map(|tensor| tensor.as_ref().map_or(Value::Null, tensor_to_json)).collect()
    };
    let mut fields = Map::new();
    fields.insert("outputs".into(), results.outputs.iter().map(tensor_to_json).collect());
    fields.insert("grads".into(), tensors(&results.gradients));
    if let Some(hvp) = &results.hvp {
        fields.insert("hvp".into(), tensors(hvp));
    }
    Ok(fields)
}

/// What was said in a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("panicked");
    text.strip_prefix("error: ").unwrap_or(text).to_string()
}
