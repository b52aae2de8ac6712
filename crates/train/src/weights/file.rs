//! Reading and writing safetensors files: eight bytes of length, a JSON header, the tensors' bytes.
//!
//! A file holds its tensors sorted for alignment; the order in which they were saved stands in its metadata and is
//! restored.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use pullback_graph::{DType, Tensor, atomic_file};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, View};

use super::error::WeightsError;
use super::named::Weights;

/// The entry of a file's metadata that holds the names in order, as a JSON list. It stays the only entry: the
/// metadata is a hash map, and several would stand in another order in every file.
const ORDER: &str = "tensor_order";

/// Saves named tensors to a safetensors file, which is replaced whole. The same tensors give the same bytes.
///
/// ```
/// use pullback_graph::Tensor;
/// use pullback_train::weights;
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("model.safetensors");
/// let (weight, bias) = (Tensor::random([3, 2], 0), Tensor::zeros([2]));
/// weights::save(&path, [("dense/weight", &weight), ("dense/bias", &bias)])?;
///
/// let loaded = weights::load(&path)?;
/// assert_eq!(loaded.get("dense/weight"), Some(&weight));
/// let expected = [("dense/bias", &bias.ty()), ("dense/weight", &weight.ty())];
/// assert_eq!(loaded.fit(expected)?, [bias, weight]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`WeightsError::Name`] when two tensors have one name or one is called `__metadata__`, [`WeightsError::Io`].
pub fn save<'a>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Result<(), WeightsError> {
    let path = path.as_ref();
    let mut by_name = BTreeMap::new();
    let mut order = Vec::new();
    for (name, tensor) in tensors {
        if name == "__metadata__" || by_name.insert(name, Bytes(tensor)).is_some() {
            return Err(WeightsError::Name { name: name.to_owned() });
        }
        order.push(name);
    }
    let order = serde_json::to_string(&order).expect("a list of strings is JSON");
    let file = safetensors::serialize(by_name, Some(HashMap::from([(ORDER.to_owned(), order)])))
        .map_err(|error| WeightsError::malformed(path, error))?;
    atomic_file::write(path, &file).map_err(|error| WeightsError::Io { path: path.to_path_buf(), error })
}

/// Loads a safetensors file, written here or elsewhere.
///
/// # Errors
/// [`WeightsError::Truncated`], [`WeightsError::Malformed`], [`WeightsError::DType`], [`WeightsError::Io`].
pub fn load(path: impl AsRef<Path>) -> Result<Weights, WeightsError> {
    let path = path.as_ref();
    let file = fs::read(path).map_err(|error| WeightsError::Io { path: path.to_path_buf(), error })?;
    decode(path, &file)
}

/// Reads a whole file. Lengths are checked here and not by the library, which adds them without a check: a file with
/// false ones must be refused like any other.
fn decode(path: &Path, file: &[u8]) -> Result<Weights, WeightsError> {
    let truncated = |expected: u64| WeightsError::Truncated {
        path: path.to_path_buf(),
        expected,
        got: file.len() as u64,
    };
    let (prefix, rest) = file.split_first_chunk().ok_or_else(|| truncated(8))?;
    let header_len = u64::from_le_bytes(*prefix);
    // A text file announces an absurd length: the format ends at 100 MB, and every header begins with a brace.
    if header_len > 100_000_000 || rest.first().is_some_and(|byte| *byte != b'{') {
        return Err(WeightsError::malformed(path, "its first bytes are no header"));
    }
    let (header, data) =
        rest.split_at_checked(header_len as usize).ok_or_else(|| truncated(8 + header_len))?;
    let metadata: Metadata =
        serde_json::from_slice(header).map_err(|error| WeightsError::malformed(path, error))?;
    let announced = metadata.data_len();
    if data.len() < announced {
        return Err(truncated((announced as u64).saturating_add(8 + header_len)));
    }
    if data.len() > announced {
        return Err(WeightsError::malformed(
            path,
            format!("{} bytes follow the last tensor", data.len() - announced),
        ));
    }
    let mut tensors = Vec::new();
    for name in saved_order(&metadata) {
        let info = metadata.info(&name).expect("the names are those of the metadata");
        let tensor = tensor(info, data).ok_or_else(|| WeightsError::DType {
            path: path.to_path_buf(),
            name: name.clone(),
            dtype: info.dtype.to_string(),
        })?;
        tensors.push((name, tensor));
    }
    Ok(Weights { path: path.to_path_buf(), tensors })
}

