//! Opening data files, gzipped or not.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::error::DataError;

/// A reader of the contents of `path`, unpacked if it is a gzip file by its first bytes, whatever its name.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    let io = |error| DataError::Io { path: path.to_path_buf(), error };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let gzipped = file.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
    Ok(if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}
