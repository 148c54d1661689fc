//! `levee inventory cat`

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use levee_formats::inventory::{Column, DataFile, DataReader, Manifest, PartialRow, Row, RowError, RowProblem};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{console::Console, source::Source};

/// Prints the rows or the totals of an inventory.
///
/// All files are read once to check them before the first row is printed, and once more to print their rows, so that no
/// row of an inventory that is refused is seen.
pub(super) async fn cat(source: &Source, stats: bool, console: &mut Console) -> anyhow::Result<()> {
    let Some(manifest) = manifest(source, console).await else { return Ok(()) };
    let mut totals = Totals::of(&manifest);
    let mut refused = false;
    for file in &manifest.files {
        let mut sink = |row: Result<Row<'_>, RowError<'_>>| {
            totals.add(&row);
            match row {
                Err(error) if stats => console.problem(&error),
                _ => {}
            }
            true
        };
        if let Err(problem) = read(source, &manifest, file, &mut sink).await {
            console.problem(format!("{problem:#}"));
            refused = true;
        }
    }
    match (refused, stats) {
        (true, _) => {}
        (false, true) => console.print(&totals),
        (false, false) => print_rows(source, &manifest, console).await,
    }
    Ok(())
}

/// The manifest, if it matches its checksum and rows can be read by it. What is wrong is reported.
async fn manifest(source: &Source, console: &mut Console) -> Option<Manifest> {
    let before = console.problems();
    let bytes = match source.manifest().await {
        Ok(bytes) => bytes,
        Err(error) => {
            console.problem(format!("{error:#}"));
            return None;
        }
    };
    match source.beside(|_| "manifest.checksum".to_owned()).await {
        Err(error) => console.problem(format!("{error:#}")),
        Ok(None) => console.problem(format!(
            "{}: there is no manifest.checksum beside it, which S3 writes last: the inventory is not delivered yet",
            source.name()
        )),
        Ok(Some(checksum)) => {
            if let Err(error) = Manifest::verify_checksum(&bytes, &checksum) {
                console.problem(format!("{}: {error}", source.name()));
            }
        }
    }
    let parsed = Manifest::parse(&bytes);
    let parsed = parsed.and_then(|parsed| DataReader::new("", &parsed.schema, &parsed.source_bucket).map(|_| parsed));
    match parsed {
        Err(error) => {
            console.problem(format!("{}: {error}", source.name()));
            None
        }
        Ok(manifest) => {
            let mut keys = BTreeSet::new();
            for file in manifest.files.iter().filter(|file| !keys.insert(&file.key)) {
                console.problem(format!("{}: the data file {} is listed twice", source.name(), file.key));
            }
            (console.problems() == before).then_some(manifest)
        }
    }
}

async fn print_rows(source: &Source, manifest: &Manifest, console: &mut Console) {
    for file in &manifest.files {
        let mut sink = |row: Result<Row<'_>, RowError<'_>>| {
            match row {
                Ok(row) => console.print(&Document::of(manifest, &row)),
                Err(error) => {
                    console.problem(&error);
                    console.print(&Document::of_part(manifest, &error));
                }
            }
            !console.is_closed()
        };
        if let Err(problem) = read(source, manifest, file, &mut sink).await {
            console.problem(format!("{problem:#} (it was whole when it was checked)"));
        }
        if console.is_closed() {
            return;
        }
    }
}

/// Reads a data file and compares it with the manifest; `sink` says whether it wants more rows.
async fn read(
    source: &Source,
    manifest: &Manifest,
    file: &DataFile,
    sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>) -> bool,
) -> anyhow::Result<()> {
    let name = &file.key;
    let Some(mut pieces) = source.data(name).await? else { anyhow::bail!("{name}: the data file does not exist") };
    if pieces.size != file.size {
        anyhow::bail!("{name}: the data file has {} bytes, by the manifest {}", pieces.size, file.size);
    }
    let mut reader = DataReader::new(name, &manifest.schema, &manifest.source_bucket)?;
    let mut more = true;
    let mut rows = |row: Result<Row<'_>, RowError<'_>>| {
        if more {
            more = sink(row);
        }
    };
    pieces.each(|piece| reader.push(piece, &mut rows).map(|()| true)).await??;
    let totals = reader.finish(&mut rows)?;
    if totals.md5 != file.md5 {
        anyhow::bail!("{name}: the MD5 of the data file is {}, by the manifest {}", totals.md5, file.md5);
    }
    Ok(())
}

/// A row, or what could be read of one, as a JSON document.
struct Document<'r> {
    columns: &'r [Column],
    bucket: Option<&'r str>,
    key: Option<&'r [u8]>,
    version_id: Option<&'r str>,
    is_latest: Option<bool>,
    is_delete_marker: Option<bool>,
    size: Option<u64>,
    last_modified: Option<Timestamp>,
    is_multipart_uploaded: Option<bool>,
    fields: Fields<'r>,
    problems: &'r [RowProblem],
    raw: &'r [u8],
}

enum Fields<'r> {
    Whole(&'r Row<'r>),
    Part(&'r PartialRow<'r>),
}

