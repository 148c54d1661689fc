//! Reads the rows of a gzipped CSV data file.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Column, ManifestError, PartialRow, Row, RowError, RowProblem, Schema, row::Cells};
use crate::{
    FileError, KeyCodec, MAX_ROW_BYTES,
    csv::{self, Span},
    digest::Tally,
    gunzip::Gunzip,
    lines::{Line, Lines},
};

/// Reads one data file that is pushed in pieces of any size.
///
/// A row is a line: no column of an inventory can hold a line end, since keys are encoded, so a quote that is never
/// closed spoils its own row and no other. Fields may be quoted or not, lines may end with LF or CRLF, the last line
/// needs no end, and blank lines are counted and skipped (S3 has written some at the end of files).
pub struct DataReader {
    rows: RowReader,
    gunzip: Gunzip,
    lines: Lines,
    compressed: Tally,
    totals: DataFileTotals,
    failed: Option<FileError>,
}

/// What a data file held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataFileTotals {
    /// Rows that were read whole.
    pub rows: u64,
    /// Rows that were given to the sink as errors.
    pub bad_rows: u64,
    /// Lines without a byte.
    pub blank_lines: u64,
    /// Bytes pushed; to be compared with [`super::DataFile::size`].
    pub compressed_bytes: u64,
    /// The MD5 of the bytes pushed, in hexadecimal; to be compared with [`super::DataFile::md5`].
    pub md5: String,
}

impl DataReader {
    /// A reader of the data file `file_name`, which errors are to name, of an inventory of `source_bucket`.
    ///
    /// Refuses a schema that is not one of CSV files with [`ManifestError::NotCsv`].
    pub fn new(file_name: &str, schema: &Schema, source_bucket: &str) -> Result<Self, ManifestError> {
        if !schema.is_csv() {
            return Err(ManifestError::NotCsv { schema: schema.to_string() });
        }
        Ok(Self {
            rows: RowReader::new(file_name, schema, source_bucket),
            gunzip: Gunzip::new(),
            lines: Lines::new(),
            compressed: Tally::default(),
            totals: DataFileTotals::default(),
            failed: None,
        })
    }

    /// Reads the next compressed bytes and gives every row that they complete to the sink.
    ///
    /// After an error the file is lost: every later call gives the same error.
    pub fn push(
        &mut self,
        compressed: &[u8],
        sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
    ) -> Result<(), FileError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.compressed.update(compressed);
        let pushed = self.decode(compressed, sink);
        self.failed = pushed.as_ref().err().cloned();
        pushed
    }

    /// Ends the file: gives the last row to the sink and checks that the gzip data is whole.
    ///
    /// The caller compares size and MD5 with the manifest; rows of a file that differs are not to be used.
    pub fn finish(mut self, sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>)) -> Result<DataFileTotals, FileError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let rest = self.gunzip.finish(&self.rows.file)?;
        read_lines(&mut self.rows, &mut self.lines, &rest, true, &mut self.totals, sink)?;
        let (compressed_bytes, md5) = self.compressed.finish();
        Ok(DataFileTotals { compressed_bytes, md5, ..self.totals })
    }

    fn decode(
        &mut self,
        mut compressed: &[u8],
        sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
    ) -> Result<(), FileError> {
        while !compressed.is_empty() {
            compressed = self.gunzip.step(compressed, &self.rows.file)?;
            let buffer = self.gunzip.buffer();
            read_lines(&mut self.rows, &mut self.lines, buffer, false, &mut self.totals, sink)?;
            if self.lines.discard_read(buffer) > MAX_ROW_BYTES {
                return Err(self.rows.too_long(self.lines.pending_line()));
            }
        }
        Ok(())
    }
}

/// Gives the rows of all whole lines of the buffer to the sink.
fn read_lines(
    rows: &mut RowReader,
    lines: &mut Lines,
    buffer: &[u8],
    at_end: bool,
    totals: &mut DataFileTotals,
    sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
) -> Result<(), FileError> {
    while let Some(line) = lines.next(buffer, at_end) {
        if line.bytes.is_empty() {
            totals.blank_lines += 1;
            continue;
        }
        if line.bytes.len() > MAX_ROW_BYTES {
            return Err(rows.too_long(line.number));
        }
        let row = rows.read(line);
        match &row {
            Ok(_) => totals.rows += 1,
            Err(_) => totals.bad_rows += 1,
        }
        sink(row);
    }
    Ok(())
}

