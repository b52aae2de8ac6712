//! Every row of the table of kinks, for every policy: what the rules answer is what the table says.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use pullback_autodiff::check::{CheckOptions, check_gradient};
use pullback_autodiff::grad;
use pullback_graph::DType::{F64, I64};
use pullback_graph::op::Registry;
use pullback_graph::{
    Builder, Expr, Graph, GraphFile, Kink, KinkPolicy, Output, PoolOptions, Subgradient, Tensor, interpret,
    pass,
};

const INF: f64 = f64::INFINITY;

type Function = for<'g> fn(Expr<'g>) -> Expr<'g>;

/// The gradient at `x` of the sum of `function`, chosen by `policy`.
fn gradient(policy: KinkPolicy, x: &Tensor, function: Function) -> Vec<f64> {
    let b = Builder::new().with_kinks(policy);
    let input = b.input("x", F64, x.shape());
    let [dx] = grad(function(input).sum(), [input]).unwrap();
    let graph = b.finish([("dx", dx)]).unwrap();
    assert_eq!(graph.kinks(), policy);
    interpret(&graph, [("x", x)]).unwrap().output("dx").unwrap().to_f64_vec()
}

/// Whether every element is `want`; NaN equals NaN.
#[track_caller]
fn assert_all(got: &[f64], want: f64, what: &str) {
    let same = |got: &f64| *got == want || (got.is_nan() && want.is_nan());
    assert!(got.iter().all(same), "{what}: {got:?} is not {want}");
}

/// Functions whose slope at every element of the point is the row's number, or NaN where it is none.
fn slopes_of(kink: Kink) -> Vec<(Tensor, Function)> {
    let at = |values: &[f64]| Tensor::vector(values);
    match kink {
        Kink::Relu => vec![(at(&[0.0, -0.0]), |x| x.relu())],
        Kink::Joint => vec![
            (at(&[0.0, 6.0]), |x| x.relu6()),
            (at(&[-1.0, 1.0]), |x| x.hard_tanh()),
            (at(&[-0.5, 2.0]), |x| x.hard_tanh_between(-0.5, 2.0)),
            (at(&[-3.0, 3.0]), |x| x.hard_sigmoid()),
            (at(&[-3.0]), |x| x.hard_swish()),
        ],
        Kink::Abs => vec![(at(&[0.0, -0.0]), |x| x.abs())],
        Kink::Pair => vec![
            (at(&[1.5, -2.0]), |x| x.maximum(x.stop_gradient())),
            (at(&[1.5, -2.0]), |x| x.minimum(x.stop_gradient())),
            (at(&[0.0]), |x| x.maximum(0.0)),
        ],
        Kink::Bound => vec![
            (at(&[-1.0, 2.0]), |x| x.clamp(-1.0, 2.0)),
            (at(&[2.0]), |x| x.clamp_min(2.0)),
            (at(&[2.0]), |x| x.clamp_max(2.0)),
        ],
        Kink::Norm => vec![
            (at(&[0.0, 0.0, 0.0]), |x| x.norm()),
            (Tensor::of([2, 2], [0.0; 4]), |x| x.norm_over(-1)),
            (at(&[3.0, 3.0]), |x| x.std_over(0, 1)),
        ],
        Kink::PowerOfZero => vec![(at(&[0.0, -0.0]), |x| x.pow(x.stop_gradient().abs()))],
        Kink::ZeroToPower => vec![(at(&[-1.0, -0.5]), |y| y.zeros_like().pow(y))],
        Kink::Logsumexp => vec![(at(&[-INF, -INF]), |x| x.logsumexp(0))],
        Kink::Pole => vec![(at(&[0.0]), |x| x.sqrt()), (at(&[0.0]), |x| x.log())],
        Kink::Extremes | Kink::ExtremesAlongAxis | Kink::Window => vec![],
    }
}

#[test]
fn every_row_of_the_table_is_what_the_rules_answer() {
    for (at, row) in Kink::TABLE.iter().enumerate() {
        assert_eq!((row.kink as usize, row.kink.row()), (at, *row));
        for policy in KinkPolicy::ALL {
            let want = match policy.at(row.kink) {
                Subgradient::Slope(slope) => slope,
                Subgradient::Formula | Subgradient::ByExponent => f64::NAN,
                Subgradient::Even | Subgradient::First => continue,
            };
            for (number, (x, function)) in slopes_of(row.kink).into_iter().enumerate() {
                assert_all(
                    &gradient(policy, &x, function),
                    want,
                    &format!("{policy}, {} {number}", row.place),
                );
            }
        }
    }
}

