//! Handwritten digits, built in: enough to train a classifier without a network or a file.

use std::path::Path;

use flate2::read::GzDecoder;

use super::csv_file::{self, CsvOptions};
use super::dataset::Dataset;

/// 1,797 handwritten digits: inputs f32 `[1797, 64]`, the 8×8 pixels row by row from 0 (white) to 16 (black), not
/// scaled; targets i64 `[1797]`, the digits 0 to 9.
///
/// The samples come in the order of the file, which is not sorted by digit.
///
/// *Optical Recognition of Handwritten Digits* by E. Alpaydin and C. Kaynak, UCI Machine Learning Repository,
/// CC BY 4.0.
///
/// ```
/// let digits = pullback_train::data::digits();
/// let (train, test) = digits.split(1347)?;
/// assert_eq!((train.len(), test.len()), (1347, 450));
/// # Ok::<(), pullback_train::data::DataError>(())
/// ```
#[must_use]
pub fn digits() -> Dataset {
    let packed: &[u8] = include_bytes!("../../assets/digits.csv.gz");
    csv_file::parse(GzDecoder::new(packed), Path::new("digits.csv.gz"), &CsvOptions::default())
        .expect("the embedded file is whole: a test reads it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_is_whole() {
        let digits = digits();
        assert_eq!(digits.inputs().ty().to_string(), "f32[1797, 64]");
        assert_eq!(digits.targets().ty().to_string(), "i64[1797]");
        digits.check_labels(10).unwrap();
        let pixels = digits.inputs().values::<f32>();
        assert!(pixels.iter().all(|pixel| pixel.fract() == 0.0 && (0.0..=16.0).contains(pixel)));
        assert_eq!(&pixels[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
        assert_eq!(pixels.iter().sum::<f32>(), 561_718.0);
        let mut counts = [0; 10];
        digits.targets().values::<i64>().iter().for_each(|digit| counts[*digit as usize] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }
}
