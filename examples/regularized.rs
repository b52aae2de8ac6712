//! Overfitting a small set, and what L1, L2 and dropout do against it, told by precision, recall and F1 on unseen samples.

use pullback::Error;
use pullback::exec::Options;
use pullback::nn::{
    Accuracy, Activation, Adam, Dense, Dropout, Layer, Regularizer, Sequential, SparseCategoricalCrossentropy,
};
use pullback::train::data::{Dataset, digits};
use pullback::train::metrics::Average;
use pullback::train::{Compile, Fit, Model};

/// Few samples to train on, and many to test with.
fn data() -> Result<(Dataset, Dataset), Error> {
    let all = digits();
    let pixels: Vec<f32> = all.inputs().values::<f32>().iter().map(|pixel| pixel / 16.0).collect();
    let inputs = pullback::Tensor::new(all.inputs().sizes(), pixels)?;
    Ok(Dataset::new(inputs, all.targets().clone())?.split(120)?)
}

/// A network that is too large for 120 samples.
fn network(regularizer: Option<Regularizer>, dropout: f64) -> Sequential {
    let hidden = || {
        let dense = Dense::new(128).activation(Activation::Relu);
        match regularizer {
            Some(regularizer) => dense.kernel_regularizer(regularizer),
            None => dense,
        }
    };
    let mut layers: Vec<Layer> = vec![hidden().into()];
    if dropout > 0.0 {
        layers.push(Dropout::new(dropout).into());
    }
    layers.push(hidden().into());
    if dropout > 0.0 {
        layers.push(Dropout::new(dropout).into());
    }
    layers.push(Dense::new(10).into());
    Sequential::new(layers)
}

fn train_network(network: Sequential, epochs: usize, options: Options) -> Result<Model, Error> {
    let mut model = network
        .compile(Adam::new(2e-3), SparseCategoricalCrossentropy::from_logits(), [Accuracy])?
        .options(options);
    let (train, _) = data()?;
    model.fit(&train, Fit::epochs(epochs).batch_size(40).seed(3).quiet())?;
    Ok(model)
}

/// The network with dropout, whose masks must not depend on the schedule either.
#[allow(dead_code, reason = "`main` trains four networks")]
pub fn train(options: Options) -> Result<Model, Error> {
    train_network(network(Some(Regularizer::L2(1e-3)), 0.4), 5, options)
}

#[allow(dead_code, reason = "the tests call `train` instead")]
fn main() -> Result<(), Error> {
    let (train, test) = data()?;
    println!("{} samples to train on, {} to test with\n", train.len(), test.len());
    println!(
        "{:12} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "", "train loss", "test loss", "precision", "recall", "F1"
    );
    for (name, regularizer, dropout) in [
        ("none", None, 0.0),
        ("L1 3e-4", Some(Regularizer::L1(3e-4)), 0.0),
        ("L2 3e-3", Some(Regularizer::L2(3e-3)), 0.0),
        ("dropout 0.4", None, 0.4),
    ] {
        let mut model = train_network(network(regularizer, dropout), 120, Options::default())?;
        let (on_train, on_test) = (model.evaluate(&train)?, model.evaluate(&test)?);
        let scores = model.confusion_matrix(&test)?.scores(Average::Macro);
        println!(
            "{name:12} {:10.4} {:10.4} {:10.4} {:10.4} {:10.4}",
            on_train.loss(),
            on_test.loss(),
            scores.precision,
            scores.recall,
            scores.f1
        );
    }
    Ok(())
}
