//! Each rule of each pass by an example: `passes/<pass>/<rule>.txt` holds a program before and after.
//!
//! `UPDATE_EXPECT=1 cargo test` writes the `after:` sections anew. Files beside those of the rules show what a pass leaves
//! alone; the folder `optimize` holds examples of all passes together.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use pullback_graph::op::{Choices, OperandSample, Registry};
use pullback_graph::pass::{PASSES, optimize};
use pullback_graph::{Bindings, DType, Element, Graph, GraphError, Tensor, dispatch, interpret};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/passes").join(name)
}

/// The examples of a folder, sorted by name.
fn examples(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs an example: the text is as written, and the outputs are the same for inputs drawn at random.
fn check(path: &Path, run: impl Fn(&Graph) -> Graph) -> Graph {
    let text = fs::read_to_string(path).unwrap();
    let (head, expected) =
        text.split_once("after:\n").unwrap_or_else(|| panic!("{}: no `after:`", path.display()));
    let (_, before) =
        head.split_once("before:\n").unwrap_or_else(|| panic!("{}: no `before:`", path.display()));
    let before =
        Graph::parse(before, &Registry::new()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let after = run(&before);
    same_values(path, &before, &after);
    // Only a rewrite that has kept every bit may become what is expected.
    if std::env::var_os("UPDATE_EXPECT").is_none() {
        assert_eq!(after.to_string(), expected, "{}", path.display());
    } else if after.to_string() != expected {
        fs::write(path, format!("{head}after:\n{after}")).unwrap();
    }
    after
}

/// Both graphs give the same bits, or both fail, whatever they are fed.
fn same_values(path: &Path, before: &Graph, after: &Graph) {
    let sizes: Bindings = before.symbols().into_iter().map(|symbol| (symbol, 3)).collect();
    let (before, bound) = (before.bind(&sizes).unwrap(), after.bind(&sizes).unwrap());
    for seed in 0..16 {
        let feeds = feeds(&before, seed);
        match (outputs(&before, &feeds), outputs(&bound, &feeds)) {
            (Ok(before), Ok(after)) => {
                let same = before.iter().zip(&after).all(|(before, after)| same_bits(before, after));
                assert!(same, "{}: {before:?} became {after:?}", path.display());
            }
            (Err(before), Err(after)) => {
                assert_eq!(before.to_string().is_empty(), after.to_string().is_empty())
            }
            (before, after) => panic!("{}: {before:?} became {after:?}", path.display()),
        }
    }
}

/// Values for all inputs: ordinary numbers, among them zeros of either sign; for odd seeds also the extremes.
fn feeds(graph: &Graph, seed: u64) -> Vec<(String, Tensor)> {
    let mut choices = Choices::seeded(seed);
    let feed = |id: &pullback_graph::NodeId| {
        let value = OperandSample::any(graph.ty(*id).clone()).value(&mut choices);
        let value = match value.dtype() {
            DType::F64 => {
                let special: &[f64] = match seed % 2 {
                    0 => &[0.0, -0.0],
                    _ => &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -0.0, f64::MIN_POSITIVE / 4.0],
                };
                mixed(&value, special, seed)
            }
            // Indices out of range fail before and after.
            DType::I64 if seed % 2 == 1 => mixed(&value, &[i64::MIN, i64::MAX, -1], seed),
            _ => value,
        };
        (graph.label(*id).unwrap().to_string(), value)
    };
    graph.inputs().iter().map(feed).collect()
}

/// Every other element replaced by a special one.
fn mixed<T: Element>(value: &Tensor, special: &[T], seed: u64) -> Tensor {
    let values = value.values::<T>();
    let element = |i: usize| match (i + seed as usize / 2) % 2 {
        0 => special[(i / 2 + seed as usize) % special.len()],
        _ => values[i],
    };
    Tensor::from_fn(value.sizes(), element)
}

fn outputs(graph: &Graph, feeds: &[(String, Tensor)]) -> Result<Vec<Tensor>, GraphError> {
    let values = interpret(graph, feeds.iter().map(|(name, value)| (name, value)))?;
    Ok(values.outputs().map(|(_, value)| value.clone()).collect())
}

/// Equal bits, but any NaN for any other.
fn same_bits(left: &Tensor, right: &Tensor) -> bool {
    left.ty() == right.ty()
        && dispatch!(left.dtype(), T => {
            let same = |(a, b): (&T, &T)| a.to_bits64() == b.to_bits64() || (a.to_f64().is_nan() && b.to_f64().is_nan());
            left.values::<T>().iter().zip(right.values::<T>()).all(same)
        })
}

#[test]
fn every_example_becomes_what_it_says() {
    for pass in PASSES {
        for path in examples(pass.name) {
            let after = check(&path, |graph| pass.run(graph));
            assert_eq!(pass.run(&after), after, "{}: the pass has more to do", path.display());
        }
    }
    for path in examples("optimize") {
        check(&path, optimize);
    }
}

#[test]
fn every_rule_has_an_example_that_it_changes() {
    let merged = |graph: &Graph| PASSES.iter().find(|pass| pass.name == "dead_code").unwrap().run(graph);
    for pass in PASSES {
        for rule in pass.rules() {
            let path = folder(pass.name).join(format!("{rule}.txt"));
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let before =
                text.split("before:\n").nth(1).and_then(|rest| rest.split("after:\n").next()).unwrap();
            let before = Graph::parse(before, &Registry::new()).unwrap();
            assert_ne!(pass.run(&before), merged(&before), "{rule} is not applied in its example");
        }
    }
}