/// The names of all tensors, in the order noted in the metadata where it notes one.
fn saved_order(metadata: &Metadata) -> Vec<String> {
    let noted =
        metadata.metadata().as_ref().and_then(|entries| serde_json::from_str(entries.get(ORDER)?).ok());
    let noted: Vec<String> = noted.unwrap_or_default();
    let rank: HashMap<&str, usize> =
        noted.iter().enumerate().map(|(rank, name)| (name.as_str(), rank)).collect();
    let mut names = metadata.offset_keys();
    // Tensors without elements share an offset: their names decide, or else each run would see another order.
    names.sort_by_cached_key(|name| {
        let offsets = metadata.info(name).map(|info| info.data_offsets);
        (rank.get(name.as_str()).copied().unwrap_or(usize::MAX), offsets, name.clone())
    });
    names
}

/// The tensor that `info` describes; `None` for an element type without a counterpart.
fn tensor(info: &TensorInfo, data: &[u8]) -> Option<Tensor> {
    let (start, end) = info.data_offsets;
    let bytes = &data[start..end];
    fn each<T, const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
        bytes.as_chunks().0.iter().map(|chunk| value(*chunk)).collect()
    }
    let tensor = match info.dtype {
        Dtype::F32 => Tensor::new(&info.shape, each(bytes, f32::from_le_bytes)),
        Dtype::F64 => Tensor::new(&info.shape, each(bytes, f64::from_le_bytes)),
        Dtype::I64 => Tensor::new(&info.shape, each(bytes, i64::from_le_bytes)),
        Dtype::BOOL => Tensor::new(&info.shape, each(bytes, |[byte]| byte != 0)),
        _ => return None,
    };
    Some(tensor.expect("the metadata was checked: shape and offsets agree"))
}