impl Fields<'_> {
    fn text(&self, column: &Column) -> Option<Cow<'_, str>> {
        match self {
            Self::Whole(row) => row.text(column),
            Self::Part(row) => row.text(column),
        }
    }
}

impl<'r> Document<'r> {
    fn of(manifest: &'r Manifest, row: &'r Row<'r>) -> Self {
        Self {
            columns: manifest.schema.columns(),
            bucket: Some(&row.bucket),
            key: Some(row.key.as_bytes()),
            version_id: row.version_id.as_deref(),
            is_latest: row.is_latest,
            is_delete_marker: row.is_delete_marker,
            size: row.size,
            last_modified: row.last_modified,
            is_multipart_uploaded: row.is_multipart_uploaded,
            fields: Fields::Whole(row),
            problems: &[],
            raw: &[],
        }
    }

    fn of_part(manifest: &'r Manifest, error: &'r RowError<'r>) -> Self {
        let row = &error.row;
        Self {
            columns: manifest.schema.columns(),
            bucket: row.bucket.as_deref(),
            key: row.key.as_deref(),
            version_id: row.version_id.as_deref(),
            is_latest: row.is_latest,
            is_delete_marker: row.is_delete_marker,
            size: row.size,
            last_modified: row.last_modified,
            is_multipart_uploaded: row.is_multipart_uploaded,
            fields: Fields::Part(row),
            problems: &error.problems,
            raw: error.raw,
        }
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        super::serialize_place(&mut map, self.bucket, self.key)?;
        let mut other = BTreeMap::new();
        for column in self.columns {
            match column {
                Column::Bucket | Column::Key => {}
                Column::VersionId => map.serialize_entry("version_id", &self.version_id)?,
                Column::IsLatest => map.serialize_entry("is_latest", &self.is_latest)?,
                Column::IsDeleteMarker => map.serialize_entry("is_delete_marker", &self.is_delete_marker)?,
                Column::Size => map.serialize_entry("size", &self.size)?,
                Column::LastModifiedDate => {
                    let text = self.last_modified.and_then(|_| self.fields.text(column));
                    map.serialize_entry("last_modified", &text)?;
                }
                Column::ETag => map.serialize_entry("etag", &self.fields.text(column))?,
                Column::IsMultipartUploaded => {
                    map.serialize_entry("is_multipart_uploaded", &self.is_multipart_uploaded)?;
                }
                column => match column.snake_case_name() {
                    Some(name) => map.serialize_entry(name, &self.fields.text(column))?,
                    None => drop(other.insert(column.name(), self.fields.text(column))),
                },
            }
        }
        if !other.is_empty() {
            map.serialize_entry("other", &other)?;
        }
        super::serialize_problems(&mut map, self.problems.iter().map(RowProblem::code), self.raw)?;
        map.end()
    }
}

/// What `--stats` prints.
#[derive(Serialize)]
struct Totals {
    source_bucket: String,
    scan_started: Timestamp,
    columns: Vec<String>,
    files: usize,
    compressed_bytes: u64,
    rows: u64,
    bad_rows: u64,
    /// Current versions that are not delete markers.
    objects: u64,
    /// Their bytes.
    bytes: Option<u64>,
    noncurrent_versions: u64,
    noncurrent_bytes: Option<u64>,
    delete_markers: u64,
    largest_object_bytes: Option<u64>,
    by_storage_class: BTreeMap<String, ClassTotals>,
}

#[derive(Default, Serialize)]
struct ClassTotals {
    objects: u64,
    bytes: u64,
}

impl Totals {
    fn of(manifest: &Manifest) -> Self {
        let sized = manifest.schema.has(&Column::Size).then_some(0);
        Self {
            source_bucket: manifest.source_bucket.clone(),
            scan_started: manifest.created,
            columns: manifest.schema.columns().iter().map(Column::to_string).collect(),
            files: manifest.files.len(),
            compressed_bytes: manifest.files.iter().map(|file| file.size).sum(),
            rows: 0,
            bad_rows: 0,
            objects: 0,
            bytes: sized,
            noncurrent_versions: 0,
            noncurrent_bytes: sized,
            delete_markers: 0,
            largest_object_bytes: None,
            by_storage_class: BTreeMap::new(),
        }
    }

    fn add(&mut self, row: &Result<Row<'_>, RowError<'_>>) {
        let Ok(row) = row else {
            self.bad_rows += 1;
            return;
        };
        self.rows += 1;
        let size = row.size.unwrap_or_default();
        if row.is_delete_marker == Some(true) {
            self.delete_markers += 1;
        } else if row.is_latest == Some(false) {
            self.noncurrent_versions += 1;
            self.noncurrent_bytes = self.noncurrent_bytes.map(|sum| sum.saturating_add(size));
        } else {
            self.objects += 1;
            self.bytes = self.bytes.map(|sum| sum.saturating_add(size));
            self.largest_object_bytes = self.largest_object_bytes.max(row.size);
            if let Some(class) = row.storage_class.as_deref() {
                let class = self.by_storage_class.entry(class.to_owned()).or_default();
                class.objects += 1;
                class.bytes = class.bytes.saturating_add(size);
            }
        }
    }
}
