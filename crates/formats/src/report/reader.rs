//! Reads the rows of a result file.

use super::{
    ResultFile, Row, RowError, TaskStatus,
    row_reader::RowReader,
    scan::{Scan, scan},
};
use crate::{FileError, KeyCodec, MAX_ROW_BYTES, digest::Tally};

/// Reads one result file that is pushed in pieces of any size.
///
/// Messages may hold quotes, commas and line ends. Where the quotes are malformed, the row is given to the sink as an
/// error with its first six fields and its message as it stands, and reading goes on at the next row: a malformed row
/// ends at the first line end that follows a quote or is followed by the bucket and a comma. A message with a line that
/// looks like a row is malformed too, since it cannot be told from a missing quote. Blank lines are counted and skipped.
pub struct ResultReader {
    rows: RowReader,
    buffer: Vec<u8>,
    /// The line on which the buffer begins.
    line: u64,
    tally: Tally,
    totals: ResultTotals,
    failed: Option<FileError>,
}

/// What a result file held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultTotals {
    /// Rows that were read whole: those that succeeded and those that failed.
    pub rows: u64,
    /// Rows of tasks that succeeded.
    pub succeeded: u64,
    /// Rows of tasks that failed.
    pub failed: u64,
    /// Rows that were given to the sink as errors. A report with one of these says nothing certain about its job.
    pub unreadable: u64,
    /// Lines without a byte.
    pub blank_lines: u64,
    /// Bytes pushed.
    pub bytes: u64,
    /// The MD5 of the bytes pushed, in hexadecimal; to be compared with [`ResultFile::md5`].
    pub md5: String,
}

impl ResultReader {
    /// A reader of the result file `file_name`, which errors are to name. `codec` is that of the job's manifest.
    pub fn new(file_name: &str, codec: KeyCodec) -> Self {
        Self {
            rows: RowReader::new(file_name, codec),
            buffer: Vec::new(),
            line: 1,
            tally: Tally::default(),
            totals: ResultTotals::default(),
            failed: None,
        }
    }

    /// A reader of a file of the report's manifest. A row with another status than the file's is an error.
    pub fn of(file: &ResultFile, codec: KeyCodec) -> Self {
        let mut reader = Self::new(&file.key, codec);
        reader.rows.status = Some(file.status);
        reader
    }

    /// Leaves the MD5 to the caller, who may compute those of several files together ([`crate::Md5Pool`]):
    /// [`ResultTotals::md5`] stays empty.
    #[must_use]
    pub fn without_digest(self) -> Self {
        Self { tally: Tally::without_digest(), ..self }
    }

    /// Reads the next bytes and gives every row that they complete to the sink.
    ///
    /// After an error the file is lost: every later call gives the same error.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>)) -> Result<(), FileError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.tally.update(bytes);
        let read = self.read_piece(bytes, sink).and_then(|()| self.check_length());
        self.failed = read.as_ref().err().cloned();
        read
    }

    /// Ends the file and gives the last row to the sink. The caller compares the MD5 with the manifest.
    pub fn finish(mut self, sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>)) -> Result<ResultTotals, FileError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read_buffer(true, sink)?;
        let (bytes, md5) = self.tally.finish();
        Ok(ResultTotals { bytes, md5, ..self.totals })
    }

    /// Reads the rows of a piece where they are, and keeps what waits for more. Only a line end completes a row before the end
    /// of the file.
    fn read_piece(
        &mut self,
        mut piece: &[u8],
        sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
    ) -> Result<(), FileError> {
        if !self.buffer.is_empty() {
            let end = memchr::memchr(b'\n', piece).map(|end| end + 1);
            let (line, rest) = piece.split_at_checked(end.unwrap_or(piece.len())).unwrap_or((piece, &[]));
            self.buffer.extend_from_slice(line);
            if end.is_some() {
                self.read_buffer(false, sink)?;
            }
            piece = rest;
        }
        if self.buffer.is_empty() {
            let read = self.read_rows(piece, false, sink)?;
            self.buffer.extend_from_slice(piece.get(read..).unwrap_or_default());
        } else if !piece.is_empty() {
            self.buffer.extend_from_slice(piece);
            self.read_buffer(false, sink)?;
        }
        Ok(())
    }

    /// Reads the rows that have been waiting.
    fn read_buffer(
        &mut self,
        at_end: bool,
        sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
    ) -> Result<(), FileError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.read_rows(&buffer, at_end, sink);
        buffer.drain(..read.as_ref().map_or(0, |read| (*read).min(buffer.len())));
        self.buffer = buffer;
        read.map(drop)
    }

    /// Reads all whole rows, and returns the bytes that they have.
    fn read_rows(
        &mut self,
        bytes: &[u8],
        at_end: bool,
        sink: &mut dyn FnMut(Result<Row<'_>, RowError<'_>>),
    ) -> Result<usize, FileError> {
        let mut start = 0;
        loop {
            let rest = bytes.get(start..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            if let Some(alike) = self.rows.alike(rest) {
                match alike.status() {
                    TaskStatus::Succeeded => self.totals.succeeded += 1,
                    TaskStatus::Failed => self.totals.failed += 1,
                }
                sink(Ok(alike.row(self.line)));
                self.line += 1;
                start += alike.length();
                continue;
            }
            let scanned = scan(rest, at_end, &self.rows.bucket, &mut self.rows.spans);
            let (extent, well_formed) = match scanned {
                Scan::Incomplete => break,
                Scan::Blank(extent) | Scan::Row(extent) => (extent, true),
                Scan::Malformed(extent) => (extent, false),
            };
            if extent.body > MAX_ROW_BYTES {
                return Err(self.too_long());
            }
            let whole = rest.get(..extent.whole).unwrap_or(rest);
            if matches!(scanned, Scan::Blank(_)) {
                self.totals.blank_lines += 1;
            } else {
                let row = self.rows.read(whole, extent, self.line, well_formed);
                self.totals.count(&row);
                sink(row);
            }
            self.line += memchr::memchr_iter(b'\n', whole).count() as u64;
            start += extent.whole;
        }
        self.totals.rows = self.totals.succeeded + self.totals.failed;
        Ok(start)
    }

    fn check_length(&self) -> Result<(), FileError> {
        if self.buffer.len() > MAX_ROW_BYTES { Err(self.too_long()) } else { Ok(()) }
    }

    fn too_long(&self) -> FileError {
        FileError::RowTooLong { file: self.rows.file.clone(), line: self.line, limit: MAX_ROW_BYTES }
    }
}

impl ResultTotals {
    fn count(&mut self, row: &Result<Row<'_>, RowError<'_>>) {
        match row.as_ref().map(|row| row.status) {
            Ok(TaskStatus::Succeeded) => self.succeeded += 1,
            Ok(TaskStatus::Failed) => self.failed += 1,
            Err(_) => self.unreadable += 1,
        }
    }
}
