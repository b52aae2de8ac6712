//! Values of what walks along axes: products, running combinations, recurrences, orders, medians, norms.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback_graph::DType::{Bool, F32, F64, I64};
use pullback_graph::op::{ArgSort, Batch, Choices, Cumulative, CumulativeKind, LinearScan, Sample};
use pullback_graph::{Builder, Expr, GraphError, Op, OpRules, Order, Tensor, TensorType, interpret, sym};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[track_caller]
fn run(x: &Tensor, function: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Tensor {
    let b = Builder::new();
    let input = b.input("x", x.dtype(), x.shape());
    let graph = b.finish([("y", function(input))]).unwrap();
    interpret(&graph, [("x", x)]).unwrap().output("y").unwrap().clone()
}

/// The value of a function whose operand has an axis of a size that is not known when it is written.
fn run_symbolic(x: &Tensor, function: impl for<'g> Fn(Expr<'g>) -> Expr<'g>) -> Result<Tensor, GraphError> {
    let b = Builder::new();
    let input = b.input("x", x.dtype(), [sym("n")]);
    let graph = b.finish([("y", function(input))])?;
    interpret(&graph, [("x", x)])?.output("y").cloned()
}

/// Equal to the last bit, or both NaN, or of a relative difference of rounding.
#[track_caller]
fn close(got: &Tensor, want: &[f64]) {
    let got = got.to_f64_vec();
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        let same = got == want || (got.is_nan() && want.is_nan());
        assert!(same || (got - want).abs() <= 1e-14 * want.abs(), "{got} is not {want}");
    }
}

fn f64s<const N: usize>(values: [f64; N]) -> Tensor {
    Tensor::vector(values)
}

/// The message of the panic that a call ends in.
fn refusal(build: impl for<'g> Fn(&'g Builder) -> Expr<'g> + std::panic::RefUnwindSafe) -> String {
    let outcome = std::panic::catch_unwind(|| build(&Builder::new()).id());
    outcome.unwrap_err().downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn products_are_right_with_zeros_and_with_nothing() {
    let x = Tensor::of([2, 3], [1.0, -2.0, 3.0, 4.0, 0.0, -6.0]);
    close(&run(&x, |x| x.prod_over(1)), &[-6.0, 0.0]);
    close(&run(&x, |x| x.prod_over(0)), &[4.0, 0.0, -18.0]);
    close(&run(&x, |x| x.prod()), &[0.0]);
    close(&run(&f64s([]), |x| x.prod()), &[1.0]);
    assert_eq!(run(&Tensor::vector([3_i64, -4]), |x| x.prod()), Tensor::scalar(-12_i64));
    // A part of the product is beyond the range of numbers, the product is not.
    close(&run(&f64s([1e200, 1e200, 0.0]), |x| x.prod()), &[0.0]);
    close(&run(&Tensor::vector([1e13_f32, 1e13, 1e13, 1e13, 0.0]), |x| x.prod()), &[0.0]);
    close(&run(&Tensor::vector([1e30_f32, 1e30, 1e-30, 1e-30]), |x| x.prod()), &[1.0]);
    close(&run(&f64s([INF, 0.0]), |x| x.prod()), &[NAN]);
    close(&run(&f64s([1e200, 1e200]), |x| x.prod()), &[INF]);
}

#[test]
fn truth_values_reduce_to_any_and_all() {
    let x = Tensor::of([2, 2], [true, false, true, true]);
    assert_eq!(run(&x, |x| x.any_over(1)), Tensor::vector([true, true]));
    assert_eq!(run(&x, |x| x.all_over(1)), Tensor::vector([false, true]));
    assert_eq!(run(&x, |x| x.all_over(0)), Tensor::vector([true, false]));
    let empty = Tensor::of([0], Vec::<bool>::new());
    assert_eq!(run(&empty, |x| x.any_over(0)), Tensor::scalar(false));
    assert_eq!(run(&empty, |x| x.all_over(0)), Tensor::scalar(true));
    for message in [
        refusal(|b| b.input("x", Bool, [2]).sum()),
        refusal(|b| b.input("x", Bool, [2]).sum_over(&[][..])),
        refusal(|b| b.input("x", Bool, [2]).prod_over(&[][..])),
        refusal(|b| b.input("x", F64, [2]).any_over(0)),
    ] {
        assert!(message.contains("C3"), "{message}");
    }
}

