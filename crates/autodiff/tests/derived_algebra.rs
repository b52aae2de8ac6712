//! Gradients of products and of linear algebra: one tensor in two places, diagonals, singular matrices, higher orders.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_autodiff::check::{InputSpec, check_gradients, f64_in};
use pullback_autodiff::{grad, jvp};
use pullback_graph::DType::F64;
use pullback_graph::op::TriangularSolve;
use pullback_graph::{Builder, Tensor, einsum, interpret};

#[test]
fn products_of_a_tensor_with_itself() {
    check_gradients(|[x]| x.matmul(x), [f64_in([3, 3])]).assert();
    check_gradients(|[x]| x.matmul(x.t()), [f64_in([2, 3, 3])]).assert();
    check_gradients(|[x]| x.dot(x), [f64_in([4])]).assert();
    check_gradients(|[x]| x.outer(x), [f64_in([3])]).assert();
    check_gradients(|[x]| einsum("ij,jk,ki->", &[x, x, x]), [f64_in([3, 3])]).assert();
}

#[test]
fn products_of_every_rank_and_without_terms() {
    check_gradients(|[a, b]| a.matmul(b), [f64_in([3]), f64_in([2, 3, 2])]).assert();
    check_gradients(|[a, b]| a.matmul(b), [f64_in([2, 3]), f64_in([4, 3, 2])]).assert();
    check_gradients(|[a, b]| a.matmul(b), [f64_in([4, 2, 3]), f64_in([1, 3, 2])]).assert();
    check_gradients(|[a, b]| a.matmul(b), [f64_in([2, 1, 2, 3]), f64_in([3, 3, 2])]).assert();
    check_gradients(|[a, b]| a.matmul(b), [f64_in([2, 0]), f64_in([0, 3])]).assert();
}

#[test]
fn sums_over_named_axes() {
    check_gradients(|[x]| einsum("iji->j", &[x]), [f64_in([3, 2, 3])]).assert();
    check_gradients(|[x]| einsum("...ii", &[x]), [f64_in([2, 3, 3])]).assert();
    check_gradients(
        |[a, b, c]| einsum("bi,ijk,bk->bj", &[a, b, c]),
        [f64_in([2, 2]), f64_in([2, 3, 4]), f64_in([2, 4])],
    )
    .assert();
    check_gradients(|[a, b, c]| einsum("i,j,ij->", &[a, b, c]), [f64_in([2]), f64_in([3]), f64_in([2, 3])])
        .assert();
    check_gradients(|[a, b]| einsum("...i,...j->...ji", &[a, b]), [f64_in([4, 1, 2]), f64_in([3, 3])])
        .assert();
    check_gradients(|[a, b]| einsum("ii,ij->j", &[a, b]), [f64_in([3, 3]), f64_in([3, 2])]).assert();
}

/// Matrices far from singular.
fn regular<const N: usize>(sizes: [usize; N]) -> InputSpec {
    let n = sizes[N - 1];
    f64_in(sizes).value(Tensor::from_fn(&sizes, |i| {
        let (row, column) = (i / n % n, i % n);
        (i as f64 * 0.7).sin() + if row == column { n as f64 } else { 0.0 }
    }))
}

#[test]
fn linear_algebra_in_all_its_operands() {
    check_gradients(|[a, b]| a.solve(b), [regular([2, 3, 3]), f64_in([3, 2])]).assert();
    check_gradients(|[a, b]| a.solve(b), [regular([3, 3]), f64_in([3])]).assert();
    check_gradients(|[a]| a.inverse(), [regular([2, 3, 3])]).assert();
    check_gradients(|[a]| a.logdet(), [regular([2, 3, 3])]).assert();
    check_gradients(|[a]| a.det(), [regular([2, 4, 4])]).assert();
    check_gradients(|[a]| a.matrix_power(3) + a.matrix_power(-2), [regular([3, 3])]).assert();
    check_gradients(|[a]| a.matmul(a.t()).cholesky(), [regular([3, 3])]).assert();
    check_gradients(
        |[a, b]| a.cholesky().triangular_solve(b, TriangularSolve::lower().transposed()),
        [regular([2, 3, 3]), f64_in([2, 3, 1])],
    )
    .assert();
}

/// A matrix of this rank: an orthogonal-looking mix with so many directions left.
fn of_rank(n: usize, rank: usize) -> Tensor {
    let entry = |i: usize, seed: f64| (i as f64 * 1.3 + seed).sin();
    Tensor::from_fn(&[n, n], |at| {
        let (row, column) = (at / n, at % n);
        (0..rank).map(|k| entry(row * n + k, 0.4) * entry(column * n + k, 2.1)).sum::<f64>()
    })
}

#[test]
fn determinants_of_singular_matrices_have_gradients_of_two_orders() {
    for n in 1..=5 {
        for rank in 0..=n {
            check_gradients(|[a]| a.det(), [f64_in([n, n]).value(of_rank(n, rank))]).assert();
        }
    }
    // Of a whole stack, some singular.
    let stack =
        Tensor::from_fn(&[3, 2, 2], |i| [1.0, 2.0, 2.0, 4.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0][i]);
    check_gradients(|[a]| a.det(), [f64_in([3, 2, 2]).value(stack)]).assert();
}

#[test]
fn third_derivatives_of_determinants_are_those_of_the_polynomial() {
    // d³/dt³ det(A + t·V) for 4 × 4 is 6 times the third coefficient: the four cofactors of V with one row or column of A.
    for rank in [4, 3, 2] {
        let b = Builder::new();
        let (a, v) = (b.input("a", F64, [4, 4]), b.input("v", F64, [4, 4]));
        let along = |y| jvp(y, [a], [v]).unwrap();
        let third = along(along(along(a.det())));
        let graph = b.finish([("third", third)]).unwrap();
        let (matrix, direction) = (of_rank(4, rank), of_rank(4, 4).reshape(&[4, 4]).unwrap());
        let direction = Tensor::from_fn(&[4, 4], |i| direction.values::<f64>()[(i * 5 + 3) % 16]);
        let got = interpret(&graph, [("a", &matrix), ("v", &direction)]).unwrap();
        // det is a polynomial of degree 4 in t: five values give its third coefficient exactly.
        let value = |t: f64| {
            let b = Builder::new();
            let x = b.input("x", F64, [4, 4]);
            let graph = b.finish([("y", x.det())]).unwrap();
            let moved =
                Tensor::from_fn(&[4, 4], |i| matrix.values::<f64>()[i] + t * direction.values::<f64>()[i]);
            interpret(&graph, [("x", &moved)]).unwrap().output("y").unwrap().item().unwrap()
        };
        let want = (value(2.0) - 2.0 * value(1.0) + 2.0 * value(-1.0) - value(-2.0)) / 2.0;
        let got = got.output("third").unwrap().item().unwrap();
        assert!((got - want).abs() < 1e-9 * (1.0 + want.abs()), "rank {rank}: {got} is not {want}");
    }
}

#[test]
fn a_singular_matrix_stops_the_gradient_of_its_logarithm_but_not_its_value() {
    let b = Builder::new();
    let x = b.input("x", F64, [2, 2]);
    let [dx] = grad(x.slogdet().1, [x]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    let error = interpret(&graph, [("x", &Tensor::of([2, 2], [1.0, 2.0, 2.0, 4.0]))]).unwrap_err();
    assert!(error.to_string().contains("the matrix is singular"), "{error}");
}
