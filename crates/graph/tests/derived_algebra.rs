//! Products over named axes and linear algebra: values against sums written out, errors, edges, and leading axes.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;

use pullback_graph::DType::{F32, F64, I64};
use pullback_graph::op::{Batch, Choices, TriangularSolve};
use pullback_graph::{Builder, Dim, Expr, GraphError, Op, OpRules, Tensor, einsum, interpret, sym};

/// `build` of these values, which are called x0, x1, ….
fn run(
    values: &[Tensor],
    build: impl for<'g> FnOnce(&'g Builder, &[Expr<'g>]) -> Expr<'g>,
) -> Result<Tensor, GraphError> {
    let b = Builder::new();
    let names: Vec<String> = (0..values.len()).map(|at| format!("x{at}")).collect();
    let inputs: Vec<Expr<'_>> =
        names.iter().zip(values).map(|(name, value)| b.input(name, value.dtype(), value.shape())).collect();
    let graph = b.finish([("y", build(&b, &inputs))])?;
    Ok(interpret(&graph, names.iter().zip(values))?.output("y")?.clone())
}

fn eval(values: &[Tensor], build: impl for<'g> FnOnce(&[Expr<'g>]) -> Expr<'g>) -> Tensor {
    run(values, |_, inputs| build(inputs)).unwrap()
}

fn eval_one(value: &Tensor, build: impl for<'g> FnOnce(Expr<'g>) -> Expr<'g>) -> Tensor {
    run(std::slice::from_ref(value), |_, inputs| build(inputs[0])).unwrap()
}

/// Numbers between -1 and 1 that look random.
fn drawn(sizes: &[usize], seed: u64) -> Tensor {
    let mut choices = Choices::seeded(seed);
    Tensor::from_fn(sizes, |_| choices.between(-1.0, 1.0, &[]))
}

#[track_caller]
fn close(got: &Tensor, want: &Tensor) {
    assert_eq!(got.ty(), want.ty());
    assert!(got.max_abs_diff(want) < 1e-12, "{got} is not {want}");
}

fn refusal<'g>(build: impl FnOnce() -> Expr<'g>) -> String {
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| build().id()));
    let message = *failed.unwrap_err().downcast::<String>().unwrap();
    message.lines().next().unwrap().to_string()
}

/// The sum written out: every value of every index.
fn summed(equation: &str, operands: &[Tensor]) -> Tensor {
    let (terms, result) = equation.split_once("->").unwrap();
    let terms: Vec<&str> = terms.split(',').collect();
    let mut sizes: BTreeMap<char, usize> = BTreeMap::new();
    for (term, operand) in terms.iter().zip(operands) {
        sizes.extend(term.chars().zip(operand.sizes().iter().copied()));
    }
    let names: Vec<char> = sizes.keys().copied().collect();
    let shape: Vec<usize> = result.chars().map(|name| sizes[&name]).collect();
    let mut values = vec![0.0; shape.iter().product()];
    for count in 0..sizes.values().product::<usize>() {
        let mut rest = count;
        let mut at = BTreeMap::new();
        for name in &names {
            at.insert(*name, rest % sizes[name]);
            rest /= sizes[name];
        }
        let place = |term: &str| term.chars().fold(0, |place, name| place * sizes[&name] + at[&name]);
        let product: f64 =
            terms.iter().zip(operands).map(|(term, operand)| operand.values::<f64>()[place(term)]).product();
        values[place(result)] += product;
    }
    Tensor::new(&shape, values).unwrap()
}

#[test]
fn einsum_is_the_sum_it_says() {
    let size = |name: char| match name {
        'i' => 2,
        'j' => 3,
        'k' => 4,
        'l' => 5,
        'z' => 0,
        _ => 2,
    };
    for equation in [
        "i->i",
        "ij->ji",
        "ij->",
        "ij->j",
        "ii->i",
        "ii->",
        "iii->i",
        "iji->j",
        "jj->j",
        "ijk->kij",
        "i,i->",
        "i,i->i",
        "i,j->ij",
        "i,j->ji",
        "ij,j->i",
        "ij,jk->ik",
        "ij,jk->ki",
        "ij,kj->ik",
        "bij,bjk->bik",
        "bij,bjk->ikb",
        "ij,jk->",
        "ij,ij->",
        "ij,ij->ij",
        "ij,ij->i",
        "ii,ij->j",
        "ij,kl->ijkl",
        "i,->i",
        ",->",
        "->",
        "ij,jk,kl->il",
        "i,i,i->",
        "bi,ijk,bk->bj",
        "i,j,ij->",
        "ij,jk,ki->",
        "ij,j,jk,k->i",
        "ii,jj->ij",
        "iz,zj->ij",
        "z->",
        "iz->i",
        "ijkl,lk->ji",
        "a,ab,abc->abc",
        "ij,ik,il->jkl",
        "ki,kj,k->ij",
        " i j , j k -> i k ",
    ] {
        let bare = equation.replace(' ', "");
        let terms = bare.split_once("->").unwrap().0.split(',');
        let operands: Vec<Tensor> = terms
            .zip(1..)
            .map(|(term, seed)| drawn(&term.chars().map(size).collect::<Vec<_>>(), seed))
            .collect();
        close(&eval(&operands, |x| einsum(equation, x)), &summed(&bare, &operands));
    }
}

