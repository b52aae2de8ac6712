//! What holds of any program, of its derivatives and of its runs, whatever ops of the catalogue it is made of.
//!
//! Programs are drawn from a fixed seed; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` draw others and more of them.
//! What else holds of random programs is tested where it belongs:
//!
//! - derivatives against difference quotients, the same every time, each node with a forward node and its line:
//!   `crates/autodiff/tests/random_graphs.rs`;
//! - passes keep every bit, of gradients too, and drop what nobody uses: `crates/graph/tests/pass_properties.rs`,
//!   `crates/autodiff/tests/optimized.rs`; fused as unfused: `crates/exec/src/kernel/tests/fusion.rs`;
//! - sessions agree with the interpreter, for every number of threads, run after run: `tests/differential.rs`,
//!   `tests/determinism.rs`, `crates/exec/src/run/tests/random.rs`;
//! - no two values that live at once share memory: `crates/exec/src/plan/verify.rs`, which debug builds ask about every plan;
//! - each op by itself, over a leading axis as well: the suites named `catalogue`.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use pullback::autodiff::check::{Case, CheckOptions};
use pullback::autodiff::{Disconnected, GradOptions, gradients, pullback, pushforward};
use pullback::exec::{Options, PlanOptions, plan};
use pullback::graph::op::{Cast, Choices, Input, Pad, Registry, Scalar};
use pullback::graph::pass::optimize;
use pullback::graph::{
    Generated, GraphFile, GraphSpec, NodeId, Op, OpClass, OpRules, Output, TensorType, generate,
};
use pullback::{Builder, DType, Expr, Graph, Session, Tensor, checkpoint, hvp, interpret, jvp, vmap};

type Feeds = [(Arc<str>, Tensor)];

/// So many programs, from a fixed seed; failures are kept beside the tests.
fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proptest-regressions/properties.txt");
    ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases },
        rng_seed: if default.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { default.rng_seed },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(path))),
        ..default
    }
}

fn programs_of(spec: GraphSpec) -> impl Strategy<Value = Generated> {
    vec(any::<u32>(), 0..800).prop_map(move |stream| generate(&mut Choices::new(stream), &spec))
}

fn programs() -> impl Strategy<Value = Generated> {
    programs_of(GraphSpec::default())
}

/// Programs with a derivative of every order wherever they are evaluated.
fn smooth_programs() -> impl Strategy<Value = Generated> {
    programs_of(GraphSpec { smooth_only: true, max_nodes: 14, ..GraphSpec::default() })
}

/// The inputs that have derivatives, of the program's element type.
fn variables<'g>(b: &'g Builder, made: &Generated) -> Vec<Expr<'g>> {
    let dtype = made.graph.ty(made.graph.outputs()[0].node).dtype;
    made.graph.inputs().iter().map(|id| b.expr(*id)).filter(|input| input.dtype() == dtype).collect()
}

/// Some tensor of a type, another one for each number.
fn direction<'g>(b: &'g Builder, ty: &TensorType, which: usize) -> Expr<'g> {
    let sizes = ty.shape.known().unwrap();
    let element = |i: usize| (1.3 * i as f64 + 0.7 * (which + 1) as f64).sin();
    b.constant(Tensor::from_fn(&sizes, element).cast(ty.dtype))
}

fn directions<'g>(of: &[Expr<'g>], which: usize) -> Vec<Expr<'g>> {
    of.iter().enumerate().map(|(at, x)| direction(x.builder(), &x.ty(), 10 * which + at)).collect()
}