#[test]
fn argmin_is_the_first_of_equal_ones_and_nan_counts_as_smallest() {
    assert_eq!(run(&f64s([3.0, 1.0, 1.0]), |x| x.argmin(0)), Tensor::scalar(1_i64));
    assert_eq!(run(&f64s([-INF, NAN, NAN]), |x| x.argmin(0)), Tensor::scalar(1_i64));
    let x = Tensor::of([2, 2], [1_i64, i64::MIN, i64::MAX, 0]);
    assert_eq!(run(&x, |x| x.argmin(-1)), Tensor::vector([1_i64, 1]));
    assert_eq!(run(&x, |x| x.argmin(0)), Tensor::vector([0_i64, 0]));
    assert!(refusal(|b| b.input("x", F64, [0]).argmin(0)).contains("no elements to choose from"));
}

#[test]
fn running_combinations_give_numpys_numbers() {
    let x = Tensor::of([2, 3], [1.0, -2.0, 3.0, 4.0, 0.0, -6.0]);
    close(&run(&x, |x| x.cumsum(1)), &[1.0, -1.0, 2.0, 4.0, 4.0, -2.0]);
    close(&run(&x, |x| x.cumsum(0)), &[1.0, -2.0, 3.0, 5.0, -2.0, -3.0]);
    close(&run(&x, |x| x.cumsum_reversed(1)), &[2.0, 1.0, 3.0, -2.0, -6.0, -6.0]);
    close(&run(&x, |x| x.cumprod(1)), &[1.0, -2.0, -6.0, 4.0, 0.0, 0.0]);
    close(&run(&x, |x| x.cumprod_reversed(1)), &[-6.0, -6.0, 3.0, 0.0, 0.0, -6.0]);
    close(&run(&x, |x| x.cummax(1)), &[1.0, 1.0, 3.0, 4.0, 4.0, 4.0]);
    close(&run(&x, |x| x.cummin(1)), &[1.0, -2.0, -2.0, 4.0, 0.0, -6.0]);
    close(&run(&x, |x| x.cummax_reversed(1)), &[3.0, 3.0, 3.0, 4.0, 0.0, -6.0]);
    let whole = Tensor::vector([2_i64, -3, 4]);
    assert_eq!(run(&whole, |x| x.cumsum(0)), Tensor::vector([2_i64, -1, 3]));
    assert_eq!(run(&whole, |x| x.cumprod(0)), Tensor::vector([2_i64, -6, -24]));
    assert_eq!(run(&whole, |x| x.cummin_reversed(0)), Tensor::vector([-3_i64, -3, 4]));
    assert_eq!(run(&Tensor::of([2, 0], Vec::<f64>::new()), |x| x.cumprod(1)).sizes(), [2, 0]);
    // NaN stays; a zero among finite numbers wins over an overflow.
    close(&run(&f64s([1.0, NAN, 3.0]), |x| x.cummax(0)), &[1.0, NAN, NAN]);
    close(&run(&f64s([1e200, 1e200, 0.0, 2.0]), |x| x.cumprod(0)), &[1e200, INF, 0.0, 0.0]);
}

#[test]
fn running_logsumexp_is_the_one_of_every_prefix() {
    let x = [0.3, -1.2, 2.0, -0.7];
    let prefix = |count: usize| x[..count].iter().map(|x: &f64| x.exp()).sum::<f64>().ln();
    close(&run(&f64s(x), |x| x.logcumsumexp(0)), &[prefix(1), prefix(2), prefix(3), prefix(4)]);
    let log2 = std::f64::consts::LN_2;
    close(
        &run(&f64s([1000.0, 1000.0, -1e4]), |x| x.logcumsumexp(0)),
        &[1000.0, 1000.0 + log2, 1000.0 + log2],
    );
    close(&run(&f64s([-INF, -INF, 0.0, -INF]), |x| x.logcumsumexp(0)), &[-INF, -INF, 0.0, 0.0]);
    close(&run(&f64s([1.0, INF, 2.0, NAN]), |x| x.logcumsumexp(0)), &[1.0, INF, INF, NAN]);
    close(&run(&f64s([0.0, 0.0]), |x| x.logcumsumexp_reversed(0)), &[log2, 0.0]);
}

