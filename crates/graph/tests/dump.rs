//! The views of a graph, as people meet them.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_graph::{Builder, DType, Dim, Graph, NodeId, Output, RunStats, Tensor, interpret, sym};

/// A layer with a parameter, a loss, a gradient and an update.
fn program() -> Graph {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [sym("batch"), 3.into()]);
    let w = b.parameter("w", DType::F32, [3, 2]);
    let h = b.scope("dense", || x.dot(w).named("say \"h\"").tanh());
    let loss = h.sum();
    let root = b.open_scope("grad");
    let slope = b.deriving(root, h.id(), "tanh", || 1.0 - h * h);
    b.link_cotangent(h, slope);
    let dw = b.deriving(root, w.id(), "dot_general", || x.t().dot(slope));
    b.link_cotangent(w, dw);
    b.finish([("loss", loss).into(), Output::from(("w", w - dw)).updating(w)]).unwrap()
}

fn stats(graph: &Graph) -> RunStats {
    let feeds = [("x", Tensor::zeros([4, 3])), ("w", Tensor::ones([3, 2]))];
    RunStats::of_values(&interpret(graph, feeds.iter().map(|(name, tensor)| (*name, tensor))).unwrap())
}

#[test]
fn a_summary_counts_nodes_parameters_and_operations() {
    let graph = program();
    let summary = graph.summary();
    assert_eq!((summary.nodes, summary.gradient_nodes, summary.depth), (11, 5, 7));
    // Two products of 2·3·2 terms per row; 2 of tanh, 2 of the sum, 4 of the slope per row; 6 of the update.
    assert_eq!(summary.flops, sym("batch") * Dim::Known(32) + Dim::Known(6));
    assert_eq!((summary.parameters.tensors, summary.parameters.bytes.known()), (1, Some(24)));
    let paths: Vec<(&str, usize)> = summary.scopes.iter().map(|scope| (&*scope.path, scope.nodes)).collect();
    assert_eq!(paths, [("", 11), ("dense", 2), ("grad", 5), ("grad/dense", 3)]);
    let expected = "\
nodes       11: 6 forward, 5 gradient; depth 7
operations  32*batch + 6 a run
parameters  6 elements in 1 tensor, 24 B

input  type
x      f32[batch, 3]  data
w      f32[3, 2]      parameter

output  type
loss    f32[]
w       f32[3, 2]  updates w

scope       nodes  gradient  parameters    operations
/              11         5           6  32*batch + 6
dense           2         0           0      14*batch
grad            5         5           0      16*batch
grad/dense      3         3           0       4*batch

op           nodes   operations
dot_general      2     24*batch
input            2            0
sub              2  2*batch + 6
literal          1            0
mul              1      2*batch
permute          1            0
reduce_sum       1      2*batch
tanh             1      2*batch
";
    assert_eq!(summary.to_string(), expected);
    let bound = graph.bind(&[("batch".into(), 1000)].into()).unwrap().summary();
    assert!(bound.to_string().contains("operations  32.01 k a run\n"), "{bound}");
}

#[test]
fn a_graph_without_nodes_has_a_summary() {
    let graph = Builder::new().finish(Vec::<Output>::new()).unwrap();
    assert!(graph.summary().to_string().starts_with("nodes       0: 0 forward, 0 gradient; depth 0\n"));
}

#[test]
fn every_forward_node_stands_beside_its_gradient() {
    let graph = program();
    let text = graph.forward_with_gradients().to_string().replace(file!(), "dump.rs");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
        .collect();
    assert_eq!(rows[0], ["node", "op", "type", "gradient", "line"]);
    assert_eq!(rows[2][..4], ["%1 \"w\"", "input()", "f32[3, 2]", "%9"]);
    assert_eq!(rows[3][..4], ["%2 \"say \\\"h\\\"\"", "dot_general(%0, %1)", "f32[batch, 2]", "–"]);
    assert_eq!(rows[4][..4], ["%3", "tanh(%2)", "f32[batch, 2]", "%7"]);
    assert!(rows[4][4].starts_with("dump.rs:"), "{text}");
    // The gradient nodes themselves have not been differentiated.
    assert_eq!(rows.len(), 7);
    let with_stats = graph.forward_with_gradients().with_stats(&stats(&graph)).to_string();
    assert!(
        with_stats.contains(
            "\n      value     mean 0 ± 0, 0 .. 0, norm 0, zeros 100 %\n      gradient  mean 1 ± 0"
        ),
        "{with_stats}"
    );
}

#[test]
fn a_picture_marks_what_nodes_are_for() {
    let graph = program();
    let dot = graph.dot().with_stats(&stats(&graph)).to_string();
    for part in [
        "  n1 [label=\"%1 w\\nf32[3, 2]\\nmean 1 ± 0, 1 .. 1, norm 2.449\", tooltip=\"",
        "  subgraph cluster_1 {\n    graph [label=\"dense\"",
        "    n2 [label=\"%2 dot_general\\n\\\"say \\\\\\\"h\\\\\\\"\\\"\\nf32[batch, 2]\\n",
        "      n7 [label=\"%7 sub\\n",
        "tooltip=\"∇%3 by tanh, ",
        "  n2 -> n3\n",
        "  n1 -> n2 [headlabel=\"1\"]\n",
        "  n7 -> n3 [label=\"∇\", style=dashed",
        "  n10 -> out1\n  out1 -> n1 [style=dotted, constraint=false]\n",
    ] {
        assert!(dot.contains(part), "{part}\n{dot}");
    }
    let mermaid = graph.mermaid().to_string();
    for part in [
        "flowchart TD\n  n0[\"%0 x<br/>f32[batch, 3]\"]:::input\n",
        "  subgraph s1[\"dense\"]\n    n2[\"%2 dot_general<br/>f32[batch, 2]\"]:::forward\n",
        "  n7 -. ∇ .-> n3\n",
        "  n4 --> out0([\"loss\"])\n",
    ] {
        assert!(mermaid.contains(part), "{part}\n{mermaid}");
    }
}

/// A label must not be able to end the string it stands in.
#[test]
fn labels_cannot_break_out() {
    let b = Builder::new();
    let name = "\"]; n9 [label=\"\\\" <b>\n#x;";
    let y = b.scope(name, || b.input(name, DType::F32, ()).tanh().named(name));
    let graph = b.finish([(name, y)]).unwrap();
    assert!(graph.dot().to_string().contains(r#"n0 [label="%0 \"]; n9 [label=\"\\\" <b>\n#x;\nf32[]""#));
    let mermaid = graph.mermaid().to_string();
    assert!(
        mermaid.contains("n0[\"%0 #34;]#59; n9 [label=#34;#92;#34; #60;b#62; #35;x#59;<br/>f32[]\"]"),
        "{mermaid}"
    );
}

#[test]
fn deeply_nested_scopes_do_not_exhaust_the_stack() {
    let b = Builder::new();
    let mut scope = b.open_scope("s");
    for _ in 0..5_000 {
        scope = b.within(scope, || b.open_scope("s"));
    }
    let x = b.within(scope, || b.input("x", DType::F32, ()));
    let graph = b.finish([("x", x)]).unwrap();
    assert!(graph.mermaid().to_string().ends_with("color:#000\n"));
    assert_eq!(graph.summary().scopes.len(), 5_002);
    assert_eq!(graph.node(NodeId::new(0)).operands.len(), 0);
}
