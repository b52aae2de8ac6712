//! The recipe of the inputs: numbers that follow from a tensor's name, the same to the bit in every language.
//!
//! The seed is the 64-bit FNV-1a hash of the name; word `i` is output `i` of splitmix64 from that seed. The top 24 bits of a
//! word make a float of `[-1, 1)`, exactly; a word modulo `n` makes an integer below `n`. Tensors fill in row-major order.

use pullback::Tensor;

/// A tensor and the name it is fed or kept under.
pub type Named = (String, Tensor);

/// Where the words of `name` start.
#[must_use]
pub fn seed(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Word `at` of a seed.
#[must_use]
pub fn word(seed: u64, at: usize) -> u64 {
    let z = seed.wrapping_add((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Floats of `[-scale, scale)`.
#[must_use]
pub fn uniform(name: &str, sizes: &[usize], scale: f32) -> Tensor {
    let seed = seed(name);
    Tensor::from_fn(sizes, |at| {
        let unit = (word(seed, at) >> 40) as f32 / 16_777_216.0;
        (unit * 2.0 - 1.0) * scale
    })
}

/// Integers of `0..below`.
#[must_use]
pub fn integers(name: &str, sizes: &[usize], below: u64) -> Tensor {
    let seed = seed(name);
    Tensor::from_fn(sizes, |at| (word(seed, at) % below) as i64)
}

/// The scale of weights that sum `inputs` values: `1/√inputs`.
#[must_use]
pub fn fan(inputs: usize) -> f32 {
    (1.0 / (inputs as f64).sqrt()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_published_algorithms() {
        // FNV-1a of nothing and of "a"; splitmix64 from seed 0.
        assert_eq!(seed(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(seed("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(word(0, 0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(word(0, 1), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn floats_fill_their_range() {
        let drawn = uniform("floats", &[4096], 2.0);
        let drawn = drawn.values::<f32>();
        assert!(drawn.iter().all(|value| (-2.0..2.0).contains(value)));
        assert!(drawn.iter().any(|value| *value < -1.9) && drawn.iter().any(|value| *value > 1.9));
    }
}
