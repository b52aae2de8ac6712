//! CSV files of numbers: one sample per line, one column is the target.

use std::io::Read;
use std::path::Path;
use std::str;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use pullback_graph::Tensor;

use super::dataset::Dataset;
use super::error::DataError;
use super::open::open;

/// How a CSV file is to be read. The default: commas, no header, whole-number class labels in the last column.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    delimiter: u8,
    header: bool,
    target: Column,
    numeric_target: bool,
}

/// A column of a CSV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The last one.
    Last,
    /// The one at this position, from 0.
    At(usize),
    /// The one with this name in the header.
    Named(String),
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { delimiter: b',', header: false, target: Column::Last, numeric_target: false }
    }
}

impl CsvOptions {
    /// The first line names the columns.
    #[must_use]
    pub fn header(self) -> Self {
        CsvOptions { header: true, ..self }
    }

    /// The target stands in this column; naming one implies a header.
    #[must_use]
    pub fn target(self, column: Column) -> Self {
        let header = self.header || matches!(column, Column::Named(_));
        CsvOptions { header, target: column, ..self }
    }

    /// The target is a number to predict (f32), not a class label (i64).
    #[must_use]
    pub fn numeric_target(self) -> Self {
        CsvOptions { numeric_target: true, ..self }
    }

    /// What separates the columns, such as `b';'`.
    #[must_use]
    pub fn delimiter(self, delimiter: u8) -> Self {
        CsvOptions { delimiter, ..self }
    }
}

/// Reads a CSV file, gzipped or not: inputs f32 `[lines, columns - 1]` in the order of the columns; targets i64
/// `[lines]`, or f32 with [`CsvOptions::numeric_target`].
///
/// Blank lines are skipped; spaces around numbers do not matter. There are no missing values: an empty field, NaN and
/// what overflows an f32 are errors.
///
/// # Errors
/// [`DataError::Malformed`] with line and column, [`DataError::Column`], [`DataError::Empty`] without a single sample,
/// [`DataError::Io`].
pub fn read(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    parse(open(path)?, path, options)
}

/// Reads CSV from anywhere; `path` is what errors name.
pub(super) fn parse(from: impl Read, path: &Path, options: &CsvOptions) -> Result<Dataset, DataError> {
    // Every line ends in a newline, so that the reader stands at the line after the one it gave; it cannot tell where
    // a line begins, because it skips blank ones. A carriage return goes with the spaces around the last number.
    let from = from.chain(&b"\n"[..]);
    // Lines of different length are accepted here and refused below, where the line is known.
    let mut builder = ReaderBuilder::new();
    builder.delimiter(options.delimiter).terminator(Terminator::Any(b'\n')).has_headers(false).flexible(true);
    let mut reader = builder.from_reader(from);

    let mut lines = Lines {
        path,
        header: None,
        layout: None,
        inputs: Vec::new(),
        labels: Vec::new(),
        numbers: Vec::new(),
    };
    let mut record = ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| DataError::Io { path: path.to_path_buf(), error: error.into() })?
    {
        if record.len() == 1 && record[0].trim_ascii().is_empty() {
            continue;
        }
        if options.header && lines.header.is_none() {
            lines.header = Some(record.clone());
        } else {
            lines.add(&record, reader.position().line() - 1, options)?;
        }
    }
    lines.into_dataset(options)
}

/// The lines read so far.
struct Lines<'a> {
    path: &'a Path,
    header: Option<ByteRecord>,
    /// The number of columns and which of them is the target: known with the first line.
    layout: Option<(usize, usize)>,
    inputs: Vec<f32>,
    /// The targets, if they are labels.
    labels: Vec<i64>,
    /// The targets, if they are numbers.
    numbers: Vec<f32>,
}

