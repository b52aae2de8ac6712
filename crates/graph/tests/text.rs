//! The text IR as people meet it: how a program reads, and what is said about a text that is none.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_graph::op::{Choices, OperandSample, Sample};
use pullback_graph::op::{Custom, CustomOp, Partials, Registry, Site};
use pullback_graph::{
    Builder, DType, FormatError, Graph, NodeId, NodeStats, RunStats, Tensor, TensorType, VerifyError,
    Violation, sym,
};

fn parse(text: &str) -> Result<Graph, FormatError> {
    Graph::parse(text, &Registry::new())
}

/// A layer, its loss and one of its gradients, as a differentiation writes them.
fn program() -> Graph {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [sym("batch"), 3.into()]);
    let w = b.parameter("w", DType::F32, [3, 2]);
    let h = b.scope("encoder/0", || b.scope("dense", || x.dot(w).named("h").tanh()));
    let loss = h.sum();
    let root = b.open_scope("grad");
    let (seed, slope) = b.deriving(root, h.id(), "tanh", || (h.ones_like(), 1.0 - h * h));
    b.link_cotangent(h, seed);
    let next = w - w.full_like(0.5) * w;
    let outputs = [
        ("loss", loss).into(),
        ("slope", slope).into(),
        pullback_graph::Output::from(("w", next)).updating(w),
    ];
    b.finish(outputs).unwrap()
}

#[test]
fn a_program_reads_as_it_was_written() {
    let graph = program();
    let expected = r#"graph {
  %0 = input() name=x kind=data : f32[batch, 3]  // text.rs
  %1 = input() name=w kind=parameter : f32[3, 2]  // text.rs
  scope "encoder/0"/dense {
    %2 = dot_general(%0, %1) contract_left=[1] contract_right=[0] : f32[batch, 2]  // "h" text.rs
    %3 = tanh(%2) : f32[batch, 2]  // text.rs
  }
  %4 = reduce(%3) kind=sum axes=[0, 1] : f32[]  // text.rs
  scope grad/"encoder/0"/dense {
    %5 = literal() value=1.0f32 : f32[batch, 2]  // ∇%3 by tanh, text.rs
    %6 = mul(%3, %3) : f32[batch, 2]  // ∇%3 by tanh, text.rs
    %7 = literal() value=1.0f32 : f32[batch, 2]  // ∇%3 by tanh, text.rs
    %8 = sub(%7, %6) : f32[batch, 2]  // ∇%3 by tanh, text.rs
  }
  %9 = literal() value=0.5f32 : f32[3, 2]  // text.rs
  %10 = mul(%9, %1) : f32[3, 2]  // text.rs
  %11 = sub(%1, %10) : f32[3, 2]  // text.rs
  return loss=%4, slope=%8, w=%11 updates %1
  cotangents %3: %5
}
"#;
    // Without the lines and columns, which change with this file, and the gap that depends on the path's length.
    let printed = graph.to_string().replace(file!(), "text.rs");
    let lines = printed.lines().map(|line| match (line.split_once("  //"), line.find("text.rs")) {
        (Some((node, _)), Some(end)) => {
            let origin = line[..end].rfind("// ").unwrap();
            format!("{}  {}text.rs\n", node.trim_end(), &line[origin..end])
        }
        _ => format!("{line}\n"),
    });
    assert_eq!(lines.collect::<String>(), expected);
    assert_eq!(parse(&graph.to_string()).unwrap(), graph);
}

#[test]
fn a_text_needs_no_origins_and_may_have_comments() {
    let text = "
        # Two lines of a test.
        graph { # no scopes
            %0 = input() kind=data name=x : f32[2]
            %1 = neg(%0) : f32[2]   // \"y\"
            return y=%1
        }";
    let graph = parse(text).unwrap();
    assert_eq!(graph.label(NodeId::new(1)).unwrap().as_ref(), "y");
    let printed = graph.to_string();
    assert_eq!(parse(&printed).unwrap(), graph);
    assert!(printed.contains("%0 = input() name=x kind=data : f32[2]\n"), "{printed}");
}

