//! Numbers drawn for one parameter.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::hash::stable_hash;

/// A stream of numbers of its own for every pair of seed and path, drawn by ChaCha8 (Bernstein, "ChaCha, a variant of
/// Salsa20", 2008).
///
/// Logarithm and cosine come from a library in Rust rather than from the system's, so that all machines agree.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn of(seed: u64, path: &str) -> Self {
        let mut key = *b"................pullback initial";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&stable_hash(path).to_le_bytes());
        Draws(ChaCha8Rng::from_seed(key))
    }

    /// Evenly from [0, 1), in steps of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `count` numbers, evenly from [low, high).
    pub(super) fn uniform(&mut self, count: usize, low: f64, high: f64) -> Vec<f64> {
        (0..count).map(|_| low + (high - low) * self.unit()).collect()
    }

    /// `count` numbers from the normal distribution, two at a time by the method of Box and Muller (1958).
    pub(super) fn normal(&mut self, count: usize, mean: f64, std: f64) -> Vec<f64> {
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            // 1 - u lies in (0, 1], whose logarithm is finite.
            let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
            let angle = std::f64::consts::TAU * self.unit();
            values.push(mean + std * radius * libm::cos(angle));
            values.push(mean + std * radius * libm::sin(angle));
        }
        values.truncate(count);
        values
    }
}
