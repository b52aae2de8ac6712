//! A test as the checker writes it, between what a file of tests has anyway.

use pullback_autodiff::check::{CheckOptions, check_gradient};
use pullback_graph::op::Registry;
use pullback_graph::{Graph, Tensor};

#[test]
fn the_gradient_of_exp_is_right() {
    // use pullback::autodiff::check::{CheckOptions, check_gradient};
    // use pullback::graph::{Graph, Tensor, op::Registry};
    let registry = Registry::new();
    let text = r##"
graph {
  %0 = input() name=x kind=data : f32[2, 1]
  %1 = input() name="a \"name\"" kind=data : i64[3]
  %2 = gather(%0, %1) axis=0 : f32[3, 1]
  %3 = literal() value=0.5f32 : f32[3, 1]
  %4 = gt(%2, %3) : bool[3, 1]
  %5 = gather(%0, %1) axis=0 : f32[3, 1]
  %6 = literal() value=-1.5f32 : f32[3, 1]
  %7 = select(%4, %5, %6) : f32[3, 1]
  %8 = exp(%7) : f32[3, 1]
  return y=%8
}
    "##;
    let graph = Graph::parse(text, &registry).unwrap();
    let feed_0 = Tensor::of([2, 1], [0.1_f32, 1e-9_f32]);
    let feed_1 = Tensor::of([3], [1_i64, 0_i64, 1_i64]);
    let feeds = [("x", &feed_0), ("a \"name\"", &feed_1)];
    let options = CheckOptions::default();
    let report = check_gradient(&graph, "y", &["x"], &feeds, &options).unwrap();
    report.assert();
}
