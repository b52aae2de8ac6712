//! The graphs that several benches run on.
#![allow(dead_code, reason = "each bench uses some of them")]

use pullback::graph::TensorType;
use pullback::nn::{Adam, Dense, Metric, Relu, Sequential, SparseCategoricalCrossentropy, TrainingStep};
use pullback::nn::{INPUT, TARGET};
use pullback::{Builder, DType, Error, Expr, Graph, Session, Tensor, grad, sym};

/// `y = f(f(… f(x)))` over `length` nodes, and its gradient.
pub(crate) fn chain(length: usize) -> Result<Graph, Error> {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [8]);
    let y = (0..length).fold(x, |y, _| y.sin()).sum();
    let [dx] = grad(y, [x])?;
    Ok(b.finish([("dx", dx)])?)
}

/// `towers` independent chains of `depth` dense layers of `width`, joined at the end.
pub(crate) fn towers(towers: usize, depth: usize, width: usize, batch: usize) -> Result<Graph, Error> {
    let b = Builder::new();
    let x = b.input("x", DType::F32, [batch, width]);
    let tower = |tower: usize| -> Expr<'_> {
        (0..depth).fold(x, |x, layer| {
            let w = b.input(&format!("w{tower}_{layer}"), DType::F32, [width, width]);
            x.dot(w).tanh()
        })
    };
    let all: Vec<Expr<'_>> = (0..towers).map(tower).collect();
    Ok(b.finish([("y", all[0].concat(&all[1..], 1).sum())])?)
}

/// Values for every input of a graph whose sizes are known.
pub(crate) fn feeds(graph: &Graph) -> Vec<(String, Tensor)> {
    let value = |name: &str, ty: &TensorType, seed: u64| {
        let sizes = ty.shape.known().expect("the graph is bound");
        let len = sizes.iter().product();
        let random = Tensor::random([len], seed).reshape(&sizes).expect("as many elements");
        (name.to_string(), random.cast(ty.dtype))
    };
    let inputs = graph.inputs().iter().enumerate();
    inputs
        .map(|(at, id)| value(graph.label(*id).expect("inputs are named"), graph.ty(*id), at as u64))
        .collect()
}

/// A training step of `widths[0]-widths[1]-…`, ready to run on batches of `batch` samples.
pub(crate) struct Mlp {
    pub(crate) session: Session,
    pub(crate) feeds: Vec<(String, Tensor)>,
}

impl Mlp {
    pub(crate) fn new(widths: &[usize], batch: usize, threads: usize) -> Result<Mlp, Error> {
        let (last, hidden) = widths[1..].split_last().expect("a network has layers");
        let mut layers: Vec<pullback::nn::Layer> =
            hidden.iter().map(|width| Dense::new(*width).activation(Relu).into()).collect();
        layers.push(Dense::new(*last).into());
        let input = TensorType::new(DType::F32, [sym("batch"), widths[0].into()]);
        let target = TensorType::new(DType::I64, [sym("batch")]);
        let metrics: &[&dyn Metric] = &[];
        let loss = SparseCategoricalCrossentropy::from_logits();
        let step =
            TrainingStep::new(&Sequential::new(layers), &loss, &Adam::new(1e-3), metrics, &input, &target)?;
        let mut session = Session::with(step.graph(), pullback::exec::Options::default().threads(threads))?;
        let feeds = vec![
            (INPUT.to_string(), Tensor::random([batch, widths[0]], 1)),
            (TARGET.to_string(), Tensor::from_fn(&[batch], |i| (i * 7 % last) as i64)),
        ];
        for (name, value) in step.initial_state(0) {
            session.set_state(&name, value)?;
        }
        Ok(Mlp { session, feeds })
    }

    pub(crate) fn step(&mut self) -> f64 {
        let feeds = self.feeds.iter().map(|(name, value)| (name, value.clone()));
        let out = self.session.run(feeds).expect("the step runs");
        out["loss"].item().expect("a scalar")
    }
}
