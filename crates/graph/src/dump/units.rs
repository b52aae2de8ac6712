//! Numbers as people read them: few digits, and units.

/// Four significant digits: `0.1235`, `12.35`, `1.235e-7`.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if !(1e-3..1e5).contains(&size) {
        let text = format!("{value:.3e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trimmed(digits));
    }
    // At most three digits before the first significant one, or none after the point for large numbers.
    let decimals = (3 - size.log10().floor() as i64).clamp(0, 6) as usize;
    trimmed(&format!("{value:.decimals$}")).to_string()
}

/// Without the zeros at the end of a fraction.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// With a space between groups of three digits: `1 234 567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `512 B`, `1.5 KiB`, `2 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    scaled(count as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// `512`, `1.5 k`, `2 M`: counts of operations.
#[must_use]
pub fn metric(count: u64) -> String {
    scaled(count as f64, 1000.0, &["", "k", "M", "G", "T", "P", "E"])
}

/// `850 ns`, `1.5 µs`, `2 ms`.
pub(crate) fn nanos(count: u64) -> String {
    scaled(count as f64, 1000.0, &["ns", "µs", "ms", "s", "ks"])
}

/// A share of one, in percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", short((share * 1e4).round() / 1e2))
}

fn scaled(mut value: f64, base: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    format!("{} {}", short(value), units[unit]).trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        let texts = [0.0, -0.5, 1.0 / 3.0, 0.001, 123.456, 99_999.0, 1e5, 1.0e-9, f64::NAN, -f64::INFINITY]
            .map(short);
        assert_eq!(texts, ["0", "-0.5", "0.3333", "0.001", "123.5", "99999", "1e5", "1e-9", "NaN", "-inf"]);
    }

    #[test]
    fn units_follow_the_size() {
        assert_eq!([bytes(0), bytes(1536), bytes(3 << 20)], ["0 B", "1.5 KiB", "3 MiB"]);
        assert_eq!([nanos(999), nanos(1_500_000)], ["999 ns", "1.5 ms"]);
        assert_eq!([grouped(0), grouped(999), grouped(1_234_567)], ["0", "999", "1 234 567"]);
        assert_eq!([metric(12), metric(2_500_000)], ["12", "2.5 M"]);
        assert_eq!([percent(0.93), percent(1.0), percent(0.00004)], ["93 %", "100 %", "0 %"]);
    }
}
