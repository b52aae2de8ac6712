//! Models: what `fit`, `evaluate`, `predict`, `save` and `load` promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use pullback_exec::Record;
use pullback_graph::{DType, Tensor};
use pullback_nn::{
    Accuracy, Activation, Adam, BinaryCrossentropy, Dense, Dropout, MeanSquaredError, Schedule, Sequential,
    Sgd, SparseCategoricalCrossentropy,
};
use pullback_train::data::{Dataset, digits};
use pullback_train::{Compile, Fit, Model, Stopped, TrainError};

/// Two inputs, and one target that is a linear map of them.
fn line(samples: usize) -> Dataset {
    let inputs = Tensor::random([samples, 2], 3);
    let targets: Vec<f32> = inputs.values::<f32>().chunks(2).map(|x| x[0] - 2.0 * x[1]).collect();
    Dataset::new(inputs, Tensor::of([samples, 1], targets)).unwrap()
}

fn linear() -> Model {
    Sequential::new([Dense::new(1).into()]).compile(Sgd::new(0.05), MeanSquaredError, ()).unwrap()
}

/// Everything in it has state: moments, and the key of dropout.
fn classifier() -> Model {
    Sequential::new([
        Dense::new(16).activation(Activation::Relu).into(),
        Dropout::new(0.2).into(),
        Dense::new(10).into(),
    ])
    .compile(Adam::new(3e-3), SparseCategoricalCrossentropy::from_logits(), [Accuracy])
    .unwrap()
}

fn some_digits(samples: usize) -> Dataset {
    let (some, _) = digits().split(samples).unwrap();
    let pixels: Vec<f32> = some.inputs().values::<f32>().iter().map(|pixel| pixel / 16.0).collect();
    Dataset::new(Tensor::of([samples, 64], pixels), some.targets().clone()).unwrap()
}

/// The mean of the squared distances.
fn mse(prediction: &Tensor, data: &Dataset) -> f64 {
    let pairs = prediction.values::<f32>().iter().zip(data.targets().values::<f32>());
    pairs.map(|(y, t)| f64::from(y - t).powi(2)).sum::<f64>() / data.len() as f64
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() <= 1e-5 * right.abs().max(1e-3), "{left} for {right}");
}

