//! What README and docs show as printed is what is printed. `UPDATE_EXPECT=1 cargo test --test docs` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![allow(unreachable_pub, reason = "examples are programs of their own, whose functions this one calls")]

use std::fs;
use std::path::Path;

use pullback::DType;
use pullback::graph::{Kink, Output, pass};

#[path = "../examples/first_gradient.rs"]
mod first_gradient;
#[path = "docs/formula.rs"]
mod formula;
#[path = "docs/ops.rs"]
mod ops;

/// Compares the text block behind `<!-- printed: NAME -->` in a document with what is printed now.
fn fresh(document: &str, name: &str, printed: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(&path).unwrap();
    let marker = format!("<!-- printed: {name} -->\n```text\n");
    let start =
        text.find(&marker).unwrap_or_else(|| panic!("{document} has no block {name:?}")) + marker.len();
    let end = start + text[start..].find("\n```").expect("the block ends") + 1;
    let expected = format!("{}\n", printed.trim_end());
    if text[start..end] == expected {
        return;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, format!("{}{expected}{}", &text[..start], &text[end..])).unwrap();
        return;
    }
    panic!(
        "{document} shows\n{}\nbut it is now\n{expected}\nrun with UPDATE_EXPECT=1 to write it anew",
        &text[start..end]
    );
}

#[test]
fn printed_graphs_in_readme_and_docs_are_fresh() {
    let graph = first_gradient::graph().unwrap();
    let loss = graph.output("loss").unwrap().node;
    let forward = pass::PASSES.iter().find(|pass| pass.name == "dead_code").expect("a pass");
    let forward = forward.run(&graph.with_outputs([Output::new("loss", loss)]).unwrap());
    // The example names itself by the path that its own build gives it.
    let print = |graph: &pullback::Graph| graph.to_string().replace("tests/../", "");
    fresh("README.md", "first gradient", &print(&graph));
    fresh("docs/gradients.md", "before", &print(&forward));
    fresh("docs/gradients.md", "after", &print(&graph));
    fresh("docs/gradients.md", "optimized", &print(&pass::optimize(&graph)));
}

#[test]
fn tables_in_docs_are_fresh() {
    fresh("docs/gradients.md", "kinks", &Kink::table());
    fresh("docs/building-a-graph.md", "promotion", &DType::promotion_table());
}

#[test]
fn the_list_of_operations_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (path, text) = (root.join("docs/ops.md"), ops::document(root));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let is_fresh = fs::read_to_string(&path).is_ok_and(|known| known == text);
    assert!(is_fresh, "docs/ops.md is not what the sources say: run with UPDATE_EXPECT=1 to write it anew");
}
