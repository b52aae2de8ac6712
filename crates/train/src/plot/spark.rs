//! Sparklines: a curve in one line of text, for the terminal.

/// A curve of `values` in `width` braille characters, each two values wide and four high.
///
/// The lowest value is one dot high, the highest four; more values than fit are averaged, fewer make it shorter. What
/// is not finite leaves a gap.
///
/// ```
/// use pullback_train::plot::sparkline;
/// assert_eq!(sparkline(&[4.0, 3.0, 2.0, 1.0], 10), "⣷⣄");
/// ```
#[must_use]
pub fn sparkline(values: &[f64], width: usize) -> String {
    let columns = averaged(values, width.saturating_mul(2));
    let (low, high) = columns
        .iter()
        .flatten()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    let height = |value: &Option<f64>| match value {
        // Halves, because the difference of two finite numbers need not be finite.
        Some(value) if high > low => {
            1 + ((value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) * 3.0).round() as usize
        }
        Some(_) => 1,
        None => 0,
    };
    // The dots of a braille character, bottom up: the bits of its left and right column.
    const LEFT: [u32; 5] = [0x00, 0x40, 0x44, 0x46, 0x47];
    const RIGHT: [u32; 5] = [0x00, 0x80, 0xa0, 0xb0, 0xb8];
    let character = |pair: &[Option<f64>]| {
        let dots = LEFT[height(&pair[0])] | pair.get(1).map_or(0, |value| RIGHT[height(value)]);
        char::from_u32(0x2800 + dots).expect("braille patterns are U+2800 to U+28FF")
    };
    columns.chunks(2).map(character).collect()
}

/// At most `columns` values, each the mean of the finite ones it stands for.
fn averaged(values: &[f64], columns: usize) -> Vec<Option<f64>> {
    let columns = columns.min(values.len());
    let mean = |column: usize| {
        let range = column * values.len() / columns..(column + 1) * values.len() / columns;
        let finite = || values[range.clone()].iter().filter(|value| value.is_finite());
        let count = finite().count() as f64;
        (count > 0.0).then(|| finite().map(|value| value / count).sum())
    };
    (0..columns).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn curves_by_eye() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 0.0], 4), "⣠⣾⣷⣄");
        assert_eq!(sparkline(&[0.0, 1.0, 3.0], 4), "⣠⡇");
        assert_eq!(sparkline(&[5.0, 5.0], 4), "⣀");
        assert_eq!(sparkline(&[1.0, f64::NAN, f64::INFINITY, 2.0], 4), "⡀⢸");
        assert_eq!(sparkline(&[], 4), "");
        assert_eq!(sparkline(&[1.0, 2.0], 0), "");
    }

    #[test]
    fn many_values_are_averaged() {
        let ramp: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(sparkline(&ramp, 2), sparkline(&[124.5, 374.5, 624.5, 874.5], 2));
    }

    proptest! {
        #[test]
        fn any_values_fit(values in proptest::collection::vec(any::<f64>(), 0..40), width in 0_usize..12) {
            let line = sparkline(&values, width);
            prop_assert_eq!(line.chars().count(), width.min(values.len().div_ceil(2)));
            let braille = '\u{2800}'..='\u{28ff}';
            prop_assert!(line.chars().all(|letter| braille.contains(&letter)), "{line}");
        }
    }
}