#[test]
fn single_precision_is_computed_in_double() {
    // 1 + 2^-24 rounds to 1 in f32, so a sum that is rounded at each step never moves.
    let tiny = 2_f32.powi(-24);
    let x = Tensor::vector([1.0_f32, tiny, tiny, tiny, tiny]);
    let sums = run(&x, |x| x.cumsum(0));
    assert_eq!(sums.values::<f32>()[4], 1.0 + 4.0 * tiny);
    let scanned = run(&x, |x| x.ones_like().linear_scan(x, 0));
    assert_eq!(scanned.values::<f32>()[4], 1.0 + 4.0 * tiny);
}

#[test]
fn a_recurrence_starts_anew_where_its_factor_is_zero() {
    let b = Builder::new();
    let (a, x) = (b.input("a", F64, [4]), b.input("x", F64, [4]));
    let graph =
        b.finish([("forward", a.linear_scan(x, 0)), ("back", a.linear_scan_reversed(x, -1))]).unwrap();
    let at = |a: [f64; 4], x: [f64; 4]| {
        let (a, x) = (f64s(a), f64s(x));
        let values = interpret(&graph, [("a", &a), ("x", &x)]).unwrap();
        ["forward", "back"].map(|name| values.output(name).unwrap().clone())
    };
    let [forward, back] = at([9.0, 2.0, -1.0, 0.5], [1.0, 3.0, 5.0, 7.0]);
    close(&forward, &[1.0, 5.0, 0.0, 7.0]);
    // 5 + (-1) · 7, then 3 + 2 · (-2), then 1 + 9 · (-1).
    close(&back, &[-8.0, -1.0, -2.0, 7.0]);
    let [forward, _] = at([NAN, 1.0, 0.0, 1.0], [INF, 1.0, 2.0, 3.0]);
    close(&forward, &[INF, INF, 2.0, 5.0]);
}

#[test]
fn constraints_of_running_ops_are_numbered() {
    let ty = |text: &str| text.parse::<TensorType>().unwrap();
    let broken = |op: Op, operands: &[TensorType]| {
        op.infer(&operands.iter().collect::<Vec<_>>()).unwrap_err().constraint
    };
    let scan = |axis| Op::from(LinearScan { axis, reverse: false });
    assert_eq!(broken(scan(0), &[ty("f64[2]")]), "C1");
    assert_eq!(broken(scan(0), &[ty("f64[2]"), ty("f64[3]")]), "C2");
    assert_eq!(broken(scan(0), &[ty("f64[2]"), ty("f32[2]")]), "C3");
    assert_eq!(broken(scan(0), &[ty("i64[2]"), ty("i64[2]")]), "C3");
    assert_eq!(broken(scan(1), &[ty("f64[2]"), ty("f64[2]")]), "C4");
    let running = |kind, axis| Op::from(Cumulative { kind, axis, reverse: false });
    assert_eq!(broken(running(CumulativeKind::Sum, 1), &[ty("f64[2]")]), "C2");
    assert_eq!(broken(running(CumulativeKind::Sum, 0), &[ty("bool[2]")]), "C3");
    assert_eq!(broken(running(CumulativeKind::LogSumExp, 0), &[ty("i64[2]")]), "C3");
}

