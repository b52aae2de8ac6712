//! Reverse mode, forward mode and their compositions against closed forms.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback_autodiff::{
    Disconnected, GradError, GradOptions, grad, gradients, hessian, hvp, jacobian, jvp, vjp,
};
use pullback_graph::DType::{F64, I64};
use pullback_graph::op::{
    Choices, CustomOp, OperandSample, Partial, Partials, Registry, Sample, Site, StopGradient,
};
use pullback_graph::{Builder, Expr, Op, OpRules, Tensor, TensorType, Violation, interpret};

/// The value of one expression over inputs `x`, `y`, ….
fn value(expr: Expr<'_>, feeds: &[(&str, Tensor)]) -> Tensor {
    let graph = expr.builder().finish([("out", expr)]).unwrap();
    let values = interpret(&graph, feeds.iter().map(|(name, tensor)| (*name, tensor))).unwrap();
    values.output("out").unwrap().clone()
}

fn x3() -> (&'static str, Tensor) {
    ("x", Tensor::of([3], [1.0, 2.0, -3.0]))
}

#[test]
fn contributions_of_all_paths_add_up() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    // x appears in both operands, and the sum fans out.
    let y = x * x + x;
    let [dx] = grad((y * y).sum(), [x]).unwrap();
    // d/dx (x² + x)² = 2 (x² + x)(2x + 1)
    assert_eq!(value(dx, &[x3()]), Tensor::of([3], [12.0, 60.0, -60.0]));
}

#[test]
fn broadcasting_is_summed_back() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let m = b.input("m", F64, [2, 3]);
    let column = b.input("c", F64, [2, 1]);
    let [dx, dc] = grad((m * x * column).sum(), [x, column]).unwrap();
    let feeds = [
        x3(),
        ("m", Tensor::of([2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("c", Tensor::of([2, 1], [10.0, 100.0])),
    ];
    assert_eq!(value(dx, &feeds), Tensor::of([3], [410.0, 520.0, 630.0]));
    assert_eq!(value(dc, &feeds), Tensor::of([2, 1], [-4.0, -4.0]));
}

#[test]
fn what_has_no_gradient_is_told_apart() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let other = b.input("other", F64, [3]);
    let index = b.input("index", I64, [3]);
    assert!(matches!(grad(x * x, [x]), Err(GradError::NotScalar { .. })));
    assert!(matches!(grad(x.sum(), [index]), Err(GradError::NotDifferentiable { .. })));
    let error = grad(x.sum(), [other]).unwrap_err();
    assert!(matches!(error, GradError::Disconnected { .. }));
    assert!(error.to_string().contains("\"other\"") && error.to_string().contains("reverse.rs:"), "{error}");
    // A barrier disconnects; a piecewise constant op is connected, with gradient zero.
    assert!(matches!(grad(x.stop_gradient().sum(), [x]), Err(GradError::Disconnected { .. })));
    let [dx] = grad(x.floor().sum(), [x]).unwrap();
    assert_eq!(
        value(dx, &[x3(), ("other", x3().1), ("index", Tensor::vector([0_i64, 0, 0]))]),
        Tensor::of([3], [0.0; 3])
    );
    let zeros = GradOptions { disconnected: Disconnected::Zeros, ..GradOptions::default() };
    assert_eq!(gradients(x.sum(), &[other], &zeros).unwrap()[0].ty(), other.ty());
}

#[test]
fn interior_nodes_and_the_loss_itself_are_variables_too() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let y = x * 2.0;
    let loss = (y * y).sum();
    let [dx, dy, dloss] = grad(loss, [x, y, loss]).unwrap();
    assert_eq!(value(dy, &[x3()]), Tensor::of([3], [4.0, 8.0, -12.0]));
    assert_eq!(value(dx, &[x3()]), Tensor::of([3], [8.0, 16.0, -24.0]));
    assert_eq!(value(dloss, &[x3()]).item(), Some(1.0));
}

#[test]
fn forward_and_reverse_are_transposes() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let y = x.sin() * x.sum();
    let (t, u) = (b.input("t", F64, [3]), b.input("u", F64, [3]));
    let dy = jvp(y, [x], [t]).unwrap();
    let [dx] = vjp([y], [u], [x]).unwrap();
    let difference = (dy * u).sum() - (dx * t).sum();
    let feeds = [x3(), ("t", Tensor::of([3], [0.3, -1.0, 0.5])), ("u", Tensor::of([3], [2.0, 0.1, -0.4]))];
    assert!(value(difference, &feeds).item().unwrap().abs() < 1e-14);
}