/// Turns lines into rows.
struct RowReader {
    file: String,
    source_bucket: String,
    schema: Schema,
    places: Places,
    spans: Vec<Span>,
}

/// Where the columns are that a row has members for.
struct Places {
    bucket: Option<usize>,
    key: Option<usize>,
    version_id: Option<usize>,
    is_latest: Option<usize>,
    is_delete_marker: Option<usize>,
    size: Option<usize>,
    last_modified: Option<usize>,
    etag: Option<usize>,
    storage_class: Option<usize>,
    is_multipart_uploaded: Option<usize>,
}

impl RowReader {
    fn new(file: &str, schema: &Schema, source_bucket: &str) -> Self {
        let place = |column: Column| schema.position(&column);
        let places = Places {
            bucket: place(Column::Bucket),
            key: place(Column::Key),
            version_id: place(Column::VersionId),
            is_latest: place(Column::IsLatest),
            is_delete_marker: place(Column::IsDeleteMarker),
            size: place(Column::Size),
            last_modified: place(Column::LastModifiedDate),
            etag: place(Column::ETag),
            storage_class: place(Column::StorageClass),
            is_multipart_uploaded: place(Column::IsMultipartUploaded),
        };
        let (file, source_bucket) = (file.to_owned(), source_bucket.to_owned());
        Self { file, source_bucket, schema: schema.clone(), places, spans: Vec::new() }
    }

    fn too_long(&self, line: u64) -> FileError {
        FileError::RowTooLong { file: self.file.clone(), line, limit: MAX_ROW_BYTES }
    }

    fn read<'a>(&'a mut self, line: Line<'a>) -> Result<Row<'a>, RowError<'a>> {
        let split = csv::split(line.bytes, &mut self.spans);
        let cells = Cells { schema: &self.schema, line: line.bytes, spans: &self.spans };
        let mut problems = Vec::new();
        let expected = self.schema.columns().len();
        if split.is_err() {
            problems.push(RowProblem::Quotes);
        } else if self.spans.len() != expected {
            problems.push(RowProblem::ColumnCount { expected, found: self.spans.len() });
        }
        let whole = problems.is_empty();
        let mut fields = Fields { cells, problems, whole };
        let (row, raw_key) = fields.read(&self.places, &self.source_bucket);
        let problems = fields.problems;
        match row.into_whole(line.number, raw_key, problems.is_empty()) {
            Ok(row) => Ok(row),
            Err(row) => Err(RowError { file: &self.file, line: line.number, problems, raw: line.bytes, row }),
        }
    }
}

/// Reads the fields of one line and gathers what is wrong with them.
struct Fields<'a> {
    cells: Cells<'a>,
    problems: Vec<RowProblem>,
    /// All fields are there, so that a missing one is a fault of its own.
    whole: bool,
}

impl<'a> Fields<'a> {
    fn read(&mut self, places: &Places, source_bucket: &str) -> (PartialRow<'a>, Option<Cow<'a, [u8]>>) {
        let bucket = self.text(places.bucket, &Column::Bucket);
        if let Some(bucket) = bucket.as_deref().filter(|bucket| *bucket != source_bucket) {
            self.problems.push(RowProblem::OtherBucket { bucket: bucket.to_owned() });
        }
        let raw_key = self.field(places.key);
        let key = raw_key.as_ref().map(|raw| self.key(raw));
        let version_id = self.text(places.version_id, &Column::VersionId);
        let is_latest = self.boolean(places.is_latest, &Column::IsLatest, false);
        let is_delete_marker = self.boolean(places.is_delete_marker, &Column::IsDeleteMarker, false);
        let row = PartialRow {
            bucket,
            key,
            version_id: version_id.map(|id| if id.is_empty() { Cow::Borrowed("null") } else { id }),
            is_latest,
            is_delete_marker,
            size: self.size(places.size, is_delete_marker == Some(true)),
            last_modified: self.time(places.last_modified),
            etag: self.text(places.etag, &Column::ETag).filter(|text| !text.is_empty()),
            storage_class: self.text(places.storage_class, &Column::StorageClass).filter(|text| !text.is_empty()),
            is_multipart_uploaded: self.boolean(places.is_multipart_uploaded, &Column::IsMultipartUploaded, true),
            cells: self.cells,
        };
        self.check_further_fields();
        (row, raw_key)
    }