#[test]
fn sorting_is_stable_and_puts_nan_last() {
    let x = f64s([2.0, NAN, 1.0, 2.0, -INF, 1.0]);
    let ascending = run(&x, |x| x.argsort(0, Order::Ascending));
    assert_eq!(ascending, Tensor::vector([4_i64, 2, 5, 0, 3, 1]));
    let descending = run(&x, |x| x.argsort(0, Order::Descending));
    assert_eq!(descending, Tensor::vector([1_i64, 0, 3, 2, 5, 4]));
    close(&run(&x, |x| x.sort(0, Order::Ascending)), &[-INF, 1.0, 1.0, 2.0, 2.0, NAN]);
    let rows = Tensor::of([2, 3], [3_i64, 1, 2, 0, 5, 4]);
    assert_eq!(run(&rows, |x| x.sort(0, Order::Descending)), Tensor::of([2, 3], [3_i64, 5, 4, 0, 1, 2]));
    assert_eq!(run(&rows, |x| x.sort(-1, Order::Ascending)), Tensor::of([2, 3], [1_i64, 2, 3, 0, 4, 5]));
    assert_eq!(run(&f64s([]), |x| x.sort(0, Order::Ascending)).len(), 0);
    assert_eq!(run(&f64s([0.0, -0.0]), |x| x.argsort(0, Order::Ascending)), Tensor::vector([0_i64, 1]));
}

#[test]
fn ranks_of_an_order_are_a_slice_of_it() {
    let x = Tensor::of([2, 3], [3.0, NAN, 2.0, 5.0, 5.0, -0.0]);
    let sort = |ranks: [usize; 2]| ArgSort { axis: 1, order: Order::Descending, ranks: Some(ranks.into()) };
    assert_eq!(run(&x, |x| x.apply(sort([0, 2]))), Tensor::of([2, 2], [1_i64, 0, 0, 1]));
    assert_eq!(run(&x, |x| x.apply(sort([2, 3]))), Tensor::of([2, 1], [2_i64, 2]));
    assert_eq!(run(&x, |x| x.apply(sort([3, 3]))).sizes(), [2, 0]);
    for ranks in [[0, 4], [2, 1]] {
        let message = refusal(|b| b.input("x", F64, [2, 3]).apply(sort(ranks)));
        assert!(message.contains(&format!("{}..{} is out of range", ranks[0], ranks[1])), "{message}");
    }
    let late = run_symbolic(&f64s([1.0]), |x| x.apply(ArgSort { axis: 0, ..sort([0, 2]) })).unwrap_err();
    assert!(late.to_string().contains("0..2"), "{late}");
}

#[test]
fn top_k_gives_values_and_positions() {
    let x = Tensor::of([2, 3], [3.0, 1.0, 2.0, 5.0, 5.0, 4.0]);
    close(&run(&x, |x| x.top_k(2, 1, Order::Descending).0), &[3.0, 2.0, 5.0, 5.0]);
    let places = run(&x, |x| x.top_k(2, 1, Order::Descending).1);
    assert_eq!(places, Tensor::of([2, 2], [0_i64, 2, 0, 1]));
    close(&run(&x, |x| x.top_k(1, 0, Order::Ascending).0), &[3.0, 1.0, 2.0]);
    assert_eq!(run(&x, |x| x.top_k(0, 0, Order::Ascending).1).sizes(), [0, 3]);
    let message = refusal(|b| b.input("x", F64, [2, 3]).top_k(4, 1, Order::Ascending).0);
    assert!(message.contains("4 elements are more than the 3 along axis 1 of f64[2, 3]"), "{message}");
    let late = run_symbolic(&f64s([1.0]), |x| x.top_k(2, 0, Order::Ascending).0).unwrap_err();
    assert!(late.to_string().contains('2'), "{late}");
}

#[test]
fn the_median_of_an_even_number_is_the_lower() {
    let x = Tensor::of([2, 4], [4.0, 1.0, 3.0, 2.0, 7.0, 7.0, NAN, 0.0]);
    close(&run(&x, |x| x.median_over(1)), &[2.0, NAN]);
    close(&run(&x, |x| x.median_over(0)), &[4.0, 1.0, NAN, 0.0]);
    close(&run(&f64s([5.0, -1.0, 3.0]), |x| x.median()), &[3.0]);
    let cube = Tensor::of([2, 1, 3], [6.0, 5.0, 4.0, 1.0, 2.0, 3.0]);
    close(&run(&cube, |x| x.median_over([0, 2])), &[3.0]);
    assert_eq!(run(&Tensor::vector([9_i64, 2, 4]), |x| x.median()), Tensor::scalar(4_i64));
    close(&run_symbolic(&f64s([4.0, 1.0, 3.0, 2.0]), |x| x.median()).unwrap(), &[2.0]);
    assert!(refusal(|b| b.input("x", F64, [0]).median()).contains("no elements to choose from"));
    assert!(run_symbolic(&f64s([]), |x| x.median()).is_err());
}