#[test]
fn einsum_without_an_arrow_or_with_dots_follows_numpy() {
    let (a, b) = (drawn(&[2, 3], 1), drawn(&[3, 4], 2));
    let pair = [a.clone(), b.clone()];
    close(&eval(&pair, |x| einsum("ij,jk", x)), &summed("ij,jk->ik", &pair));
    close(&eval(&pair, |x| einsum("bj,ja", x)), &summed("bj,ja->ab", &pair));
    close(&eval(&[drawn(&[2, 3], 3)], |x| einsum("ba", x)), &summed("ba->ab", &[drawn(&[2, 3], 3)]));
    close(&eval(&[drawn(&[3, 3], 3)], |x| einsum("ii", x)), &summed("ii->", &[drawn(&[3, 3], 3)]));
    // Upper case comes first.
    close(&eval(&[drawn(&[2, 3], 3)], |x| einsum("aB", x)), &summed("aB->Ba", &[drawn(&[2, 3], 3)]));

    for (left, right) in [
        (&[5, 2, 3][..], &[5, 3, 4][..]),
        (&[2, 3], &[5, 3, 4]),
        (&[1, 2, 3], &[5, 3, 4]),
        (&[6, 1, 2, 3], &[5, 3, 4]),
        (&[1, 2, 3], &[1, 3, 4]),
        (&[2, 3], &[3, 4]),
    ] {
        let pair = [drawn(left, 4), drawn(right, 5)];
        let want = eval(&pair, |x| x[0].matmul(x[1]));
        close(&eval(&pair, |x| einsum("...ij,...jk->...ik", x)), &want);
        close(&eval(&pair, |x| einsum("...ij,...jk", x)), &want);
    }
    let x = drawn(&[2, 3, 3], 6);
    close(&eval_one(&x, |x| einsum("...ii->...i", &[x])), &summed("bii->bi", std::slice::from_ref(&x)));
    close(&eval_one(&x, |x| einsum("i...->...i", &[x])), &summed("iab->abi", std::slice::from_ref(&x)));
    close(&eval_one(&x, |x| einsum("...", &[x])), &x);
    close(
        &eval(&[x.clone(), drawn(&[3], 7)], |x| einsum("...i,i->...", x)),
        &eval(&[x, drawn(&[3], 7)], |x| x[0].dot(x[1])),
    );
}

#[test]
fn einsum_takes_symbols_and_names_what_is_wrong() {
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [sym("n"), 3.into()]), b.input("w", F64, [2, 3, 4]));
    assert_eq!(einsum("ni,oik,ni->nok", &[x, w, x]).ty().to_string(), "f64[n, 2, 4]");
    let (v, n) = (b.input("v", F64, [5]), b.input("i", I64, [5]));
    for (equation, operands, message) in [
        ("ij,jk->ik", &[x][..], "einsum: \"ij,jk->ik\" has 2 terms for 1 operands (C1)"),
        ("i1->i", &[x], "einsum: '1' is no index in \"i1->i\" (C2)"),
        ("i..->i", &[x], "einsum: '.' is no index in \"i..->i\" (C2)"),
        ("......->", &[x], "einsum: '.' is no index in \"......->\" (C2)"),
        ("ij->i->j", &[x], "einsum: '-' is no index in \"ij->i->j\" (C2)"),
        ("i->i", &[x], "einsum: operand 0 of \"i->i\" has 1 indices, but 2 axes: [n, 3] (C3)"),
        (
            "i...jk->i",
            &[x],
            "einsum: operand 0 of \"i...jk->i\" has at least 3 indices, but 2 axes: [n, 3] (C3)",
        ),
        ("ni,i->n", &[x, v], "einsum: index i has sizes 3 and 5 in \"ni,i->n\" (C4)"),
        ("ii->i", &[x], "einsum: index i has sizes n and 3 in \"ii->i\" (C4)"),
        ("...,...", &[x, v], "einsum: axis 0 from the end of `...` has sizes 3 and 5 in \"...,...\" (C4)"),
        ("ni->k", &[x], "einsum: index k of the result occurs in no operand of \"ni->k\" (C5)"),
        ("ni->nn", &[x], "einsum: index n stands twice in the result of \"ni->nn\" (C5)"),
        ("...i->i", &[x], "einsum: \"...i->i\" leaves `...` out of the result (C5)"),
        ("i,i->", &[v, n], "einsum: takes elements of one floating-point type, got f64[5] and i64[5] (C6)"),
    ] {
        let got = refusal(|| einsum(equation, operands));
        assert!(got.ends_with(message), "{got} is not {message}");
    }
}

