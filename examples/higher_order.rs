//! Gradients compose: Hessian-vector products, Hessians, Jacobians and forward mode are graphs like any other.
//!
//! Rosenbrock's function `f(x, y) = (1 - x)² + 100 (y - x²)²` is minimised by Newton's method: its gradient and its Hessian
//! are computed by one graph, and the minimum at (1, 1) is reached in a few steps.

use pullback::DType::F64;
use pullback::{Builder, Error, Graph, Session, Tensor, grad, hessian, hvp, jvp};

/// The function with its derivatives, as one graph.
pub fn graph() -> Result<Graph, Error> {
    let b = Builder::new();
    let p = b.input("p", F64, [2]);
    let v = b.input("v", F64, [2]);
    let (x, y) = (p.slice(0, 0..1), p.slice(0, 1..2));
    let f = b.scope("rosenbrock", || ((1.0 - x).square() + (y - x.square()).square() * 100.0).sum());

    let [gradient] = grad(f, [p])?;
    let hessian = hessian(f, p)?;
    let [product] = hvp(f, [p], [v])?;
    let slope = jvp(f, [p], [v])?;
    Ok(b.finish([
        ("f", f),
        ("gradient", gradient),
        ("hessian", hessian),
        ("hessian · v", product),
        ("slope along v", slope),
    ])?)
}

#[allow(dead_code, reason = "the tests call `graph` instead")]
fn main() -> Result<(), Error> {
    let mut session = Session::new(&graph()?)?;
    let mut point = [-1.2, 1.0];
    for step in 0..8 {
        let out = session.run([("p", Tensor::of([2], point)), ("v", Tensor::of([2], [1.0, 0.5]))])?;
        println!(
            "step {step}: f({:9.6}, {:9.6}) = {:.3e}",
            point[0],
            point[1],
            out["f"].item().unwrap_or(f64::NAN)
        );
        if step == 0 {
            for name in ["gradient", "hessian", "hessian · v", "slope along v"] {
                println!("    {name:13} {}", out[name]);
            }
        }
        // Newton's step: solve H d = g for two unknowns by Cramer's rule.
        let (g, h) = (out["gradient"].to_f64_vec(), out["hessian"].to_f64_vec());
        let determinant = h[0] * h[3] - h[1] * h[2];
        point[0] -= (g[0] * h[3] - h[1] * g[1]) / determinant;
        point[1] -= (h[0] * g[1] - g[0] * h[2]) / determinant;
    }
    Ok(())
}
