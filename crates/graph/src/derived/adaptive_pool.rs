//! Pools whose windows cover an axis, however many there are.

use std::ops::Range;
use std::panic::Location;

use crate::dim::Dim;
use crate::error::Violation;
use crate::expr::Expr;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Windows that cover an axis.
struct Cover {
    size: usize,
    windows: Vec<Range<usize>>,
}

impl Cover {
    /// The size of the longest window.
    fn longest(&self) -> usize {
        self.windows.iter().map(|window| window.len()).max().unwrap_or_default()
    }

    /// Element `at` of a window; those that are shorter than the longest one repeat their last element.
    fn element(window: &Range<usize>, at: usize) -> usize {
        (window.start + at).min(window.end - 1)
    }
}

impl<'g> Expr<'g> {
    /// The mean of every axis from the third on: `[n, channels]`.
    ///
    /// # Panics
    /// When there are fewer than two axes, or the elements are not floats.
    #[must_use]
    #[track_caller]
    pub fn global_avg_pool(self) -> Expr<'g> {
        self.builder().derived("global_avg_pool", Location::caller(), || {
            self.mean_over((2..self.rank()).collect::<Vec<usize>>())
        })
    }

    /// The largest element of every axis from the third on: `[n, channels]`. The gradient goes to the first of equal ones.
    ///
    /// # Panics
    /// When there are fewer than two axes, or the elements are truth values.
    #[must_use]
    #[track_caller]
    pub fn global_max_pool(self) -> Expr<'g> {
        self.builder().derived("global_max_pool", Location::caller(), || self.flatten(2).first_largest())
    }

    /// The means of `sizes` windows of the last axes that cover them: window `i` of `o` along an axis of `size` elements
    /// spans `⌊i · size / o⌋ .. ⌈(i + 1) · size / o⌉`.
    ///
    /// # Panics
    /// When the sizes of these axes are not known, or one of the numbers is 0.
    #[must_use]
    #[track_caller]
    pub fn adaptive_avg_pool(self, sizes: &[usize]) -> Expr<'g> {
        self.builder().derived("adaptive_avg_pool", Location::caller(), || {
            let lead = self.rank().saturating_sub(sizes.len());
            let covers = self.covers("adaptive_avg_pool", sizes);
            covers.iter().enumerate().fold(self, |x, (at, cover)| x.means_over(lead + at, cover))
        })
    }

    /// The largest elements of the windows of [`adaptive_avg_pool`](Expr::adaptive_avg_pool). The gradient goes to the first of
    /// equal ones.
    ///
    /// # Panics
    /// As [`adaptive_avg_pool`](Expr::adaptive_avg_pool).
    #[must_use]
    #[track_caller]
    pub fn adaptive_max_pool(self, sizes: &[usize]) -> Expr<'g> {
        self.builder().derived("adaptive_max_pool", Location::caller(), || {
            let covers = self.covers("adaptive_max_pool", sizes);
            let own = self.shape();
            let (lead, _) = own.split_at(own.rank() - sizes.len());
            // The elements of each window, by their place in all axes together. One that is repeated is never the first of
            // equal ones.
            let (mut windows, mut places) = (vec![vec![0_i64]], 1);
            for cover in &covers {
                let longest = cover.longest();
                let own = |window: &Range<usize>| {
                    (0..longest).map(|at| Cover::element(window, at)).collect::<Vec<usize>>()
                };
                let along: Vec<Vec<usize>> = cover.windows.iter().map(own).collect();
                let joined = |outer: &[i64], inner: &[usize]| -> Vec<i64> {
                    let place = |outer: &i64, inner: &usize| outer * cover.size as i64 + *inner as i64;
                    outer
                        .iter()
                        .flat_map(|outer| inner.iter().map(move |inner| place(outer, inner)))
                        .collect()
                };
                windows =
                    windows.iter().flat_map(|outer| along.iter().map(|inner| joined(outer, inner))).collect();
                places *= longest;
            }
            let table = Tensor::new(&[windows.len(), places], windows.concat());
            let table = self.builder().constant(table.expect("windows are as long as the longest one"));
            let result: Shape =
                lead.iter().cloned().chain(sizes.iter().map(|size| Dim::Known(*size))).collect();
            self.flatten(lead.len()).gather(table, -1).first_largest().reshape(result)
        })
    }

    /// The largest element along the last axis, which disappears; the gradient goes to the first of equal ones.
    #[track_caller]
    fn first_largest(self) -> Expr<'g> {
        self.gather_along(self.argmax(-1).expand_dims(-1), -1).squeeze(-1)
    }

    /// The means of windows along an axis.
    #[track_caller]
    fn means_over(self, axis: usize, cover: &Cover) -> Expr<'g> {
        let own = self.shape();
        let count = cover.windows.len();
        let longest = cover.longest();
        // Each window's elements on an axis after that of the windows.
        let shape = own.with(axis, count.into());
        let (before, after) = shape.split_at(axis + 1);
        let apart: Shape =
            before.iter().cloned().chain([longest.into()]).chain(after.iter().cloned()).collect();
        if count * longest == cover.size {
            return self.reshape(apart).mean_over(axis as i64 + 1);
        }
        let b = self.builder();
        let index = |at: usize| Cover::element(&cover.windows[at / longest], at % longest) as i64;
        let elements = self.gather(b.constant(Tensor::from_fn(&[count, longest], index)), axis as i64);
        let inside = |at: usize| at % longest < cover.windows[at / longest].len();
        let aligned = |sizes: &[usize]| [sizes.to_vec(), vec![1; after.len()]].concat();
        let inside = b.constant(Tensor::from_fn(&aligned(&[count, longest]), inside));
        let sums = inside.select(elements, 0.0).sum_over(axis as i64 + 1);
        let lengths = Tensor::from_fn(&aligned(&[count]), |at| cover.windows[at].len() as f64);
        sums / b.constant(lengths.cast(self.dtype()))
    }

    /// The windows that cover the last axes.
    #[track_caller]
    fn covers(self, op: &str, counts: &[usize]) -> Vec<Cover> {
        let sizes = self.pooled_sizes(op, counts.len());
        if counts.contains(&0) || sizes.contains(&0) {
            let message = format!("{counts:?} windows do not cover {}", self.ty());
            self.refuse(op, Violation::new("C4", message), &[]);
        }
        let cover = |(size, count): (&usize, &usize)| Cover {
            size: *size,
            windows: (0..*count).map(|at| at * size / count..((at + 1) * size).div_ceil(*count)).collect(),
        };
        sizes.iter().zip(counts).map(cover).collect()
    }
}
