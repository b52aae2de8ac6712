//! Connectionist temporal classification against all paths, listed one by one.
#![allow(clippy::unwrap_used, reason = "a test stops at what is wrong")]

mod common;

use common::losses::{close, labels, right, run};
use pullback_autodiff::check::{check_gradients, f64_in};
use pullback_graph::DType::F64;
use pullback_graph::Tensor;
use pullback_nn::Reduction::{Mean, None as Each, Sum};
use pullback_nn::{CtcOptions, ctc};

const INF: f64 = f64::INFINITY;

/// What the classes of a path spell: repetitions joined, blanks left out.
fn spelled(path: &[usize], blank: usize) -> Vec<i64> {
    let mut runs = path.to_vec();
    runs.dedup();
    runs.into_iter().filter(|class| *class != blank).map(|class| class as i64).collect()
}

/// The loss of one example by listing all paths.
fn ctc_by_paths(logits: &[f64], classes: usize, steps: usize, labels: &[i64], blank: usize) -> f64 {
    let log_p: Vec<Vec<f64>> = (0..steps)
        .map(|step| {
            let row = &logits[step * classes..(step + 1) * classes];
            let total = row.iter().map(|x| x.exp()).sum::<f64>().ln();
            row.iter().map(|x| x - total).collect()
        })
        .collect();
    let path = |code: usize| -> Vec<usize> {
        (0..steps).map(|step| code / classes.pow(step as u32) % classes).collect()
    };
    let paths = (0..classes.pow(steps as u32)).map(path).filter(|path| spelled(path, blank) == labels);
    let probability = |path: Vec<usize>| -> f64 {
        path.iter().zip(&log_p).map(|(class, row)| row[*class]).sum::<f64>().exp()
    };
    -paths.map(probability).sum::<f64>().ln()
}

#[test]
fn ctc_sums_over_all_paths() {
    // Repeated labels, fewer steps, fewer labels than there is room for, none at all, and more than can be spelled.
    let cases: [(&[i64], i64); 8] = [
        (&[1, 2], 4),
        (&[1, 1], 4),
        (&[2, 2, 1], 4),
        (&[1], 2),
        (&[], 3),
        (&[], 0),
        (&[2, 2], 2),
        (&[1, 2, 1], 2),
    ];
    for blank in [0, 2] {
        // With the last class as blank, labels 1 and 2 become 0 and 1.
        let moved = i64::from(blank == 2);
        let (steps, classes, room) = (4, 3, 3);
        let examples = cases.len();
        let logits = Tensor::random([steps, examples, classes], 5).cast(F64);
        let all = logits.to_f64_vec();
        let one = |example: usize| -> Vec<f64> {
            let at = |i: usize| all[(i / classes * examples + example) * classes + i % classes];
            (0..steps * classes).map(at).collect()
        };
        let padded: Vec<i64> = cases
            .iter()
            .flat_map(|(labels, _)| {
                labels.iter().map(|label| label - moved).chain(std::iter::repeat_n(-7, room - labels.len()))
            })
            .collect();
        let operands = [
            logits.clone(),
            Tensor::new(&[examples, room], padded).unwrap(),
            Tensor::vector(cases.map(|(_, steps)| steps).to_vec()),
            Tensor::vector(cases.map(|(labels, _)| labels.len() as i64).to_vec()),
        ];
        let expected: Vec<f64> = cases
            .iter()
            .enumerate()
            .map(|(example, (labels, steps))| {
                let labels: Vec<i64> = labels.iter().map(|label| label - moved).collect();
                ctc_by_paths(&one(example), classes, *steps as usize, &labels, blank)
            })
            .collect();
        let options = CtcOptions::from(Each).blank(blank);
        let (value, [slope]) = run(&operands, |x| ctc(x[0], x[1], x[2], x[3], options));
        assert_eq!(value[6..], [INF, INF]);
        close(&value, &expected);
        // What cannot be spelled has no gradient, nor has what lies beyond an example's steps.
        let of = |step: usize, example: usize| &slope[(step * examples + example) * classes..][..classes];
        assert!((0..steps).all(|step| of(step, 6) == [0.0; 3] && of(step, 7) == [0.0; 3]));
        assert!(of(2, 3) == [0.0; 3] && of(3, 3) == [0.0; 3] && of(0, 5) == [0.0; 3]);
        assert!(slope.iter().all(|slope| slope.is_finite()) && of(1, 3) != [0.0; 3]);

        let finite: Vec<f64> = expected.iter().map(|loss| if *loss == INF { 0.0 } else { *loss }).collect();
        let (value, _) =
            run::<1>(&operands, |x| ctc(x[0], x[1], x[2], x[3], options.zero_infinity().reduction(Sum)));
        close(&value, &[finite.iter().sum()]);
        let per_label =
            finite.iter().zip(&cases).map(|(loss, (labels, _))| loss / labels.len().max(1) as f64);
        let mean = per_label.sum::<f64>() / examples as f64;
        let (value, _) =
            run::<1>(&operands, |x| ctc(x[0], x[1], x[2], x[3], options.zero_infinity().reduction(Mean)));
        close(&value, &[mean]);
    }
}

#[test]
fn gradients_of_ctc_are_right() {
    let given = || [labels(&[2, 2], &[1, 1, 2, 0]), labels(&[2], &[4, 3]), labels(&[2], &[2, 1])];
    let [t, steps, lengths] = given();
    right(&check_gradients(|[x, t, n, l]| ctc(x, t, n, l, Sum), [f64_in([4, 2, 3]), t, steps, lengths]));
}
