//! The confusion matrix: how often each class was taken for each other one.

use std::fmt;

use pullback_graph::{DType, Tensor};

use crate::data::DataError;

/// Counts of (true class, predicted class): rows are true classes, columns predicted ones.
///
/// Prints as a table. Precision, recall and F1 come from [`ConfusionMatrix::scores`].
///
/// ```
/// use pullback_train::metrics::{Average, ConfusionMatrix};
///
/// let mut matrix = ConfusionMatrix::new(2);
/// matrix.count(&[0, 0, 1, 1, 1], &[0, 1, 1, 1, 0])?;
/// assert_eq!(matrix.accuracy(), 0.6);
/// assert_eq!(matrix.precision(Average::BINARY), 2.0 / 3.0);
/// assert_eq!(matrix.to_string(), "\
/// true \\ predicted  0  1
///                0  1  1
///                1  1  2
/// ");
/// # Ok::<(), pullback_train::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// Row-major `[classes, classes]`.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// No samples yet, of `classes` classes.
    #[must_use]
    pub fn new(classes: usize) -> ConfusionMatrix {
        ConfusionMatrix { classes, counts: vec![0; classes * classes] }
    }

    /// The matrix of class labels and predicted classes: i64 of one shape, or bool with `false` as class 0.
    ///
    /// # Errors
    /// [`DataError::Type`] for other element types; otherwise as [`ConfusionMatrix::count`].
    pub fn of(targets: &Tensor, predictions: &Tensor, classes: usize) -> Result<ConfusionMatrix, DataError> {
        let labels = |what, tensor: &Tensor| match tensor.dtype() {
            DType::I64 | DType::Bool => Ok(tensor.cast(DType::I64)),
            _ => Err(DataError::not_labels(what, tensor.ty())),
        };
        let (targets, predictions) = (labels("targets", targets)?, labels("predictions", predictions)?);
        let mut matrix = ConfusionMatrix::new(classes);
        matrix.count(targets.values::<i64>(), predictions.values::<i64>())?;
        Ok(matrix)
    }

    /// Adds samples, such as those of one batch.
    ///
    /// # Errors
    /// [`DataError::Lengths`] when the numbers of samples differ, [`DataError::Label`] for the first label or
    /// prediction that is no class; the counts are then unchanged.
    pub fn count(&mut self, targets: &[i64], predictions: &[i64]) -> Result<(), DataError> {
        if targets.len() != predictions.len() {
            return Err(DataError::Lengths {
                left: "labels",
                left_len: targets.len(),
                right: "predictions",
                right_len: predictions.len(),
            });
        }
        crate::data::check_classes("label", targets, self.classes)?;
        crate::data::check_classes("prediction", predictions, self.classes)?;
        for (target, prediction) in targets.iter().zip(predictions) {
            self.counts[*target as usize * self.classes + *prediction as usize] += 1;
        }
        Ok(())
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How often class `target` was taken for class `prediction`.
    ///
    /// # Panics
    /// When there is no such class.
    #[must_use]
    #[track_caller]
    pub fn at(&self, target: usize, prediction: usize) -> u64 {
        assert!(
            target < self.classes && prediction < self.classes,
            "class {} is outside the {} classes 0..{}",
            target.max(prediction),
            self.classes,
            self.classes
        );
        self.counts[target * self.classes + prediction]
    }

    /// The number of samples.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The number of samples of which class `target` is the true one.
    pub(super) fn row_sum(&self, target: usize) -> u64 {
        (0..self.classes).map(|prediction| self.at(target, prediction)).sum()
    }

    /// The number of samples for which class `prediction` was predicted.
    pub(super) fn column_sum(&self, prediction: usize) -> u64 {
        (0..self.classes).map(|target| self.at(target, prediction)).sum()
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CORNER: &str = "true \\ predicted";
        let widths: Vec<usize> = (0..self.classes)
            .map(|prediction| {
                let counts = (0..self.classes).map(|target| self.at(target, prediction).to_string().len());
                counts.max().unwrap_or(0).max(prediction.to_string().len())
            })
            .collect();
        write!(f, "{CORNER}")?;
        for (prediction, width) in widths.iter().enumerate() {
            write!(f, "  {prediction:>width$}")?;
        }
        writeln!(f)?;
        for target in 0..self.classes {
            write!(f, "{target:>width$}", width = CORNER.len())?;
            for (prediction, width) in widths.iter().enumerate() {
                write!(f, "  {:>width$}", self.at(target, prediction))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_true_classes_and_columns_align() {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.count(&[0; 12], &[1; 12]).unwrap();
        matrix.count(&[2, 2, 1], &[0, 2, 1]).unwrap();
        assert_eq!((matrix.at(0, 1), matrix.at(1, 0), matrix.samples()), (12, 0, 15));
        let expected = "\
true \\ predicted  0   1  2
               0  0  12  0
               1  0   1  0
               2  1   0  1
";
        assert_eq!(matrix.to_string(), expected);
    }

    #[test]
    fn tensors_of_labels_and_of_truth_values_are_counted() {
        let labels = Tensor::of([2, 2], vec![0_i64, 1, 1, 0]);
        let truths = Tensor::vector(vec![false, true, false, false]);
        let matrix = ConfusionMatrix::of(&labels, &truths, 2).unwrap();
        assert_eq!(matrix.counts, [2, 0, 1, 1]);
        let error = ConfusionMatrix::of(&labels, &Tensor::zeros([4]), 2).unwrap_err().to_string();
        assert_eq!(error, "predictions must be class labels (i64), got f32[4]");
    }

    #[test]
    fn what_is_no_class_is_named_and_changes_nothing() {
        let mut matrix = ConfusionMatrix::new(2);
        let mut message = |targets: &[i64], predictions: &[i64]| {
            matrix.count(targets, predictions).unwrap_err().to_string()
        };
        assert_eq!(message(&[0, 1, 2], &[0, 0, 0]), "label 2 in row 2 is outside the 2 classes 0..2");
        assert_eq!(message(&[0, 1], &[0, -1]), "prediction -1 in row 1 is outside the 2 classes 0..2");
        assert_eq!(message(&[0], &[0, 1]), "1 labels do not fit 2 predictions: each sample has one of both");
        assert_eq!(matrix.samples(), 0);
    }
}
