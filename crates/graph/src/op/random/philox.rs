//! The generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Blocks of random words
//! are functions of the key and their number, so that any may be computed first.

use crate::op::random::normal::normal;

/// Four random words, which make two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhiloxBlock([u32; 4]);

impl PhiloxBlock {
    /// The block with a 64-bit key and a 128-bit counter (`stream`, `number`).
    #[inline(always)]
    #[must_use]
    pub fn new(key: u64, stream: u64, number: u64) -> PhiloxBlock {
        const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
        const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
        // Words stay in 64 bits, of which the upper half may be anything: a processor multiplies the lower halves of those.
        const WORD: u64 = 0xFFFF_FFFF;
        let mut key = [key as u32, (key >> 32) as u32];
        let mut counter = [number, number >> 32, stream, stream >> 32];
        for _ in 0..10 {
            let a = MULTIPLIERS[0] * (counter[0] & WORD);
            let b = MULTIPLIERS[1] * (counter[2] & WORD);
            let [left, right] = key.map(u64::from);
            counter = [(b >> 32) ^ counter[1] ^ left, b, (a >> 32) ^ counter[3] ^ right, a];
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        PhiloxBlock(counter.map(|word| word as u32))
    }

    /// Two numbers in [0, 1), in steps of 2⁻²⁴.
    #[inline(always)]
    #[must_use]
    pub fn uniform_f32(self) -> [f32; 2] {
        // Less than 2²⁴, as a signed number, which processors convert at once.
        [self.0[0], self.0[2]].map(|word| (word >> 8) as i32 as f32 * (1.0 / (1 << 24) as f32))
    }

    /// Two numbers in [0, 1), in steps of 2⁻⁵³.
    #[inline(always)]
    #[must_use]
    pub fn uniform_f64(self) -> [f64; 2] {
        let [a, b, c, d] = self.0.map(u64::from);
        [a << 32 | b, c << 32 | d].map(|word| (word >> 11) as f64 * (1.0 / (1_u64 << 53) as f64))
    }

    /// Two numbers of the standard normal distribution.
    #[inline(always)]
    #[must_use]
    pub fn normal(self) -> [f64; 2] {
        normal(self.uniform_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers published with Random123 (Salmon et al. 2011).
    #[test]
    fn philox_gives_the_published_words() {
        let words = |key, stream, number| PhiloxBlock::new(key, stream, number).0;
        assert_eq!(words(0, 0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(words(u64::MAX, u64::MAX, u64::MAX), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let (number, stream, key) = (0x85a3_08d3_243f_6a88, 0x0370_7344_1319_8a2e, 0x299f_31d0_a409_3822);
        assert_eq!(words(key, stream, number), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
