//! The data files of an inventory in a folder.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use levee_formats::inventory::Manifest;
use levee_manifest_ready::scan::{Body, DataFiles};
use levee_stage::StageError;

/// About what a read from S3 brings.
const PIECE: usize = 64 * 1024;

/// Data files in a folder.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

/// An open file.
#[derive(Debug)]
pub struct OpenFile(File);

impl DataFiles for Folder {
    type Body = OpenFile;

    async fn open(&self, key: &str) -> Result<OpenFile, StageError> {
        let path = self.0.join(key);
        File::open(&path).map(OpenFile).map_err(|error| unreadable(&path.display(), &error))
    }

    fn place(&self, key: &str) -> String {
        self.0.join(key).display().to_string()
    }
}

impl Body for OpenFile {
    async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        let mut piece = Vec::with_capacity(PIECE);
        // The file is in the page cache, from where it comes at once.
        let read = (&self.0).take(PIECE as u64).read_to_end(&mut piece);
        let read = read.map_err(|error| unreadable(&"a data file", &error))?;
        Ok((read > 0).then(|| Bytes::from(piece)))
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
