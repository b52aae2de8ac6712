//! A 2-4-1 network learns exclusive or; training ends after a number of epochs or at a loss threshold, whichever is first.

use pullback::exec::Options;
use pullback::nn::{Activation, Adam, BinaryCrossentropy, Dense, Sequential};
use pullback::train::data::Dataset;
use pullback::train::{Compile, Fit, Model};
use pullback::{Error, Tensor};

/// The four cases.
fn cases() -> Result<Dataset, Error> {
    let inputs = Tensor::of([4, 2], [0.0_f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    let targets = Tensor::of([4, 1], [0.0_f32, 1.0, 1.0, 0.0]);
    Ok(Dataset::new(inputs, targets)?)
}

/// Trains on the four cases as one batch.
pub fn train(options: Options) -> Result<Model, Error> {
    let mut model = Sequential::new([
        Dense::new(4).activation(Activation::Tanh).into(),
        Dense::new(1).activation(Activation::Sigmoid).into(),
    ])
    .compile(Adam::new(0.05), BinaryCrossentropy::from_probabilities(), ())?
    .options(options);
    let history = model.fit(&cases()?, Fit::epochs(2000).batch_size(4).stop_at_loss(0.02).seed(7).quiet())?;
    for epoch in history.epochs.iter().filter(|epoch| epoch.number % 25 == 1) {
        println!("epoch {:4}  loss {:.4}", epoch.number, epoch.get("loss").unwrap_or(f64::NAN));
    }
    let last = history.last("loss").unwrap_or(f64::NAN);
    println!("stopped after {} epochs ({:?}) at loss {last:.4}", history.epochs.len(), history.stopped);
    Ok(model)
}

#[allow(dead_code, reason = "the tests call `train` instead")]
fn main() -> Result<(), Error> {
    let mut model = train(Options::default())?;
    let cases = cases()?;
    let answers = model.predict(cases.inputs())?;
    for (case, answer) in cases.inputs().values::<f32>().chunks(2).zip(answers.values::<f32>()) {
        println!("{} xor {} = {answer:.3}", case[0], case[1]);
    }
    Ok(())
}
