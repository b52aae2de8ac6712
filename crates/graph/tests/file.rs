//! Graph files: every version ever written stays readable, and what is no graph file says so.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::{Path, PathBuf};

use pullback_graph::op::{Distribution, InputKind, Random, Registry};
use pullback_graph::{
    Builder, DType, FormatError, Graph, GraphFile, NodeId, NodeStats, Output, RunStats, Shape, Tensor,
    VerifyError, interpret, sym, verify,
};

fn read(json: &str) -> Result<Graph, FormatError> {
    GraphFile::from_json(json)?.graph(&Registry::new())
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// A program with ops of every family, boxes, gradients, state and numbers that decimal notation has no names for.
fn program() -> Graph {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [sym("batch"), 4.into()]);
    let w = b.parameter("dense/w", DType::F32, [4, 2]);
    let step = b.state("step", DType::I64, ());
    let h = b.scope("dense", || x.dot(w).named("pre \"activation\"").tanh());
    let payload = f32::from_bits(0xffc0_1234);
    let odd = b.constant(Tensor::of([4], [payload, f32::NEG_INFINITY, -0.0, 1.0e-45]));
    let noise = step.apply(Random {
        distribution: Distribution::Normal,
        stream: u64::MAX,
        dtype: DType::F32,
        shape: Shape::from([2]),
    });
    let mixed = (h + noise).relu().max_over([1]) * x.size_like(sym("batch") * 2.into() + 1.into());
    let masked = x.gt(0.0).select(x * odd, x.stop_gradient());
    let taken = masked.gather(b.constant(Tensor::of([3], [0_i64, 3, 3])), 1);
    let moved = taken.pad([(0, 0), (1, 2)], 0.5).slice(1, 1..4).flip([0]).t().cast(DType::F64);
    let loss = mixed.sum();
    let root = b.open_scope("grad");
    let (first, second) = b.deriving(root, h.id(), "tanh", || {
        let ones = h.ones_like();
        (ones, ones - h * h)
    });
    b.link_cotangent(h, second);
    let next = w - x.t().dot(first) * 0.125;
    let outputs: [Output; 4] = [
        ("loss", loss).into(),
        ("moved", moved).into(),
        Output::from(("w", next)).updating(w),
        Output::from(("step", step + 1.0)).updating(step),
    ];
    b.finish(outputs).unwrap()
}