#[test]
fn second_derivatives_of_a_cubic() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let loss = (x * x * x).sum();
    let v = b.input("v", F64, [3]);
    let [hv] = hvp(loss, [x], [v]).unwrap();
    let h = hessian(loss, x).unwrap();
    let j = jacobian(x * x, x).unwrap();
    let feeds = [x3(), ("v", Tensor::of([3], [1.0, 1.0, 2.0]))];
    assert_eq!(value(hv, &feeds), Tensor::of([3], [6.0, 12.0, -36.0]));
    assert!(
        value(h, &feeds).max_abs_diff(&Tensor::of([3, 3], [6.0, 0.0, 0.0, 0.0, 12.0, 0.0, 0.0, 0.0, -18.0]))
            == 0.0
    );
    assert!(
        value(j, &feeds).max_abs_diff(&Tensor::of([3, 3], [2.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, -6.0]))
            == 0.0
    );
}

#[test]
fn the_hessian_of_a_linear_function_is_zero_not_disconnected() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let h = hessian((x * 3.0).sum(), x).unwrap();
    assert!(value(h, &[x3()]).max_abs_diff(&Tensor::of([3, 3], [0.0; 9])) == 0.0);
}

#[test]
fn every_gradient_node_knows_its_forward_node_rule_and_line() {
    let b = Builder::new();
    let x = b.input("x", F64, [3]);
    let h = b.scope("encoder", || x.tanh());
    let [dx] = grad(h.sum(), [x]).unwrap();
    let forward = b.len();
    let graph = b.finish([("dx", dx)]).unwrap();
    assert!(forward > 3);
    for id in graph.ids().skip(3) {
        let (of, rule) = graph.gradient_of(id).expect("a gradient node");
        let of = of.expect("its forward node");
        assert_eq!(graph.source(id), graph.source(of), "{id} by {rule}");
        assert!(graph.scope_path(graph.provenance(id).scope).starts_with("grad"));
    }
    let by_tanh: Vec<_> =
        graph.ids().filter(|id| graph.gradient_of(*id).is_some_and(|(_, rule)| &**rule == "tanh")).collect();
    assert!(!by_tanh.is_empty());
    for id in by_tanh {
        assert_eq!(graph.scope_path(graph.provenance(id).scope), "grad/encoder");
    }
    let link = graph.cotangents().iter().find(|link| link.forward == x.id()).expect("a link for x");
    assert_eq!(link.gradient, dx.id());
}

#[test]
fn a_chain_of_a_million_nodes_is_differentiated_and_dropped() {
    let b = Builder::new();
    let x = b.input("x", F64, ());
    let y = (0..1_000_000).fold(x, |y, _| y.sin());
    let [dx] = grad(y, [x]).unwrap();
    assert!(dx.id().index() > 2_000_000);
    drop(b.finish([("dx", dx)]).unwrap());
}

/// The operand, by an op whose derivative nobody has written down.
#[derive(Debug)]
struct Secret;

impl CustomOp for Secret {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, Violation> {
        Ok(operands[0].clone())
    }

    fn evaluate(&self, operands: &[&Tensor], _result: &TensorType) -> Result<Tensor, String> {
        Ok(operands[0].clone())
    }

    fn pullback<'g>(&self, _at: &Site<'g>) -> Partials<'g> {
        Partials::from_iter([Partial::Unsupported("it is a secret")])
    }

    fn sample(&self, choices: &mut Choices) -> Sample {
        Sample { op: StopGradient.into(), operands: vec![OperandSample::any(choices.float_type(2))] }
    }
}

#[test]
fn an_op_without_a_rule_is_named_with_its_reason_and_line_if_a_gradient_needs_it() {
    let op = Registry::new().add("secret", Secret).unwrap();
    let b = Builder::new();
    let (x, w) = (b.input("x", F64, [3]), b.input("w", F64, [3]));
    let hidden = x.apply(op);
    let loss = (hidden * w).sum();
    let error = grad(loss, [x]).unwrap_err();
    let GradError::Unsupported { node, op, reason, at } = &error else { panic!("{error}") };
    assert_eq!((*node, op.as_str(), *reason), (hidden.id(), "secret", "it is a secret"));
    assert!(at.as_ref().is_some_and(|at| at.file.ends_with("reverse.rs")), "{error}");
    assert!(error.to_string().contains("secret has no derivative here: it is a secret"), "{error}");
    assert!(matches!(jvp(loss, [x], [x.ones_like()]), Err(GradError::Unsupported { .. })));
    // Its values may be used.
    assert!(grad(loss, [w]).is_ok());
}

#[test]
fn parts_of_one_tensor_send_back_what_is_joined() {
    let b = Builder::new();
    let x = b.input("x", F64, [2, 6]);
    let parts = [x.slice(1, 0..1), x.slice(1, 1..4), x.slice(1, 4..6)];
    let y = parts[0].exp().sum() + parts[1].square().sum() + (parts[2] * 3.0).sum();
    let [dx] = grad(y, [x]).unwrap();
    assert!(matches!(dx.op(), Op::Concat(_)), "{}", dx.op().name());
    assert_eq!(dx.operands().len(), 3);
    let x = Tensor::from_fn(&[2, 6], |at| (at % 6) as f64);
    let row = [1.0, 2.0, 4.0, 6.0, 3.0, 3.0];
    assert_eq!(value(dx, &[("x", x)]), Tensor::of([2, 6], [row, row].concat()));
}
