//! Rough costs of steps: enough to tell what is worth a second thread, not to promise a time.

use pullback_graph::Op;

/// What a step does, and an estimate of how long that takes on one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cost {
    /// Arithmetic operations.
    pub flops: u64,
    /// Bytes read and written.
    pub bytes: u64,
    /// Estimated time in ns.
    pub time: u64,
}

/// How fast a machine is, as planning takes it: what stays on one thread, which step goes first and what is computed twice to
/// save memory follow from it, and no result does.
///
/// The default is one core of a current server machine. [`Rates::measured`] asks the machine at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// The time to start a step, in ns.
    pub start: u64,
    /// Operations of matrix products that a thread does in a µs.
    pub product: u64,
    /// Operations on single elements that a thread does in a µs.
    pub elementwise: u64,
    /// Bytes that a thread reads and writes in a µs, in the caches beyond the first.
    pub bytes: u64,
    /// The time that handing a step to another thread takes, in ns.
    pub hand_over: u64,
}

impl Default for Rates {
    fn default() -> Self {
        Rates { start: 60, product: 80_000, elementwise: 4_000, bytes: 24_000, hand_over: 150 }
    }
}

/// Time in ns that an op known only by its rules is taken to need, and per element: somebody else's code, which is seldom
/// written for a few numbers.
const OPAQUE: (u64, u64) = (10_000, 10);

impl Cost {
    /// The cost of a step for `op`, so many of its `flops` being those of a product.
    pub(crate) fn of(op: &Op, flops: u64, products: u64, bytes: u64, rates: &Rates) -> Cost {
        let arithmetic = match op {
            Op::Custom(_) => OPAQUE.0 + flops * OPAQUE.1,
            _ => nanos(products, rates.product) + nanos(flops - products, rates.elementwise),
        };
        Cost { flops, bytes, time: rates.start + arithmetic.max(nanos(bytes, rates.bytes)) }
    }
}

impl Rates {
    /// The estimated time of a run on `threads` threads: no shorter than its longest chain, nor than its work shared out.
    pub(crate) fn parallel_time(&self, work: u64, span: u64, steps: usize, threads: usize) -> u64 {
        let threads = threads.max(1) as u64;
        span.max(work / threads) + steps as u64 * self.hand_over / threads
    }
}

/// The time in ns of so much at a rate by the µs.
fn nanos(amount: u64, rate: u64) -> u64 {
    amount.saturating_mul(1000) / rate.max(1)
}
