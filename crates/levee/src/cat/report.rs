//! `levee report cat`

use std::collections::BTreeSet;

use jiff::Timestamp;
use levee_formats::{
    KeyCodec,
    report::{Manifest, PartialRow, ResultFile, ResultReader, ResultTotals, Row, RowError, RowProblem, TaskStatus},
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{codes::ErrorCodes, console::Console, source::Source};

/// What is asked of a report.
pub(super) struct Wanted {
    /// Totals in place of rows.
    pub(super) stats: bool,
    /// The codec of the job's manifest.
    pub(super) codec: KeyCodec,
    /// The number of tasks of the job.
    pub(super) tasks: Option<u64>,
}

/// Prints the rows or the totals of a completion report.
///
/// Rows are printed as they are read, also those of a file whose MD5 turns out to be wrong: a report is the only record
/// of what became of an object, and a reader is to see as much of it as there is. The exit code says that it is not
/// whole.
pub(super) async fn cat(source: &Source, wanted: &Wanted, console: &mut Console) -> anyhow::Result<()> {
    let Some(manifest) = manifest(source, console).await else { return Ok(()) };
    let mut totals = Totals { created: manifest.created, ..Totals::default() };
    for file in &manifest.results {
        let mut sink = |row: Result<Row<'_>, RowError<'_>>| {
            totals.add(&row);
            match &row {
                Ok(row) if !wanted.stats => console.print(&Document::of(row)),
                Ok(_) => {}
                Err(error) => {
                    console.problem(error);
                    if !wanted.stats {
                        console.print(&Document::of_part(error));
                    }
                }
            }
            !console.is_closed()
        };
        match read(source, file, wanted.codec, &mut sink).await {
            Ok(read) => totals.add_file(file, read),
            Err(problem) => console.problem(format!("{problem:#}")),
        }
        if console.is_closed() {
            return Ok(());
        }
    }
    let rows = totals.succeeded + totals.failed + totals.unreadable;
    if let Some(tasks) = wanted.tasks.filter(|tasks| *tasks != rows) {
        console.problem(format!(
            "{}: the report has {rows} rows for {tasks} tasks, so what became of some is not known",
            source.name()
        ));
    }
    if wanted.stats {
        console.print(&totals);
    }
    Ok(())
}

/// The manifest; what is wrong with it is reported.
async fn manifest(source: &Source, console: &mut Console) -> Option<Manifest> {
    let bytes = match source.manifest().await {
        Ok(bytes) => bytes,
        Err(error) => {
            console.problem(format!("{error:#}"));
            return None;
        }
    };
    match source.beside(|manifest| format!("{manifest}.md5")).await {
        Err(error) => console.problem(format!("{error:#}")),
        // S3 writes one but does not document it.
        Ok(None) => {}
        Ok(Some(checksum)) => {
            if let Err(error) = Manifest::verify_checksum(&bytes, &checksum) {
                console.problem(format!("{}: {error}", source.name()));
            }
        }
    }
    match Manifest::parse(&bytes) {
        Ok(manifest) => {
            let mut keys = BTreeSet::new();
            for file in manifest.results.iter().filter(|file| !keys.insert(&file.key)) {
                console.problem(format!("{}: the result file {} is listed twice", source.name(), file.key));
            }
            Some(manifest)
        }
        Err(error) => {
            console.problem(format!("{}: {error}", source.name()));
            None
        }
    }
}

/// Reads a result file and compares it with the manifest; `sink` says whether it wants more rows.
async fn read(
    source: &Source,
    file: &ResultFile,
    codec: KeyCodec,
    sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>) -> bool,
) -> anyhow::Result<ResultTotals> {
    let name = &file.key;
    let Some(mut pieces) = source.data(name).await? else { anyhow::bail!("{name}: the result file does not exist") };
    let mut reader = ResultReader::of(file, codec);
    let mut more = true;
    let mut rows = |row: Result<Row<'_>, RowError<'_>>| {
        if more {
            more = sink(row);
        }
    };
    pieces.each(|piece| reader.push(piece, &mut rows).map(|()| true)).await??;
    let totals = reader.finish(&mut rows)?;
    if totals.md5 != file.md5 {
        anyhow::bail!("{name}: the MD5 of the result file is {}, by the manifest {}", totals.md5, file.md5);
    }
    Ok(totals)
}

/// A row, or what could be read of one, as a JSON document.
struct Document<'r> {
    bucket: Option<&'r str>,
    key: Option<&'r [u8]>,
    version_id: Option<&'r str>,
    status: Option<&'r str>,
    http_status: Option<u16>,
    error_code: Option<&'r str>,
    message: Option<&'r str>,
    problems: &'r [RowProblem],
    raw: &'r [u8],
}

impl<'r> Document<'r> {
    fn of(row: &'r Row<'r>) -> Self {
        Self {
            bucket: Some(&row.bucket),
            key: Some(row.key.as_bytes()),
            version_id: row.version_id.as_deref(),
            status: Some(row.status.name()),
            http_status: row.http_status,
            error_code: row.error_code.as_deref(),
            message: row.message.as_deref(),
            problems: &[],
            raw: &[],
        }
    }

    fn of_part(error: &'r RowError<'r>) -> Self {
        let row: &PartialRow<'_> = &error.row;
        Self {
            bucket: row.bucket.as_deref(),
            key: row.key.as_deref(),
            version_id: row.version_id.as_deref(),
            status: row.status.as_deref(),
            http_status: row.http_status,
            error_code: row.error_code.as_deref(),
            message: row.message.as_deref(),
            problems: &error.problems,
            raw: error.raw,
        }
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        super::serialize_place(&mut map, self.bucket, self.key)?;
        map.serialize_entry("version_id", &self.version_id)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("http_status", &self.http_status)?;
        map.serialize_entry("error_code", &self.error_code)?;
        map.serialize_entry("message", &self.message)?;
        super::serialize_problems(&mut map, self.problems.iter().map(RowProblem::code), self.raw)?;
        map.end()
    }
}

/// What `--stats` prints.
#[derive(Default, Serialize)]
struct Totals {
    created: Timestamp,
    files: Vec<FileTotals>,
    rows: u64,
    succeeded: u64,
    failed: u64,
    unreadable: u64,
    #[serde(flatten)]
    codes: ErrorCodes,
}

#[derive(Serialize)]
struct FileTotals {
    key: String,
    status: &'static str,
    rows: u64,
    unreadable: u64,
    bytes: u64,
}

impl Totals {
    fn add(&mut self, row: &Result<Row<'_>, RowError<'_>>) {
        match row {
            Err(_) => self.unreadable += 1,
            Ok(row) if row.status == TaskStatus::Succeeded => self.succeeded += 1,
            Ok(row) => {
                self.failed += 1;
                self.codes.add(row.error_code.as_deref().unwrap_or("(none)"));
            }
        }
        self.rows = self.succeeded + self.failed;
    }

    fn add_file(&mut self, file: &ResultFile, read: ResultTotals) {
        let status = file.status.name();
        self.files.push(FileTotals {
            key: file.key.clone(),
            status,
            rows: read.rows,
            unreadable: read.unreadable,
            bytes: read.bytes,
        });
    }
}
