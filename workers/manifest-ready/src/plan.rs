//! Writes the plan of an inventory to the ledger: manifests for the copy jobs and the restore job, the objects for large-copy,
//! those that are not copied, and a summary that names all of it with sizes and checksums.
//!
//! A plan is a function of the inventory and the settings, and so is the place where it is. An execution that takes the date
//! over from another one therefore finds that one's plan, and with it that one's jobs, whose tokens are made of the manifest.
//!
//! ```text
//! runs/<source>/<date>/plan-<16 hex digits>/  summary.json  manifest.json  manifest.checksum  data/<n>.csv.gz
//!                                             large.jsonl  skipped.jsonl  restore/…  tiered/…  thawed/…  slices/…
//! ```

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use levee_formats::inventory::{self, Column, FileFormat, Manifest, Record, Row, Schema};
use levee_ledger::{
    Ledger, RunKey, canonical_json,
    state::{
        Amount, ArchivedPolicy, COPY_LIMIT_BYTES, Decision, JobManifest, JobManifestKind, LargeRow, ObjectPointer,
        Plan, PlannedRestore, Selection, SkippedRow,
    },
};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

pub use crate::write::PlannedFile;
use crate::{
    decide::{Rules, is_large},
    lists::{FinishedLists, Lines, Lists},
    scan::{Count, FileRows, Rows},
    write::{self, DataFile},
};

/// The columns that a manifest of the plan has, where the inventory has them: the first two are what a job reads, the others
/// let a listing of the copies be compared with it.
const COLUMNS: [Column; 4] = [Column::Bucket, Column::Key, Column::Size, Column::ETag];
/// Counts up when the plan of the same inventory and settings gets other bytes.
const LAYOUT: u32 = 2;

/// The record of a plan: what decided, what was decided, and every object of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The inventory, and the MD5 of its `manifest.json`.
    pub inventory: PlannedInventory,
    /// The settings that decided.
    pub settings: PlanSettings,
    /// Objects and bytes by decision.
    pub decisions: BTreeMap<Decision, Amount>,
    /// All other objects of the plan.
    pub files: Vec<PlannedFile>,
}

/// The inventory that a plan is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedInventory {
    /// Its bucket.
    pub bucket: String,
    /// The key of its `manifest.json`.
    pub key: String,
    /// The MD5 of that in hexadecimal, which names all data files with theirs.
    pub md5: String,
    /// When its scan began.
    pub scan_started: Timestamp,
}

/// The settings that a plan follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSettings {
    /// `$.run.selection`.
    pub selection: Selection,
    /// `$.run.archived`.
    pub archived: ArchivedPolicy,
    /// Objects above this go to large-copy.
    pub copy_limit_bytes: u64,
    /// The release's way of laying a plan out.
    pub layout: u32,
}

/// Writes a plan.
pub struct PlanWriter {
    ledger: Ledger,
    prefix: String,
    inventory: PlannedInventory,
    settings: PlanSettings,
    source: String,
    version: String,
    schema: Arc<Schema>,
    lists: Arc<Lists>,
    /// The place of the first file that is read, among all data files of the inventory.
    first: usize,
}

impl PlanWriter {
    /// A plan for the inventory `manifest`, which was read from `pointer` and has the MD5 `md5`.
    ///
    /// # Errors
    /// The columns cannot be written, or the settings are no JSON, which the types rule out.
    pub fn new(
        ledger: &Ledger,
        run: &RunKey,
        (manifest, pointer, md5): (&Manifest, &ObjectPointer, &str),
        rules: &Rules,
    ) -> Result<Self, StageError> {
        let inventory = PlannedInventory {
            bucket: pointer.bucket.clone(),
            key: pointer.key.clone(),
            md5: md5.to_owned(),
            scan_started: manifest.created,
        };
        let settings = PlanSettings {
            selection: rules.selection.clone(),
            archived: rules.archived,
            copy_limit_bytes: COPY_LIMIT_BYTES,
            layout: LAYOUT,
        };
        let decided_by = canonical_json(&(&inventory, &settings)).map_err(|error| invalid(&error))?;
        let name: String = hex::encode(Sha256::digest(decided_by)).chars().take(16).collect();
        let prefix = format!("{}plan-{name}/", run.day_prefix());
        let columns: Vec<Column> = COLUMNS.into_iter().filter(|column| manifest.schema.has(column)).collect();
        Ok(Self {
            ledger: ledger.clone(),
            inventory,
            settings,
            source: manifest.source_bucket.clone(),
            version: manifest.version.clone(),
            schema: Arc::new(Schema::of(&columns).map_err(|error| invalid(&error))?),
            lists: Arc::new(Lists::new(ledger, &prefix)),
            prefix,
            first: 0,
        })
    }