#[test]
fn products_of_any_rank_follow_numpy() {
    for (left, right, want) in [
        (&[3][..], &[3][..], &[][..]),
        (&[2, 3], &[3], &[2]),
        (&[3], &[3, 2], &[2]),
        (&[3], &[4, 3, 2], &[4, 2]),
        (&[5, 2, 3], &[3], &[5, 2]),
        (&[5, 2, 3], &[3, 4], &[5, 2, 4]),
        (&[2, 3], &[5, 3, 4], &[5, 2, 4]),
        (&[1, 2, 3], &[6, 5, 3, 4], &[6, 5, 2, 4]),
        (&[6, 5, 2, 3], &[1, 1, 3, 4], &[6, 5, 2, 4]),
        (&[5, 2, 3], &[1, 1, 1, 3, 4], &[1, 1, 5, 2, 4]),
        (&[6, 1, 2, 3], &[5, 3, 4], &[6, 5, 2, 4]),
        (&[2, 0], &[0, 3], &[2, 3]),
        (&[5, 2, 0], &[5, 0, 3], &[5, 2, 3]),
        (&[0], &[0], &[]),
    ] {
        let pair = [drawn(left, 1), drawn(right, 2)];
        let got = eval(&pair, |x| x[0].matmul(x[1]));
        assert_eq!(got.sizes(), want, "{left:?} · {right:?}");
        // The same product, with every axis repeated and every element summed.
        let as_matrices = eval(&pair, |x| {
            let (a, b) = (x[0], x[1]);
            let a = if a.rank() == 1 { a.expand_dims(0) } else { a };
            let b = if b.rank() == 1 { b.expand_dims(-1) } else { b };
            (a.expand_dims(-1) * b.expand_dims(-3)).sum_over(-2).reshape(want)
        });
        close(&got, &as_matrices);
    }
    let dot = eval(&[drawn(&[2, 3], 1), drawn(&[5, 3, 4], 2)], |x| x[0].dot(x[1]));
    close(&dot, &summed("ik,bkj->ibj", &[drawn(&[2, 3], 1), drawn(&[5, 3, 4], 2)]));
    let outer = eval(&[drawn(&[2, 3], 1), drawn(&[4], 2)], |x| x[0].outer(x[1]));
    close(&outer, &summed("ij,k->ijk", &[drawn(&[2, 3], 1), drawn(&[4], 2)]));
    let b = Builder::new();
    let (x, scalar) = (b.input("x", F64, [2]), b.input("s", F64, ()));
    assert!(refusal(|| x.dot(scalar)).contains("(C2)"));
}

/// Matrices far from singular.
fn regular(sizes: &[usize], seed: u64) -> Tensor {
    let n = sizes[sizes.len() - 1];
    let x = drawn(sizes, seed);
    let x = x.values::<f64>();
    Tensor::from_fn(sizes, |i| x[i] + if i / n % n == i % n { n as f64 } else { 0.0 })
}