/// `Σ left · right` over all elements of all pairs.
fn inner<'g>(left: &[Expr<'g>], right: &[Expr<'g>]) -> Expr<'g> {
    let terms = left.iter().zip(right).map(|(left, right)| (*left * *right).sum());
    terms.reduce(|sum, term| sum + term).unwrap()
}

fn zeros() -> GradOptions {
    GradOptions { disconnected: Disconnected::Zeros, ..GradOptions::default() }
}

/// The loss, and its gradient in every variable.
fn with_gradients(made: &Generated) -> Graph {
    let b = Builder::extending(&made.graph);
    let loss = b.expr(made.graph.outputs()[0].node);
    let found = gradients(loss, &variables(&b, made), &zeros()).unwrap();
    let outputs = found.iter().enumerate().map(|(at, found)| Output::new(format!("d{at}"), found.id()));
    b.finish([Output::new("loss", loss.id())].into_iter().chain(outputs)).unwrap()
}

/// The values of expressions, by the interpreter.
fn values(exprs: &[Expr<'_>], feeds: &Feeds) -> Vec<Tensor> {
    let outputs = exprs.iter().enumerate().map(|(at, expr)| Output::new(at.to_string(), expr.id()));
    let graph = exprs[0].builder().finish(outputs).unwrap();
    interpreted(&graph, feeds)
}

fn interpreted(graph: &Graph, feeds: &Feeds) -> Vec<Tensor> {
    let values = interpret(graph, feeds.iter().map(|(name, value)| (name, value))).unwrap();
    values.outputs().map(|(_, value)| value.clone()).collect()
}

/// The results of a run.
fn run(graph: &Graph, threads: usize, feeds: &Feeds) -> Vec<Tensor> {
    let options = Options::default().threads(threads).inline_below(Duration::ZERO);
    let out = Session::with(graph, options).and_then(|mut session| session.run(feeds.iter().cloned()));
    let out = out.unwrap_or_else(|error| panic!("{error}\n{graph}"));
    out.iter().map(|(_, value)| value.clone()).collect()
}

fn same_bits(left: &[Tensor], right: &[Tensor]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.bits_eq(right))
}

/// The relative error that rounding may leave: a program in f64 may convert to f32 and back.
fn tolerance(graph: &Graph) -> f64 {
    let is_single = |id: NodeId| graph.ty(id).dtype == DType::F32;
    if graph.ids().any(is_single) { 1e-3 } else { 1e-8 }
}

fn close(left: &Tensor, right: &Tensor, tolerance: f64) -> bool {
    let (left, right) = (left.to_f64_vec(), right.to_f64_vec());
    let scale = left.iter().chain(&right).fold(1.0, |scale: f64, value| scale.max(value.abs()));
    left.len() == right.len() && left.iter().zip(&right).all(|(a, b)| (a - b).abs() <= tolerance * scale)
}

/// Appends a program up to node `end`, from where the list of its nodes' places ends.
fn extend<'g>(b: &'g Builder, places: &mut Vec<Expr<'g>>, graph: &Graph, end: usize, inputs: &[Expr<'g>]) {
    for id in graph.ids().take(end).skip(places.len()) {
        let node = graph.node(id);
        let operands: Vec<Expr<'g>> = node.operands.iter().map(|operand| places[operand.index()]).collect();
        places.push(match graph.inputs().iter().position(|input| *input == id) {
            Some(at) => inputs[at],
            None => b.push(node.op.clone(), &operands).unwrap(),
        });
    }
}