#[test]
fn statistics_stand_in_comments() {
    let graph = program();
    let stats: RunStats =
        [(NodeId::new(3), NodeStats::of(&Tensor::of([2], [0.0_f32, 3.0])))].into_iter().collect();
    let text = graph.text().with_stats(&stats).to_string();
    assert!(text.contains("  # mean 1.5 ± 1.5, 0 .. 3, norm 3, zeros 50 %\n"), "{text}");
    assert_eq!(parse(&text).unwrap(), graph);
}

#[test]
fn scopes_without_nodes_are_kept() {
    let b = Builder::new();
    let empty = b.open_scope("empty");
    b.within(empty, || b.open_scope("inner"));
    let x = b.input("x", DType::F32, ());
    let graph = b.finish([("x", x)]).unwrap();
    let text = graph.to_string();
    assert!(text.contains("  scope empty {}\n  scope empty/inner {}\n"), "{text}");
    assert_eq!(parse(&text).unwrap().scopes(), graph.scopes());
}

/// Names come from files, and texts go to terminals.
#[test]
fn names_of_earlier_versions_are_read() {
    let old = "graph {
  %0 = input() name=x kind=data : f64[3]
  %1 = input() name=i kind=data : i64[2]
  %2 = input() name=u kind=data : f64[2]
  %3 = scatter_add(%0, %1, %2) axis=0 : f64[3]
  %4 = scatter_add_along(%3, %1, %2) axis=0 : f64[3]
  return y=%4
}
";
    let graph = parse(old).unwrap();
    let again = graph.to_string();
    assert!(again.contains("scatter(%0, %1, %2) kind=add axis=0"), "{again}");
    assert!(again.contains("scatter_along(%3, %1, %2) kind=add axis=0"), "{again}");
    assert_eq!(parse(&again).unwrap(), graph);
}

#[test]
fn control_characters_are_escaped() {
    let b = Builder::new();
    let name = "\u{1b}[2J\u{9b}31m\u{7f}\n";
    let y = b.scope(name, || b.input(name, DType::F32, ()).neg().named(name));
    let graph = b.finish([(name, y)]).unwrap();
    let text = graph.to_string();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    assert_eq!(parse(&text).unwrap(), graph);
    let summary = format!("{}{}", graph.summary(), graph.forward_with_gradients());
    assert!(!summary.contains(|c: char| c.is_control() && c != '\n'), "{summary:?}");
}

#[test]
fn long_lists_are_broken_into_lines() {
    let b = Builder::new();
    let x = b.input("x", DType::F32, ());
    let graph = b.finish((0..40).map(|i| (format!("output_{i}"), x))).unwrap();
    let text = graph.to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 101), "{text}");
    assert_eq!(parse(&text).unwrap(), graph);
}

/// The message for a text of which `body` is what stands between the braces.
fn message(body: &str) -> String {
    parse(&format!("graph {{\n{body}\n}}")).unwrap_err().to_string()
}

