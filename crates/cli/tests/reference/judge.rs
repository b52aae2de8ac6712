//! Whether an answer is what the case expects.
//!
//! A number passes if it is off by no more than `atol + rtol · |expected|`; NaN is only NaN, an infinity only itself. In
//! single precision the tolerances are at least 2e-5 of the tensor's largest number and 2e-4. Where several subgradients
//! can be defended, each of `grads_alt` is as good as `grads`.

use serde_json::Value;

/// Tolerances, and whether the answers are of single precision.
#[derive(Clone, Copy)]
struct Tolerance {
    relative: f64,
    absolute: f64,
    single: bool,
}

/// Why the answer is wrong, if it is.
pub(crate) fn judge(case: &Value, answer: &Value, single: bool) -> Result<(), String> {
    let number = |name: &str, default: f64| case[name].as_f64().unwrap_or(default);
    let tolerance = Tolerance { relative: number("rtol", 1e-9), absolute: number("atol", 1e-11), single };
    match case["op"].as_str().unwrap_or_default() {
        "optimizer" => lists("params", case, answer, tolerance),
        "clip_grad_norm" => {
            lists("total_norm", case, answer, tolerance)?;
            tensors("clipped", &case["clipped"], &answer["clipped"], tolerance)
        }
        "lr_schedule" => lists("lrs", case, answer, tolerance),
        "train_mlp" => {
            lists("losses", case, answer, tolerance)?;
            tensors("final", &case["final"], &answer["final"], tolerance)
        }
        metric if metric.starts_with("metric:") => lists("value", case, answer, tolerance),
        _ => operation(case, answer, tolerance),
    }
}

fn operation(case: &Value, answer: &Value, tolerance: Tolerance) -> Result<(), String> {
    tensors("outputs", &case["outputs"], &answer["outputs"], tolerance)?;
    let of_gradients =
        Tolerance { absolute: case["atol_grads"].as_f64().unwrap_or(tolerance.absolute), ..tolerance };
    let gradients = |expected: &Value| tensors("grads", expected, &answer["grads"], of_gradients);
    if items(&case["grads"]).iter().any(|gradient| !gradient.is_null()) {
        let other = || items(&case["grads_alt"]).iter().any(|other| gradients(other).is_ok());
        gradients(&case["grads"]).or_else(|error| if other() { Ok(()) } else { Err(error) })?;
    }
    match case.get("hvp") {
        Some(expected) => tensors("hvp", expected, &answer["hvp"], tolerance),
        None => Ok(()),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn tensors(what: &str, expected: &Value, got: &Value, tolerance: Tolerance) -> Result<(), String> {
    let (expected, got) = (items(expected), items(got));
    if expected.len() != got.len() {
        return Err(format!("{what}: {} tensors, expected {}", got.len(), expected.len()));
    }
    for (at, (expected, got)) in
        expected.iter().zip(got).enumerate().filter(|(_, (expected, _))| !expected.is_null())
    {
        if got.is_null() {
            return Err(format!("{what}[{at}]: missing"));
        }
        if expected["shape"] != got["shape"] {
            return Err(format!("{what}[{at}]: shape {}, expected {}", got["shape"], expected["shape"]));
        }
        close(&expected["data"], &got["data"], tolerance).map_err(|error| format!("{what}[{at}]{error}"))?;
    }
    Ok(())
}

fn lists(name: &str, case: &Value, answer: &Value, tolerance: Tolerance) -> Result<(), String> {
    close(&case[name], &answer[name], tolerance).map_err(|error| format!("{name}{error}"))
}

/// Compares element by element; the error names the worst, or the first that no tolerance could let pass.
fn close(expected: &Value, got: &Value, tolerance: Tolerance) -> Result<(), String> {
    let (expected, got) = (leaves(expected), leaves(got));
    if expected.len() != got.len() {
        return Err(format!(": {} values, expected {}", got.len(), expected.len()));
    }
    let largest = expected.iter().filter(|value| value.is_f64()).filter_map(|value| value.as_f64());
    let scale = largest.fold(1.0_f64, |scale, value| scale.max(value.abs()));
    let (relative, absolute) = match tolerance.single {
        true => (tolerance.relative.max(2e-4), tolerance.absolute.max(2e-5 * scale)),
        false => (tolerance.relative, tolerance.absolute),
    };
    let mut worst: Option<(f64, String)> = None;
    for (at, (expected, got)) in expected.iter().zip(&got).enumerate() {
        let error = format!("[{at}]: {got}, expected {expected}");
        if expected.is_boolean() || got.is_boolean() {
            if truth(expected) != truth(got) {
                return Err(error);
            }
            continue;
        }
        let (mut expected, got) = (number(expected), number(got));
        if tolerance.single && expected.abs() > 3.4e38 {
            expected = f64::INFINITY.copysign(expected);
        }
        let finite = expected.is_finite() && got.is_finite();
        if !finite && (expected.is_nan() != got.is_nan() || !expected.is_nan() && expected != got) {
            return Err(error);
        }
        let off = if finite { (expected - got).abs() } else { 0.0 };
        if finite
            && off > absolute + relative * expected.abs()
            && worst.as_ref().is_none_or(|(most, _)| off > *most)
        {
            worst = Some((off, format!("{error} (off by {off:.3e})")));
        }
    }
    worst.map_or(Ok(()), |(_, error)| Err(error))
}

fn leaves(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        leaf => vec![leaf],
    }
}

fn truth(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| number(value) != 0.0)
}

/// A number; what is none is NaN.
fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => value.as_f64().unwrap_or(f64::NAN),
    }
}
