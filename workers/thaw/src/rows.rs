//! Reads the rows of a job's manifest, a piece at a time, whatever kind of manifest it is.

use std::collections::VecDeque;

use aws_sdk_s3::{Client, operation::get_object::GetObjectOutput, primitives::ByteStream};
use levee_formats::{
    KeyCodec,
    batch_manifest::{Fields, ManifestReader},
    inventory::{DataReader, Manifest},
};
use levee_ledger::state::{JobManifest, JobManifestKind};
use levee_stage::{StageError, aws_error};

/// An object that a job works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
}

/// Where manifests are, and whose.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) s3: &'a Client,
    /// The account that must own the manifest's bucket.
    pub(crate) owner: &'a str,
    /// The bucket that the manifest's rows are of.
    pub(crate) source: &'a str,
}

/// One reading of a manifest from its first row. Memory holds one piece of the network's stream.
pub(crate) struct Rows<'a> {
    place: Place<'a>,
    inventory: Option<Manifest>,
    bucket: String,
    /// The files that are still to be read.
    files: VecDeque<String>,
    open: Option<(String, ByteStream, Reader)>,
}

enum Reader {
    Csv(Box<ManifestReader>),
    Data(Box<DataReader>),
}

impl<'a> Rows<'a> {
    /// Begins to read. The manifest must be the one that the pointer is of.
    ///
    /// # Errors
    /// AWS errors; the manifest is not what it should be.
    pub(crate) async fn of(place: Place<'a>, manifest: &JobManifest) -> Result<Self, StageError> {
        let (bucket, key) = (manifest.pointer.bucket.clone(), manifest.pointer.key.clone());
        let answer = place.get(&bucket, &key, Some(&manifest.pointer.etag)).await?;
        let with_versions = match manifest.kind {
            JobManifestKind::Inventory => {
                let bytes = answer.body.collect().await.map_err(|error| broken_off(&key, &error))?.to_vec();
                let inventory = Manifest::parse(&bytes).map_err(|error| damaged(&bucket, &key, &error))?;
                let (bucket, files) = (inventory.destination_bucket.clone(), inventory.files.iter());
                let files = files.map(|file| file.key.clone()).collect();
                return Ok(Self { place, inventory: Some(inventory), bucket, files, open: None });
            }
            JobManifestKind::Csv => false,
            JobManifestKind::CsvVersions => true,
        };
        let reader = ManifestReader::new(&key, &Fields::written(with_versions), KeyCodec::Percent);
        let open = Some((key, answer.body, Reader::Csv(Box::new(reader))));
        Ok(Self { place, inventory: None, bucket, files: VecDeque::new(), open })
    }

    /// The rows of the next piece, which may be none; nothing at the end.
    ///
    /// # Errors
    /// AWS errors; a row that cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Object>>, StageError> {
        let Some((key, mut body, reader)) = self.open.take() else {
            let (Some(key), Some(inventory)) = (self.files.pop_front(), &self.inventory) else { return Ok(None) };
            let body = self.place.get(&self.bucket, &key, None).await?.body;
            let reader = DataReader::new(&key, &inventory.schema, self.place.source);
            let reader = reader.map_err(|error| damaged(&self.bucket, &key, &error))?;
            self.open = Some((key, body, Reader::Data(Box::new(reader))));
            return Ok(Some(Vec::new()));
        };
        let mut rows = Vec::new();
        let read = match body.next().await {
            Some(piece) => {
                let piece = piece.map_err(|error| broken_off(&key, &error))?;
                reader.push(&piece, &mut rows).map(Some)
            }
            None => reader.finish(&mut rows).map(|()| None),
        };
        let reader = read.map_err(|problem| damaged(&self.bucket, &key, &problem))?;
        self.open = reader.map(|reader| (key, body, reader));
        Ok(Some(rows))
    }
}

impl Reader {
    fn push(mut self, piece: &[u8], rows: &mut Vec<Object>) -> Result<Self, String> {
        let mut problem = None;
        let read = match &mut self {
            Self::Csv(reader) => reader.push(piece, &mut |row| take(row.map(Object::of_manifest), rows, &mut problem)),
            Self::Data(reader) => reader.push(piece, &mut |row| take(row.map(Object::of_data), rows, &mut problem)),
        };
        read.map_err(|error| error.to_string())?;
        problem.map_or(Ok(self), Err)
    }

    fn finish(self, rows: &mut Vec<Object>) -> Result<(), String> {
        let mut problem = None;
        let read = match self {
            Self::Csv(reader) => {
                reader.finish(&mut |row| take(row.map(Object::of_manifest), rows, &mut problem)).map(drop)
            }
            Self::Data(reader) => {
                reader.finish(&mut |row| take(row.map(Object::of_data), rows, &mut problem)).map(drop)
            }
        };
        read.map_err(|error| error.to_string())?;
        problem.map_or(Ok(()), Err)
    }
}

impl Object {
    fn of_manifest(row: levee_formats::batch_manifest::Row<'_>) -> Self {
        Self { key: row.key.into_owned(), version_id: row.version_id.map(|id| id.into_owned()) }
    }

    fn of_data(row: levee_formats::inventory::Row<'_>) -> Self {
        // The null version is the newest where there is no other, and to name it needs a permission of its own.
        let version_id = row.version_id.filter(|id| *id != "null").map(|id| id.into_owned());
        Self { key: row.key.into_owned(), version_id }
    }
}

fn take(row: Result<Object, impl std::fmt::Display>, rows: &mut Vec<Object>, problem: &mut Option<String>) {
    match row {
        Ok(object) => rows.push(object),
        Err(error) => {
            problem.get_or_insert_with(|| error.to_string());
        }
    }
}

impl Place<'_> {
    async fn get(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<GetObjectOutput, StageError> {
        let call = self.s3.get_object().bucket(bucket).key(key).expected_bucket_owner(self.owner);
        let call = call.set_if_match(etag.map(|etag| format!("\"{etag}\"")));
        call.send().await.map_err(|error| aws_error(&format!("GetObject s3://{bucket}/{key}"), error))
    }
}

fn damaged(bucket: &str, key: &str, problem: &dyn std::fmt::Display) -> StageError {
    let cause = format!(
        "the list of objects to restore s3://{bucket}/{key} cannot be read: {problem}. Look at who changes the ledger; then \
         start a new execution for the date."
    );
    StageError::permanent(StageError::INPUT_INVALID, cause)
}

fn broken_off(key: &str, error: &dyn std::fmt::Display) -> StageError {
    StageError::transient(StageError::AWS_UNAVAILABLE, format!("reading {key} broke off: {error}; it is tried again"))
}
