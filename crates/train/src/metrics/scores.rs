//! Accuracy, precision, recall and F1, from the counts of a confusion matrix.
//!
//! Where a denominator is 0 (no sample of the class, or none predicted to be of it) the score is 0.

use super::confusion::ConfusionMatrix;

/// How good the predictions are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Of the samples predicted to be of the class, the part that is.
    pub precision: f64,
    /// Of the samples of the class, the part predicted to be.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The number of samples of the class; of all samples for an average.
    pub support: u64,
}

/// Over which classes scores are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// One class alone.
    Class(usize),
    /// The mean over the classes. A class that is neither the truth nor the prediction of any sample is left out.
    Macro,
    /// The mean over the classes, weighted with their numbers of samples.
    Weighted,
    /// All samples in one pot. As each sample has one true and one predicted class, precision, recall and F1 are then
    /// all the accuracy.
    Micro,
}

impl Average {
    /// Two classes of which 1 is the one to find.
    pub const BINARY: Average = Average::Class(1);
}

impl ConfusionMatrix {
    /// The part of the samples whose class was predicted; 0 without samples.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        ratio(self.hits(), self.samples())
    }

    /// Precision, averaged as told.
    ///
    /// # Panics
    /// When `average` is a class that does not exist.
    #[must_use]
    #[track_caller]
    pub fn precision(&self, average: Average) -> f64 {
        self.scores(average).precision
    }

    /// Recall, averaged as told.
    ///
    /// # Panics
    /// When `average` is a class that does not exist.
    #[must_use]
    #[track_caller]
    pub fn recall(&self, average: Average) -> f64 {
        self.scores(average).recall
    }

    /// F1, averaged as told: the mean of the classes' F1, not the F1 of the mean precision and recall.
    ///
    /// # Panics
    /// When `average` is a class that does not exist.
    #[must_use]
    #[track_caller]
    pub fn f1(&self, average: Average) -> f64 {
        self.scores(average).f1
    }

    /// Precision, recall and F1, averaged as told.
    ///
    /// # Panics
    /// When `average` is a class that does not exist.
    #[must_use]
    #[track_caller]
    pub fn scores(&self, average: Average) -> Scores {
        match average {
            Average::Class(class) => self.class_scores(class),
            Average::Macro => self.mean(|class| {
                let seen = self.row_sum(class) + self.column_sum(class) > 0;
                f64::from(u8::from(seen))
            }),
            Average::Weighted => self.mean(|class| self.row_sum(class) as f64),
            Average::Micro => {
                let accuracy = self.accuracy();
                Scores { precision: accuracy, recall: accuracy, f1: accuracy, support: self.samples() }
            }
        }
    }

    #[track_caller]
    fn class_scores(&self, class: usize) -> Scores {
        let hits = self.at(class, class);
        let (support, predicted) = (self.row_sum(class), self.column_sum(class));
        Scores {
            precision: ratio(hits, predicted),
            recall: ratio(hits, support),
            // 2PR / (P + R) with the counts put in: no division of quotients, and defined when one of them is 0/0.
            f1: ratio(2 * hits, support + predicted),
            support,
        }
    }

    fn mean(&self, weight: impl Fn(usize) -> f64) -> Scores {
        let mut total = 0.0;
        let mut sum = Scores { precision: 0.0, recall: 0.0, f1: 0.0, support: self.samples() };
        for class in 0..self.classes() {
            let (weight, scores) = (weight(class), self.class_scores(class));
            total += weight;
            sum.precision += weight * scores.precision;
            sum.recall += weight * scores.recall;
            sum.f1 += weight * scores.f1;
        }
        if total > 0.0 {
            sum.precision /= total;
            sum.recall /= total;
            sum.f1 /= total;
        }
        sum
    }

    /// The number of samples whose class was predicted.
    fn hits(&self) -> u64 {
        (0..self.classes()).map(|class| self.at(class, class)).sum()
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows: 3 of class 0, 2 of class 1, 5 of class 2; class 3 exists and does not occur.
    fn matrix() -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(4);
        matrix.count(&[0, 0, 0, 1, 1, 2, 2, 2, 2, 2], &[0, 0, 1, 1, 2, 2, 2, 2, 0, 1]).unwrap();
        matrix
    }

    fn check(scores: Scores, [precision, recall, f1]: [f64; 3], support: u64) {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
        assert!(
            close(scores.precision, precision) && close(scores.recall, recall) && close(scores.f1, f1),
            "{scores:?}"
        );
        assert_eq!(scores.support, support);
    }

    #[test]
    fn each_class_by_hand() {
        let matrix = matrix();
        // Class 0: 2 right, 3 predicted, 3 there. Class 1: 1, 3, 2. Class 2: 3, 4, 5.
        check(matrix.scores(Average::Class(0)), [2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0], 3);
        check(matrix.scores(Average::Class(1)), [1.0 / 3.0, 1.0 / 2.0, 2.0 / 5.0], 2);
        check(matrix.scores(Average::Class(2)), [3.0 / 4.0, 3.0 / 5.0, 2.0 / 3.0], 5);
        check(matrix.scores(Average::Class(3)), [0.0, 0.0, 0.0], 0);
    }

    #[test]
    fn averages_by_hand() {
        let matrix = matrix();
        assert_eq!(matrix.accuracy(), 0.6);
        check(matrix.scores(Average::Micro), [0.6, 0.6, 0.6], 10);
        // (8 + 4 + 9) / 12 / 3; (20 + 15 + 18) / 30 / 3; (10 + 6 + 10) / 15 / 3.
        check(matrix.scores(Average::Macro), [21.0 / 36.0, 53.0 / 90.0, 26.0 / 45.0], 10);
        // (3 * 2/3 + 2 * 1/3 + 5 * 3/4) / 10; (2 + 1 + 3) / 10; (3 * 2/3 + 2 * 2/5 + 5 * 2/3) / 10.
        check(matrix.scores(Average::Weighted), [77.0 / 120.0, 0.6, 92.0 / 150.0], 10);
    }

    #[test]
    fn two_classes_by_hand() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.count(&[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], &[1, 1, 1, 0, 1, 1, 0, 0, 0, 0]).unwrap();
        check(matrix.scores(Average::BINARY), [3.0 / 5.0, 3.0 / 4.0, 2.0 / 3.0], 4);
        assert_eq!(matrix.accuracy(), 0.7);
    }

    #[test]
    fn nothing_divided_by_nothing_is_zero() {
        let empty = ConfusionMatrix::new(3);
        assert_eq!(empty.accuracy(), 0.0);
        for average in [Average::Class(0), Average::Macro, Average::Weighted, Average::Micro] {
            check(empty.scores(average), [0.0; 3], 0);
        }
        // Class 0 occurs and is never predicted: its precision is 0, its recall too.
        let mut matrix = ConfusionMatrix::new(2);
        matrix.count(&[0, 0, 1], &[1, 1, 1]).unwrap();
        check(matrix.scores(Average::Class(0)), [0.0; 3], 2);
        check(matrix.scores(Average::Macro), [1.0 / 6.0, 0.5, 0.25], 3);
    }

    #[test]
    #[should_panic(expected = "class 3 is outside the 3 classes 0..3")]
    fn a_class_that_does_not_exist_panics() {
        let _ = ConfusionMatrix::new(3).precision(Average::Class(3));
    }

    proptest! {
        #[test]
        fn scores_agree_with_counting_by_definition(
            pairs in proptest::collection::vec((0_i64..4, 0_i64..4), 1..40), cut in 0_usize..40
        ) {
            let (targets, predictions): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
            let mut matrix = ConfusionMatrix::new(4);
            let cut = cut.min(pairs.len());
            matrix.count(&targets[..cut], &predictions[..cut]).unwrap();
            matrix.count(&targets[cut..], &predictions[cut..]).unwrap();

            let count = |keep: &dyn Fn(&(i64, i64)) -> bool| pairs.iter().filter(|pair| keep(pair)).count() as f64;
            prop_assert_eq!(matrix.accuracy(), count(&|(t, p)| t == p) / pairs.len() as f64);
            for class in 0..4 {
                let scores = matrix.scores(Average::Class(class as usize));
                let hits = count(&|pair| *pair == (class, class));
                let predicted = count(&|(_, p)| *p == class);
                let there = count(&|(t, _)| *t == class);
                prop_assert_eq!(scores.precision, if predicted > 0.0 { hits / predicted } else { 0.0 });
                prop_assert_eq!(scores.recall, if there > 0.0 { hits / there } else { 0.0 });
                let sum = scores.precision + scores.recall;
                let f1 = if sum > 0.0 { 2.0 * scores.precision * scores.recall / sum } else { 0.0 };
                prop_assert!((scores.f1 - f1).abs() < 1e-12);
            }
            // Weighted recall is the accuracy: the weights cancel.
            prop_assert!((matrix.recall(Average::Weighted) - matrix.accuracy()).abs() < 1e-12);
        }
    }
}