    /// Writes a slice of the plan: its data files where they belong, and its part of the lists beside those. `first` is the place
    /// of its first file among all data files of the inventory.
    pub(crate) fn of_slice(self, first: usize, files: usize) -> Self {
        // Named by what is in it, and not numbered: with another setting the slices are others.
        let lists = Arc::new(Lists::new(&self.ledger, &format!("{}slices/{first}-{files}/", self.prefix)));
        Self { lists, first, ..self }
    }

    /// Makes the part of the lists appear that a slice has.
    ///
    /// # Errors
    /// AWS errors; the ledger has other lists at the same place.
    pub(crate) async fn finish_lists(self) -> Result<FinishedLists, StageError> {
        let lists = Arc::into_inner(self.lists).ok_or_else(|| invalid(&"a data file is still being read"))?;
        lists.finish().await
    }

    /// Adds the part of the lists that a slice has written behind those that were added before.
    ///
    /// # Errors
    /// It is not what its slice has written any more; AWS errors. The plan is to be given up then.
    pub(crate) async fn append(&self, part: &FinishedLists) -> Result<(), StageError> {
        self.lists.append(&self.ledger, part).await
    }

    /// Ends the plan, whose files have been written. None when one copy job does with all objects what is to be done: then it
    /// is given the inventory itself, and what was written is not referred to.
    ///
    /// # Errors
    /// AWS errors; the ledger has another plan at the same place.
    pub async fn finish(self, count: &Count, files: Vec<PlannedParts>) -> Result<Option<Plan>, StageError> {
        if count.is_all_batch() {
            self.abort().await;
            return Ok(None);
        }
        let (mut batch, mut restore, mut tiered, mut thawed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for parts in files {
            batch.extend(parts.batch);
            restore.extend(parts.restore);
            tiered.extend(parts.tiered);
            thawed.extend(parts.thawed);
        }
        let mut all = Vec::new();
        let batch = self.manifest("", batch, &mut all).await?;
        let batch = batch.map(|batch| JobManifest { keys: Some(count.batch_keys), ..batch });
        let archived = PlannedRestore {
            copy: self.manifest("thawed/", thawed, &mut all).await?,
            restore: self.manifest("restore/", restore, &mut all).await?,
            tiered: self.manifest("tiered/", tiered, &mut all).await?,
            amount: count.of(Decision::Restore),
        };
        let restore = Some(archived).filter(|archived| archived.amount.rows > 0);
        let lists = Arc::into_inner(self.lists).ok_or_else(|| invalid(&"a data file is still being read"))?;
        let lists = lists.finish().await?;
        all.extend(lists.files);
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let decisions = count.decisions();
        let summary =
            Summary { inventory: self.inventory, settings: self.settings, decisions: decisions.clone(), files: all };
        let bytes = canonical_json(&summary).map_err(|error| invalid(&error))?;
        let key = format!("{}summary.json", self.prefix);
        let (_, summary) = write::put(&self.ledger, key, write::JSON, &bytes, count.objects).await?;
        Ok(Some(Plan { summary, decisions, batch, large: lists.large, restore, skipped: lists.skipped }))
    }

    /// Gives the plan up.
    pub async fn abort(self) {
        if let Some(lists) = Arc::into_inner(self.lists) {
            lists.abort().await;
        }
    }

    /// Writes the manifest of data files, unless there is none.
    async fn manifest(
        &self,
        folder: &str,
        files: Vec<PlannedFile>,
        all: &mut Vec<PlannedFile>,
    ) -> Result<Option<JobManifest>, StageError> {
        let rows = files.iter().map(|file| file.rows).sum();
        if rows == 0 {
            return Ok(None);
        }
        let data =
            |file: &PlannedFile| inventory::DataFile { key: file.key.clone(), size: file.size, md5: file.md5.clone() };
        let manifest = Manifest {
            source_bucket: self.source.clone(),
            destination_bucket: self.ledger.bucket().to_owned(),
            version: self.version.clone(),
            created: self.inventory.scan_started,
            format: FileFormat::Csv,
            schema: Schema::clone(&self.schema),
            files: files.iter().map(data).collect(),
        };
        let bytes = manifest.to_json();
        let checksum = Manifest::checksum(&bytes);
        let key = |name: &str| format!("{}{folder}{name}", self.prefix);
        let (file, pointer) = write::put(&self.ledger, key("manifest.json"), write::JSON, &bytes, rows).await?;
        let checksum =
            write::put(&self.ledger, key("manifest.checksum"), write::TEXT, checksum.as_bytes(), rows).await?;
        all.extend(files);
        all.extend([file, checksum.0]);
        Ok(Some(JobManifest { kind: JobManifestKind::Inventory, pointer, rows, keys: None }))
    }
}

/// What one data file of the inventory has added to the manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedParts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<PlannedFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restore: Option<PlannedFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tiered: Option<PlannedFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thawed: Option<PlannedFile>,
}

