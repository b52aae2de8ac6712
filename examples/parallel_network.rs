//! A 2-3-1 sigmoid network on 100 random samples for 1,000 epochs, on one thread and on all: the same bits, both times, and
//! which thread ran which step.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pullback::exec::{Options, Record};
use pullback::nn::{Activation, Dense, MeanSquaredError, Sequential, Sgd};
use pullback::train::data::Dataset;
use pullback::train::{Compile, Fit, Model};
use pullback::{Error, Tensor};

/// 100 points of the unit square, and whether each lies above the diagonal.
fn samples() -> Result<Dataset, Error> {
    let inputs = Tensor::random([100, 2], 42);
    let above: Vec<f32> =
        inputs.values::<f32>().chunks(2).map(|point| if point[1] > point[0] { 1.0 } else { 0.0 }).collect();
    Ok(Dataset::new(inputs, Tensor::of([100, 1], above))?)
}

/// Trains for `epochs` full-batch steps.
pub fn train_for(epochs: usize, options: Options) -> Result<Model, Error> {
    let mut model = Sequential::new([
        Dense::new(3).activation(Activation::Sigmoid).into(),
        Dense::new(1).activation(Activation::Sigmoid).into(),
    ])
    .compile(Sgd::new(0.5), MeanSquaredError, ())?
    .options(options);
    model.fit(&samples()?, Fit::epochs(epochs).batch_size(100).in_order().seed(1).quiet())?;
    Ok(model)
}

/// What the tests run for several numbers of threads.
#[allow(dead_code, reason = "`main` trains for longer")]
pub fn train(options: Options) -> Result<Model, Error> {
    train_for(100, options)
}

#[allow(dead_code, reason = "the tests call `train` instead")]
fn main() -> Result<(), Error> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    train_for(100, Options::default())?; // so that neither of the two below pays for the start of the process
    let mut trained = Vec::new();
    for threads in [1, cores] {
        let begun = Instant::now();
        let model = train_for(1000, Options::default().threads(threads))?;
        println!("{threads} thread(s): 1,000 epochs in {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
        trained.push(model);
    }
    let same = trained[0].parameters()? == trained[1].parameters()?;
    println!("the parameters are {} to the bit", if same { "the same" } else { "DIFFERENT" });
    println!(
        "(a step takes some 20 µs: handing parts of it over would cost more, so it stays on the calling thread)"
    );

    // With that rule off, every step is offered to all threads; who takes it is chance.
    let model = train_for(1, Options::default().threads(cores).inline_below(Duration::ZERO))?;
    let mut table: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for _ in 0..100 {
        let inspection = model.inspect(&samples()?, Record::trace())?;
        let trace =
            inspection.trace.as_ref().ok_or_else(|| std::io::Error::other("the run was not traced"))?;
        table.clear();
        for event in trace.events() {
            let kernel = trace.plan().step(event.step).kernel();
            table.entry(event.worker).or_default().push(format!("{} {kernel}", event.step));
        }
        if table.len() > 1 || cores == 1 {
            break;
        }
    }
    println!("\nwhich step ran on which thread, in one training step with that rule off:");
    for (thread, steps) in table {
        println!("  thread {thread}: {}", steps.join(", "));
    }
    Ok(())
}
