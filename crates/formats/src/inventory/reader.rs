//! Reads the rows of a gzipped CSV data file.

use super::{ManifestError, Row, RowError, Schema, row_reader::RowReader};
use crate::{FileError, MAX_ROW_BYTES, digest::Tally, gunzip::Gunzip, lines::Lines};

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

    /// Leaves the MD5 to the caller, who may compute those of several files together ([`crate::Md5Pool`]):
    /// [`DataFileTotals::md5`] stays empty.
    #[must_use]
    pub fn without_digest(self) -> Self {
        Self { compressed: Tally::without_digest(), ..self }
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
        while self.gunzip.drain(&self.rows.file)? {
            self.read_decoded(false, sink)?;
        }
        self.gunzip.finish(&self.rows.file)?;
        self.read_decoded(true, sink)?;
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
            self.read_decoded(false, sink)?;
        }
        Ok(())
    }

    /// Takes the rows out that are decoded.
    fn read_decoded(
        &mut self,
        at_end: bool,
        sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
    ) -> Result<(), FileError> {
        read_lines(&mut self.rows, &mut self.lines, self.gunzip.decoded(), at_end, &mut self.totals, sink)?;
        self.gunzip.take_out(self.lines.take_read());
        if self.gunzip.decoded().len() > MAX_ROW_BYTES {
            return Err(too_long(&self.rows, self.lines.pending_line()));
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
            return Err(too_long(rows, line.number));
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

fn too_long(rows: &RowReader, line: u64) -> FileError {
    FileError::RowTooLong { file: rows.file.clone(), line, limit: MAX_ROW_BYTES }
}
