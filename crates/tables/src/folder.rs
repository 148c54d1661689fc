//! A folder of this machine.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use levee_stage::StageError;
use walkdir::WalkDir;

use crate::{
    check::CANNOT_CHECK,
    store::{Object, Store},
};

/// What is below a folder. Keys are paths relative to it, with `/` between names.
#[derive(Clone, Debug)]
pub struct FolderStore {
    root: PathBuf,
}

impl FolderStore {
    /// A folder; symbolic links in it are followed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, key: &str) -> PathBuf {
        key.split('/').fold(self.root.clone(), |path, name| path.join(name))
    }

    fn key(&self, path: &Path) -> Result<String, StageError> {
        let names = path.strip_prefix(&self.root).unwrap_or(path).components();
        let names: Option<Vec<_>> = names.map(|name| name.as_os_str().to_str()).collect();
        names.map(|names| names.join("/")).ok_or_else(|| {
            refused(&format!("the name of {} is not UTF-8, as no key of S3 is: it cannot be checked", path.display()))
        })
    }

    fn walk(&self, below: &str, mut take: impl FnMut(Object<'_>)) -> Result<(), StageError> {
        let begin = below.rsplit_once('/').map_or_else(|| self.root.clone(), |(folder, _)| self.path(folder));
        if !below.is_empty() && !begin.exists() {
            return Ok(());
        }
        for entry in WalkDir::new(&begin).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|error| refused(&format!("{} cannot be listed: {error}", begin.display())))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let key = self.key(entry.path())?;
            let facts = entry.metadata();
            let facts =
                facts.map_err(|error| refused(&format!("{} cannot be read: {error}", entry.path().display())))?;
            let modified = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let modified_ms = modified.and_then(|since| i64::try_from(since.as_millis()).ok());
            if key.starts_with(below) {
                take(Object { key: &key, size: facts.len(), modified_ms, etag: None, archived: false });
            }
        }
        Ok(())
    }
}

impl Store for FolderStore {
    async fn list(&self, below: &str, take: impl FnMut(Object<'_>) + Send) -> Result<(), StageError> {
        self.walk(below, take)
    }

    async fn read(&self, key: &str) -> Result<Option<Bytes>, StageError> {
        let path = self.path(key);
        match tokio::fs::read(&path).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused(&format!("{} cannot be read: {error}", path.display()))),
        }
    }

    fn place(&self, key: &str) -> String {
        self.path(key).display().to_string()
    }
}

fn refused(cause: &str) -> StageError {
    StageError::permanent(CANNOT_CHECK, cause.to_owned())
}