#[test]
fn solutions_solve() {
    for (a, b) in [
        (&[3, 3][..], &[3, 2][..]),
        (&[3, 3], &[3]),
        (&[4, 3, 3], &[3]),
        (&[4, 3, 3], &[3, 2]),
        (&[3, 3], &[4, 3, 2]),
        (&[2, 1, 3, 3], &[4, 3, 2]),
        (&[1, 1], &[1, 1]),
        (&[0, 0], &[0, 2]),
        (&[0, 3, 3], &[3, 1]),
    ] {
        let pair = [regular(a, 1), drawn(b, 2)];
        let times = if b.len() == 1 { "...ij,...j->...i" } else { "...ij,...jk->...ik" };
        let again = eval(&pair, |x| einsum(times, &[x[0], x[0].solve(x[1])]));
        let want = eval(&pair, |x| x[1] + einsum(times, &[x[0], x[1]]) * 0.0);
        close(&again, &want);
        for options in [TriangularSolve::lower(), TriangularSolve::upper()] {
            for options in [options, options.unit_diagonal()] {
                for options in [options, options.transposed()] {
                    let again = eval(&pair, |x| {
                        let (row, column) = (x[0].iota_like(-2), x[0].iota_like(-1));
                        let inside = if options.lower { row.gt(column) } else { row.lt(column) };
                        let diagonal = if options.unit_diagonal { x[0].ones_like() } else { x[0] };
                        let read = inside.select(x[0], row.eq(column).select(diagonal, 0.0));
                        let read = if options.transpose { read.t() } else { read };
                        einsum(times, &[read, x[0].triangular_solve(x[1], options)])
                    });
                    close(&again, &want);
                }
            }
        }
    }
    // Zeros on the diagonal need an exchange of rows.
    let exchange = Tensor::of([2, 2], [0.0, 2.0, 4.0, 0.0]);
    close(&eval_one(&exchange, |x| x.inverse()), &Tensor::of([2, 2], [0.0, 0.25, 0.5, 0.0]));
    close(&eval_one(&exchange, |x| x.matrix_power(-2)), &Tensor::of([2, 2], [0.125, 0.0, 0.0, 0.125]));
    close(&eval_one(&exchange, |x| x.matrix_power(3)), &Tensor::of([2, 2], [0.0, 16.0, 32.0, 0.0]));
    close(&eval(&[exchange], |x| x[0].matrix_power(0)), &Tensor::of([2, 2], [1.0, 0.0, 0.0, 1.0]));
}

#[test]
fn determinants_of_known_matrices() {
    let stack = Tensor::of([3, 2, 2], [1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 1.0, 0.0, 1.0, 2.0, 2.0, 4.0]);
    close(&eval_one(&stack, |x| x.det()), &Tensor::of([3], [-2.0, -1.0, 0.0]));
    close(&eval_one(&stack, |x| x.slogdet().0), &Tensor::of([3], [-1.0, -1.0, 0.0]));
    let inf = f64::INFINITY;
    close(&eval_one(&stack, |x| x.slogdet().1), &Tensor::of([3], [2.0_f64.ln(), 0.0, -inf]));
    let log = eval_one(&stack, |x| x.logdet()).to_f64_vec();
    assert!(log[0].is_nan() && log[1].is_nan() && log[2] == -inf, "{log:?}");
    close(&eval(&[stack], |x| x[0].trace()), &Tensor::of([3], [5.0, 0.0, 5.0]));
    close(&eval(&[drawn(&[0, 0], 1)], |x| x[0].det()), &Tensor::scalar(1.0));
    // A product of pivots that overflows has a logarithm.
    let large = eval(&[Tensor::full(&[], 1e200)], |x| {
        let ones = x[0].broadcast_to([3, 3]);
        ones.iota_like(0).eq(ones.iota_like(1)).select(ones, 0.0).logdet()
    });
    assert!((large.item().unwrap() - 600.0 * 10.0_f64.ln()).abs() < 1e-9);
}

#[test]
fn cholesky_factors_multiply_to_the_symmetric_part() {
    for sizes in [&[4, 4][..], &[2, 3, 3, 3], &[1, 1], &[0, 0]] {
        let matrix = [regular(sizes, 5)];
        let product = eval(&matrix, |x| x[0].cholesky().matmul(x[0].cholesky().t()));
        close(&product, &eval(&matrix, |x| (x[0] + x[0].t()) * 0.5));
    }
    let single = regular(&[3, 3], 5).cast(F32);
    assert_eq!(eval(&[single], |x| x[0].cholesky()).dtype(), F32);
}