    fn field(&self, place: Option<usize>) -> Option<Cow<'a, [u8]>> {
        place.and_then(|index| self.cells.bytes(index))
    }

    fn text(&mut self, place: Option<usize>, column: &Column) -> Option<Cow<'a, str>> {
        let text = csv::text(self.field(place)?).ok();
        if text.is_none() {
            self.problems.push(RowProblem::NotUtf8 { column: column.clone() });
        }
        text
    }

    fn key(&mut self, raw: &Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        let (key, error) = KeyCodec::Form.decode_shared(raw);
        match error {
            Some(error) => self.problems.push(RowProblem::KeyEscape(error)),
            None if key.is_empty() => self.problems.push(RowProblem::EmptyKey),
            None if str::from_utf8(&key).is_err() => self.problems.push(RowProblem::KeyNotUtf8),
            None => {}
        }
        key
    }

    fn boolean(&mut self, place: Option<usize>, column: &Column, may_be_empty: bool) -> Option<bool> {
        let field = self.field(place)?;
        if field.eq_ignore_ascii_case(b"true") {
            return Some(true);
        }
        if field.eq_ignore_ascii_case(b"false") {
            return Some(false);
        }
        if !(field.is_empty() && may_be_empty) {
            let value = String::from_utf8_lossy(&field).into_owned();
            self.problems.push(RowProblem::NotABoolean { column: column.clone(), value });
        }
        None
    }

    fn size(&mut self, place: Option<usize>, delete_marker: bool) -> Option<u64> {
        let field = self.field(place)?;
        let digits = !field.is_empty() && field.iter().all(u8::is_ascii_digit);
        let size = str::from_utf8(&field).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        if size.is_none() && !(field.is_empty() && delete_marker) {
            self.problems.push(RowProblem::NotASize { value: String::from_utf8_lossy(&field).into_owned() });
        }
        size
    }

    fn time(&mut self, place: Option<usize>) -> Option<Timestamp> {
        let field = self.field(place)?;
        let time = str::from_utf8(&field).ok().and_then(|text| text.parse().ok());
        if time.is_none() {
            self.problems.push(RowProblem::NotATime { value: String::from_utf8_lossy(&field).into_owned() });
        }
        time
    }

    /// Fields that the row has no member for are text too.
    fn check_further_fields(&mut self) {
        if !self.whole || str::from_utf8(self.cells.line).is_ok() {
            return;
        }
        for (index, column) in self.cells.schema.columns().iter().enumerate() {
            let read_above = matches!(
                column,
                Column::Bucket | Column::Key | Column::VersionId | Column::ETag | Column::StorageClass
            );
            let not_utf8 = self.cells.bytes(index).is_some_and(|bytes| str::from_utf8(&bytes).is_err());
            if not_utf8 && !read_above {
                self.problems.push(RowProblem::NotUtf8 { column: column.clone() });
            }
        }
    }
}

impl<'a> PartialRow<'a> {
    /// The row, if it has been found to be whole.
    fn into_whole(
        self,
        line: u64,
        raw_key: Option<Cow<'a, [u8]>>,
        without_problems: bool,
    ) -> Result<Row<'a>, Box<Self>> {
        let key = self.key.clone().and_then(|key| csv::text(key).ok());
        let (Some(bucket), Some(key), Some(raw_key), true) = (self.bucket.clone(), key, raw_key, without_problems)
        else {
            return Err(Box::new(self));
        };
        Ok(Row {
            line,
            bucket,
            key,
            raw_key,
            version_id: self.version_id,
            is_latest: self.is_latest,
            is_delete_marker: self.is_delete_marker,
            size: self.size,
            last_modified: self.last_modified,
            etag: self.etag,
            storage_class: self.storage_class,
            is_multipart_uploaded: self.is_multipart_uploaded,
            cells: self.cells,
        })
    }
}
