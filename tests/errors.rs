//! Bad input: each is a typed error that names what was expected, what came, the node and the user's line.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback::DType::{F32, F64, I64};
use pullback::exec::{ExecError, Options};
use pullback::graph::op::{Reduce, ReduceKind};
use pullback::graph::{ConvOptions, FeedError, GraphError, TypeError};
use pullback::nn::{Adam, Dense, Sequential, SparseCategoricalCrossentropy};
use pullback::train::data::{DataError, Dataset};
use pullback::train::weights::WeightsError;
use pullback::train::{Compile, Fit, Model, TrainError};
use pullback::{Builder, Session, Tensor, grad, sym, vmap};

/// The message names this file.
#[track_caller]
fn names_this_file(message: &str) {
    assert!(message.contains("errors.rs:"), "no line in: {message}");
}

fn pushed(error: Box<TypeError>, constraint: &str) -> String {
    assert_eq!(error.violation.constraint, constraint, "{error}");
    names_this_file(&error.to_string());
    error.to_string()
}

#[test]
fn shapes_dtypes_and_axes_that_do_not_fit_are_refused_where_they_are_written() {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("batch"), 3.into()]);
    let w = b.input("w", F32, [4, 2]);
    let d = b.input("d", F64, [sym("batch"), 3.into()]);
    let dot = pullback::graph::op::DotGeneral::new([], [], [1], [0]);
    let message = pushed(b.push(dot, &[x, w]).unwrap_err(), "C5");
    assert!(message.contains("f32[batch, 3] · f32[4, 2]") && message.contains("\"x\""), "{message}");
    let message = pushed(b.push(pullback::graph::op::BinaryOp::Add, &[x, d]).unwrap_err(), "C3");
    assert!(message.contains("f64[batch, 3]"), "{message}");
    let axis = Reduce { kind: ReduceKind::Sum, axes: [7].into() };
    assert!(pushed(b.push(axis, &[x]).unwrap_err(), "C2").contains('7'));
}

/// The closure panics with a picture of its line that has all of these in it.
#[track_caller]
fn panics_with(parts: &[&str], build: impl FnOnce()) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(build));
    let payload = panic.unwrap_err();
    let message = payload.downcast_ref::<String>().expect("a message");
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
    names_this_file(message);
}

#[test]
fn operators_panic_with_a_picture_of_the_users_line() {
    panics_with(
        &["shapes do not broadcast: f32[2, 3] and f32[4]", "let _ = x + y;", "\"x\"", "help"],
        || {
            let b = Builder::new();
            let x = b.input("x", F32, [2, 3]);
            let y = b.input("y", F32, [4]);
            let _ = x + y;
        },
    );
}

#[test]
fn layouts_that_others_use_are_answered_with_the_one_that_is_taken() {
    let b = Builder::new();
    let x = b.input("x", F32, [8, 3]);
    let w = b.input("w", F32, [3, 5]);
    panics_with(&["got f32[8, 3] and f32[3, 5]", "a weight is [out, in]", "let _ = x.linear"], || {
        let _ = x.linear(w, None);
    });
    let images = b.input("images", F32, [8, 28, 28, 3]);
    let kernel = b.input("kernel", F32, [4, 3, 5, 5]);
    panics_with(&["do not fit in one group", "channels on axis 1", "move_axis(-1, 1)"], || {
        let _ = images.conv(kernel, &ConvOptions::default());
    });
    let fits = images.move_axis(-1, 1).conv(kernel, &ConvOptions::default());
    assert_eq!(fits.ty().to_string(), "f32[8, 4, 24, 24]");
}

#[test]
fn a_handle_of_another_builder_is_shown_with_the_line_that_uses_it() {
    let (b, other) = (Builder::new(), Builder::new());
    let x = b.input("x", F32, [2]);
    let y = other.input("y", F32, [2]);
    panics_with(&["%0 \"y\": f32[2]", "belongs to another builder", "let _ = x * y;", "help"], || {
        let _ = x * y;
    });
}

