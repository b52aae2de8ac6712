//! Batches: a data set cut into pieces, in stored or shuffled order.

use super::dataset::Dataset;
use super::shuffle::permutation;

/// In which order [`Dataset::batches`] goes through the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are stored.
    Stored,
    /// Shuffled by [`permutation`]: the same order on every machine, another one for every epoch.
    Shuffled {
        /// Distinguishes runs.
        seed: u64,
        /// Distinguishes epochs of one run.
        epoch: u64,
    },
}

/// The batches of one pass over a [`Dataset`]. [`Iterator::skip`] and `nth` copy none of the batches they pass over,
/// so a run can be taken up in the middle of an epoch.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    dataset: &'a Dataset,
    /// The samples in order; `None` for the order in which they are stored.
    rows: Option<Vec<usize>>,
    batch_size: usize,
    /// The number of samples already given out.
    next: usize,
}

impl<'a> Batches<'a> {
    pub(super) fn new(dataset: &'a Dataset, batch_size: usize, order: Order) -> Batches<'a> {
        let rows = match order {
            Order::Stored => None,
            Order::Shuffled { seed, epoch } => Some(permutation(dataset.len(), seed, epoch)),
        };
        Batches { dataset, rows, batch_size, next: 0 }
    }
}

impl Iterator for Batches<'_> {
    type Item = Dataset;

    fn next(&mut self) -> Option<Dataset> {
        let end = self.next.saturating_add(self.batch_size).min(self.dataset.len());
        let range = self.next..end;
        if range.is_empty() {
            return None;
        }
        self.next = end;
        Some(match &self.rows {
            Some(rows) => self.dataset.gather(&rows[range]),
            None => self.dataset.slice(range),
        })
    }

    fn nth(&mut self, skipped: usize) -> Option<Dataset> {
        let passed = skipped.saturating_mul(self.batch_size);
        self.next = self.next.saturating_add(passed).min(self.dataset.len());
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.dataset.len() - self.next).div_ceil(self.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pullback_graph::Tensor;

    use super::*;

    /// `samples` rows of two inputs, `[2i, 2i + 1]`, with target `i`.
    fn counted(samples: usize) -> Dataset {
        let inputs = Tensor::from_fn(&[samples, 2], |i| i as f32);
        Dataset::new(inputs, Tensor::from_fn(&[samples], |i| i as i64)).unwrap()
    }

    fn targets(dataset: &Dataset) -> Vec<i64> {
        dataset.targets().values::<i64>().to_vec()
    }

    #[test]
    fn stored_order_ends_with_the_rest() {
        let batches: Vec<_> = counted(5).batches(2, Order::Stored).unwrap().map(|b| targets(&b)).collect();
        assert_eq!(batches, [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!(
            counted(5).batches(0, Order::Stored).unwrap_err().to_string(),
            "a batch has at least one sample, got a batch size of 0"
        );
    }

    proptest! {
        #[test]
        fn every_sample_is_in_exactly_one_batch(
            samples in 1_usize..60, batch_size in 1_usize..70, seed: u64, epoch: u64, skipped in 0_usize..5
        ) {
            let data = counted(samples);
            let batches = data.batches(batch_size, Order::Shuffled { seed, epoch }).unwrap();
            prop_assert_eq!(batches.len(), samples.div_ceil(batch_size));
            let all: Vec<Dataset> = batches.clone().collect();
            prop_assert!(all.iter().rev().skip(1).all(|batch| batch.len() == batch_size));
            let mut seen: Vec<i64> = all.iter().flat_map(targets).collect();
            for batch in &all {
                // Inputs travel with their targets.
                let firsts: Vec<i64> = batch.inputs().values::<f32>().chunks(2).map(|x| x[0] as i64 / 2).collect();
                prop_assert_eq!(firsts, targets(batch));
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..samples as i64).collect::<Vec<_>>());
            prop_assert!(batches.skip(skipped).eq(all.into_iter().skip(skipped)), "skipping is not reordering");
        }
    }
}
