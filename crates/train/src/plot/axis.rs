//! One axis of a chart: the range it covers, where its ticks stand and how they are written.

/// Values beyond this are not drawn: their differences could overflow.
const LARGEST: f64 = 1e150;

/// A mapping of values to positions, the ends of the axis being 0 and 1.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// The lower end, in drawn values: decimal logarithms on a logarithmic axis.
    low: f64,
    /// The upper end, likewise.
    high: f64,
    logarithmic: bool,
}

/// A mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Where it stands, from 0 to 1.
    pub(super) at: f64,
    /// What is written beside it.
    pub(super) label: String,
}

impl Axis {
    /// An axis over all `values` that can be drawn, longer by the part `padding` of that at both ends.
    pub(super) fn over(values: impl Iterator<Item = f64>, logarithmic: bool, padding: f64) -> Axis {
        let drawn = values.filter_map(|value| drawn(value, logarithmic));
        let (mut low, mut high) = drawn
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // A range too narrow to divide becomes one with its value in the middle.
        let size = low.abs().max(high.abs());
        if high - low <= size * 1e-9 || size < 1e-140 {
            let half = if logarithmic || size < 1e-140 { 0.5 } else { size / 2.0 };
            (low, high) = (low - half, high + half);
        }
        let margin = (high - low) * padding;
        Axis { low: low - margin, high: high + margin, logarithmic }
    }

    /// Where `value` stands; `None` if it cannot be drawn.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        drawn(value, self.logarithmic).map(|value| (value - self.low) / (self.high - self.low))
    }

    /// About `count` ticks, from the lower end to the upper one.
    pub(super) fn ticks(&self, count: u32) -> Vec<Tick> {
        let marks = match self.logarithmic {
            // Within one decade, powers of ten are too far apart.
            true if self.high - self.low >= 0.8 => decades(self.low, self.high),
            true => steps(10_f64.powf(self.low), 10_f64.powf(self.high), count),
            false => steps(self.low, self.high, count),
        };
        let on_axis = |(value, label)| {
            let at = self.at(value)?;
            (-1e-9..=1.0 + 1e-9).contains(&at).then_some(Tick { at, label })
        };
        marks.into_iter().filter_map(on_axis).collect()
    }
}

/// The number that stands for `value`: itself or its decimal logarithm; `None` if there is nothing to draw.
fn drawn(value: f64, logarithmic: bool) -> Option<f64> {
    let value = if logarithmic { value.log10() } else { value };
    (value.abs() <= LARGEST).then_some(value)
}

/// At most about `count` values from `low` to `high`, 1, 2 or 5 times a power of ten apart.
fn steps(low: f64, high: f64, count: u32) -> Vec<(f64, String)> {
    let rough = (high - low) / f64::from(count);
    let decade = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * decade >= rough).unwrap_or(10.0);
    let step = factor * decade;
    // The ends may be ticks but for rounding; a tick beyond them is dropped later.
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    // One size for all labels of an axis, so that they are all written the same way.
    let size = low.abs().max(high.abs());
    (first..=last).map(|index| index as f64 * step).map(|value| (value, written(value, step, size))).collect()
}

/// `value` with the digits that tell it from its neighbours, `step` apart, on an axis of values up to `size`.
fn written(value: f64, step: f64, size: f64) -> String {
    // The logarithm of a power of ten may lie just below its exponent.
    let place = (step.log10() + 1e-9).floor();
    if (1e-4..1e6).contains(&size) {
        return format!("{:.*}", (-place).max(0.0) as usize, value);
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    // The exponent of the largest for all: 0.5e7 and 1.5e7.
    let exponent = (size.log10() + 1e-9).floor();
    format!("{:.*}e{exponent}", (exponent - place).max(0.0) as usize, value / 10_f64.powf(exponent))
}

/// The powers of ten from `10^low` to `10^high`, and 2 and 5 times those where there is room.
fn decades(low: f64, high: f64) -> Vec<(f64, String)> {
    let mantissas: &[u8] = if high - low < 2.5 { &[1, 2, 5] } else { &[1] };
    let stride = ((high - low) / 8.0).ceil().max(1.0) as u32;
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    // Multiples of the stride, so that ticks do not move when the range grows a little.
    let exponents = (first..=last).filter(|exponent| exponent.unsigned_abs().is_multiple_of(stride));
    exponents.flat_map(|exponent| mantissas.iter().map(move |mantissa| decade(*mantissa, exponent))).collect()
}

/// `mantissa * 10^exponent`.
fn decade(mantissa: u8, exponent: i32) -> (f64, String) {
    let value = f64::from(mantissa) * 10_f64.powi(exponent);
    let label = match exponent {
        -3..0 => format!("{value:.*}", exponent.unsigned_abs() as usize),
        0..6 => format!("{value:.0}"),
        _ => format!("{mantissa}e{exponent}"),
    };
    (value, label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(values: &[f64], logarithmic: bool) -> Vec<String> {
        let ticks = Axis::over(values.iter().copied(), logarithmic, 0.0).ticks(5);
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn linear_ticks_are_round_numbers() {
        assert_eq!(labels(&[0.0, 10.0], false), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&[-0.13, 0.42], false), ["0.0", "0.2", "0.4"]);
        assert_eq!(labels(&[0.9, 1.3], false), ["0.9", "1.0", "1.1", "1.2", "1.3"]);
        assert_eq!(labels(&[0.0, 2.4e7], false), ["0", "0.5e7", "1.0e7", "1.5e7", "2.0e7"]);
        assert_eq!(labels(&[0.0, 3e-7], false), ["0", "1e-7", "2e-7", "3e-7"]);
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten() {
        assert_eq!(labels(&[1e-5, 10.0], true), ["1e-5", "1e-4", "0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(labels(&[0.03, 1.2], true), ["0.05", "0.1", "0.2", "0.5", "1"]);
        assert_eq!(labels(&[0.2, 0.25], true), ["0.20", "0.21", "0.22", "0.23", "0.24", "0.25"]);
        assert_eq!(
            labels(&[1e-20, 1e10], true),
            ["1e-20", "1e-16", "1e-12", "1e-8", "1e-4", "1", "10000", "1e8"]
        );
    }

    #[test]
    fn one_value_stands_in_the_middle_and_none_leaves_an_axis() {
        assert_eq!(Axis::over([5.0].into_iter(), false, 0.0).at(5.0), Some(0.5));
        assert_eq!(Axis::over([0.0].into_iter(), false, 0.0).at(0.0), Some(0.5));
        assert_eq!(Axis::over([100.0].into_iter(), true, 0.1).at(100.0), Some(0.5));
        assert_eq!(labels(&[], false), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&[f64::NAN, f64::INFINITY, -1.0], true), labels(&[1.0, 10.0], true));
    }

    proptest! {
        #[test]
        fn any_values_give_few_ticks_in_order(
            values in proptest::collection::vec(any::<f64>(), 0..5), logarithmic: bool, padding in 0.0..0.2
        ) {
            let axis = Axis::over(values.iter().copied(), logarithmic, padding);
            for at in values.iter().filter_map(|value| axis.at(*value)) {
                prop_assert!((-1e-6..=1.0 + 1e-6).contains(&at), "{at}");
            }
            let ticks = axis.ticks(5);
            prop_assert!(ticks.len() <= 12, "{ticks:?}");
            for pair in ticks.windows(2) {
                prop_assert!(pair[0].at < pair[1].at && pair[0].label != pair[1].label, "{ticks:?}");
            }
        }
    }
}