/// Appends the inputs of a program.
fn inputs<'g>(b: &'g Builder, graph: &Graph) -> Vec<Expr<'g>> {
    graph.inputs().iter().map(|id| b.push(graph.node(*id).op.clone(), &[]).unwrap()).collect()
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn forward_and_reverse_mode_are_each_others_transpose(made in programs(), at in any::<Index>()) {
        let b = Builder::extending(&made.graph);
        let floats: Vec<NodeId> = made.graph.ids().filter(|id| made.graph.ty(*id).dtype == DType::F64).collect();
        let y = b.expr(*at.get(&floats));
        let x = variables(&b, &made);
        let (tangents, cotangent) = (directions(&x, 1), direction(&b, &y.ty(), 2));
        let pushed = pushforward(y, &x, &tangents).unwrap();
        let pulled = pullback(&[y], &[cotangent], &x, &zeros()).unwrap();
        let found = values(&[inner(&[cotangent], &[pushed]), inner(&pulled, &tangents)], &made.feeds);
        prop_assert!(close(&found[0], &found[1], tolerance(&made.graph)), "{} of {}: {:?}", y.id(), made.graph, found);
    }

    #[test]
    fn gradients_are_linear_in_the_cotangent_and_zero_for_none(made in programs(), at in any::<Index>()) {
        let b = Builder::extending(&made.graph);
        let floats: Vec<NodeId> = made.graph.ids().filter(|id| made.graph.ty(*id).dtype == DType::F64).collect();
        let y = b.expr(*at.get(&floats));
        let x = variables(&b, &made);
        let (u, v) = (direction(&b, &y.ty(), 1), direction(&b, &y.ty(), 2));
        let pull = |cotangent| pullback(&[y], &[cotangent], &x, &zeros()).unwrap();
        let (of_u, of_v, of_both) = (pull(u), pull(v), pull(u * 2.0 - v * 0.75));
        let sums: Vec<Expr<'_>> = of_u.iter().zip(&of_v).map(|(u, v)| *u * 2.0 - *v * 0.75).collect();
        let (found, expected) = (values(&of_both, &made.feeds), values(&sums, &made.feeds));
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!(close(found, expected, tolerance(&made.graph)), "{found} is not {expected}: {}", made.graph);
        }
        for none in values(&pull(b.constant(Tensor::from_fn(&y.shape().known().unwrap(), |_| 0.0))), &made.feeds) {
            prop_assert!(none.to_f64_vec().iter().all(|value| *value == 0.0), "{none}: {}", made.graph);
        }
    }

    #[test]
    fn an_unused_node_changes_nothing(made in programs(), at in any::<Index>()) {
        let at = 1 + at.index(made.graph.len());
        let [with, without] = [true, false].map(|has_more| {
            let b = Builder::new();
            let x = inputs(&b, &made.graph);
            let mut places = Vec::new();
            for end in [at, made.graph.len()] {
                extend(&b, &mut places, &made.graph, end, &x);
                if has_more && places[end - 1].dtype().is_float() {
                    let _ = places[end - 1].sin().sum();
                }
            }
            let loss = places[made.graph.outputs()[0].node.index()];
            let x: Vec<Expr<'_>> = x.into_iter().filter(|x| x.dtype() == loss.dtype()).collect();
            let found = gradients(loss, &x, &zeros()).unwrap();
            let names = found.iter().enumerate().map(|(at, found)| (format!("d{at}"), *found));
            b.finish(names.chain([("loss".to_string(), loss)])).unwrap()
        });
        prop_assert_eq!(optimize(&with), optimize(&without));
        prop_assert!(same_bits(&interpreted(&with, &made.feeds), &interpreted(&without, &made.feeds)));
    }

    #[test]
    fn regions_that_are_computed_again_give_the_same_bits(made in programs(), at in any::<Index>()) {
        let expected = interpreted(&with_gradients(&made), &made.feeds);
        // The whole program, and what comes before some node, whose values are read by what comes after.
        // Regions nest; one that begins within another and ends behind it is none that a closure can make.
        let is_region = |id: NodeId| matches!(made.graph.node(id).op, Op::Checkpoint(_));
        let ends = [made.graph.len(), at.index(made.graph.len())];
        for end in ends.into_iter().filter(|end| !made.graph.ids().skip(*end).any(is_region)) {
            let b = Builder::new();
            let x = inputs(&b, &made.graph);
            let mut places = checkpoint("region", [x[0]], |_| {
                let mut places = Vec::new();
                extend(&b, &mut places, &made.graph, end, &x);
                places
            });
            extend(&b, &mut places, &made.graph, made.graph.len(), &x);
            let loss = places[made.graph.outputs()[0].node.index()];
            let x: Vec<Expr<'_>> = x.into_iter().filter(|x| x.dtype() == loss.dtype()).collect();
            let found: Vec<Expr<'_>> = [loss].into_iter().chain(gradients(loss, &x, &zeros()).unwrap()).collect();
            let found = values(&found, &made.feeds);
            prop_assert!(same_bits(&found, &expected), "{found:?} are not {expected:?}, the first {end} of {}", made.graph);
        }
    }

    #[test]
    fn a_batch_is_its_samples(made in programs()) {
        let b = Builder::new();
        let own = inputs(&b, &made.graph);
        let is_variable = |x: &Expr<'_>| x.dtype() == DType::F64;
        let first = own.iter().position(is_variable).unwrap();
        let shared: Vec<Expr<'_>> =
            own.iter().enumerate().filter(|(at, x)| *at != first && is_variable(x)).map(|(_, x)| *x).collect();
        // The loss for one sample, and its gradient in the sample and in what all samples share.
        let program = |x| {
            let mut given = own.clone();
            given[first] = x;
            let mut places = Vec::new();
            extend(&b, &mut places, &made.graph, made.graph.len(), &given);
            let loss = places[made.graph.outputs()[0].node.index()];
            let wrt: Vec<Expr<'_>> = [x].into_iter().chain(shared.iter().copied()).collect();
            let found = gradients(loss, &wrt, &zeros()).unwrap();
            [loss].into_iter().chain(found).collect::<Vec<_>>()
        };
        // Samples that differ so little that no op leaves its domain.
        let samples = [1.0, 1.0 + 1e-4, 1.0 - 1e-4].map(|factor| own[first] * factor);
        let each = samples.map(program);
        let mut found = vmap([samples[0].stack(&samples[1..], 0)], |[x]| program(x)).unwrap();
        let mut expected: Vec<Expr<'_>> =
            (0..found.len()).map(|at| each[0][at].stack(&[each[1][at], each[2][at]], 0)).collect();
        // What the samples share gets the sum of their gradients from the sum of their losses.
        expected.extend(found[2..].iter().map(|gradients| gradients.sum_over(0)));
        found.extend(gradients(found[0].sum(), &shared, &zeros()).unwrap());
        for (found, expected) in values(&found, &made.feeds).iter().zip(&values(&expected, &made.feeds)) {
            prop_assert!(close(found, expected, tolerance(&made.graph)), "{found} is not {expected}: {}", made.graph);
        }
    }
}