#[test]
fn malformed_texts_are_answered_with_a_place() {
    let x = "%0 = input() kind=data name=x : f32[2]\n";
    let cases = [
        ("%1 = neg()", "line 2, column 1: expected `%0`, for nodes are numbered in order, got `%1`"),
        ("%0 neg()", "line 2, column 4: expected `=`, got `neg`"),
        ("%0 = neg(%0, ) : f32[]", "line 2, column 14: expected a node such as `%7`, got `)`"),
        ("%0 = neg(%0 %1) : f32[]", "line 2, column 13: expected `,` or `)`, got `%1`"),
        ("%0 = neg(%4294967296) : f32[]", "line 2, column 11: 4294967296 is too large for a node's number"),
        ("%0 = iota() axis=0", "line 3, column 1: expected an attribute or `:`, got `}`"),
        ("%0 = iota() axis=0 axis=1 : i64[2]", "line 2, column 26: attribute `axis` is given twice"),
        ("%0 = iota() axis=\"0 : i64[2]", "line 2, column 18: a string is not closed"),
        ("%0 = iota() axis=\"\\q\" : i64[2]", "malformed string: invalid escape"),
        ("%0 = iota() axis=0 : i64", "line 2, column 22: expected a type such as `f32[2, batch]`, got `i64`"),
        ("%0 = iota() axis=0 : i32[2]", "line 2, column 22: unknown element type \"i32\""),
        ("%0 = iota() axis=0 : i64[2!]", "line 2, column 22: malformed dimension \"2!\""),
        (
            "%0 = iota() axis=0 : i64[2] // ∇%1 tanh",
            "line 2, column 36: expected `by` and the name of a rule",
        ),
        (
            "%0 = iota() axis=0 : i64[2] // a.rs:x:2",
            "line 2, column 32: expected a place such as `src/net.rs:7:18`",
        ),
        (
            "%0 = iota() axis=0 : i64[2] // a.rs:1:2 b",
            "line 2, column 41: expected `,`, `;` or the end of the line, got `b`",
        ),
        (
            "scope a {",
            "line 3, column 2: expected a node, `scope`, `return`, `cotangents` or `}`, got the end of the text",
        ),
        ("scope a~2 {}", "line 2, column 10: the scope before `a~2` has not been seen"),
        ("scope {}", "line 2, column 7: expected a scope's name, got `{`"),
        ("return y", "line 3, column 1: expected `=`, got `}`"),
        ("shape", "line 2, column 1: expected a node, `scope`, `return`, `cotangents` or `}`, got `shape`"),
        ("}\n", "line 4, column 1: expected the end of the text, got `}`"),
    ];
    for (body, expected) in cases {
        let found = message(body);
        assert!(found.contains(expected), "{body}\n{found}\n{expected}");
    }
    assert!(message(&format!("{x}%1 = frob(%0) : f32[2]")).contains("%1: unknown op \"frob\""));
    assert!(message(&format!("{x}%1 = frob(%0) a=1 : f32[2]")).contains("%1: unknown op \"frob\""));
    assert!(message("%0 = iota() axis=-1 : i64[2]").contains("%0: iota: invalid value"));
    assert!(
        message("%0 = iota() axis=0 step=2 : i64[2]").contains("%0: iota: there is no attribute \"step\"")
    );
    assert!(message("%0 = iota() : i64[2]").contains("%0: iota: missing field `axis`"));
    assert!(
        message(&format!("{x}%1 = neg(%0) axis=2 : f32[2]"))
            .contains("%1: neg: there is no attribute \"axis\"")
    );
    assert_eq!(
        parse("").unwrap_err().to_string(),
        "line 1, column 1: expected `graph`, got the end of the text"
    );
}

#[test]
fn what_breaks_an_invariant_is_refused() {
    let x = "%0 = input() kind=data name=x : f32[2]\n";
    let invalid = |body: &str| match parse(&format!("graph {{\n{x}{body}\n}}")) {
        Err(FormatError::Invalid(error)) => error,
        other => panic!("{body}: {other:?}"),
    };
    for body in [
        "%1 = neg(%2) : f32[2]\n%2 = neg(%1) : f32[2]",
        "%1 = neg(%1) : f32[2] // a.rs:1:2",
        "%1 = neg(%9) : f32[2]",
    ] {
        assert!(matches!(invalid(body), VerifyError::Order { .. }), "{body}");
    }
    assert!(matches!(invalid("%1 = neg(%0) : f32[3]"), VerifyError::Mistyped { .. }));
    assert!(matches!(invalid("%1 = neg(%0, %0) : f32[2]"), VerifyError::Type { .. }));
    assert!(matches!(
        invalid("%1 = input() kind=data name=x : f32[2]"),
        VerifyError::Duplicate { kind: "input", .. }
    ));
    assert!(matches!(invalid("return y=%0, y=%0"), VerifyError::Duplicate { kind: "output", .. }));
    for body in
        ["return y=%1", "return y=%0 updates %7", "cotangents %0: %1", "%1 = neg(%0) : f32[2] // ∇%5 by neg"]
    {
        assert!(matches!(invalid(body), VerifyError::Dangling { .. }), "{body}");
    }
}

