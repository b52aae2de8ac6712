//! Files are replaced whole: a reader sees the old contents or the new ones, never half of either.
//!
//! The bytes go to a temporary file beside the target, reach the disk, and only then take the target's name.
//! A crash or a full disk in between leaves the old file as it was.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `bytes` to `path`, replacing what was there; when this returns, they are on the disk.
///
/// A symbolic link is followed, so that the file it points to is replaced and not the link. The new file has the
/// permissions of a newly created one.
///
/// # Errors
/// The system's error, when the directory is missing or not writable, the disk is full, or `path` is a directory.
/// The old file is then untouched and no temporary file is left behind.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
    let path = path.as_ref();
    // Fails for a file that does not exist yet: then there is no link to follow.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let (mut file, temporary) = create_beside(&target)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, &target)) {
        // The first error is the one to tell; a second one while cleaning up adds nothing.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_directory(&target)
}

/// Creates a file that did not exist, in the directory of `target`: renaming is atomic only within a file system.
fn create_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{} does not name a file", target.display()))
    })?;
    loop {
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{}.tmp", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
        let temporary = target.with_file_name(temporary);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            // Left by a crashed process that had our id: it is not ours to remove, take the next name.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Brings the rename itself to the disk; on systems where a directory cannot be opened, the rename is left to them.
fn sync_directory(target: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = target;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_is_written_and_an_old_one_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("graph.json");
        write(&path, b"first, and longer").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(directory.path()), ["graph.json"]);
    }

    #[test]
    fn an_error_leaves_no_temporary_file_and_the_target_untouched() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("taken");
        fs::create_dir(&target).unwrap();
        write(&target, b"bytes").unwrap_err();
        assert_eq!(names(directory.path()), ["taken"]);
        assert!(target.is_dir());
    }

    #[test]
    fn a_missing_directory_and_a_path_without_a_name_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let error = write(directory.path().join("missing/graph.json"), b"").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(write("", b"").is_err());
        assert!(write("/", b"").is_err());
    }

    #[test]
    fn a_name_left_by_a_crash_is_stepped_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("graph.json");
        let (_, left) = create_beside(&path).unwrap();
        write(&path, b"bytes").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
        assert!(left.exists(), "another process may own it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("v1.json"), directory.path().join("latest.json"));
        fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink("v1.json", &link).unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn writers_of_one_file_do_not_mix() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("graph.json");
        std::thread::scope(|scope| {
            for letter in b'a'..=b'd' {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| write(path, &[letter; 4096]).unwrap()));
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 4096);
        assert!(bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(names(directory.path()), ["graph.json"]);
    }
}