proptest! {
    #![proptest_config(config(1200))]

    #[test]
    fn gradients_run_with_the_same_bits_on_all_threads_and_after_text_and_file(made in programs()) {
        let graph = with_gradients(&made);
        let one = run(&graph, 1, &made.feeds);
        let mut session = Session::with(&graph, Options::default().threads(3).inline_below(Duration::ZERO)).unwrap();
        for _ in 0..2 {
            let out = session.run(made.feeds.iter().cloned()).unwrap();
            let again: Vec<Tensor> = out.iter().map(|(_, value)| value.clone()).collect();
            prop_assert!(same_bits(&one, &again), "on three threads: {graph}");
        }
        let registry = Registry::new();
        let from_text = Graph::parse(&graph.to_string(), &registry).unwrap();
        let json = GraphFile::of(&graph).to_json();
        let from_file = GraphFile::from_json(&json).unwrap().graph(&registry).unwrap();
        for read in [from_text, from_file] {
            prop_assert_eq!(&read, &graph);
            prop_assert!(same_bits(&one, &run(&read, 1, &made.feeds)), "read again: {graph}");
        }
    }

    #[test]
    fn graphs_and_plans_are_the_same_every_time_and_bounded_in_memory(made in programs()) {
        let (graph, again) = (with_gradients(&made), with_gradients(&made));
        prop_assert_eq!(graph.to_string(), again.to_string());
        prop_assert_eq!(GraphFile::of(&graph).to_json(), GraphFile::of(&again).to_json());
        let of_all: usize = graph.ids().map(|id| {
            let ty = graph.ty(id);
            (ty.shape.numel().known().unwrap() * ty.dtype.bytes()).next_multiple_of(64).max(64)
        }).sum();
        for threads in [1, 4] {
            let mut options = PlanOptions::default();
            (options.threads, options.inline_below) = (threads, 0);
            let (first, second) = (plan(&graph, &options).unwrap(), plan(&again, &options).unwrap());
            prop_assert_eq!(first.to_string(), second.to_string());
            // Results have memory of their own, also where one node is several.
            prop_assert!(first.peak_bytes() <= 2 * of_all, "{} of {of_all}: {graph}", first.peak_bytes());
        }
    }

    #[test]
    fn second_derivatives_are_right(made in smooth_programs()) {
        let wrt: Vec<&str> =
            made.feeds.iter().filter(|(_, value)| value.dtype() == DType::F64).map(|(name, _)| &**name).collect();
        let feeds: Vec<(&str, &Tensor)> = made.feeds.iter().map(|(name, value)| (&**name, value)).collect();
        let case = Case::new(&made.graph, "loss", &wrt, &feeds).unwrap();
        let options = CheckOptions { order: 2, draws: 1, elements: 3, ..CheckOptions::default() };
        let report = case.check(&options).unwrap();
        prop_assert!(report.is_ok(), "{report}");
    }

    #[test]
    fn hessians_are_symmetric_by_reverse_and_by_forward_mode(made in programs()) {
        let b = Builder::extending(&made.graph);
        let loss = b.expr(made.graph.outputs()[0].node);
        let all = variables(&b, &made);
        // A variable and the last one, which may be the same: then its Hessian stands in every block.
        let x = [all[0], all[all.len() - 1]];
        let pair = |which: usize| [0, 1].map(|at| direction(&b, &x[at].ty(), 2 * which + at));
        let (u, v) = (pair(1), pair(2));
        let block = |of: usize, by: usize, along: [Expr<'_>; 2]| {
            let slope = gradients(loss, &[x[of]], &zeros()).unwrap()[0];
            jvp(slope, [x[by]], [b.expr(along[by].id())]).unwrap()
        };
        // Reverse over reverse, either way around, and forward over reverse.
        let alone = [hvp(loss, [x[0]], [u[0]]).unwrap()[0], hvp(loss, [x[0]], [v[0]]).unwrap()[0]];
        let cross = [block(1, 0, u), block(0, 1, v)];
        let pairs = [
            (inner(&[v[0]], &[alone[0]]), inner(&[u[0]], &[alone[1]])),
            (inner(&[v[0]], &[alone[0]]), inner(&[v[0]], &[block(0, 0, u)])),
            (inner(&[v[1]], &[cross[0]]), inner(&[u[0]], &[cross[1]])),
        ];
        for (left, right) in pairs {
            let found = values(&[left, right], &made.feeds);
            prop_assert!(close(&found[0], &found[1], 10.0 * tolerance(&made.graph)), "{found:?}: {}", made.graph);
        }
    }
}