/// Takes the rows of one data file of the inventory.
pub struct FilePlan {
    source: String,
    schema: Arc<Schema>,
    batch: DataFile,
    restore: DataFile,
    tiered: DataFile,
    thawed: DataFile,
    lines: Lines,
}

impl Rows for PlanWriter {
    type File = FilePlan;
    /// Each may hold a part of every manifest that it adds to.
    const AT_A_TIME: usize = 4;

    fn file(&self, index: usize, stop: &CancellationToken) -> FilePlan {
        let place = self.first.saturating_add(index);
        let data = |folder: &str| DataFile::new(&self.ledger, format!("{}{folder}data/{place}.csv.gz", self.prefix));
        FilePlan {
            source: self.source.clone(),
            schema: Arc::clone(&self.schema),
            batch: data(""),
            restore: data("restore/"),
            tiered: data("tiered/"),
            thawed: data("thawed/"),
            lines: Lines::new(&self.lists, index, stop),
        }
    }
}

impl FilePlan {
    fn large(&mut self, row: &Row<'_>) -> Result<(), StageError> {
        let size = row.size.unwrap_or(0);
        let etag = row.etag.as_deref().map(str::to_owned);
        self.lines.large(&LargeRow { key: row.key.to_string(), size, etag }, size)
    }
}

impl FileRows for FilePlan {
    type Done = PlannedParts;

    fn row(&mut self, row: &Row<'_>, decision: Decision) -> Result<(), StageError> {
        let record = Record {
            bucket: &self.source,
            key: row.key.as_bytes(),
            size: row.size,
            etag: row.etag.as_deref(),
            ..Record::default()
        };
        match decision {
            Decision::Batch => self.batch.row(&self.schema, &record),
            Decision::Large => self.large(row),
            Decision::Restore => {
                // Batch Operations restores the two kinds by jobs of their own.
                let tiered = row.storage_class.as_deref() == Some("INTELLIGENT_TIERING");
                let restored = if tiered { &mut self.tiered } else { &mut self.restore };
                restored.row(&self.schema, &record)?;
                if is_large(row) { self.large(row) } else { self.thawed.row(&self.schema, &record) }
            }
            Decision::SkippedArchived | Decision::Unsupported => {
                let storage_class = row.storage_class.as_deref().map(str::to_owned);
                let skipped = SkippedRow { key: row.key.to_string(), size: row.size, reason: decision, storage_class };
                self.lines.skipped(&skipped, row.size.unwrap_or(0))
            }
            Decision::Excluded => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), StageError> {
        self.batch.flush().await?;
        self.restore.flush().await?;
        self.tiered.flush().await?;
        self.thawed.flush().await?;
        self.lines.flush().await
    }

    async fn finish(self) -> Result<PlannedParts, StageError> {
        let (batch, thawed) = (self.batch.finish().await, self.thawed.finish().await);
        let (restore, tiered) = (self.restore.finish().await, self.tiered.finish().await);
        let parts = PlannedParts { batch: batch?, restore: restore?, tiered: tiered?, thawed: thawed? };
        self.lines.finish().await?;
        Ok(parts)
    }

    async fn abort(self) {
        self.batch.abort().await;
        self.restore.abort().await;
        self.tiered.abort().await;
        self.thawed.abort().await;
    }
}

fn invalid(error: &dyn std::fmt::Display) -> StageError {
    StageError::permanent(StageError::OUTPUT_INVALID, format!("the plan cannot be written: {error}"))
}
