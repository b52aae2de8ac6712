//! The main job: a 64-64-64-10 network learns handwritten digits, and leaves everything that can be looked at.
//!
//! Writes under `target/digits/`: the graph of a training step with statistics of every value and gradient (JSON, text, DOT),
//! the loss curve (SVG), the trace of one step (open it in a browser's tracing page or in Perfetto), and the weights.

use std::path::Path;

use pullback::exec::{Options, Record};
use pullback::nn::{Accuracy, Activation, Adam, Dense, Sequential, SparseCategoricalCrossentropy};
use pullback::train::data::{Dataset, digits};
use pullback::train::{Compile, Fit, History, Model};
use pullback::{Error, Tensor};

/// Pixels between 0 and 1: the first 1,347 rows to train on, the last 450 to test with.
fn data() -> Result<(Dataset, Dataset), Error> {
    let all = digits();
    let pixels: Vec<f32> = all.inputs().values::<f32>().iter().map(|pixel| pixel / 16.0).collect();
    Ok(Dataset::new(Tensor::new(all.inputs().sizes(), pixels)?, all.targets().clone())?.split(1347)?)
}

fn network(options: Options) -> Result<Model, Error> {
    Ok(Sequential::new([
        Dense::new(64).activation(Activation::Relu).into(),
        Dense::new(64).activation(Activation::Relu).into(),
        Dense::new(10).activation(Activation::Softmax).into(),
    ])
    .compile(Adam::new(3e-3), SparseCategoricalCrossentropy::from_probabilities(), [Accuracy])?
    .options(options))
}

fn fit(
    model: &mut Model,
    train: &Dataset,
    test: &Dataset,
    epochs: usize,
    seed: u64,
) -> Result<History, Error> {
    Ok(model.fit(train, Fit::epochs(epochs).batch_size(64).validation(test).seed(seed))?)
}

/// Two epochs, for tests.
#[allow(dead_code, reason = "`main` trains for 30 epochs")]
pub fn train(options: Options) -> Result<Model, Error> {
    let (train, test) = data()?;
    let mut model = network(options)?;
    fit(&mut model, &train, &test, 2, 0)?;
    Ok(model)
}

#[allow(dead_code, reason = "the tests call `train` instead")]
fn main() -> Result<(), Error> {
    let (train, test) = data()?;
    let folder = Path::new("target/digits");
    std::fs::create_dir_all(folder)?;

    let mut accuracies = Vec::new();
    for seed in 0..3 {
        let mut model = network(Options::default())?;
        if seed == 0 {
            model.build(&train, seed)?;
            println!("{}", model.summary(&[64], 64)?);
        }
        println!("seed {seed}");
        let history = fit(&mut model, &train, &test, 30, seed)?;
        let result = model.evaluate(&test)?;
        println!("{history}\ntest: {result}");
        accuracies.push(result.get("accuracy").unwrap_or(f64::NAN));
        if seed > 0 {
            continue;
        }
        println!("{}", model.confusion_matrix(&test)?);
        let (batch, _) = train.split(64)?;
        let inspection = model.inspect(&batch, Record::stats())?;
        inspection.save(folder.join("step.json"))?;
        inspection.save_text(folder.join("step.txt"))?;
        inspection.save_dot(folder.join("step.dot"))?;
        model.inspect(&batch, Record::trace())?.save_trace(folder.join("trace.json"))?;
        history.save_loss_curve(folder.join("loss.svg"))?;
        model.save(folder.join("digits.safetensors"))?;
    }
    let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
    println!("mean test accuracy of three seeds: {:.2} %", mean * 100.0);
    println!(
        "wrote step.json, step.txt, step.dot, trace.json, loss.svg and digits.safetensors to {}",
        folder.display()
    );
    Ok(())
}
