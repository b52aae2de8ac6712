//! What can be wrong with data, and where.

use std::io;
use std::path::PathBuf;

use pullback_graph::{DType, TensorType};

/// Why data cannot be read, cut, scaled or counted as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// There is nothing in a data set, a part of a split, or the data a scaler is fitted to.
    #[error("{what} is empty")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// A batch of no samples was asked for.
    #[error("a batch has at least one sample, got a batch size of 0")]
    EmptyBatch,
    /// Two things that belong together sample by sample differ in number.
    #[error("{left_len} {left} do not fit {right_len} {right}: each sample has one of both")]
    Lengths {
        /// What is on the one side, in the plural.
        left: &'static str,
        /// How many.
        left_len: usize,
        /// What is on the other side.
        right: &'static str,
        /// How many.
        right_len: usize,
    },
    /// A tensor does not have the axes or the elements that are needed.
    #[error("{what} must be {expected}, got {got}")]
    Type {
        /// What the tensor is for.
        what: &'static str,
        /// What is needed.
        expected: &'static str,
        /// What came.
        got: TensorType,
    },
    /// A row was asked for that does not exist.
    #[error("row {row} is outside a data set of {len} samples")]
    Row {
        /// The row.
        row: usize,
        /// The number of samples.
        len: usize,
    },
    /// The part of the data to keep for validation is not a proper fraction.
    #[error("the fraction to split off must lie between 0 and 1, got {0}")]
    Fraction(f64),
    /// A class is not one of those that there are.
    #[error("{what} {label} in row {row} is outside the {classes} classes 0..{classes}")]
    Label {
        /// "label" or "prediction".
        what: &'static str,
        /// The position, in row-major order.
        row: usize,
        /// The class.
        label: i64,
        /// The number of classes.
        classes: usize,
    },
    /// A scaler meets data with another number of features than it was fitted to.
    #[error("the scaler was fitted to {expected} features, got {got}")]
    Features {
        /// The features it was fitted to.
        expected: usize,
        /// The features that came.
        got: usize,
    },
    /// A value that must be a number is infinite or NaN.
    #[error("feature {feature} in row {row} is {value}: not a finite number")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The feature within the row, from 0.
        feature: usize,
        /// The value.
        value: f64,
    },
    /// The range to scale to is empty or upside down.
    #[error("the range to scale to must go from a smaller to a larger finite number, got {low} to {high}")]
    Range {
        /// Its lower end.
        low: f64,
        /// Its upper end.
        high: f64,
    },
    /// A file cannot be opened, read or written.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// A file begins with other bytes than its kind does.
    #[error("{path}: not an IDX file of {what}: it begins with {found:02x?}, expected {expected:02x?}", path = .path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// What was to be read.
        what: &'static str,
        /// Its first bytes.
        found: [u8; 4],
        /// What they should be.
        expected: [u8; 4],
    },
    /// A file ends before what its header announces.
    #[error("{path}: the file is cut off: it needs {expected} bytes, got {got} (uncompressed)", path = .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length, by its header.
        expected: u64,
        /// The bytes that could be read.
        got: u64,
    },
    /// A file goes on after what its header announces.
    #[error("{path}: the file has more than the {expected} bytes its header announces (uncompressed)", path = .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length, by its header.
        expected: u64,
    },
    /// The sizes that a file's header announces cannot be.
    #[error("{path}: the header announces the sizes {sizes:?}: {message}", path = .path.display())]
    Sizes {
        /// The file.
        path: PathBuf,
        /// The sizes.
        sizes: Vec<usize>,
        /// Why not.
        message: &'static str,
    },
    /// A value does not fit the element type of the file to be written.
    #[error("element {index} is {value}: a {what} in an IDX file is a whole number from 0 to 255")]
    NotAByte {
        /// "pixel" or "label".
        what: &'static str,
        /// The position, in row-major order.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A text file is malformed.
    #[error("{path}:{line}:{column}: {message}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, that is the field within the line, from 1.
        column: usize,
        /// What was expected and what came.
        message: String,
    },
    /// A text file has no such column.
    #[error("{path}: there is no column {column}; {known}", path = .path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column asked for, as asked for.
        column: String,
        /// The columns that there are.
        known: String,
    },
}

impl DataError {
    /// The tensor for `what` is not `expected`.
    pub(crate) fn ty(what: &'static str, expected: &'static str, got: TensorType) -> DataError {
        DataError::Type { what, expected, got }
    }

    /// The tensor for `what` holds `got` instead of class labels.
    pub(crate) fn not_labels(what: &'static str, got: TensorType) -> DataError {
        debug_assert!(got.dtype != DType::I64, "labels were expected and came");
        DataError::ty(what, "class labels (i64)", got)
    }
}
