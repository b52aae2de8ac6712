//! The data set: inputs and targets, one row per sample.

use std::ops::Range;

use pullback_graph::{DType, Tensor};

use super::batches::{Batches, Order};
use super::error::DataError;
use super::rows::{gather, slice};

/// Inputs and targets whose first axes count the same samples. There is at least one.
///
/// Cloning shares the tensors.
///
/// ```
/// use pullback_graph::Tensor;
/// use pullback_train::data::{Dataset, Order};
///
/// let inputs = Tensor::of([5, 2], (0..10).map(|i| i as f32).collect::<Vec<_>>());
/// let data = Dataset::new(inputs, Tensor::vector(vec![0_i64, 1, 0, 1, 0]))?;
/// let (train, test) = data.split(4)?;
/// for batch in train.batches(3, Order::Shuffled { seed: 0, epoch: 0 })? {
///     assert!(batch.len() == 3 || batch.len() == 1, "the last batch has what is left");
/// }
/// assert_eq!(test.inputs().to_string(), "f32[1, 2] [8, 9]");
/// # Ok::<(), pullback_train::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    inputs: Tensor,
    targets: Tensor,
}

impl Dataset {
    /// Pairs inputs `[samples, ..]` with targets `[samples, ..]`, of any element types.
    ///
    /// # Errors
    /// [`DataError::Type`] for a scalar, [`DataError::Lengths`] when the numbers of samples differ,
    /// [`DataError::Empty`] when there are none.
    pub fn new(inputs: Tensor, targets: Tensor) -> Result<Dataset, DataError> {
        let samples = |what, tensor: &Tensor| {
            let first = tensor.sizes().first().copied();
            first.ok_or_else(|| DataError::ty(what, "a tensor whose first axis counts samples", tensor.ty()))
        };
        let (left_len, right_len) = (samples("inputs", &inputs)?, samples("targets", &targets)?);
        if left_len != right_len {
            return Err(DataError::Lengths { left: "inputs", left_len, right: "targets", right_len });
        }
        if left_len == 0 {
            return Err(DataError::Empty { what: "the data set" });
        }
        Ok(Dataset { inputs, targets })
    }

    /// What goes into a model.
    #[must_use]
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }

    /// What should come out.
    #[must_use]
    pub fn targets(&self) -> &Tensor {
        &self.targets
    }

    /// Inputs and targets.
    #[must_use]
    pub fn into_parts(self) -> (Tensor, Tensor) {
        (self.inputs, self.targets)
    }

    /// The number of samples, at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.inputs.sizes()[0]
    }

    /// The first `at` samples and the rest.
    ///
    /// # Errors
    /// [`DataError::Row`] when `at` is beyond the end, [`DataError::Empty`] when a part would be empty.
    pub fn split(&self, at: usize) -> Result<(Dataset, Dataset), DataError> {
        if at > self.len() {
            return Err(DataError::Row { row: at, len: self.len() });
        }
        if at == 0 || at == self.len() {
            return Err(DataError::Empty { what: "a part of the split" });
        }
        Ok((self.slice(0..at), self.slice(at..self.len())))
    }

    /// The samples to train on and, from the end, `fraction` of the samples (to the nearest) to validate with.
    ///
    /// Nothing is shuffled first: a file sorted by class wants `gather_rows(&permutation(..))` before.
    ///
    /// # Errors
    /// [`DataError::Fraction`] when `fraction` is not between 0 and 1, [`DataError::Empty`] when a part would be empty.
    pub fn validation_split(&self, fraction: f64) -> Result<(Dataset, Dataset), DataError> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(DataError::Fraction(fraction));
        }
        let held_out = (self.len() as f64 * fraction).round() as usize;
        self.split(self.len() - held_out)
    }

    /// The samples in `rows`, in that order; a row may come several times.
    ///
    /// # Errors
    /// [`DataError::Row`] for a row that does not exist, [`DataError::Empty`] when there are no rows.
    pub fn gather_rows(&self, rows: &[usize]) -> Result<Dataset, DataError> {
        if let Some(&row) = rows.iter().find(|row| **row >= self.len()) {
            return Err(DataError::Row { row, len: self.len() });
        }
        if rows.is_empty() {
            return Err(DataError::Empty { what: "the list of rows" });
        }
        Ok(self.gather(rows))
    }

    /// The data in batches of `batch_size` samples; the last batch has what is left.
    ///
    /// # Errors
    /// [`DataError::EmptyBatch`] when `batch_size` is 0.
    pub fn batches(&self, batch_size: usize, order: Order) -> Result<Batches<'_>, DataError> {
        match batch_size {
            0 => Err(DataError::EmptyBatch),
            _ => Ok(Batches::new(self, batch_size, order)),
        }
    }

    /// Whether every target is a class from 0 to `classes - 1`.
    ///
    /// # Errors
    /// [`DataError::Type`] when the targets are not labels (i64), [`DataError::Label`] for the first label that is
    /// no class, with its row.
    pub fn check_labels(&self, classes: usize) -> Result<(), DataError> {
        if self.targets.dtype() != DType::I64 {
            return Err(DataError::not_labels("targets", self.targets.ty()));
        }
        let per_row = self.targets.len() / self.len();
        check_classes("label", self.targets.values::<i64>(), classes).map_err(|error| match error {
            DataError::Label { what, row, label, classes } => {
                DataError::Label { what, row: row / per_row, label, classes }
            }
            other => other,
        })
    }

    /// The samples in `rows`, which exist.
    pub(super) fn slice(&self, rows: Range<usize>) -> Dataset {
        if rows == (0..self.len()) {
            return self.clone();
        }
        Dataset { inputs: slice(&self.inputs, rows.clone()), targets: slice(&self.targets, rows) }
    }

    /// The samples in `rows`, which exist, in that order.
    pub(super) fn gather(&self, rows: &[usize]) -> Dataset {
        Dataset { inputs: gather(&self.inputs, rows), targets: gather(&self.targets, rows) }
    }
}

