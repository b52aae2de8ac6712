//! A case as a Rust test.

use std::collections::BTreeSet;
use std::fmt::Write;

use pullback_graph::{DType, Op, OpRules, Tensor};

use crate::check::case::Case;

/// The source of a test that checks the case.
pub(crate) fn test(case: &Case) -> String {
    let ops = case.graph.nodes().iter().map(|node| &node.op);
    let customs: BTreeSet<String> =
        ops.filter(|op| matches!(op, Op::Custom(_))).map(|op| op.name().to_string()).collect();
    let wrong = case.graph.nodes().iter().rev().find(|node| !node.operands.is_empty());
    let about = wrong.map_or_else(|| "identity".into(), |node| node.op.name().to_string());

    let mut text = format!("#[test]\nfn the_gradient_of_{about}_is_right() {{\n");
    let mut line = |indent: usize, content: &str| {
        let _ = writeln!(text, "{:indent$}{content}", "", indent = 4 * indent);
    };
    line(1, "// use pullback::autodiff::check::{CheckOptions, check_gradient};");
    line(1, "// use pullback::graph::{Graph, Tensor, op::Registry};");
    match customs.is_empty() {
        true => line(1, "let registry = Registry::new();"),
        false => line(1, "let mut registry = Registry::new();"),
    }
    for name in &customs {
        line(1, &format!("registry.add(\"{name}\", /* the rules of {name} */).unwrap();"));
    }
    line(1, "let text = r##\"");
    case.graph.to_string().lines().for_each(|graph_line| line(0, graph_line));
    line(1, "\"##;");
    line(1, "let graph = Graph::parse(text, &registry).unwrap();");
    for (at, (_, value)) in case.feeds.iter().enumerate() {
        line(1, &format!("let feed_{at} = {};", literal(value)));
    }
    let wrt: Vec<String> = case.wrt.iter().map(|name| format!("{name:?}")).collect();
    let feeds = case.feeds.iter().enumerate().map(|(at, (name, _))| format!("({name:?}, &feed_{at})"));
    let feeds: Vec<String> = feeds.collect();
    line(1, &format!("let feeds = [{}];", feeds.join(", ")));
    line(1, "let options = CheckOptions::default();");
    let (output, wrt) = (&case.output, wrt.join(", "));
    line(
        1,
        &format!("let report = check_gradient(&graph, {output:?}, &[{wrt}], &feeds, &options).unwrap();"),
    );
    line(1, "report.assert();");
    line(0, "}");
    text
}

/// An expression that gives the tensor, bit for bit but for the payload of NaN.
fn literal(value: &Tensor) -> String {
    let ty = value.dtype();
    let element = |x: f64| match ty {
        DType::F32 | DType::F64 if x.is_nan() => format!("{ty}::NAN"),
        DType::F32 | DType::F64 if x.is_infinite() => {
            format!("{}{ty}::INFINITY", if x < 0.0 { "-" } else { "" })
        }
        DType::F32 => format!("{:?}_f32", x as f32),
        DType::F64 => format!("{x:?}_f64"),
        DType::I64 => format!("{x}_i64"),
        DType::Bool => (x != 0.0).to_string(),
    };
    let elements: Vec<String> = value.to_f64_vec().into_iter().map(element).collect();
    match (value.sizes(), elements.is_empty()) {
        ([], _) => format!("Tensor::scalar({})", elements.join(", ")),
        (sizes, true) => format!("Tensor::of({sizes:?}, Vec::<{ty}>::new())"),
        (sizes, false) => format!("Tensor::of({sizes:?}, [{}])", elements.join(", ")),
    }
}