/// Written by version 1. It is never changed: it must load, and be written again as it is, for as long as the format
/// is read.
#[test]
fn files_of_version_1_stay_readable() {
    let path = golden("graph-v1.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let file = GraphFile::load(&path).unwrap();
    assert_eq!(file.to_json(), text);
    let graph = file.graph(&Registry::new()).unwrap();
    verify(&graph).unwrap();
    // The producer is the program that writes.
    let again = GraphFile::of(&graph).with_stats(&file.stats()).to_json();
    let body = |json: &str| {
        json.lines().filter(|line| !line.contains("\"producer\"")).map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(body(&again), body(&text));
    assert_eq!(Graph::parse(&graph.to_string(), &Registry::new()).unwrap(), graph);
    let kinds = graph.inputs().iter().filter(|id| matches!(&graph.node(**id).op, pullback_graph::Op::Input(input) if input.kind == InputKind::State));
    assert_eq!((graph.len(), kinds.count(), file.stats().len()), (38, 1, 3));
    assert!(file.stats().get(NodeId::new(2)).unwrap().mean.is_nan());
}

#[test]
fn a_graph_is_saved_and_loaded_bit_for_bit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("graph.json");
    let graph = program();
    GraphFile::of(&graph).save(&path).unwrap();
    let loaded = GraphFile::load(&path).unwrap().graph(&Registry::new()).unwrap();
    assert_eq!(loaded, graph);
    let missing = GraphFile::load(directory.path().join("none.json")).unwrap_err();
    assert!(
        matches!(missing, FormatError::Io { .. }) && missing.to_string().contains("none.json"),
        "{missing}"
    );
    assert!(matches!(GraphFile::of(&graph).save("/"), Err(FormatError::Io { .. })));
}

#[test]
fn statistics_of_a_run_are_kept() {
    let b = Builder::new();
    let x = b.input("x", DType::F64, [2]);
    let graph = b.finish([("y", x.log())]).unwrap();
    let values = interpret(&graph, [("x", &Tensor::of([2], [0.0, -1.0]))]).unwrap();
    let mut stats = RunStats::of_values(&values);
    stats.insert(
        NodeId::new(1),
        NodeStats { nanos: Some(1200), ..NodeStats::of(values.node(NodeId::new(1))) },
    );
    let json = GraphFile::of(&graph).with_stats(&stats).to_json();
    let file = GraphFile::from_json(&json).unwrap();
    assert_eq!(file.to_json(), json);
    let back = file.stats();
    let y = back.get(NodeId::new(1)).unwrap();
    assert_eq!((y.min, y.nan, y.inf, y.bytes, y.nanos), (f64::NEG_INFINITY, 1, 1, 16, Some(1200)));
    assert!(y.mean.is_nan());
}

#[test]
fn what_is_no_graph_file_says_what_is_wrong() {
    let json = GraphFile::of(&program()).to_json();
    let replaced = |from: &str, to: &str| {
        assert!(json.contains(from), "{from}");
        json.replacen(from, to, 1)
    };
    assert!(matches!(read(""), Err(FormatError::Json(error)) if error.is_eof()));
    assert!(matches!(read(&json[..json.len() / 2]), Err(FormatError::Json(error)) if error.is_eof()));
    assert!(matches!(read("[1, 2]"), Err(FormatError::Json(_))));
    assert!(
        matches!(read(&replaced("pullback-graph", "onnx")), Err(FormatError::Kind { found, .. }) if found == "onnx")
    );
    let newer = read(&replaced("\"version\": 1", "\"version\": 7")).unwrap_err();
    assert!(newer.to_string().contains("version 7 is newer than 1"), "{newer}");
    let unknown = read(&replaced("\"op\":\"tanh\"", "\"op\":\"tnah\"")).unwrap_err();
    assert!(matches!(&unknown, FormatError::UnknownOp { op, .. } if op == "tnah"), "{unknown}");
    let cyclic = read(&replaced("\"operands\":[0,1]", "\"operands\":[0,9]")).unwrap_err();
    assert!(matches!(&cyclic, FormatError::Invalid(VerifyError::Order { .. })), "{cyclic}");
    let mistyped = read(&replaced("\"type\":\"f32[batch, 2]\"", "\"type\":\"f32[batch, 3]\"")).unwrap_err();
    assert!(matches!(&mistyped, FormatError::Invalid(VerifyError::Mistyped { .. })), "{mistyped}");
    for (from, to) in [
        ("\"scope\":1", "\"scope\":99"),
        ("\"source\":0", "\"source\":4294967295"),
        ("\"parent\":0", "\"parent\":7"),
        ("\"operands\":[0,1]", "\"operands\":[-1]"),
        ("\"kind\":\"data\"", "\"kind\":\"date\""),
        ("\"contract_left\"", "\"contract_middle\""),
    ] {
        read(&replaced(from, to)).unwrap_err();
    }
}

#[test]
fn fields_of_later_programs_are_ignored() {
    let json = GraphFile::of(&program()).to_json();
    let later = json.replacen("\"version\": 1", "\"version\": 1,\n  \"plan\": {\"threads\": [4]}", 1);
    let later = later.replace("{\"op\":", "{\"color\":\"red\",\"op\":");
    assert_eq!(GraphFile::from_json(&later).unwrap().to_json(), json);
}

#[test]
fn optional_fields_may_be_missing() {
    let json = r#"{"format":"pullback-graph","version":1,"producer":"hand","nodes":[
        {"op":"input","attributes":{"name":"x","kind":"data","type":"f32[n]"},"type":"f32[n]"},
        {"op":"neg","operands":[0],"type":"f32[n]"}]}"#;
    assert_eq!(read(json).unwrap().len(), 2);
}

/// Files may come from anyone: text that would break out of its place in another program stays a string.
#[test]
fn strings_of_any_content_survive() {
    let b = Builder::new();
    let name = "\u{0} </script> \u{2028} \u{1f600} \\\" %0 = x\n";
    let y = b.scope(name, || b.input(name, DType::F32, ()).tanh().named(name));
    let graph = b.finish([(name, y)]).unwrap();
    assert_eq!(read(&GraphFile::of(&graph).to_json()).unwrap(), graph);
    assert_eq!(Graph::parse(&graph.to_string(), &Registry::new()).unwrap(), graph);
}