#[test]
fn a_handle_kept_out_of_vmap_is_shown_with_the_line_that_uses_it() {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("n"), 2.into()]);
    let mut kept = x;
    let norms = vmap([x], |[xi]| {
        kept = xi.square();
        kept.sum()
    });
    let norms = norms.unwrap();
    const GONE: &str = "was made for one element of a leading axis";
    panics_with(&[GONE, "let _ = kept.sum();", "help"], || {
        let _ = kept.sum();
    });
    panics_with(&[GONE, "let _ = kept + 1.0;"], || {
        let _ = kept + 1.0;
    });
    panics_with(&[GONE, "let _ = kept.softmax(-1);"], || {
        let _ = kept.softmax(-1);
    });
    panics_with(&[GONE, "let _ = norms * kept;"], || {
        let _ = norms * kept;
    });
    panics_with(&[GONE, "let _ = kept.rank();"], || {
        let _ = kept.rank();
    });
    panics_with(&[GONE, "let _ = grad(kept, [x]);"], || {
        let _ = grad(kept, [x]);
    });
    panics_with(&[GONE, "b.finish([(\"kept\", kept)])"], || {
        let _ = b.finish([("kept", kept)]);
    });
}

#[test]
fn feeds_that_do_not_fit_are_named() {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("n"), 3.into()]);
    let y = b.input("y", F32, [sym("n")]);
    let graph = b.finish([("z", x.sum_over(1) + y)]).unwrap();
    let mut session = Session::new(&graph).unwrap();
    let (x, y) = (Tensor::zeros([2, 3]), Tensor::zeros([2]));
    let feed_error = |session: &mut Session, feeds: Vec<(&str, Tensor)>| match session.run(feeds).unwrap_err()
    {
        ExecError::Feed(error) => *error,
        other => panic!("{other}"),
    };
    let error = feed_error(&mut session, vec![("x", x.clone())]);
    assert!(matches!(&error, FeedError::Missing { name, .. } if &**name == "y"), "{error}");
    names_this_file(&error.to_string());
    let error = feed_error(&mut session, vec![("x", x.clone()), ("y", y.clone()), ("q", y.clone())]);
    assert!(matches!(&error, FeedError::Unknown { name, .. } if name == "q"), "{error}");
    let error = feed_error(&mut session, vec![("x", x.clone()), ("x", x.clone()), ("y", y.clone())]);
    assert!(matches!(error, FeedError::Twice { .. }), "{error}");
    let error = feed_error(&mut session, vec![("x", Tensor::zeros([2, 4])), ("y", y.clone())]);
    assert!(matches!(&error, FeedError::Type { .. }) && error.to_string().contains("f32[2, 4]"), "{error}");
    let error = feed_error(&mut session, vec![("x", x.clone()), ("y", Tensor::zeros([5]))]);
    assert!(matches!(error, FeedError::SymbolConflict { first: 2, second: 5, .. }), "{error}");
    let error = feed_error(&mut session, vec![("x", x.clone()), ("y", y.cast(F64))]);
    assert!(matches!(error, FeedError::Type { .. }), "{error}");
    let help = "help: convert with `cast(DType::F32)`, or write numbers as `1.0_f32`";
    assert!(error.to_string().ends_with(help), "{error}");
    let error = feed_error(&mut session, vec![("x", x.clone()), ("y", y.cast(I64))]);
    assert!(error.to_string().ends_with("help: convert with `cast(DType::F32)`"), "{error}");
    // And the session still runs.
    assert_eq!(session.run([("x", x), ("y", y)]).unwrap()["z"].sizes(), [2]);
}

#[test]
fn an_index_out_of_range_names_index_bound_node_and_line() {
    let b = Builder::new();
    let x = b.input("x", F32, [3, 2]);
    let at = b.input("at", I64, [1]);
    let graph = b.finish([("rows", x.gather(at, 0))]).unwrap();
    let mut session = Session::new(&graph).unwrap();
    let feeds = |index: i64| [("x", Tensor::zeros([3, 2])), ("at", Tensor::vector([index]))];
    for index in [3, -1] {
        let message = session.run(feeds(index)).unwrap_err().to_string();
        assert!(
            message.contains(&format!("index {index} is out of range")) && message.contains("size 3"),
            "{message}"
        );
        assert!(message.contains("%2"), "{message}");
        names_this_file(&message);
    }
    assert!(session.run(feeds(2)).is_ok(), "the session can be used again");
}

