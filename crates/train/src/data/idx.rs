//! IDX files, the format of MNIST and its relatives: images and labels as unsigned bytes behind a short header.
//!
//! A header is four bytes (0, 0, the element type, the number of axes) and one big-endian 32-bit size per axis.
//! Files are read and written plain or gzipped.

use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use pullback_graph::{Tensor, atomic_file};

use super::dataset::Dataset;
use super::error::DataError;
use super::open::open;

/// What a file holds: its name in messages and its first four bytes. 8 stands for unsigned bytes.
#[derive(Clone, Copy)]
struct Kind {
    what: &'static str,
    magic: [u8; 4],
}

const IMAGES: Kind = Kind { what: "images", magic: [0, 0, 8, 3] };
const LABELS: Kind = Kind { what: "labels", magic: [0, 0, 8, 1] };

impl Kind {
    fn axes(self) -> usize {
        usize::from(self.magic[3])
    }
}

/// Reads a file of images and one of labels: inputs f32 `[samples, height, width]` from 0 to 255, targets i64
/// `[samples]`.
///
/// # Errors
/// Those of [`read_images`] and [`read_labels`]; [`DataError::Lengths`] when the files do not belong together.
pub fn read(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Dataset, DataError> {
    Dataset::new(read_images(images)?, read_labels(labels)?)
}

/// Reads images: f32 `[samples, height, width]`, the bytes 0 to 255 unscaled.
///
/// # Errors
/// [`DataError::Magic`] when the file is not one of images, [`DataError::Truncated`] and [`DataError::TooLong`] when
/// its length is not what its header announces, [`DataError::Sizes`] when that cannot be, [`DataError::Io`].
pub fn read_images(path: impl AsRef<Path>) -> Result<Tensor, DataError> {
    let (sizes, bytes) = decode(path.as_ref(), IMAGES)?;
    Ok(Tensor::from_fn(&sizes, |i| f32::from(bytes[i])))
}

/// Reads labels: i64 `[samples]`.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: impl AsRef<Path>) -> Result<Tensor, DataError> {
    let (sizes, bytes) = decode(path.as_ref(), LABELS)?;
    Ok(Tensor::from_fn(&sizes, |i| i64::from(bytes[i])))
}

/// Writes images `[samples, height, width]` of whole numbers from 0 to 255, of any element type; gzipped when the
/// name ends in `.gz`.
///
/// # Errors
/// [`DataError::Type`] for another number of axes, [`DataError::NotAByte`], [`DataError::Io`].
pub fn write_images(path: impl AsRef<Path>, images: &Tensor) -> Result<(), DataError> {
    encode(path.as_ref(), images, IMAGES, "pixel", "images [samples, height, width]")
}

/// Writes labels `[samples]` from 0 to 255, of any element type; gzipped when the name ends in `.gz`.
///
/// # Errors
/// As [`write_images`].
pub fn write_labels(path: impl AsRef<Path>, labels: &Tensor) -> Result<(), DataError> {
    encode(path.as_ref(), labels, LABELS, "label", "labels [samples]")
}

/// The sizes and bytes of a file.
fn decode(path: &Path, kind: Kind) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let mut file = Announced { path, reader: open(path)?, offset: 0 };
    let header_len = 4 * (1 + kind.axes());
    let magic = file.next(4, header_len)?;
    let found = [magic[0], magic[1], magic[2], magic[3]];
    if found != kind.magic {
        return Err(DataError::Magic {
            path: path.to_path_buf(),
            what: kind.what,
            found,
            expected: kind.magic,
        });
    }
    let sizes: Vec<usize> = file
        .next(4 * kind.axes(), header_len)?
        .chunks(4)
        .map(|size| size.iter().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
        .collect();
    let refuse = |message| DataError::Sizes { path: path.to_path_buf(), sizes: sizes.clone(), message };
    if sizes[1..].contains(&0) {
        return Err(refuse("an image has at least one pixel"));
    }
    let len = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    let end = len.and_then(|len| len.checked_add(header_len));
    let (Some(len), Some(end)) = (len, end) else {
        return Err(refuse("no memory holds that many bytes"));
    };
    let bytes = file.next(len, end)?;
    file.end()?;
    Ok((sizes, bytes))
}