#[test]
fn ties_are_shared_or_go_to_the_first() {
    let x = Tensor::of([2, 3], [2.0, 2.0, 1.0, 3.0, 0.0, 3.0]);
    let shared = [0.5, 0.5, 0.0, 0.5, 0.0, 0.5];
    let first = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    for policy in KinkPolicy::ALL {
        let along = match policy.at(Kink::ExtremesAlongAxis) {
            Subgradient::First => first,
            _ => shared,
        };
        assert_eq!(gradient(policy, &x, |x| x.max_over(1)), along, "{policy}");
        assert_eq!(gradient(policy, &x, |x| -(-x).min_over(-1)), along, "{policy}");
        // Over all axes, and over the only one, ties are shared in every policy.
        assert_eq!(gradient(policy, &x, |x| x.max()), [0.0, 0.0, 0.0, 0.5, 0.0, 0.5], "{policy}");
        assert_eq!(gradient(policy, &Tensor::vector([1.0, 1.0]), |x| x.max_over(0)), [0.5, 0.5], "{policy}");
        // The first of a window, and of those equal to the median, in every policy.
        let pooled = Tensor::of([1, 1, 4], [5.0, 5.0, 1.0, 3.0]);
        let pool: Function = |x| x.max_pool(&PoolOptions::new([2]));
        assert_eq!(gradient(policy, &pooled, pool), [1.0, 0.0, 0.0, 1.0], "{policy}");
        assert_eq!(gradient(policy, &Tensor::vector([2.0, 1.0, 2.0]), |x| x.median()), [1.0, 0.0, 0.0]);
        let nan = gradient(policy, &Tensor::of([1, 3], [1.0, f64::NAN, 2.0]), |x| x.max_over(1));
        assert!(nan[0] == 0.0 && nan[1] == 1.0 && nan[2] == 0.0, "{policy}: {nan:?}");
    }
    assert_eq!(KinkPolicy::Torch.at(Kink::ExtremesAlongAxis), Subgradient::First);
}

#[test]
fn the_powers_of_jax_depend_on_the_exponent() {
    let zero = Tensor::scalar(0.0);
    let whole = gradient(KinkPolicy::Jax, &zero, |x| x.pow(0.0));
    let converted = gradient(KinkPolicy::Jax, &zero, |x| x.pow(x.builder().full(I64, (), 0.0).cast(F64)));
    assert_eq!((&whole[..], &converted[..]), (&[0.0][..], &[0.0][..]));
    assert_all(&gradient(KinkPolicy::Jax, &zero, |x| x.pow(x * 0.0)), f64::NAN, "computed");
    for policy in KinkPolicy::ALL {
        // 0^b for b ≥ 0, in b.
        assert_eq!(gradient(policy, &Tensor::vector([0.0, 2.0]), |y| y.zeros_like().pow(y)), [0.0, 0.0]);
        assert_eq!(gradient(policy, &Tensor::vector([3.0]), |x| x.pow(2.0)), [6.0]);
    }
}

#[test]
fn an_infinite_cotangent_is_stopped_under_every_policy() {
    for policy in KinkPolicy::ALL {
        let below = gradient(policy, &Tensor::vector([-3.0]), |x| x.clamp(0.0, 1.0).sqrt());
        assert_eq!(below, [0.0], "{policy}");
        assert_eq!(gradient(policy, &Tensor::vector([-3.0]), |x| x.relu().sqrt()), [0.0], "{policy}");
        assert_eq!(gradient(policy, &Tensor::vector([-2.0]), |x| x.hard_tanh()), [0.0], "{policy}");
    }
}

#[test]
fn away_from_kinks_all_policies_agree() {
    let x = Tensor::of([2, 3], [0.7, -1.3, 2.1, 4.0, -0.2, 0.4]);
    let function: Function = |x| {
        x.relu6()
            + x.hard_swish()
            + x.abs()
            + x.clamp(-1.0, 1.0)
            + x.norm()
            + x.max_over(1).expand_dims(1)
            + x.std_over(1, 0).expand_dims(1)
            + x.logsumexp(1).expand_dims(1)
            + x.exp().pow(0.5)
    };
    let all = KinkPolicy::ALL.map(|policy| gradient(policy, &x, function));
    assert_eq!((&all[0], &all[0]), (&all[1], &all[2]));
}

#[test]
fn graphs_keep_their_policy() {
    let b = Builder::new().with_kinks(KinkPolicy::Torch);
    let x = b.input("x", F64, [2]);
    let graph = b.finish([("y", x.abs().sum())]).unwrap();
    let text = graph.to_string();
    assert!(text.starts_with("graph kinks=torch {\n"), "{text}");
    assert_eq!(Graph::parse(&text, &Registry::new()).unwrap(), graph);
    let json = GraphFile::of(&graph).to_json();
    let read = GraphFile::from_json(&json).unwrap().graph(&Registry::new()).unwrap();
    assert_eq!((read.kinks(), &read), (KinkPolicy::Torch, &graph));
    assert_eq!(pass::optimize(&graph).kinks(), KinkPolicy::Torch);
    assert_eq!(Builder::extending(&graph).kinks(), KinkPolicy::Torch);
    assert!(graph.summary().to_string().contains("kinks       as torch"), "{}", graph.summary());
    let none: [Output; 0] = [];
    let default = Builder::new().finish(none).unwrap();
    assert!(
        default.to_string().starts_with("graph {\n") && !GraphFile::of(&default).to_json().contains("kinks")
    );
    let unknown = Graph::parse("graph kinks=other {\n}\n", &Registry::new()).unwrap_err();
    assert!(unknown.to_string().contains("unknown kink policy \"other\""), "{unknown}");
}

#[test]
fn the_checker_differentiates_by_the_graphs_policy() {
    let b = Builder::new().with_kinks(KinkPolicy::Jax);
    let x = b.input("x", F64, [2]);
    let graph = b.finish([("y", x.norm())]).unwrap();
    let at = |values: [f64; 2]| {
        let value = Tensor::vector(values);
        check_gradient(&graph, "y", &["x"], &[("x", &value)], &CheckOptions::default()).unwrap()
    };
    at([3.0, -4.0]).assert();
}