#[test]
fn matrices_without_an_answer_are_named() {
    let message = |matrix: &Tensor, build: for<'g> fn(Expr<'g>) -> Expr<'g>| {
        let error = run(std::slice::from_ref(matrix), |_, x| build(x[0])).unwrap_err();
        assert!(error.source_line().is_some(), "{error}");
        error.to_string().lines().next().unwrap().to_string()
    };
    let singular = Tensor::of([2, 2, 2], [1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 4.0]);
    let said = message(&singular, |x| x.inverse());
    assert!(said.contains("matrix 1 of the stack is singular: pivot 1 is 0"), "{said}");
    let said = message(&Tensor::of([2, 2], [0.0; 4]), |x| x.inverse());
    assert!(said.contains("the matrix is singular: pivot 0 is 0"), "{said}");
    let said = message(&Tensor::of([2, 2], [1.0, 2.0, 2.0, 1.0]), |x| x.cholesky());
    assert!(said.contains("the matrix is not positive definite: row 1 leaves -3 under the root"), "{said}");
    let said = message(&Tensor::of([2, 2], [1.0, 2.0, 2.0, 0.0]), |x| {
        x.triangular_solve(x.sum_over(0), TriangularSolve::lower())
    });
    assert!(said.contains("the matrix is singular: its diagonal is 0 in row 1"), "{said}");

    // NaN is no reason to stop.
    let values = |matrix: [f64; 4], build: for<'g> fn(Expr<'g>) -> Expr<'g>| {
        run(&[Tensor::of([2, 2], matrix)], |_, x| build(x[0])).unwrap().to_f64_vec()
    };
    for values in [
        values([0.0, f64::NAN, f64::NAN, 1.0], |x| x.inverse()),
        values([0.0, f64::NAN, f64::NAN, 1.0], |x| x.det()),
        values([1.0, f64::NAN, f64::NAN, 1.0], |x| x.cholesky()),
    ] {
        assert!(values.iter().any(|x| x.is_nan()), "{values:?}");
    }

    let b = Builder::new();
    let (wide, whole) = (b.input("wide", F64, [2, 3]), b.input("whole", I64, [2, 2]));
    let square = b.input("square", F64, [sym("n"), sym("n")]);
    assert!(refusal(|| wide.det()).contains("takes square matrices […, n, n], got f64[2, 3] (C2)"));
    assert!(refusal(|| whole.cholesky()).contains("takes floating-point elements, got i64[2, 2] (C3)"));
    assert!(refusal(|| square.solve(wide)).contains("(C4)"));
    assert_eq!(square.inverse().matmul(square.cholesky()).det().ty().to_string(), "f64[]");
}

#[test]
fn leading_axes_make_a_stack_of_applications() {
    let names = ["dot_general", "cholesky", "triangular_solve", "solve", "determinant", "cofactor"];
    for (name, sample) in Op::catalogue().into_iter().filter(|(name, _)| names.contains(name)) {
        for seed in 0..60 {
            let mut choices = Choices::seeded(seed);
            let sample = sample(name, &mut choices);
            let size = 1 + choices.below(3);
            let count = sample.operands.len();
            let mapped: Vec<bool> =
                (0..count).map(|at| (seed as usize >> at) & 1 == 0 || count == 1).collect();
            if !mapped.contains(&true) {
                continue;
            }
            let elements: Vec<Vec<Tensor>> = (0..size)
                .map(|_| sample.operands.iter().map(|operand| operand.value(&mut choices)).collect())
                .collect();
            // What is not mapped is the same in every application.
            let value = |at: usize, element: usize| &elements[if mapped[at] { element } else { 0 }][at];
            let mut expected = Vec::new();
            for element in 0..size {
                let operands: Vec<&Tensor> = (0..count).map(|at| value(at, element)).collect();
                let types: Vec<_> = operands.iter().map(|operand| operand.ty()).collect();
                let result = sample.op.infer(&types.iter().collect::<Vec<_>>()).unwrap();
                expected.extend(sample.op.evaluate(&operands, &result).unwrap().to_f64_vec());
            }
            let stacked: Vec<Tensor> = (0..count)
                .map(|at| {
                    let own = value(at, 0).sizes();
                    if !mapped[at] {
                        return value(at, 0).clone();
                    }
                    let sizes: Vec<usize> = [size].iter().chain(own).copied().collect();
                    let values =
                        (0..size).flat_map(|element| value(at, element).to_f64_vec()).collect::<Vec<_>>();
                    Tensor::new(&sizes, values).unwrap()
                })
                .collect();
            let got = eval(&stacked, |x| {
                let operands = x.iter().copied().collect();
                let mapped = mapped.iter().copied().collect();
                sample.op.batch(&Batch { operands, mapped, size: Dim::Known(size) }).unwrap()
            });
            assert_eq!(got.sizes().first(), Some(&size), "{name}");
            let far = got.to_f64_vec().iter().zip(&expected).any(|(got, want)| (got - want).abs() > 1e-12);
            assert!(!far && got.len() == expected.len(), "{name}, seed {seed}");
        }
    }
}
