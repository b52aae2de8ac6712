use pullback_autodiff::check::*;
use pullback_graph::op::*;
use pullback_graph::*;

#[test]
fn explore() {
    let points = [
        -1e4,
        -745.0,
        -50.0,
        -20.0,
        -6.0,
        -1.0,
        -1e-3,
        -1e-8,
        -1e-30,
        0.0,
        1e-30,
        1e-8,
        1e-3,
        0.5,
        1.0 - 1e-9,
        1.0,
        1.0 + 1e-9,
        2.0,
        6.0,
        20.0,
        50.0,
        700.0,
        1e4,
        1e15,
    ];
    for op in UnaryOp::ALL {
        for p in points {
            let r = check_gradients(|[x]| x.apply(*op), [f64_in([]).value(Tensor::scalar(p))]);
            if !r.is_ok() {
                println!("{op:?} {p}: {}", r.to_string().lines().take(4).collect::<Vec<_>>().join("\n   "));
            }
        }
    }
    let points = [-50.0, -2.0, -1.0, -0.5, -1e-8, 0.0, 1e-30, 1e-8, 0.5, 1.0, 2.0, 3.0, 50.0, 1e10];
    for op in BinaryOp::ALL {
        for p in points {
            for q in points {
                let r = check_gradients(
                    |[x, y]| x.apply_to(*op, &[y]),
                    [f64_in([]).value(Tensor::scalar(p)), f64_in([]).value(Tensor::scalar(q))],
                );
                if !r.is_ok() {
                    println!(
                        "{op:?} {p} {q}: {}",
                        r.to_string().lines().take(5).collect::<Vec<_>>().join("\n   ")
                    );
                }
            }
        }
    }
}
#[test]
fn explore_pow() {
    for (p, q) in [
        (2.0, 0.0),
        (0.0, 0.0),
        (0.0, 1.0),
        (0.0, 2.0),
        (0.0, 3.0),
        (0.0, 0.5),
        (-2.0, 0.0),
        (-2.0, 2.0),
        (-2.0, 3.0),
    ] {
        let r = check_gradients(
            |[x, y]| x.pow(y),
            [f64_in([]).value(Tensor::scalar(p)), f64_in([]).value(Tensor::scalar(q))],
        );
        println!("pow {p} {q}: {r}");
        let r = check_gradients(|[x]| x.pow(q), [f64_in([]).value(Tensor::scalar(p))]);
        println!("pow {p} const {q}: {r}");
    }
}