impl Lines<'_> {
    fn add(&mut self, record: &ByteRecord, line: u64, options: &CsvOptions) -> Result<(), DataError> {
        let (columns, target) = match self.layout {
            Some(layout) => layout,
            None => *self.layout.insert(self.find_target(record, options)?),
        };
        if record.len() != columns {
            let message = format!("expected {columns} columns, got {}", record.len());
            return Err(self.malformed(line, record.len().min(columns + 1), message));
        }
        for (column, field) in record.iter().enumerate() {
            let at = |message| self.malformed(line, column + 1, message);
            let text = str::from_utf8(field).map_err(|_| at("not UTF-8 text".to_owned()))?.trim();
            if column == target && !options.numeric_target {
                let label =
                    text.parse().map_err(|_| at(format!("expected a whole-number label, got {text:?}")))?;
                self.labels.push(label);
            } else {
                let number: f32 = text.parse().map_err(|_| at(format!("expected a number, got {text:?}")))?;
                if !number.is_finite() {
                    return Err(at(format!("expected a finite f32, got {text:?}")));
                }
                if column == target { self.numbers.push(number) } else { self.inputs.push(number) }
            }
        }
        Ok(())
    }

    /// The number of columns, by the header or else the first line, and the position of the target.
    fn find_target(&self, first: &ByteRecord, options: &CsvOptions) -> Result<(usize, usize), DataError> {
        let columns = self.header.as_ref().unwrap_or(first).len();
        let missing = |column: String| {
            let names = self.header.iter().flatten().map(|name| String::from_utf8_lossy(name.trim_ascii()));
            let names: Vec<_> = names.collect();
            let known = match names.is_empty() {
                true => format!("there are {columns}, counted from 0"),
                false => format!("there are {}", names.join(", ")),
            };
            DataError::Column { path: self.path.to_path_buf(), column, known }
        };
        let target = match &options.target {
            Column::Last => columns.checked_sub(1).ok_or_else(|| missing("at the end".to_owned()))?,
            Column::At(at) if *at < columns => *at,
            Column::At(at) => return Err(missing(at.to_string())),
            Column::Named(name) => {
                let named = |field: &[u8]| field.trim_ascii() == name.as_bytes();
                let at = self.header.iter().flatten().position(named);
                at.ok_or_else(|| missing(format!("{name:?}")))?
            }
        };
        Ok((columns, target))
    }

    fn malformed(&self, line: u64, column: usize, message: String) -> DataError {
        DataError::Malformed { path: self.path.to_path_buf(), line, column, message }
    }

    fn into_dataset(self, options: &CsvOptions) -> Result<Dataset, DataError> {
        let Some((columns, _)) = self.layout else {
            return Err(DataError::Empty { what: "the CSV file" });
        };
        let targets = match options.numeric_target {
            true => Tensor::vector(self.numbers),
            false => Tensor::vector(self.labels),
        };
        let inputs = Tensor::new(&[targets.len(), columns - 1], self.inputs)
            .expect("every line added one value per column but the target's");
        Dataset::new(inputs, targets)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn parsed(text: &str, options: &CsvOptions) -> Result<Dataset, DataError> {
        parse(text.as_bytes(), Path::new("data.csv"), options)
    }

    fn message(text: &str, options: &CsvOptions) -> String {
        parsed(text, options).unwrap_err().to_string()
    }

    #[test]
    fn the_last_column_is_the_label() {
        let data = parsed("1, 2.5,0\r\n\n-3e1,4,7\n", &CsvOptions::default()).unwrap();
        assert_eq!(data.inputs().to_string(), "f32[2, 2] [1, 2.5, -30, 4]");
        assert_eq!(data.targets().to_string(), "i64[2] [0, 7]");
    }

    #[test]
    fn a_target_can_be_named_and_numeric() {
        let text = "\u{feff}size;price;age\n10;1.5;3\n20;2.5;4\n";
        let options = CsvOptions::default().delimiter(b';').numeric_target();
        let data = parsed(text, &options.clone().target(Column::Named("price".to_owned()))).unwrap();
        assert_eq!(data.inputs().to_string(), "f32[2, 2] [10, 3, 20, 4]");
        assert_eq!(data.targets().to_string(), "f32[2] [1.5, 2.5]");
        assert_eq!(parsed(text, &options.header().target(Column::At(1))).unwrap(), data);
    }

    #[test]
    fn errors_name_line_and_column() {
        let plain = CsvOptions::default();
        let check = |text: &str, expected: &str| assert_eq!(message(text, &plain), expected, "{text:?}");
        check("1,2,0\n1,x,0\n", "data.csv:2:2: expected a number, got \"x\"");
        check("1,2,0\n\n1,,0", "data.csv:3:2: expected a number, got \"\"");
        check("\r\n1,2,0\r\n \r\n1,?,0\r\n", "data.csv:4:2: expected a number, got \"?\"");
        check("1,nan,0\n", "data.csv:1:2: expected a finite f32, got \"nan\"");
        check("1,1e39,0\n", "data.csv:1:2: expected a finite f32, got \"1e39\"");
        check("1,2,0.5\n", "data.csv:1:3: expected a whole-number label, got \"0.5\"");
        check("1,2,0\n1,2\n", "data.csv:2:2: expected 3 columns, got 2");
        check("1,2,0\n1,2,0,4,5\n", "data.csv:2:4: expected 3 columns, got 5");
        check("", "the CSV file is empty");
        assert_eq!(message("a,b\n", &plain.clone().header()), "the CSV file is empty");
        let not_text = parse(&b"1,\xff,0\n"[..], Path::new("data.csv"), &plain).unwrap_err();
        assert_eq!(not_text.to_string(), "data.csv:1:2: not UTF-8 text");
    }

    #[test]
    fn a_header_counts_as_a_line_and_sets_the_number_of_columns() {
        let options = CsvOptions::default().header();
        assert_eq!(message("a,b\n1,2\n1\n", &options), "data.csv:3:1: expected 2 columns, got 1");
        assert_eq!(message("a,b\n1,2,3\n", &options), "data.csv:2:3: expected 2 columns, got 3");
    }

    #[test]
    fn columns_that_do_not_exist_are_refused() {
        let at = |column| CsvOptions::default().target(column);
        assert_eq!(
            message("1,2\n", &at(Column::At(2))),
            "data.csv: there is no column 2; there are 2, counted from 0"
        );
        assert_eq!(
            message("a, b\n1,2\n", &at(Column::Named("c".to_owned()))),
            "data.csv: there is no column \"c\"; there are a, b"
        );
    }

    #[test]
    fn files_may_be_gzipped_whatever_their_name() {
        let directory = tempfile::tempdir().unwrap();
        let (plain, packed) = (directory.path().join("plain.csv"), directory.path().join("packed.csv"));
        std::fs::write(&plain, "1,0\n2,1\n").unwrap();
        let mut encoder = GzEncoder::new(std::fs::File::create(&packed).unwrap(), Compression::default());
        encoder.write_all(b"1,0\n2,1\n").unwrap();
        encoder.finish().unwrap();
        let options = CsvOptions::default();
        assert_eq!(read(&plain, &options).unwrap(), read(&packed, &options).unwrap());

        let missing = read(directory.path().join("none.csv"), &options).unwrap_err();
        assert!(matches!(missing, DataError::Io { .. }), "{missing}");
        let whole = std::fs::read(&packed).unwrap();
        std::fs::write(&packed, &whole[..whole.len() - 6]).unwrap();
        let cut = read(&packed, &options).unwrap_err();
        assert!(matches!(cut, DataError::Io { .. }), "{cut}");
    }
}
