//! W9: a random graph of operations on scalars: nothing to vectorize, only what a node costs.

use pullback::{Error, Tensor};

use crate::inputs::{seed, uniform, word};
use crate::workloads::workload::Workload;

const LEAVES: usize = 8;
const FRONTIER: usize = 256;

/// A random graph of `count` operations on 8 leaves, the mean of whose last values is the loss, and the gradients of the
/// leaves.
///
/// Of 256 places, place `i` holds leaf `i mod 8` at first. Operation `k` is drawn by word `3k`: of sixteen, five are `a + b`,
/// two `a - b`, four `a · b`, two `tanh a`, one `exp(-|a|)` and two `sin a`. Operand `a` is the value at the place that word
/// `3k + 1` draws, which the result takes; `b` is a leaf or the value at a place, as word `3k + 2` says.
///
/// # Errors
/// When there is no gradient.
pub fn scalars(count: usize) -> Result<Workload, Error> {
    let leaves = uniform("W9/leaves", &[LEAVES], 1.0);
    let variables = leaves.values::<f32>().iter().enumerate();
    let variables = variables.map(|(at, value)| (format!("x{at}"), Tensor::scalar(*value))).collect();
    Workload::gradients(variables, Vec::new(), |leaves, _| {
        let seed = seed("W9/graph");
        let mut places: Vec<_> = leaves.iter().copied().cycle().take(FRONTIER).collect();
        for operation in 0..count {
            let [kind, place, other] = [0, 1, 2].map(|at| word(seed, 3 * operation + at) as usize);
            let place = place % FRONTIER;
            let (a, at) = (places[place], other >> 1);
            let b = if other % 2 == 1 { leaves[at % LEAVES] } else { places[at % FRONTIER] };
            places[place] = match kind % 16 {
                0..5 => a + b,
                5..7 => a - b,
                7..11 => a * b,
                11..13 => a.tanh(),
                13 => (-a.abs()).exp(),
                _ => a.sin(),
            };
        }
        places[0].stack(&places[1..], 0).mean()
    })
}
