//! A model, its gradient, a run.

use pullback::DType::F32;
use pullback::{Builder, Error, Session, Tensor, grad, sym};

fn main() -> Result<(), Error> {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("batch"), 3.into()]);
    let w = b.input("w", F32, [3, 2]);
    let loss = x.dot(w).tanh().square().mean();
    let [dw] = grad(loss, [w])?;

    let graph = b.finish([("loss", loss), ("dw", dw)])?;
    println!("{graph}");

    let mut session = Session::new(&graph)?;
    let out = session.run([("x", Tensor::random([8, 3], 0)), ("w", Tensor::ones([3, 2]))])?;
    println!("loss = {}\ndw = {}", out["loss"], out["dw"]);

    // Another batch size, the same graph.
    let out = session.run([("x", Tensor::random([5, 3], 1)), ("w", Tensor::ones([3, 2]))])?;
    println!("loss = {}", out["loss"]);
    Ok(())
}
