//! Means over samples, from means over batches: a batch counts by its size, so an uneven last one counts less.

/// Running means of some values.
#[derive(Debug)]
pub(crate) struct Means<'n> {
    sums: Vec<f64>,
    count: usize,
    values: Vec<(&'n str, f64)>,
}

impl<'n> Means<'n> {
    pub(crate) fn new(names: &'n [String]) -> Self {
        let values = names.iter().map(|name| (name.as_str(), f64::NAN)).collect();
        Means { sums: vec![0.0; names.len()], count: 0, values }
    }

    /// Adds a batch of `count` samples, whose mean of each name is `value(name)`.
    pub(crate) fn add(&mut self, count: usize, value: impl Fn(&str) -> f64) {
        self.count += count;
        for (sum, (name, mean)) in self.sums.iter_mut().zip(&mut self.values) {
            *sum += value(name) * count as f64;
            *mean = *sum / self.count as f64;
        }
    }

    /// The means so far, by name; NaN before the first batch.
    pub(crate) fn values(&self) -> &[(&'n str, f64)] {
        &self.values
    }

    /// The same with names of their own.
    pub(crate) fn to_vec(&self) -> Vec<(String, f64)> {
        self.values.iter().map(|(name, value)| (name.to_string(), *value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_by_its_size() {
        let names = ["loss".to_string()];
        let mut means = Means::new(&names);
        assert!(means.values()[0].1.is_nan());
        means.add(3, |_| 1.0);
        means.add(1, |_| 5.0);
        assert_eq!(means.values(), [("loss", 2.0)]);
    }
}
