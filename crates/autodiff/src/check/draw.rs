//! Directions and cotangents: numbers that look random, the same in every run.

use pullback_graph::op::{Distribution, Random};
use pullback_graph::{DType, Shape, Tensor};

/// Numbers of magnitude ½ to 1 and either sign. None is close to 0, so that none hides what it is multiplied with.
pub(crate) fn direction(seed: u64, stream: u64, sizes: &[usize]) -> Tensor {
    let draws = uniform(seed, stream, sizes);
    let draws = draws.values::<f64>();
    Tensor::from_fn(sizes, |at| {
        let draw = 2.0 * draws[at] - 1.0;
        draw.signum() * (0.5 + draw.abs() / 2.0)
    })
}

/// Numbers evenly from [0, 1).
pub(crate) fn uniform(seed: u64, stream: u64, sizes: &[usize]) -> Tensor {
    let source = source(stream);
    Tensor::from_fn(sizes, |at| source.draw(seed as i64, at))
}

/// `count` different numbers below `below`, ascending; all of them if there are not more.
pub(crate) fn pick(seed: u64, stream: u64, count: usize, below: usize) -> Vec<usize> {
    if count >= below {
        return (0..below).collect();
    }
    // One of each of `count` equal parts.
    let source = source(stream);
    let part = |at: usize| at * below / count;
    let within = |at: usize| (source.draw(seed as i64, at) * (part(at + 1) - part(at)) as f64) as usize;
    (0..count).map(|at| part(at) + within(at)).collect()
}

fn source(stream: u64) -> Random {
    Random { distribution: Distribution::Uniform, stream, dtype: DType::F64, shape: Shape::scalar() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picked_numbers_differ_and_are_in_range() {
        for (count, below) in [(3, 3), (5, 3), (7, 100), (32, 33), (0, 4)] {
            let picked = pick(1, 2, count, below);
            assert_eq!(picked.len(), count.min(below));
            assert!(picked.windows(2).all(|pair| pair[0] < pair[1]) && picked.iter().all(|at| *at < below));
        }
    }

    #[test]
    fn directions_stay_away_from_zero() {
        let values = direction(0, 1, &[100]).to_f64_vec();
        assert!(values.iter().all(|value| (0.5..=1.0).contains(&value.abs())));
        assert!(values.iter().any(|value| *value < 0.0) && values.iter().any(|value| *value > 0.0));
    }
}
