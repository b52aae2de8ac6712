//! What can be wrong with a file of weights, and with which tensor.

use std::io;
use std::path::{Path, PathBuf};

use pullback_graph::TensorType;

/// Why weights cannot be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be read or written.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// The file ends before what its header announces.
    #[error("{path}: the file is cut off: it needs {expected} bytes, got {got}", path = .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length, as far as is known from what can be read.
        expected: u64,
        /// The bytes that there are.
        got: u64,
    },
    /// The file is not a safetensors file.
    #[error("{path}: not a safetensors file: {message}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A tensor's element type is none that this program has.
    #[error("{path}: tensor \"{name}\" holds {dtype}; only F32, F64, I64 and BOOL are read", path = .path.display())]
    DType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its element type, as the file names it.
        dtype: String,
    },
    /// A tensor that the model needs is not in the file.
    #[error("{path}: there is no tensor \"{name}\" ({expected})", path = .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        expected: Box<TensorType>,
    },
    /// A tensor has another shape or element type than the model's.
    #[error("{path}: tensor \"{name}\" is {got}, expected {expected}", path = .path.display())]
    Misshapen {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The type that the model needs.
        expected: Box<TensorType>,
        /// The type in the file.
        got: Box<TensorType>,
    },
    /// The model has no such tensor.
    #[error("{path}: tensor \"{name}\" ({got}) is not one of the model's", path = .path.display())]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        got: Box<TensorType>,
    },
    /// Two tensors to save have one name, or a name that the format keeps for itself.
    #[error("a tensor cannot be saved as \"{name}\": the name is taken")]
    Name {
        /// The name.
        name: String,
    },
}

impl WeightsError {
    pub(super) fn malformed(path: &Path, message: impl ToString) -> WeightsError {
        WeightsError::Malformed { path: path.to_path_buf(), message: message.to_string() }
    }
}