/// A tensor as its bytes in a file.
struct Bytes<'a>(&'a Tensor);

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        match self.0.dtype() {
            DType::F32 => Dtype::F32,
            DType::F64 => Dtype::F64,
            DType::I64 => Dtype::I64,
            DType::Bool => Dtype::BOOL,
        }
    }

    fn shape(&self) -> &[usize] {
        self.0.sizes()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let tensor = self.0;
        Cow::Owned(match tensor.dtype() {
            DType::F32 => tensor.values::<f32>().iter().flat_map(|value| value.to_le_bytes()).collect(),
            DType::F64 => tensor.values::<f64>().iter().flat_map(|value| value.to_le_bytes()).collect(),
            DType::I64 => tensor.values::<i64>().iter().flat_map(|value| value.to_le_bytes()).collect(),
            DType::Bool => tensor.values::<bool>().iter().map(|value| u8::from(*value)).collect(),
        })
    }

    fn data_len(&self) -> usize {
        self.0.len() * self.0.dtype().bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn place() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");
        (directory, path)
    }

    fn message<T: std::fmt::Debug>(result: Result<T, WeightsError>) -> String {
        let text = result.unwrap_err().to_string();
        text.rsplit_once("model.safetensors").map_or(text.clone(), |(_, rest)| format!("file{rest}"))
    }

    /// A file with this header, without its padding, and this many bytes of data.
    fn crafted(header: &str, data: usize) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
    }

    #[test]
    fn every_type_comes_back_in_order_and_bit_for_bit() {
        let (_directory, path) = place();
        let tensors = [
            ("z/bias", Tensor::vector(vec![f32::NAN, -0.0, f32::MIN_POSITIVE / 2.0])),
            ("a/mask", Tensor::of([1, 3], vec![true, false, true])),
            ("step", Tensor::scalar(-7_i64)),
            ("empty", Tensor::zeros([0, 3])),
            ("b/weight", Tensor::of([2, 1], vec![0.1_f64, f64::INFINITY])),
            ("other empty", Tensor::zeros([0])),
        ];
        let named = || tensors.iter().map(|(name, tensor)| (*name, tensor));
        save(&path, named()).unwrap();
        let loaded = load(&path).unwrap();
        assert!(loaded.iter().eq(named()));

        let bytes = fs::read(&path).unwrap();
        save(&path, named()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes, "the same tensors give the same bytes");
        assert_eq!(safetensors::SafeTensors::deserialize(&bytes).unwrap().len(), 6, "others read it");
    }

    #[test]
    fn a_file_cut_off_anywhere_is_refused() {
        let (_directory, path) = place();
        save(&path, [("w", &Tensor::random([3, 2], 0)), ("m", &Tensor::of([1], vec![true]))]).unwrap();
        let whole = fs::read(&path).unwrap();
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            let error = load(&path).unwrap_err();
            assert!(
                matches!(error, WeightsError::Truncated { got, .. } if got == len as u64),
                "{len}: {error}"
            );
        }
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let expected =
            format!("file: the file is cut off: it needs {0} bytes, got {1}", whole.len(), whole.len() - 3);
        assert_eq!(message(load(&path)), expected);
        fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert_eq!(message(load(&path)), "file: not a safetensors file: 1 bytes follow the last tensor");
    }

    #[test]
    fn files_that_lie_are_refused() {
        let path = Path::new("model.safetensors");
        let check = |file: &[u8], expected: &str| assert_eq!(message(decode(path, file)), expected);
        check(b"{\"weights\": [1, 2, 3]}", "file: not a safetensors file: its first bytes are no header");
        let half = crafted(r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#, 4);
        check(&half, "file: tensor \"h\" holds F16; only F32, F64, I64 and BOOL are read");
        // Eight tensors of the largest length there is: with the header, the length of the file overflows.
        let len = u64::MAX / 8;
        let entry = |i| {
            format!(
                r#""{i}":{{"dtype":"U8","shape":[{len}],"data_offsets":[{},{}]}}"#,
                i * len,
                (i + 1) * len
            )
        };
        let huge = format!("{{{}}}", (0..8).map(entry).collect::<Vec<_>>().join(","));
        let error = decode(path, &crafted(&huge, 4)).unwrap_err();
        assert!(matches!(error, WeightsError::Truncated { expected: u64::MAX, .. }), "{error}");
        for header in [
            r#"{"h":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
            r#"{"h":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            r#"{"h":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
            r#"{"h":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}"#,
            "{",
        ] {
            let error = decode(path, &crafted(header, 12)).unwrap_err();
            assert!(matches!(error, WeightsError::Malformed { .. }), "{header}: {error}");
        }
    }

    #[test]
    fn an_order_that_does_not_match_is_no_error() {
        let path = Path::new("model.safetensors");
        let of = |order: &str| {
            let header = format!(
                r#"{{"__metadata__":{{"tensor_order":{order}}},"a":{{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}},"b":{{"dtype":"BOOL","shape":[],"data_offsets":[1,2]}}}}"#
            );
            let weights = decode(path, &crafted(&header, 2)).unwrap();
            weights.into_iter().map(|(name, _)| name).collect::<String>()
        };
        assert_eq!(of(r#""[\"gone\", \"b\"]""#), "ba");
        assert_eq!(of(r#""no list""#), "ab");
    }

    #[test]
    fn names_are_unique_and_leave_the_formats_own_alone() {
        let (_directory, path) = place();
        let tensor = Tensor::zeros([1]);
        assert_eq!(
            message(save(&path, [("w", &tensor), ("w", &tensor)])),
            "a tensor cannot be saved as \"w\": the name is taken"
        );
        assert!(save(&path, [("__metadata__", &tensor)]).is_err());
        assert!(!path.exists());
        let missing = load(&path).unwrap_err();
        assert!(matches!(missing, WeightsError::Io { .. }), "{missing}");
        save(&path, []).unwrap();
        assert_eq!(load(&path).unwrap().iter().len(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_loaded_or_refused(
            tail in proptest::collection::vec(any::<u8>(), 0..40), at in 0_usize..200, byte: u8
        ) {
            let path = Path::new("model.safetensors");
            let _ = decode(path, &tail);
            let header = r#"{"h":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]}}"#;
            let mut file = crafted(header, 9);
            let at = at % file.len();
            file[at] = byte;
            let _ = decode(path, &file);
        }
    }
}
