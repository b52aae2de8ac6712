//! A model, its gradient, a run.

use pullback::DType::F32;
use pullback::{Builder, Error, Graph, Session, Tensor, grad, sym};

/// A loss and its gradient, as one graph.
pub fn graph() -> Result<Graph, Error> {
    let b = Builder::new();
    let x = b.input("x", F32, [sym("batch"), 3.into()]);
    let w = b.input("w", F32, [3, 2]);
    let loss = x.dot(w).tanh().square().mean();
    let [dw] = grad(loss, [w])?;
    Ok(b.finish([("loss", loss), ("dw", dw)])?)
}

#[allow(dead_code, reason = "the tests call `graph` instead")]
fn main() -> Result<(), Error> {
    let graph = graph()?;
    println!("{graph}");

    let mut session = Session::new(&graph)?;
    let out = session.run([("x", Tensor::random([8, 3], 0)), ("w", Tensor::ones([3, 2]))])?;
    println!("loss = {}\ndw = {}", out["loss"], out["dw"]);

    // Another batch size, the same graph.
    let out = session.run([("x", Tensor::random([5, 3], 1)), ("w", Tensor::ones([3, 2]))])?;
    println!("loss = {}", out["loss"]);
    Ok(())
}
