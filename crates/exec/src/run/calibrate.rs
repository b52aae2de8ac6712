//! How fast this machine is: a few small graphs, run and timed.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pullback_graph::{Bindings, Builder, DType, Expr, Tensor};

use crate::plan::Rates;
use crate::run::options::Options;
use crate::run::session::Session;

/// How long each graph is run for; the fastest run counts.
const WINDOW: Duration = Duration::from_millis(3);

/// Rows and columns of a product.
const PRODUCT: usize = 192;
/// Elements of what stays in the first cache.
const SHORT: usize = 2048;
/// Elements of what does not.
const LONG: usize = 1 << 18;
/// Steps of the graphs that have next to nothing to do.
const STEPS: usize = 64;

impl Rates {
    /// The rates of this machine, from some 20 ms of running small graphs; found out once in a process.
    ///
    /// Plans that follow from measured rates may differ from one process to the next, in their order and their memory, and
    /// results do not.
    ///
    /// ```
    /// use pullback_exec::{Options, Rates, Session};
    /// use pullback_graph::{Builder, DType::F32, Tensor};
    /// let b = Builder::new();
    /// let x = b.input("x", F32, [2]);
    /// let graph = b.finish([("y", x.exp())])?;
    /// let mut session = Session::with(&graph, Options::default().rates(Rates::measured()))?;
    /// assert_eq!(session.run([("x", Tensor::zeros([2]))])?["y"].values::<f32>(), [1.0, 1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn measured() -> Rates {
        static MEASURED: OnceLock<Rates> = OnceLock::new();
        *MEASURED.get_or_init(measure)
    }
}

fn measure() -> Rates {
    let Measured { steps, nanos, .. } = fastest(4, 1, in_a_row);
    let start = nanos / steps;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let hand_over = match cores {
        1 => Rates::default().hand_over,
        _ => {
            let Measured { steps, nanos, .. } = fastest(4, 2, side_by_side);
            (2 * nanos / steps).saturating_sub(start).max(1)
        }
    };
    let a_micro = |amount: u64, nanos: u64| (amount * 1000 / nanos).max(1);
    let product = fastest(PRODUCT * PRODUCT, 1, |x| {
        let x = x.reshape([PRODUCT, PRODUCT]);
        x.dot(x)
    });
    let elementwise = fastest(SHORT, 1, |x| (0..STEPS).fold(x, |y, _| y * x + x));
    let copied = fastest(LONG, 1, |x| -x);
    Rates {
        start,
        product: a_micro(product.flops, product.nanos),
        elementwise: a_micro(elementwise.flops, elementwise.nanos),
        bytes: a_micro(copied.bytes, copied.nanos),
        hand_over,
    }
}

/// What a graph does in its fastest run.
struct Measured {
    steps: u64,
    flops: u64,
    bytes: u64,
    nanos: u64,
}

/// What is computed of an input.
type Body = for<'g> fn(Expr<'g>) -> Expr<'g>;

/// Steps that wait for one another: nothing joins a running sum.
fn in_a_row(x: Expr<'_>) -> Expr<'_> {
    (0..STEPS).fold(x, |y, _| y.cumsum(0))
}

/// Steps that do not.
fn side_by_side(x: Expr<'_>) -> Expr<'_> {
    let sums: Vec<Expr<'_>> = (0..STEPS).map(|at| (x * at as f64).cumsum(0)).collect();
    sums[0].concat(&sums[1..], 0)
}

/// Runs a graph of an input of so many elements for a while.
fn fastest(len: usize, threads: usize, body: Body) -> Measured {
    let b = Builder::new();
    let graph = b.finish([("y", body(b.input("x", DType::F32, [len])))]).expect("a graph that is right");
    // Nothing is estimated: all threads take part.
    let options = Options::default().threads(threads).inline_below(Duration::ZERO);
    let mut session = Session::with(&graph, options).expect("a graph whose sizes are known");
    let x = Tensor::zeros([len]);
    let (begin, mut nanos) = (Instant::now(), u64::MAX);
    while begin.elapsed() < WINDOW {
        session.run([("x", x.clone())]).expect("sums and products do not fail");
        nanos = nanos.min(session.last_run().wall().as_nanos() as u64);
    }
    let plan = session.plan_for(&Bindings::new()).expect("a graph whose sizes are known");
    let costs = plan.costs().iter();
    Measured {
        steps: plan.steps().len().max(1) as u64,
        flops: costs.clone().map(|cost| cost.flops).sum(),
        bytes: costs.map(|cost| cost.bytes).sum(),
        nanos: nanos.max(1),
    }
}