/// A file whose header says how long it is.
struct Announced<'a> {
    path: &'a Path,
    reader: Box<dyn io::BufRead>,
    offset: usize,
}

impl Announced<'_> {
    /// The next `len` bytes of a file that is to have at least `expected`.
    ///
    /// Memory grows with what is read, not with what is announced: a false header costs nothing.
    fn next(&mut self, len: usize, expected: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(len as u64).read_to_end(&mut bytes);
        self.offset += bytes.len();
        match read {
            Ok(_) if bytes.len() == len => Ok(bytes),
            // A gzip file that ends early is an error of the decoder, a plain one just ends.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(self.io(error)),
            _ => Err(DataError::Truncated {
                path: self.path.to_path_buf(),
                expected: expected as u64,
                got: self.offset as u64,
            }),
        }
    }

    /// Checks that nothing follows. Also lets the decoder see the end of a gzip file, where its checksum stands.
    fn end(&mut self) -> Result<(), DataError> {
        match self.reader.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => Err(DataError::TooLong { path: self.path.to_path_buf(), expected: self.offset as u64 }),
            Err(error) => Err(self.io(error)),
        }
    }

    fn io(&self, error: io::Error) -> DataError {
        DataError::Io { path: self.path.to_path_buf(), error }
    }
}

fn encode(
    path: &Path,
    tensor: &Tensor,
    kind: Kind,
    what: &'static str,
    expected: &'static str,
) -> Result<(), DataError> {
    if tensor.sizes().len() != kind.axes() {
        return Err(DataError::ty("what is written", expected, tensor.ty()));
    }
    let mut file = kind.magic.to_vec();
    for size in tensor.sizes() {
        let size = u32::try_from(*size).map_err(|_| DataError::Sizes {
            path: path.to_path_buf(),
            sizes: tensor.sizes().to_vec(),
            message: "a size has 32 bits",
        })?;
        file.extend(size.to_be_bytes());
    }
    for (index, value) in tensor.to_f64_vec().into_iter().enumerate() {
        // A cast saturates and truncates: what is not the same afterwards was not a byte.
        let byte = value as u8;
        if f64::from(byte) != value {
            return Err(DataError::NotAByte { what, index, value });
        }
        file.push(byte);
    }
    let gzipped = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let written = if gzipped { gzip(&file) } else { Ok(file) };
    written
        .and_then(|bytes| atomic_file::write(path, &bytes))
        .map_err(|error| DataError::Io { path: path.to_path_buf(), error })
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    /// Two images of 2×3 pixels and their labels.
    fn fixture(names: [&str; 2]) -> (TempDir, [std::path::PathBuf; 2]) {
        let directory = tempfile::tempdir().unwrap();
        let paths = names.map(|name| directory.path().join(name));
        let images = Tensor::from_fn(&[2, 2, 3], |i| (i * 23) as f32);
        write_images(&paths[0], &images).unwrap();
        write_labels(&paths[1], &Tensor::vector(vec![7_i64, 255])).unwrap();
        (directory, paths)
    }

    fn message<T: std::fmt::Debug>(path: &Path, result: Result<T, DataError>) -> String {
        result.unwrap_err().to_string().replace(&path.display().to_string(), "file")
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let (_directory, [images, labels]) = fixture(["images", "labels"]);
        assert_eq!(fs::read(labels).unwrap(), [0, 0, 8, 1, 0, 0, 0, 2, 7, 255]);
        let bytes = fs::read(images).unwrap();
        assert_eq!(bytes[..16], [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]);
        assert_eq!(bytes[16..], [0, 23, 46, 69, 92, 115, 138, 161, 184, 207, 230, 253]);
    }

    #[test]
    fn what_was_written_is_read_plain_and_gzipped() {
        for names in [["images", "labels"], ["images.gz", "labels.GZ"]] {
            let (_directory, [images, labels]) = fixture(names);
            assert_eq!(fs::read(&images).unwrap().starts_with(&[0x1f, 0x8b]), names[0].ends_with("gz"));
            let data = read(&images, &labels).unwrap();
            assert_eq!(data.inputs().ty().to_string(), "f32[2, 2, 3]");
            assert_eq!(data.inputs().values::<f32>()[11], 253.0);
            assert_eq!(data.targets().to_string(), "i64[2] [7, 255]");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let (_directory, [images, labels]) = fixture(["images", "labels.gz"]);
        assert_eq!(
            message(&labels, read_images(&labels)),
            "file: not an IDX file of images: it begins with [00, 00, 08, 01], expected [00, 00, 08, 03]"
        );
        assert_eq!(
            message(&images, read_labels(&images)),
            "file: not an IDX file of labels: it begins with [00, 00, 08, 03], expected [00, 00, 08, 01]"
        );
    }

    #[test]
    fn lengths_that_the_header_does_not_announce_are_refused() {
        let (_directory, [images, _]) = fixture(["images", "labels"]);
        let whole = fs::read(&images).unwrap();
        for cut in [0, 3, 9, 15] {
            fs::write(&images, &whole[..cut]).unwrap();
            let expected = format!("file: the file is cut off: it needs 16 bytes, got {cut} (uncompressed)");
            assert_eq!(message(&images, read_images(&images)), expected);
        }
        fs::write(&images, &whole[..27]).unwrap();
        assert_eq!(
            message(&images, read_images(&images)),
            "file: the file is cut off: it needs 28 bytes, got 27 (uncompressed)"
        );
        fs::write(&images, [&whole[..], &[0]].concat()).unwrap();
        assert_eq!(
            message(&images, read_images(&images)),
            "file: the file has more than the 28 bytes its header announces (uncompressed)"
        );
    }

    #[test]
    fn a_gzipped_file_that_is_cut_off_or_damaged_is_refused() {
        let (_directory, [images, _]) = fixture(["images.gz", "labels"]);
        let whole = fs::read(&images).unwrap();
        fs::write(&images, &whole[..whole.len() - 12]).unwrap();
        let cut = message(&images, read_images(&images));
        assert!(cut.starts_with("file: the file is cut off: it needs 28 bytes"), "{cut}");
        let mut damaged = whole.clone();
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        fs::write(&images, damaged).unwrap();
        assert!(matches!(read_images(&images), Err(DataError::Io { .. })));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused_without_allocating() {
        let (_directory, [images, _]) = fixture(["images", "labels"]);
        let with_sizes = |sizes: [u32; 3]| {
            let header = sizes.iter().flat_map(|size| size.to_be_bytes());
            fs::write(&images, IMAGES.magic.into_iter().chain(header).collect::<Vec<_>>()).unwrap();
            message(&images, read_images(&images))
        };
        assert_eq!(
            with_sizes([u32::MAX; 3]),
            "file: the header announces the sizes [4294967295, 4294967295, 4294967295]: no memory holds that many bytes"
        );
        assert_eq!(
            with_sizes([3, 0, 5]),
            "file: the header announces the sizes [3, 0, 5]: an image has at least one pixel"
        );
        assert_eq!(
            with_sizes([1 << 20, 1 << 20, 1]),
            "file: the file is cut off: it needs 1099511627792 bytes, got 16 (uncompressed)"
        );
    }

    #[test]
    fn what_is_no_byte_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels");
        for value in [0.5, -1.0, 256.0, f32::NAN] {
            let error = write_labels(&path, &Tensor::vector(vec![0.0, value])).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("element 1 is {value}: a label in an IDX file is a whole number from 0 to 255")
            );
        }
        assert_eq!(
            write_images(&path, &Tensor::zeros([3])).unwrap_err().to_string(),
            "what is written must be images [samples, height, width], got f32[3]"
        );
        assert!(!path.exists());
        let (_directory, [images, _]) = fixture(["images", "labels"]);
        write_labels(&path, &Tensor::vector(vec![1_i64])).unwrap();
        assert!(matches!(read(images, path), Err(DataError::Lengths { left_len: 2, right_len: 1, .. })));
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60), magic: bool) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("any");
            let mut bytes = bytes;
            if magic && bytes.len() >= 16 {
                bytes[..4].copy_from_slice(&IMAGES.magic);
                for size in 1..4 {
                    bytes[4 * size..4 * size + 3].copy_from_slice(&[0; 3]);
                }
            }
            fs::write(&path, &bytes).unwrap();
            let _ = read_images(&path);
            let _ = read_labels(&path);
        }
    }
}
