//! The Keras-style classifier: 784-64-64-10 on IDX files such as MNIST's, or 64-64-64-10 on the digits that come with pullback.
//!
//! ```text
//! cargo run --release --example classifier
//! cargo run --release --example classifier -- train-images train-labels test-images test-labels
//! ```

use pullback::exec::Options;
use pullback::nn::{Accuracy, Activation, Adam, Dense, Sequential, SparseCategoricalCrossentropy};
use pullback::train::data::{Dataset, MinMaxScaler, Per, digits, idx};
use pullback::train::{Compile, Fit, Model};
use pullback::{Error, Tensor};

/// Rows of numbers between 0 and 1 to train on and to test with.
fn load(files: &[String]) -> Result<(Dataset, Dataset), Error> {
    let (train, test) = match files {
        [images, labels, test_images, test_labels] => {
            (idx::read(images, labels)?, idx::read(test_images, test_labels)?)
        }
        _ => digits().split(1347)?,
    };
    let flat = |data: &Dataset| -> Result<Tensor, Error> {
        let features = data.inputs().len() / data.len();
        Ok(data.inputs().reshape(&[data.len(), features])?)
    };
    let scaler = MinMaxScaler::fit(&flat(&train)?, Per::Whole)?;
    let scaled = |data: &Dataset| -> Result<Dataset, Error> {
        Ok(Dataset::new(scaler.transform(&flat(data)?)?, data.targets().clone())?)
    };
    Ok((scaled(&train)?, scaled(&test)?))
}

fn train_on(train: &Dataset, test: &Dataset, options: Options) -> Result<Model, Error> {
    let mut model = Sequential::new([
        Dense::new(64).activation(Activation::Relu).into(),
        Dense::new(64).activation(Activation::Relu).into(),
        Dense::new(10).into(),
    ])
    .compile(Adam::new(1e-3), SparseCategoricalCrossentropy::from_logits(), [Accuracy])?
    .options(options);
    println!("{}", model.summary(&train.inputs().sizes()[1..], 32)?);
    model.fit(train, Fit::epochs(5).batch_size(32).validation(test).seed(0))?;
    Ok(model)
}

/// Trains on the embedded digits.
#[allow(dead_code, reason = "`main` also takes files")]
pub fn train(options: Options) -> Result<Model, Error> {
    let (train, test) = load(&[])?;
    train_on(&train, &test, options)
}

#[allow(dead_code, reason = "the tests call `train` instead")]
fn main() -> Result<(), Error> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let (train, test) = load(&files)?;
    let mut model = train_on(&train, &test, Options::default())?;
    println!("test: {}", model.evaluate(&test)?);

    let (some, _) = test.split(10)?;
    let classes = model.predict(some.inputs())?.argmax(-1)?;
    println!("predicted {:?}\nactually  {:?}", classes.values::<i64>(), some.targets().values::<i64>());
    Ok(())
}
