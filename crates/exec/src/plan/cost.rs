//! Rough costs of steps: enough to tell what is worth a second thread, not to promise a time.
//!
//! The rates are those of one core of a current server machine; ratios matter more than values.

use pullback_graph::OpClass;

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

/// Time to start a step, in ns.
const START: u64 = 60;

/// Time in ns that an op known only by its rules is taken to need, and per element: somebody else's code, which is seldom
/// written for a few numbers.
const OPAQUE: (u64, u64) = (10_000, 10);

/// Bytes per ns of one core, from the caches beyond the first.
const BANDWIDTH: u64 = 24;

/// Time in ns that handing a step to another thread takes.
pub(crate) const HAND_OVER: u64 = 150;

impl Cost {
    /// The cost of a step of class `class`.
    pub(crate) fn of(class: OpClass, flops: u64, bytes: u64) -> Cost {
        let arithmetic = match class {
            OpClass::Contraction => flops / 80,
            OpClass::Opaque => OPAQUE.0 + flops * OPAQUE.1,
            _ => flops / 4,
        };
        Cost { flops, bytes, time: START + arithmetic.max(bytes / BANDWIDTH) }
    }
}

/// The estimated time of a run on `threads` threads: no shorter than its longest chain, nor than its work shared out.
pub(crate) fn parallel_time(work: u64, span: u64, steps: usize, threads: usize) -> u64 {
    let threads = threads.max(1) as u64;
    span.max(work / threads) + steps as u64 * HAND_OVER / threads
}
