//! Keeps buckets as files.

use std::{
    fs::{self, File},
    io::Write,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result};

use super::compare::{Side, keys};

/// Why a key did not become a file.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Two keys need the same place, for example `a` and `a/b`.
    #[error("{key:?} cannot be kept as {path}, because another key is kept there; the bucket's other objects are kept")]
    Collision {
        /// The key.
        key: String,
        /// The place.
        path: PathBuf,
    },
    /// A key whose file would be outside of the folder.
    #[error("{0:?} would be kept outside of the folder")]
    Traversal(String),
}

/// The file, below a bucket's folder, that keeps the object of a key.
///
/// Parts between slashes stay as they are, so that a Delta table kept this way can be opened. Only what cannot be a file's
/// name is percent-encoded: an empty part becomes `%`, `.` and `..` become `%2E` and `%2E%2E`, NUL becomes `%00`.
///
/// # Errors
/// [`KeepError::Traversal`] when the path would leave the folder all the same; a safeguard that no key is known to reach.
pub fn file_name(key: &str) -> Result<PathBuf, KeepError> {
    let mut path = PathBuf::new();
    for part in key.split('/') {
        let name = match part {
            "" => "%".to_owned(),
            "." => "%2E".to_owned(),
            ".." => "%2E%2E".to_owned(),
            other => other.replace('\0', "%00"),
        };
        path.push(name);
    }
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(path)
    } else {
        Err(KeepError::Traversal(key.to_owned()))
    }
}

/// Writes every object of a bucket below `folder`, overwriting nothing.
pub(super) async fn bucket(side: Side<'_>, folder: &Path) -> Result<u64> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let keys = keys(side).await?;
    let mut problems = Vec::new();
    for key in &keys {
        let answer = side.s3.get_object().bucket(side.bucket).key(key).send().await;
        let body = answer.with_context(|| format!("cannot read {key:?} of {}", side.bucket))?.body.collect().await?;
        let path = folder.join(file_name(key)?);
        match write_new(&path, &body.into_bytes()) {
            Ok(()) => {}
            Err(error) if taken(&error) => problems.push(KeepError::Collision { key: key.clone(), path }.to_string()),
            Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
        }
    }
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(keys.len() as u64)
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    File::create_new(path)?.write_all(bytes)
}

/// Whether another file or folder stands where this one should go.
fn taken(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory};
    matches!(error.kind(), AlreadyExists | IsADirectory | NotADirectory)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a/b c/d=1%3A2.parquet", "a/b c/d=1%3A2.parquet")]
    #[case("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd")]
    #[case("/etc/passwd", "%/etc/passwd")]
    #[case("a/./b", "a/%2E/b")]
    #[case("a//b", "a/%/b")]
    #[case("folder/", "folder/%")]
    #[case("nul\0byte", "nul%00byte")]
    fn every_key_stays_below_the_folder(#[case] key: &str, #[case] path: &str) {
        assert_eq!(file_name(key).unwrap(), Path::new(path));
    }

    #[test]
    fn second_file_for_the_same_place_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_new(&folder.path().join("a"), b"1").unwrap();
        assert!(taken(&write_new(&folder.path().join("a"), b"2").unwrap_err()));
        assert!(taken(&write_new(&folder.path().join("a/b"), b"2").unwrap_err()));
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"1");
    }
}