/// The first class in `labels` that is not below `classes`, as an error.
pub(crate) fn check_classes(what: &'static str, labels: &[i64], classes: usize) -> Result<(), DataError> {
    let known = |label: i64| usize::try_from(label).is_ok_and(|label| label < classes);
    match labels.iter().position(|label| !known(*label)) {
        Some(row) => Err(DataError::Label { what, row, label: labels[row], classes }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `samples` rows of two inputs, `[2i, 2i + 1]`, with target `i`.
    fn counted(samples: usize) -> Dataset {
        let inputs = Tensor::from_fn(&[samples, 2], |i| i as f32);
        Dataset::new(inputs, Tensor::from_fn(&[samples], |i| i as i64)).unwrap()
    }

    fn targets(dataset: &Dataset) -> Vec<i64> {
        dataset.targets().values::<i64>().to_vec()
    }

    fn message<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_pair_up_is_refused() {
        let rows = |n| Tensor::zeros([n, 2]);
        assert_eq!(
            message(Dataset::new(rows(3), Tensor::zeros([2]))),
            "3 inputs do not fit 2 targets: each sample has one of both"
        );
        assert_eq!(message(Dataset::new(rows(0), Tensor::zeros([0]))), "the data set is empty");
        assert_eq!(
            message(Dataset::new(rows(3), Tensor::scalar(1.0_f32))),
            "targets must be a tensor whose first axis counts samples, got f32[]"
        );
    }

    #[test]
    fn splits_keep_order_and_refuse_empty_parts() {
        let data = counted(5);
        let (head, tail) = data.split(2).unwrap();
        assert_eq!((targets(&head), targets(&tail)), (vec![0, 1], vec![2, 3, 4]));
        assert_eq!(tail.inputs().to_string(), "f32[3, 2] [4, 5, 6, 7, 8, 9]");
        assert_eq!(message(data.split(0)), "a part of the split is empty");
        assert_eq!(message(data.split(5)), "a part of the split is empty");
        assert_eq!(message(data.split(6)), "row 6 is outside a data set of 5 samples");

        let (train, validation) = counted(10).validation_split(0.3).unwrap();
        assert_eq!((train.len(), targets(&validation)), (7, vec![7, 8, 9]));
        assert_eq!(message(data.validation_split(0.01)), "a part of the split is empty");
        assert_eq!(
            message(data.validation_split(f64::NAN)),
            "the fraction to split off must lie between 0 and 1, got NaN"
        );
    }

    #[test]
    fn rows_are_gathered_in_the_order_asked_for() {
        let data = counted(3);
        let picked = data.gather_rows(&[2, 0, 2]).unwrap();
        assert_eq!(picked.inputs().to_string(), "f32[3, 2] [4, 5, 0, 1, 4, 5]");
        assert_eq!(targets(&picked), [2, 0, 2]);
        assert_eq!(message(data.gather_rows(&[1, 3])), "row 3 is outside a data set of 3 samples");
        assert_eq!(message(data.gather_rows(&[])), "the list of rows is empty");
    }

    #[test]
    fn a_label_outside_the_classes_is_named_with_its_row() {
        let with_targets = |targets: Tensor| Dataset::new(Tensor::zeros([2, 1]), targets).unwrap();
        with_targets(Tensor::vector(vec![0_i64, 2])).check_labels(3).unwrap();
        let labels = with_targets(Tensor::of([2, 2], vec![0_i64, 1, 1, 3]));
        assert_eq!(message(labels.check_labels(3)), "label 3 in row 1 is outside the 3 classes 0..3");
        let negative = with_targets(Tensor::vector(vec![-1_i64, 0]));
        assert_eq!(message(negative.check_labels(3)), "label -1 in row 0 is outside the 3 classes 0..3");
        assert_eq!(
            message(with_targets(Tensor::zeros([2])).check_labels(3)),
            "targets must be class labels (i64), got f32[2]"
        );
    }
}
