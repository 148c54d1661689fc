//! Files in a folder, as a stage reads those of S3: piece by piece.

use std::{
    fs::{self, File},
    io::Read,
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use levee_formats::inventory::Manifest;
use levee_manifest_ready::scan::{Body, DataFiles};
use levee_stage::StageError;

/// About what a read from S3 brings.
const PIECE: usize = 32 * 1024;

/// Files in a folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    buffers: Buffers,
}

/// An open file.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    buffers: Buffers,
}

/// Buffers that are used again, so that what is measured is the stage and not the making of memory.
#[derive(Clone, Debug, Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A piece of a file.
struct Piece {
    buffer: Vec<u8>,
    length: usize,
    buffers: Buffers,
}

impl Folder {
    /// The files in a folder.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), buffers: Buffers::default() }
    }

    fn file(&self, key: &str) -> PathBuf {
        self.path.join(key)
    }
}

impl DataFiles for Folder {
    type Body = OpenFile;

    async fn open(&self, key: &str) -> Result<OpenFile, StageError> {
        let path = self.file(key);
        let file = File::open(&path).map_err(|error| unreadable(&path.display(), &error))?;
        Ok(OpenFile { file, buffers: self.buffers.clone() })
    }

    fn place(&self, key: &str) -> String {
        self.file(key).display().to_string()
    }
}

impl Body for OpenFile {
    async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        let mut buffer = self.buffers.get();
        // The file is in the page cache, from where it comes at once.
        let length = self.file.read(&mut buffer).map_err(|error| unreadable(&"a file", &error))?;
        let piece = Piece { buffer, length, buffers: self.buffers.clone() };
        Ok((length > 0).then(|| Bytes::from_owner(piece)))
    }
}

impl Buffers {
    fn get(&self) -> Vec<u8> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| vec![0; PIECE])
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let buffer = mem::take(&mut self.buffer);
        self.buffers.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

/// The manifest in a folder, with its bytes.
pub(super) fn manifest(folder: &Path) -> Result<(Manifest, Vec<u8>)> {
    let path = folder.join("manifest.json");
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok((Manifest::parse(&bytes)?, bytes))
}

fn unreadable(what: &dyn std::fmt::Display, error: &std::io::Error) -> StageError {
    StageError::permanent(StageError::AWS_REFUSED, format!("cannot read {what}: {error}"))
}
