//! Right operands that are turned by steps of their own.

use pullback_graph::pass::optimize;
use pullback_graph::{Builder, DType, Expr, Tensor, interpret};

use crate::plan::{Plan, PlanOptions, plan};
use crate::{Options, Session};

/// Numbers whose products add up exactly, in any order.
fn quarters(sizes: &[usize], seed: usize) -> Tensor {
    Tensor::from_fn(sizes, |at| ((at + seed) * 37 % 11) as f32 / 4.0 - 1.25)
}

/// The kernels of a graph over inputs of these sizes, the results of which are those of the interpreter.
fn kernels_of<const N: usize>(
    sizes: [&[usize]; N],
    output: impl for<'b> FnOnce([Expr<'b>; N]) -> Expr<'b>,
) -> Vec<&'static str> {
    let builder = Builder::new();
    let names = ["a", "b", "c"];
    let inputs = std::array::from_fn(|at| builder.input(names[at], DType::F32, sizes[at].to_vec()));
    let graph = optimize(&builder.finish([("out", output(inputs))]).unwrap());
    let feeds: Vec<Tensor> = sizes.iter().zip(1..).map(|(sizes, seed)| quarters(sizes, seed)).collect();
    let expected = interpret(&graph, names.into_iter().zip(&feeds)).unwrap();
    for threads in [1, 2] {
        let mut session = Session::with(&graph, Options::default().threads(threads)).unwrap();
        let got = session.run(names.into_iter().zip(feeds.iter().cloned())).unwrap();
        let far = got.get("out").unwrap().max_abs_diff(expected.output("out").unwrap());
        assert!(far <= 1e-5, "{sizes:?}, {threads} threads: {far}");
    }
    let plan: Plan = plan(&graph, &PlanOptions::default()).unwrap();
    plan.steps().iter().map(|step| step.kernel()).collect()
}

fn turned(kernels: &[&str]) -> usize {
    kernels.iter().filter(|kernel| **kernel == "rearrange").count()
}

#[test]
fn what_a_recurrence_multiplies_by_is_turned_once() {
    for (rows, width) in [(20, 64), (16, 40), (70, 33)] {
        let kernels = kernels_of([&[rows, width], &[width, width]], |[x, w]| {
            (0..6).fold(x, |state, _| (state.dot(w.t()) * 0.01 + x).tanh())
        });
        assert_eq!(turned(&kernels), 1, "{rows} rows: {kernels:?}");
    }
}

#[test]
fn what_many_rows_are_multiplied_by_is_turned_once() {
    let of = |rows: usize| kernels_of([&[rows, 70], &[90, 70]], |[x, w]| x.dot(w.t()));
    assert_eq!(of(1000), ["rearrange", "matmul"]);
    assert_eq!(of(200), ["matmul"]);
    let keys = kernels_of([&[2, 600, 20], &[2, 513, 20], &[2, 513, 7]], |[q, k, v]| {
        q.matmul(k.t()).softmax(-1).matmul(v)
    });
    assert_eq!(keys, ["rearrange", "matmul+fused+matmul"]);
}

#[test]
fn what_lies_side_by_side_is_read_where_it_is() {
    assert_eq!(kernels_of([&[1000, 70], &[70, 90]], |[x, w]| x.dot(w)), ["matmul"]);
}

#[test]
fn what_is_read_otherwise_too_stays() {
    let kernels = kernels_of([&[1000, 1000], &[1000, 1000]], |[x, w]| x.dot(w.t()) + w);
    assert_eq!(kernels, ["matmul+fused"]);
    assert_eq!(kernels_of([&[1000, 30]], |[x]| x.dot(x.t())), ["matmul"]);
}