#[test]
fn quantiles_lie_between_neighbors() {
    let x = f64s([4.0, 1.0, 3.0, 2.0]);
    for (q, want) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.75, 3.25), (1.0, 4.0)] {
        close(&run(&x, |x| x.quantile_over(q, 0)), &[want]);
        close(&run_symbolic(&x, |x| x.quantile_over(q, 0)).unwrap(), &[want]);
    }
    close(&run(&f64s([1.0, NAN, 2.0]), |x| x.quantile_over(0.0, 0)), &[NAN]);
    close(&run(&f64s([1.0, INF]), |x| x.quantile_over(0.0, 0)), &[1.0]);
    close(&run(&f64s([-INF, 1.0]), |x| x.quantile_over(0.5, 0)), &[-INF]);
    assert!(refusal(|b| b.input("x", F64, [2]).quantile_over(1.5, 0)).contains("C3"));
}

#[test]
fn norms_of_every_order() {
    let x = f64s([3.0, 0.0, -4.0]);
    for (p, want) in [
        (0.0, 2.0),
        (1.0, 7.0),
        (2.0, 5.0),
        (3.0, 91_f64.cbrt()),
        (0.5, (3_f64.sqrt() + 2.0).powi(2)),
        (INF, 4.0),
        (-INF, 0.0),
        (-1.0, 0.0),
    ] {
        close(&run(&x, |x| x.p_norm_over(p, 0)), &[want]);
    }
    close(&run(&f64s([2.0, -4.0]), |x| x.p_norm_over(-1.0, 0)), &[4.0 / 3.0]);
    for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF] {
        close(&run(&f64s([0.0, 0.0]), |x| x.p_norm_over(p, 0)), &[0.0]);
        close(&run(&f64s([NAN, 1.0]), |x| x.p_norm_over(p, 0)), &[NAN]);
    }
    for scale in [1e-200, 1e200] {
        let scaled = f64s([scale, -scale, 0.0]);
        close(&run(&scaled, |x| x.p_norm_over(3.0, 0)), &[scale * 2_f64.cbrt()]);
        close(&run(&scaled, |x| x.p_norm_over(0.5, 0)), &[scale * 4.0]);
        close(&run(&scaled.clone(), |x| x.slice(0, 0..2).p_norm_over(-2.0, 0)), &[scale / 2_f64.sqrt()]);
    }
    close(&run(&f64s([INF, 1.0]), |x| x.p_norm_over(3.0, 0)), &[INF]);
    close(&run(&f64s([]), |x| x.p_norm_over(3.0, 0)), &[0.0]);
    let rows = Tensor::of([2, 2], [0.0, 0.0, 1.0, 1.0]);
    close(&run(&rows, |x| x.p_norm_over(4.0, 1)), &[0.0, 2_f64.powf(0.25)]);
    assert!(refusal(|b| b.input("x", F64, [2]).p_norm_over(NAN, 0)).contains("C3"));
}