/// A program in f32, in f64: inputs and conversions take f64, and what makes f32 out of nothing keeps its value. Gives what
/// stands for each node.
fn widened<'g>(b: &'g Builder, graph: &Graph) -> Vec<Expr<'g>> {
    let wide = |dtype| if dtype == DType::F32 { DType::F64 } else { dtype };
    let mut places: Vec<Expr<'g>> = Vec::with_capacity(graph.len());
    for node in graph.nodes() {
        let operands: Vec<Expr<'g>> = node.operands.iter().map(|operand| places[operand.index()]).collect();
        let op: Op = match &node.op {
            Op::Input(input) => {
                Input { ty: input.ty.with_dtype(wide(input.ty.dtype)), ..input.clone() }.into()
            }
            Op::Cast(cast) => Cast { dtype: wide(cast.dtype) }.into(),
            Op::Pad(pad) if pad.value.dtype() == DType::F32 => {
                Pad { value: Scalar::from(pad.value.to_f64()), ..pad.clone() }.into()
            }
            other => other.clone(),
        };
        let made = b.push(op, &operands).unwrap();
        places.push(match node.op.class() {
            OpClass::Leaf | OpClass::Random => made.cast(wide(made.dtype())),
            _ => made,
        });
    }
    places
}

/// An output's value in f64, and by how much it may be off in f32: each node adds an error in proportion to its value
/// and to what it sums up, which its cotangent carries to the output.
fn estimated(graph: &Graph, output: usize, feeds: &Feeds) -> (f64, f64) {
    let b = Builder::new();
    let places = widened(&b, graph);
    let root = places[graph.outputs()[output].node.index()];
    let floats: Vec<NodeId> = graph.ids().filter(|id| graph.ty(*id).dtype.is_float()).collect();
    let exprs: Vec<Expr<'_>> = floats.iter().map(|id| places[id.index()]).collect();
    let sensitivities = gradients(root, &exprs, &zeros()).unwrap();
    let all: Vec<Expr<'_>> = exprs.iter().copied().chain(sensitivities).chain([root]).collect();
    let feeds: Vec<(Arc<str>, Tensor)> = feeds
        .iter()
        .map(|(name, value)| match value.dtype() {
            DType::F32 => (name.clone(), value.cast(DType::F64)),
            _ => (name.clone(), value.clone()),
        })
        .collect();
    let found = values(&all, &feeds);
    let mut varies: Vec<bool> = Vec::with_capacity(graph.len());
    for node in graph.nodes() {
        let passes = |(at, operand): (usize, &NodeId)| varies[operand.index()] && !node.op.blocks(at);
        let reached = matches!(node.op, Op::Input(_)) || node.operands.iter().enumerate().any(passes);
        varies.push(reached && node.ty.dtype.is_float());
    }
    let largest = |tensor: &Tensor| tensor.to_f64_vec().iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let mut error = 0.0;
    for (at, id) in floats.iter().enumerate() {
        let node = graph.node(*id);
        let summed = match node.op.class() {
            OpClass::Leaf | OpClass::Elementwise | OpClass::Movement => 0.0,
            _ => {
                let of = |operand: &NodeId| floats.iter().position(|id| id == operand).map(|at| &found[at]);
                let operands: Vec<&Tensor> = node.operands.iter().filter_map(of).collect();
                let terms = operands.iter().map(|operand| operand.len()).max().unwrap_or(0);
                terms as f64 * operands.iter().map(|operand| largest(operand).max(1.0)).product::<f64>()
            }
        };
        let (value, cotangent) = (found[at].to_f64_vec(), found[floats.len() + at].to_f64_vec());
        // An infinity that nothing is taken from is no error; where nothing varies, there need be no derivative.
        let is_error = |cotangent: f64| cotangent != 0.0 && (varies[id.index()] || !cotangent.is_nan());
        let each = value.iter().zip(cotangent).filter(|(_, cotangent)| is_error(*cotangent));
        let each = each.map(|(value, cotangent)| cotangent.abs() * (1.0 + value.abs() + summed));
        error += 8.0 * f64::from(f32::EPSILON) * each.sum::<f64>();
    }
    (found[found.len() - 1].item().unwrap(), error)
}

proptest! {
    #![proptest_config(config(1200))]

    #[test]
    fn single_precision_is_off_by_no_more_than_its_condition_allows(
        made in programs_of(GraphSpec { dtype: DType::F32, max_nodes: 16, ..GraphSpec::default() })
    ) {
        // The slope along a direction is a program as well.
        let b = Builder::extending(&made.graph);
        let loss = b.expr(made.graph.outputs()[0].node);
        let x = variables(&b, &made);
        let slope = inner(&gradients(loss, &x, &zeros()).unwrap(), &directions(&x, 1));
        let graph = b.finish([("loss", loss), ("slope", slope)]).unwrap();
        let (exact, kernels) = (interpreted(&graph, &made.feeds), run(&graph, 1, &made.feeds));
        for output in 0..2 {
            let (expected, error) = estimated(&graph, output, &made.feeds);
            for found in [&exact[output], &kernels[output]] {
                let off = (found.item().unwrap() - expected).abs();
                prop_assert!(off <= error, "{found} is off {expected} by {off}, more than {error}: {graph}");
            }
        }
    }
}
