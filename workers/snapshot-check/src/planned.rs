//! Reads every row that was to be copied: of the manifests that the copy jobs were given, and of the list of large-copy.

use std::sync::Arc;

use aws_sdk_s3::{Client, error::SdkError, operation::get_object::GetObjectError, primitives::ByteStream};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::{StreamExt, stream};
use levee_formats::inventory::{Column, DataFile, DataReader, Manifest as Inventory, Row, RowError};
use levee_ledger::{
    Ledger,
    state::{JobManifest, JobManifestKind, LargeRow, Manifest, ObjectPointer, PlannedList},
};
use levee_stage::{
    ErrorKind, StageError,
    aws::{error_code, http_status},
    aws_error,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{SNAPSHOT_DIFFERS, pass::Pass};

/// Data files that are read at the same time.
const FILES_AT_A_TIME: usize = 4;
/// How often one data file is read before a broken connection is left to the stage's own retries, which read all anew.
const READS_OF_A_FILE: u32 = 3;

/// What was to be copied.
pub(crate) struct Planned {
    s3: Client,
    ledger: Ledger,
    /// The account that owns the manifest bucket and the ledger.
    owner: String,
    inventories: Vec<Arc<Inventory>>,
    large: Option<PlannedList>,
}

impl Planned {
    /// Opens what `$.manifest` says was to be copied.
    ///
    /// # Errors
    /// A manifest is gone or has changed since it was pinned; AWS errors.
    pub(crate) async fn open(
        s3: &Client,
        ledger: &Ledger,
        owner: &str,
        manifest: &Manifest,
    ) -> Result<Self, StageError> {
        let restored =
            |plan: &levee_ledger::state::Plan| plan.restore.as_ref().and_then(|restore| restore.copy.clone());
        let pointers: Vec<ObjectPointer> = match &manifest.plan {
            None => vec![manifest.pointer.clone()],
            Some(plan) => plan.batch.iter().chain(&restored(plan)).map(inventory).collect::<Result<_, _>>()?,
        };
        let large = manifest.plan.as_ref().and_then(|plan| plan.large.clone());
        let mut opened =
            Self { s3: s3.clone(), ledger: ledger.clone(), owner: owner.to_owned(), inventories: Vec::new(), large };
        for pointer in &pointers {
            opened.inventories.push(Arc::new(opened.manifest(pointer).await?));
        }
        Ok(opened)
    }

    /// Whether every row has a size.
    pub(crate) fn has_sizes(&self) -> bool {
        self.inventories.iter().all(|inventory| inventory.schema.has(&Column::Size))
    }

    /// Gives every row to a pass; files in parallel, each to a fresh one.
    ///
    /// # Errors
    /// A file is gone, or not what its manifest says; AWS errors.
    pub(crate) async fn read<P: Pass + Sync>(&self, mut pass: P) -> Result<P, StageError> {
        for inventory in &self.inventories {
            let fresh = pass.fresh();
            let reads = (0..inventory.files.len()).map(|index| {
                let (s3, owner, inventory) = (self.s3.clone(), self.owner.clone(), Arc::clone(inventory));
                let file = FileRead { s3, owner, inventory, index };
                AbortOnDropHandle::new(tokio::spawn(file.read_with_patience(fresh.fresh())))
            });
            let mut files = stream::iter(reads).buffered(FILES_AT_A_TIME);
            while let Some(file) = files.next().await {
                pass.merge(file.map_err(|error| panicked(&error))??);
            }
        }
        if let Some(large) = &self.large {
            let mut rows = self.ledger.planned_rows(large);
            while let Some(row) = rows.next::<LargeRow>().await? {
                pass.row(&row.key, Some(row.size));
            }
        }
        Ok(pass)
    }

    async fn manifest(&self, pointer: &ObjectPointer) -> Result<Inventory, StageError> {
        let place = place(pointer);
        let get = self.s3.get_object().bucket(&pointer.bucket).key(&pointer.key).expected_bucket_owner(&self.owner);
        // What a plan has is written once; a delivery may be overwritten.
        let version = pointer.version_id.clone().filter(|_| pointer.bucket != self.ledger.bucket());
        let get = get.set_version_id(version).if_match(format!("\"{}\"", pointer.etag));
        let body = match get.send().await {
            Ok(answer) => answer.body,
            Err(error) if http_status(&error) == Some(412) => {
                return Err(unreadable(&place, "it has changed since it was pinned"));
            }
            Err(error) => return Err(gone_or_refused(&place, error)),
        };
        let bytes = body.collect().await.map_err(|error| broke_off(&place, &error))?;
        Inventory::parse(&bytes.to_vec()).map_err(|error| unreadable(&place, &error.to_string()))
    }
}

/// One data file that is read.
struct FileRead {
    s3: Client,
    owner: String,
    inventory: Arc<Inventory>,
    index: usize,
}

impl FileRead {
    async fn read_with_patience<P: Pass>(self, pass: P) -> Result<P, StageError> {
        let Some(file) = self.inventory.files.get(self.index) else { return Ok(pass) };
        let mut read = 1;
        loop {
            match self.read(file, pass.fresh()).await {
                Err(error) if error.kind == ErrorKind::Transient && read < READS_OF_A_FILE => {
                    tracing::warn!(file = %file.key, cause = %error.cause, "reading the data file again");
                    read += 1;
                }
                result => return result,
            }
        }
    }

    async fn read<P: Pass>(&self, file: &DataFile, mut pass: P) -> Result<P, StageError> {
        let place = format!("s3://{}/{}", self.inventory.destination_bucket, file.key);
        let mut body = self.open(&place, file).await?;
        let damaged = |problem: String| unreadable(&place, &problem);
        let mut reader = DataReader::new(&file.key, &self.inventory.schema, &self.inventory.source_bucket)
            .map_err(|error| damaged(error.to_string()))?;
        let mut bad = None;
        let mut sink = |row: Result<Row<'_>, RowError<'_>>| match row {
            Ok(row) => pass.row(&row.key, row.size),
            Err(error) => bad = bad.take().or_else(|| Some(error.to_string())),
        };
        while let Some(piece) = body.try_next().await.map_err(|error| broke_off(&place, &error))? {
            reader.push(&piece, &mut sink).map_err(|error| damaged(error.to_string()))?;
        }
        let totals = reader.finish(&mut sink).map_err(|error| damaged(error.to_string()))?;
        match bad {
            Some(bad) => Err(damaged(bad)),
            None if totals.md5 != file.md5 => {
                Err(damaged(format!("its MD5 is {}, the manifest says {}", totals.md5, file.md5)))
            }
            None => Ok(pass),
        }
    }

    async fn open(&self, place: &str, file: &DataFile) -> Result<ByteStream, StageError> {
        let get = self.s3.get_object().bucket(&self.inventory.destination_bucket).key(&file.key);
        match get.expected_bucket_owner(&self.owner).send().await {
            Ok(answer) => Ok(answer.body),
            Err(error) => Err(gone_or_refused(place, error)),
        }
    }
}

/// Where a job's manifest is, which must be in the inventory's format: only that has sizes.
fn inventory(manifest: &JobManifest) -> Result<ObjectPointer, StageError> {
    if manifest.kind == JobManifestKind::Inventory {
        return Ok(manifest.pointer.clone());
    }
    let cause = format!("the plan's manifest {} is a CSV; this release plans none", place(&manifest.pointer));
    Err(StageError::permanent(StageError::INPUT_INVALID, cause))
}

fn gone_or_refused(place: &str, error: SdkError<GetObjectError, HttpResponse>) -> StageError {
    match error_code(&error) {
        Some("NoSuchKey" | "NoSuchVersion") => unreadable(place, "it is gone"),
        _ => aws_error(&format!("GetObject {place}"), error),
    }
}

fn unreadable(place: &str, problem: &str) -> StageError {
    let cause = format!(
        "what was to be copied cannot be read again from {place}: {problem}. So the snapshot bucket cannot be compared with \
         it, and the run is not taken for a success. Look at what else writes to that bucket; have the object put back from \
         its earlier versions and redrive the execution, or start a new execution for the date."
    );
    StageError::permanent(SNAPSHOT_DIFFERS, cause)
}

fn broke_off(place: &str, error: &dyn std::fmt::Display) -> StageError {
    StageError::transient(StageError::AWS_UNAVAILABLE, format!("reading {place} broke off: {error}; it is tried again"))
}

/// The error of a task that has broken off with a panic.
pub(crate) fn panicked(error: &tokio::task::JoinError) -> StageError {
    StageError::transient(StageError::STAGE_PANICKED, format!("a part of the work broke off: {error}"))
}

fn place(pointer: &ObjectPointer) -> String {
    format!("s3://{}/{}", pointer.bucket, pointer.key)
}