#[test]
fn exclusive_or_is_learned_and_training_stops_at_the_loss_asked_for() {
    let inputs = Tensor::of([4, 2], [0.0_f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    let data = Dataset::new(inputs, Tensor::of([4, 1], [0.0_f32, 1.0, 1.0, 0.0])).unwrap();
    let network = [Dense::new(4).activation(Activation::Tanh).into(), Dense::new(1).into()];
    let mut model =
        Sequential::new(network).compile(Adam::new(0.05), BinaryCrossentropy::from_logits(), ()).unwrap();
    let fit = Fit::epochs(2000).batch_size(4).stop_at_loss(0.05).seed(7).quiet();
    let history = model.fit(&data, fit).unwrap();
    assert_eq!(history.stopped, Stopped::Threshold);
    let losses = history.values("loss");
    assert!(
        losses.split_last().is_some_and(|(last, before)| *last <= 0.05 && before.iter().all(|l| *l > 0.05))
    );
    let answers = model.predict(data.inputs()).unwrap();
    let right = answers
        .values::<f32>()
        .iter()
        .zip(data.targets().values::<f32>())
        .all(|(y, t)| (*y > 0.0) == (*t > 0.5));
    assert!(right, "{answers}");
}

#[test]
fn digits_are_learned_with_part_of_them_held_back() {
    let data = some_digits(600);
    let mut model = classifier();
    let history = model.fit(&data, Fit::epochs(30).batch_size(16).validation_split(0.25).quiet()).unwrap();
    let (_, held_back) = data.validation_split(0.25).unwrap();
    assert!(history.last("val_accuracy").unwrap() > 0.8, "{history}");
    assert_eq!(model.evaluate(&held_back).unwrap().get("accuracy"), history.last("val_accuracy"));
    let matrix = model.confusion_matrix(&held_back).unwrap();
    close(matrix.accuracy(), history.last("val_accuracy").unwrap());
}

/// 600 samples are two evaluation batches of 256 and a last one of 88.
#[test]
fn evaluation_is_the_mean_over_samples_however_they_are_batched() {
    let data = line(600);
    let mut model = linear();
    model.build(&data, 1).unwrap();
    let prediction = model.predict(data.inputs()).unwrap();
    assert_eq!(prediction.sizes(), [600, 1]);
    close(model.evaluate(&data).unwrap().loss(), mse(&prediction, &data));
    for samples in [1, 7, 256, 257] {
        let (some, _) = data.split(samples).unwrap();
        close(model.evaluate(&some).unwrap().loss(), mse(&model.predict(some.inputs()).unwrap(), &some));
    }
}

/// With a learning rate of 0 the parameters stay, so that the epoch's mean is that of all samples.
#[test]
fn an_uneven_last_batch_counts_by_its_size_in_training_too() {
    let data = line(10);
    let mut model = linear();
    model.build(&data, 1).unwrap();
    model.set_learning_rate(0.0).unwrap();
    let expected = model.evaluate(&data).unwrap().loss();
    for batch_size in [3, 4, 9, 10, 100] {
        let history = model.fit(&data, Fit::epochs(1).batch_size(batch_size).quiet()).unwrap();
        close(history.last("loss").unwrap(), expected);
    }
}

#[test]
fn a_seed_decides_every_bit() {
    let data = some_digits(100);
    let trained = |seed| {
        let mut model = classifier();
        let history = model.fit(&data, Fit::epochs(2).seed(seed).quiet()).unwrap();
        (model.parameters().unwrap(), history.values("loss"))
    };
    assert_eq!(trained(1), trained(1));
    assert_ne!(trained(1), trained(2));
}

#[test]
fn training_in_two_calls_is_training_in_one() {
    let data = some_digits(100);
    let fit = |epochs| Fit::epochs(epochs).schedule(Schedule::linear(1e-2, 1e-3, 20.0)).seed(4).quiet();
    let (mut once, mut twice) = (classifier(), classifier());
    let all = once.fit(&data, fit(5)).unwrap();
    twice.fit(&data, fit(2)).unwrap();
    assert_eq!(twice.epochs(), 2);
    let rest = twice.fit(&data, fit(3)).unwrap();
    assert_eq!(rest.epochs.iter().map(|epoch| epoch.number).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(all.values("loss")[2..], rest.values("loss"));
    assert_eq!(once.parameters().unwrap(), twice.parameters().unwrap());
}

#[test]
fn a_schedule_sets_the_rate_before_each_step() {
    let data = line(10);
    let mut model = linear();
    // 5 steps per epoch; the last one of the second epoch is taken after 9 others.
    model.fit(&data, Fit::epochs(2).batch_size(2).schedule(Schedule::exponential(0.1, 0.5)).quiet()).unwrap();
    close(model.learning_rate().unwrap(), 0.1 * 0.5_f64.powi(9));
    model.set_learning_rate(0.25).unwrap();
    assert_eq!(model.learning_rate().unwrap(), 0.25);
    let message = model.set_learning_rate(f64::NAN).unwrap_err().to_string();
    assert_eq!(message, "the learning rate is NaN, and must be finite and not negative");
    assert_eq!(model.learning_rate().unwrap(), 0.25);
}

#[test]
fn patience_ends_a_run_that_stands_still() {
    let data = line(10);
    let mut model = linear();
    let fit = Fit::epochs(50).validation(&data).patience(3).schedule(0.0).quiet();
    let history = model.fit(&data, fit).unwrap();
    assert_eq!((history.stopped, history.epochs.len()), (Stopped::Patience, 4));
}

#[test]
fn evaluating_predicting_and_inspecting_change_nothing() {
    let data = some_digits(40);
    let (mut model, mut twin) = (classifier(), classifier());
    for model in [&mut model, &mut twin] {
        model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    }
    let before = model.parameters().unwrap();
    model.evaluate(&data).unwrap();
    model.predict(data.inputs()).unwrap();
    let inspection = model.inspect(&data, Record::stats()).unwrap();
    assert_eq!(model.parameters().unwrap(), before);
    let stats = inspection.stats.as_ref().unwrap();
    let missing: Vec<_> = inspection.graph.ids().filter(|id| stats.get(*id).is_none()).collect();
    assert!(missing.is_empty(), "no statistics for {missing:?}");
    let norms = inspection.gradient_norms();
    assert_eq!(norms.len(), 4);
    assert!(norms.iter().all(|(_, norm)| norm.is_finite() && *norm > 0.0), "{norms:?}");
    // Neither moments, nor the random key, nor the count of epochs: what follows is the same too.
    for model in [&mut model, &mut twin] {
        model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    }
    assert_eq!(model.parameters().unwrap(), twin.parameters().unwrap());
}

#[test]
fn inspecting_does_not_build() {
    let data = some_digits(40);
    let model = classifier();
    assert!(matches!(model.inspect(&data, Record::stats()), Err(TrainError::NotBuilt)));
    assert!(model.parameters().is_err());
}

#[test]
fn a_saved_model_predicts_the_same_and_a_file_that_does_not_fit_changes_nothing() {
    let data = some_digits(64);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut model = classifier();
    model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    model.save(&path).unwrap();
    let mut other = classifier();
    assert!(matches!(other.load(&path), Err(TrainError::NotBuilt)));
    other.build(&data, 9).unwrap();
    assert_ne!(other.parameters().unwrap(), model.parameters().unwrap());
    other.load(&path).unwrap();
    assert!(other.predict(data.inputs()).unwrap().bits_eq(&model.predict(data.inputs()).unwrap()));

    // The first layer fits, the last one does not.
    let narrow = [Dense::new(16).activation(Activation::Relu).into(), Dense::new(11).into()];
    let mut narrow = Sequential::new(narrow)
        .compile(Adam::new(1e-3), SparseCategoricalCrossentropy::from_logits(), ())
        .unwrap();
    narrow.build(&data, 9).unwrap();
    let before = narrow.parameters().unwrap();
    assert!(matches!(narrow.load(&path), Err(TrainError::Weights(_))));
    assert_eq!(narrow.parameters().unwrap(), before);
}

#[test]
fn a_fit_that_fails_leaves_the_model_as_it_was() {
    let data = some_digits(70);
    let mut labels = data.targets().values::<i64>().to_vec();
    labels[69] = 10;
    let wrong = Dataset::new(data.inputs().clone(), Tensor::vector(labels)).unwrap();
    let mut model = classifier();
    model.fit(&wrong, Fit::epochs(1).in_order().quiet()).unwrap_err();
    assert!(matches!(model.parameters(), Err(TrainError::NotBuilt)), "it was not built before");

    let mut twin = classifier();
    for model in [&mut model, &mut twin] {
        model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    }
    let before = model.parameters().unwrap();
    // In the third batch, in validation, in its type, and in a setting that only the data tell to be wrong.
    let (narrow, _) = line(10).split(5).unwrap();
    for fit in [
        Fit::epochs(2).validation(&wrong),
        Fit::epochs(2).validation(&narrow),
        Fit::epochs(2).patience_for("val_loss", 1, 0.0),
    ] {
        model.fit(&data, fit.quiet()).unwrap_err();
        assert_eq!(model.parameters().unwrap(), before);
    }
    model.fit(&wrong, Fit::epochs(1).in_order().quiet()).unwrap_err();
    assert_eq!((model.parameters().unwrap(), model.epochs()), (before, 1));
    for model in [&mut model, &mut twin] {
        model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    }
    assert_eq!(model.parameters().unwrap(), twin.parameters().unwrap());
}

#[test]
fn a_loss_that_is_no_number_ends_training_and_leaves_the_model_as_it_was() {
    let data = line(20);
    let mut model = linear();
    model.build(&data, 0).unwrap();
    let (before, rate) = (model.parameters().unwrap(), model.learning_rate().unwrap());
    let error = model.fit(&data, Fit::epochs(200).schedule(1e6).quiet()).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { loss, .. } if !loss.is_finite()), "{error}");
    assert_eq!((model.parameters().unwrap(), model.learning_rate().unwrap()), (before, rate));
}

#[test]
fn any_number_of_samples_can_be_predicted() {
    let data = line(1000);
    let mut model = linear();
    model.build(&data, 0).unwrap();
    let all = model.predict(data.inputs()).unwrap();
    for samples in [0, 1, 3, 256, 300, 512] {
        let inputs =
            Tensor::new(&[samples, 2], data.inputs().values::<f32>()[..2 * samples].to_vec()).unwrap();
        let some = model.predict(&inputs).unwrap();
        assert_eq!(some.sizes(), [samples, 1]);
        let same = some.values::<f32>().iter().zip(all.values::<f32>()).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(same, "{samples} samples");
    }
    let message = model.predict(&Tensor::zeros([4, 3])).unwrap_err().to_string();
    assert_eq!(message, "the model was built for inputs of type f32[batch, 2], got f32[4, 3]");
    assert!(matches!(model.predict(&Tensor::scalar(1.0_f32)), Err(TrainError::Type { .. })));
}

#[test]
fn numbers_of_double_precision_stay_so() {
    let data = line(20);
    let data = Dataset::new(data.inputs().cast(DType::F64), data.targets().cast(DType::F64)).unwrap();
    let mut model = linear();
    let history = model.fit(&data, Fit::epochs(200).batch_size(8).quiet()).unwrap();
    assert!(history.last("loss").unwrap() < 1e-2, "{history}");
    assert!(model.parameters().unwrap().iter().all(|(_, value)| value.dtype() == DType::F64));
    assert_eq!(model.predict(data.inputs()).unwrap().dtype(), DType::F64);
    assert!(model.summary(&[2], 8).unwrap().to_string().contains("f64[batch, 1]"));
    assert!(matches!(model.predict(&Tensor::zeros([4, 2])), Err(TrainError::Type { .. })));
}

#[test]
fn a_summary_counts_parameters_and_work() {
    let network = || Sequential::new([Dense::new(3).into()]);
    let mut model = network().compile(Sgd::new(0.1), MeanSquaredError, ()).unwrap();
    let summary = model.summary(&[4], 8).unwrap();
    assert_eq!(summary.layers.parameter_count(), 4 * 3 + 3);
    // Two for each product, one for each bias that is added.
    assert_eq!(summary.prediction.flops, 2 * 8 * 4 * 3 + 8 * 3);
    // At least the result.
    assert!(summary.prediction.peak_bytes >= 4 * 8 * 3);
    assert_eq!(summary.training, None);
    let data = Dataset::new(Tensor::zeros([8, 4]), Tensor::zeros([8, 3])).unwrap();
    model.build(&data, 0).unwrap();
    let summary = model.summary(&[4], 8).unwrap();
    assert!(summary.training.is_some_and(|cost| cost.flops > 2 * summary.prediction.flops));
    assert!(summary.to_string().contains("predicting a batch of 8 samples: 216 FLOPs, "), "{summary}");
    assert!(matches!(model.summary(&[5], 8), Err(TrainError::Type { .. })));
}