#[test]
fn too_few_elements_have_no_variance() {
    close(&run(&f64s([1.0, 2.0, 6.0]), |x| x.var_over(0, 1)), &[7.0]);
    close(&run_symbolic(&f64s([1.0, 2.0, 6.0]), |x| x.var_over(0, 1)).unwrap(), &[7.0]);
    close(&run_symbolic(&f64s([1.0, 2.0, 6.0]), |x| x.std_over(0, 1)).unwrap(), &[7_f64.sqrt()]);
    for ddof in [1, 2] {
        let message = refusal(move |b| b.input("x", F64, [1]).var_over(0, ddof));
        assert!(message.contains(&format!("1 elements with ddof {ddof}")), "{message}");
        assert!(run_symbolic(&f64s([1.0]), |x| x.var_over(0, ddof)).is_err());
        assert!(run_symbolic(&f64s([1.0]), |x| x.std_over(0, ddof)).is_err());
    }
    assert!(run_symbolic(&f64s([]), |x| x.var_over(0, 0)).is_err());
    // Single numbers that are no fractions of two: their mean is rounded, their spread is not.
    for value in [0.1, 0.7, 1.0 / 3.0, 1e10 / 7.0] {
        for count in 1..9 {
            let constant = Tensor::full(&[count], value);
            close(&run(&constant, |x| x.std_over(0, 0)), &[0.0]);
            close(&run(&constant.cast(F32), |x| x.std_over(0, 0)), &[0.0]);
        }
    }
}

#[test]
fn means_of_nothing_are_not_numbers() {
    let empty = Tensor::of([2, 0], Vec::<f64>::new());
    close(&run(&empty, |x| x.mean_over(1)), &[NAN, NAN]);
    assert_eq!(run(&empty, |x| x.mean_over(0)).len(), 0);
    assert!(refusal(|b| b.input("x", I64, [2]).mean()).contains("C3"));
}

/// The value of an application with a leading axis on the operands that `mapped` names, by the op's own rule.
fn batched(sample: &Sample, operands: &[Tensor], mapped: &[bool], size: usize) -> Tensor {
    let b = Builder::new();
    let names: Vec<String> = (0..operands.len()).map(|at| format!("x{at}")).collect();
    let inputs = names.iter().zip(operands).map(|(name, value)| b.input(name, value.dtype(), value.shape()));
    let at = Batch { operands: inputs.collect(), mapped: mapped.into(), size: size.into() };
    let result = sample.op.batch(&at).expect("a rule");
    let graph = b.finish([("y", result)]).unwrap();
    let feeds = names.iter().map(String::as_str).zip(operands);
    interpret(&graph, feeds).unwrap().output("y").unwrap().clone()
}

#[test]
fn a_leading_axis_is_the_op_for_each_of_its_elements() {
    const SIZE: usize = 3;
    let ours = ["reduce", "argmax", "argmin", "argsort", "linear_scan", "cumulative"];
    for (name, sample) in Op::catalogue().into_iter().filter(|(name, _)| ours.contains(name)) {
        for seed in 0..32 {
            let mut choices = Choices::seeded(seed);
            let sample = sample(name, &mut choices);
            let mapped: Vec<bool> = (0..sample.operands.len()).map(|at| at == 0 || seed % 2 == 0).collect();
            let rows: Vec<Vec<Tensor>> = (0..SIZE)
                .map(|_| sample.operands.iter().map(|operand| operand.value(&mut choices)).collect())
                .collect();
            let operands: Vec<Tensor> = (0..mapped.len())
                .map(|at| {
                    let first = &rows[0][at];
                    let sizes: Vec<usize> = [SIZE].into_iter().chain(first.sizes().iter().copied()).collect();
                    let all: Vec<f64> = rows.iter().flat_map(|row| row[at].to_f64_vec()).collect();
                    let stacked = Tensor::from_fn(&sizes, |i| all[i]);
                    if mapped[at] { stacked.cast(first.dtype()) } else { first.clone() }
                })
                .collect();
            let each = rows.iter().flat_map(|row| {
                let row: Vec<&Tensor> =
                    (0..mapped.len()).map(|at| if mapped[at] { &row[at] } else { &rows[0][at] }).collect();
                let types: Vec<TensorType> = row.iter().map(|operand| operand.ty()).collect();
                let ty = sample.op.infer(&types.iter().collect::<Vec<_>>()).unwrap();
                sample.op.evaluate(&row, &ty).unwrap().to_f64_vec()
            });
            let found = batched(&sample, &operands, &mapped, SIZE);
            assert_eq!(found.to_f64_vec(), each.collect::<Vec<f64>>(), "{:?}", sample.op);
        }
    }
}
