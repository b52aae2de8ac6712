//! Shuffling: the order of the samples in an epoch, a function of seed and epoch alone.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The numbers from 0 to `len - 1` in the order of epoch `epoch` of the run `seed`.
///
/// Each (seed, epoch) is its own stream of ChaCha8, drawn 32 bits at a time: the order is the same on every machine
/// and for any number of threads, and an epoch's order can be had without those before it, so a run that is taken up
/// again sees what it would have seen.
///
/// ```
/// use pullback_train::data::permutation;
/// assert_eq!(permutation(8, 0, 0), permutation(8, 0, 0));
/// assert_ne!(permutation(8, 0, 0), permutation(8, 0, 1));
/// ```
#[must_use]
pub fn permutation(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch);
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut rng);
    order
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// The orders are a promise: what runs were trained with must not change with a dependency.
    #[test]
    fn the_order_is_pinned() {
        assert_eq!(permutation(10, 0, 0), [2, 8, 6, 1, 9, 5, 7, 4, 0, 3]);
        assert_eq!(permutation(10, 0, 1), [0, 6, 4, 3, 8, 9, 7, 2, 5, 1]);
        assert_eq!(permutation(10, 1, 0), [3, 8, 5, 2, 7, 9, 6, 0, 4, 1]);
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let orders: HashSet<_> =
            (0..10).flat_map(|seed| (0..10).map(move |epoch| permutation(20, seed, epoch))).collect();
        assert_eq!(orders.len(), 100);
    }

    #[test]
    fn every_order_of_three_comes_about_equally_often() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..6000 {
            *counts.entry(permutation(3, 7, epoch)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn each_number_comes_once(len in 0_usize..200, seed: u64, epoch: u64) {
            let mut order = permutation(len, seed, epoch);
            order.sort_unstable();
            prop_assert_eq!(order, (0..len).collect::<Vec<_>>());
        }
    }
}
