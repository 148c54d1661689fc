//! Warehouses as lists of files: the sample that the command carries, or any folder.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::read::GzDecoder;

/// The sample warehouse, see `tests/lake` in the repository.
const SAMPLE: &[u8] = include_bytes!("../../../tests/lake/lake.tar.gz");
/// The longest key that S3 takes, in bytes.
const LONGEST_KEY: usize = 1024;

/// One object of a warehouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeFile {
    /// The object's key: the path below the warehouse's folder, with `/` between its parts.
    pub key: String,
    /// The content.
    pub bytes: Bytes,
}

/// Why there is no warehouse.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// A file or folder that the system does not let us read.
    #[error("cannot read {path}; every file of the warehouse must be readable")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No files below the folder.
    #[error("{0} holds no files; name a folder that holds the warehouse")]
    Empty(PathBuf),
    /// A file that cannot be an object.
    #[error("{path} cannot become an object: {reason}")]
    Unfit {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The embedded archive is damaged.
    #[error("the sample warehouse in this program is damaged")]
    Sample(#[source] std::io::Error),
}

/// The sample warehouse, sorted by key.
///
/// # Errors
/// Only when the program itself is damaged.
pub fn sample() -> Result<Vec<LakeFile>, LakeError> {
    let mut archive = tar::Archive::new(GzDecoder::new(SAMPLE));
    let mut files = Vec::new();
    for entry in archive.entries().map_err(LakeError::Sample)? {
        let mut entry = entry.map_err(LakeError::Sample)?;
        let key = key_of(&entry.path().map_err(LakeError::Sample)?)?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(LakeError::Sample)?;
        files.push(LakeFile { key, bytes: bytes.into() });
    }
    files.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(files)
}

/// All files below `folder`, sorted by key. Links to files are read, links to folders are refused, so that nothing is
/// visited twice and nothing is left out in silence.
///
/// # Errors
/// See [`LakeError`]; the first problem ends it.
pub fn folder(folder: &Path) -> Result<Vec<LakeFile>, LakeError> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        let unreadable = |source| LakeError::Unreadable { path: next.clone(), source };
        for entry in fs::read_dir(&next).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let unreadable = |source| LakeError::Unreadable { path: path.clone(), source };
            let kind = fs::symlink_metadata(&path).map_err(unreadable)?.file_type();
            if kind.is_dir() {
                waiting.push(path);
            } else if fs::metadata(&path).map_err(unreadable)?.is_file() {
                let key = key_of(path.strip_prefix(folder).unwrap_or(&path))?;
                let bytes = fs::read(&path).map_err(unreadable)?.into();
                files.push(LakeFile { key, bytes });
            } else {
                return Err(LakeError::Unfit { path, reason: "it is neither a file nor a folder".to_owned() });
            }
        }
    }
    if files.is_empty() {
        return Err(LakeError::Empty(folder.to_owned()));
    }
    files.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(files)
}

fn key_of(path: &Path) -> Result<String, LakeError> {
    let unfit = |reason: &str| LakeError::Unfit { path: path.to_owned(), reason: reason.to_owned() };
    let key = path.to_str().ok_or_else(|| unfit("its name is not UTF-8, and an object's key must be"))?;
    if key.len() > LONGEST_KEY {
        return Err(unfit("its key would be longer than the 1,024 bytes that S3 takes"));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn sample_has_a_thousand_objects_and_names_that_need_encoding() {
        let files = sample().unwrap();
        assert!(files.len() >= 1000);
        for character in [" ", "=", ":", "%", "+", "é"] {
            assert!(files.iter().any(|file| file.key.contains(character)), "no key with {character:?}");
        }
    }

    #[test]
    fn folder_without_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("empty")).unwrap();
        assert!(matches!(super::folder(folder.path()), Err(LakeError::Empty(_))));
    }

    #[test]
    fn folder_that_is_not_there_is_named() {
        let error = super::folder(Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("no/such/folder"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn link_to_a_folder_is_refused_and_link_to_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        std::os::unix::fs::symlink(folder.path().join("a"), folder.path().join("b")).unwrap();
        let keys: Vec<_> = super::folder(folder.path()).unwrap().into_iter().map(|file| file.key).collect();
        assert_eq!(keys, ["a", "b"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        assert!(matches!(super::folder(folder.path()), Err(LakeError::Unfit { .. })));
    }

    #[test]
    fn keys_are_paths_below_the_folder_with_nothing_encoded() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a table/day=1%3A2")).unwrap();
        fs::write(folder.path().join("a table/day=1%3A2/part+0.parquet"), "x").unwrap();
        let files = super::folder(folder.path()).unwrap();
        assert_eq!(files[0].key, "a table/day=1%3A2/part+0.parquet");
    }
}
