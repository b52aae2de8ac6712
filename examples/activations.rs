//! The vanishing gradient, in numbers: sigmoid, tanh and ReLU in a network of ten layers, and the norm of each layer's gradient.

use pullback::exec::{Options, Record};
use pullback::nn::{Activation, Dense, Layer, Sequential, Sgd, SparseCategoricalCrossentropy};
use pullback::train::data::{Dataset, digits};
use pullback::train::{Compile, Fit, Model};
use pullback::{Error, Tensor};

const DEPTH: usize = 10;

fn data() -> Result<Dataset, Error> {
    let (some, _) = digits().split(256)?;
    let pixels: Vec<f32> = some.inputs().values::<f32>().iter().map(|pixel| pixel / 16.0).collect();
    Ok(Dataset::new(Tensor::new(some.inputs().sizes(), pixels)?, some.targets().clone())?)
}

fn train_with(activation: Activation, options: Options) -> Result<Model, Error> {
    let mut layers: Vec<Layer> = (0..DEPTH).map(|_| Dense::new(32).activation(activation).into()).collect();
    layers.push(Dense::new(10).into());
    let mut model = Sequential::new(layers)
        .compile(Sgd::new(0.05), SparseCategoricalCrossentropy::from_logits(), ())?
        .options(options);
    model.fit(&data()?, Fit::epochs(1).batch_size(256).seed(5).quiet())?;
    Ok(model)
}

/// The deep sigmoid network after one step.
#[allow(dead_code, reason = "`main` compares three")]
pub fn train(options: Options) -> Result<Model, Error> {
    train_with(Activation::Sigmoid, options)
}

#[allow(dead_code, reason = "the tests call `train` instead")]
fn main() -> Result<(), Error> {
    let data = data()?;
    let mut columns = Vec::new();
    for activation in [Activation::Sigmoid, Activation::Tanh, Activation::Relu] {
        let model = train_with(activation, Options::default())?;
        columns.push(model.inspect(&data, Record::stats())?.gradient_norms());
    }
    println!("norm of the loss's gradient in each kernel, from the input (top) to the output:\n");
    println!("{:16} {:>12} {:>12} {:>12}", "", "sigmoid", "tanh", "relu");
    for (row, (name, _)) in columns[0].iter().enumerate().filter(|(_, (name, _))| name.ends_with("kernel")) {
        println!(
            "{name:16} {:12.3e} {:12.3e} {:12.3e}",
            columns[0][row].1, columns[1][row].1, columns[2][row].1
        );
    }
    let kernels: Vec<Vec<f64>> = columns
        .iter()
        .map(|column| {
            column.iter().filter(|(name, _)| name.ends_with("kernel")).map(|(_, norm)| *norm).collect()
        })
        .collect();
    println!("\nfirst layer's gradient relative to the last one's:");
    for (name, norms) in ["sigmoid", "tanh", "relu"].iter().zip(&kernels) {
        println!("  {name:8} {:.1e}", norms[0] / norms[norms.len() - 1]);
    }
    Ok(())
}