#[test]
fn absurd_sizes_are_refused() {
    let max = u64::MAX;
    let bodies = [
        format!("%0 = input() kind=data name=x : f32[{max}]"),
        "%0 = input() kind=data name=x : f32[9223372036854775807]".into(),
        "%0 = literal() value=1.0f32 : f32[4294967296, 4294967296, 0]".into(),
        format!("%0 = constant() data=[] shape=[{max}, 2] : f32[2]"),
        format!("%0 = input() kind=data name=x : f32[{}]", vec!["1"; 300].join(", ")),
        format!("%0 = input() kind=data name=x : f32[{}]", ["a + b + c + d"; 8].join(", ")),
        format!("%0 = input() kind=data name=x : f32[4]\n%1 = pad(%0) low=[{max}] high=[{max}] inner=[{max}] value=0.0f32 : f32[4]"),
        format!("%0 = input() kind=data name=x : f32[4]\n%1 = slice(%0) starts=[0] ends=[4] steps=[{max}] : f32[1]"),
        format!("%0 = input() kind=data name=x : f32[4]\n%1 = reshape(%0) shape=[{max}, {max}] : f32[4]"),
        "%0 = input() kind=data name=x : f32[n]\n%1 = slice(%0) starts=[n] ends=[\"n - 5\"] steps=[1] : f32[4]".into(),
        "%0 = input() kind=data name=x : f32[n - 5]\n%1 = input() kind=data name=y : f32[-n]\n%2 = concat(%0, %1) axis=0 : f32[1]".into(),
        "%0 = input() kind=data name=x : f32[4]\n%1 = reduce(%0) kind=sum axes=[256] : f32[]".into(),
    ];
    for body in bodies {
        assert!(!message(&body).is_empty());
    }
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let deep = "[".repeat(200_000);
    assert!(message(&format!("%0 = iota() axis={deep}")).contains("nested more than 32 deep"));
    let path = vec!["a"; 5000].join("/");
    assert!(message(&format!("scope {path} {{}}")).contains("scopes are nested too deeply"));
}

#[test]
fn long_chains_print_and_parse_in_linear_time() {
    const LENGTH: usize = 100_000;
    let b = Builder::new();
    let mut x = b.input("x", DType::F32, [4]);
    for _ in 0..LENGTH {
        x = x.tanh();
    }
    let graph = b.finish([("y", x)]).unwrap();
    let text = graph.to_string();
    assert_eq!(parse(&text).unwrap(), graph);
}

#[derive(Debug)]
struct Twice;

impl CustomOp for Twice {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        operands.first().map(|ty| (*ty).clone()).ok_or_else(|| Violation::new("C1", "takes one operand"))
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok(operands[0].clone())
    }

    fn pullback<'g>(&self, at: &Site<'g>) -> Partials<'g> {
        at.first(|| at.cotangent * 2.0)
    }

    fn sample(&self, choices: &mut Choices) -> Sample {
        let ty = choices.float_type(2);
        Sample { op: pullback_graph::op::StopGradient.into(), operands: vec![OperandSample::any(ty)] }
    }
}

#[test]
fn custom_ops_are_found_in_the_registry() {
    let mut registry = Registry::new();
    let twice: Custom = registry.add("twice", Twice).unwrap();
    let b = Builder::new();
    let y = b.input("x", DType::F64, [2]).apply(twice);
    let graph = b.finish([("y", y)]).unwrap();
    let text = graph.to_string();
    assert_eq!(Graph::parse(&text, &registry).unwrap(), graph);
    let unknown = parse(&text).unwrap_err();
    assert!(matches!(&unknown, FormatError::UnknownOp { op, .. } if op == "twice"), "{unknown}");
}
