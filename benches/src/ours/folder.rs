//! The data files of an inventory in a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use levee_formats::inventory::Manifest;
use levee_manifest_ready::scan::{Body, DataFiles};
use levee_stage::StageError;
use tokio::io::AsyncReadExt;

/// About what a read from S3 brings.
const PIECE: usize = 128 * 1024;

/// Data files in a folder.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

/// An open file.
#[derive(Debug)]
pub struct OpenFile(tokio::fs::File);

impl DataFiles for Folder {
    type Body = OpenFile;

    async fn open(&self, key: &str) -> Result<OpenFile, StageError> {
        let path = self.0.join(key);
        tokio::fs::File::open(&path).await.map(OpenFile).map_err(|error| unreadable(&path.display(), &error))
    }

    fn place(&self, key: &str) -> String {
        self.0.join(key).display().to_string()
    }
}

impl Body for OpenFile {
    async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = self.0.read_buf(&mut piece).await.map_err(|error| unreadable(&"a data file", &error))?;
        Ok((read > 0).then(|| piece.freeze()))
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