#[test]
fn a_nan_is_found_where_it_comes_up() {
    let b = Builder::new();
    let x = b.input("x", F32, [2]);
    let graph = b.finish([("y", (x - 1.0).log().sum())]).unwrap();
    let feeds = || [("x", Tensor::of([2], [2.0_f32, 0.5]))];
    assert!(Session::new(&graph).unwrap().run(feeds()).is_ok(), "nobody asked");
    let mut session = Session::with(&graph, Options::default().check_finite(true)).unwrap();
    let message = session.run(feeds()).unwrap_err().to_string();
    assert!(message.contains("NaN"), "{message}");
    names_this_file(&message);
}

/// Infinite literals, as a stable softmax compares with, are the program's own and no mistake.
#[test]
fn a_healthy_softmax_passes_the_check() {
    let b = Builder::new();
    let x = b.input("x", F32, [2, 3]);
    let graph = b.finish([("p", x.softmax(-1)), ("l", x.logsumexp(-1))]).unwrap();
    let mut session = Session::with(&graph, Options::default().check_finite(true)).unwrap();
    session.run([("x", Tensor::random([2, 3], 1))]).unwrap();
}

fn model() -> Model {
    let network = Sequential::new([Dense::new(4).into(), Dense::new(3).into()]);
    network.compile(Adam::new(0.01), SparseCategoricalCrossentropy::from_logits(), ()).unwrap()
}

fn data(labels: Vec<i64>) -> Dataset {
    Dataset::new(
        Tensor::random([labels.len()], 1).reshape(&[labels.len(), 1]).unwrap(),
        Tensor::vector(labels),
    )
    .unwrap()
}

#[test]
fn training_refuses_bad_labels_empty_batches_and_other_data() {
    let mut model = model();
    let error = model.fit(&data(vec![0, 1, 3]), Fit::epochs(1).quiet()).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, TrainError::Exec(_)), "{message}");
    assert!(message.contains("index 3") && message.contains("size 3"), "{message}");
    // Training goes on after the mistake.
    assert!(model.fit(&data(vec![0, 1, 2]), Fit::epochs(1).quiet()).is_ok());
    let error = model.fit(&data(vec![0]), Fit::epochs(1).batch_size(0).quiet()).unwrap_err();
    assert!(matches!(error, TrainError::Setting { .. }), "{error}");
    let other = Dataset::new(Tensor::zeros([2, 5]), Tensor::vector([0_i64, 1])).unwrap();
    let error = model.evaluate(&other).unwrap_err();
    assert!(matches!(error, TrainError::Type { .. }) && error.to_string().contains("f32[2, 5]"), "{error}");
    let empty = Dataset::new(Tensor::zeros([0, 1]), Tensor::vector(Vec::<i64>::new()));
    assert!(matches!(empty, Err(DataError::Empty { .. })));
}

#[test]
fn weights_that_do_not_fit_are_named_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let mut model = model();
    assert!(matches!(model.save(&path), Err(TrainError::NotBuilt)));
    model.build(&data(vec![0, 1]), 0).unwrap();
    let before = model.parameters().unwrap();
    model.save(&path).unwrap();
    model.load(&path).unwrap();
    assert_eq!(model.parameters().unwrap(), before);

    let missing = before.iter().skip(1).map(|(name, value)| (name.as_str(), value));
    pullback::train::weights::save(&path, missing).unwrap();
    let error = model.load(&path).unwrap_err();
    assert!(
        matches!(&error, TrainError::Weights(WeightsError::Missing { name, .. }) if *name == before[0].0),
        "{error}"
    );

    let misshapen = Tensor::zeros([9]);
    let all = before.iter().enumerate();
    let swapped: Vec<(&str, &Tensor)> =
        all.map(|(at, (name, value))| (name.as_str(), if at == 1 { &misshapen } else { value })).collect();
    pullback::train::weights::save(&path, swapped).unwrap();
    let error = model.load(&path).unwrap_err();
    assert!(matches!(&error, TrainError::Weights(WeightsError::Misshapen { .. })), "{error}");

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(model.load(&path), Err(TrainError::Weights(_))));
    assert_eq!(model.parameters().unwrap(), before, "a failed load changes nothing");
}

#[test]
fn two_inputs_of_one_name_are_refused() {
    let b = Builder::new();
    let x = b.input("x", F32, [2]);
    let _other = b.input("x", F32, [2]);
    let error = b.finish([("y", x)]).unwrap_err();
    assert!(matches!(error, GraphError::Verify(_)) && error.to_string().contains("\"x\""), "{error}");
    names_this_file(&error.to_string());
}
