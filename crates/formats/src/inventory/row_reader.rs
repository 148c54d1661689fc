//! Turns the lines of a data file into rows, without allocation for those that are whole.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Column, PartialRow, Row, RowError, RowProblem, Schema, row::Cells, time::Times};
use crate::{
    KeyCodec,
    csv::{self, MisplacedQuote, Span, Splitter},
    key::KeyReader,
    lines::Line,
};

/// Turns lines into rows.
pub(super) struct RowReader {
    pub(super) file: String,
    source_bucket: String,
    schema: Schema,
    places: Places,
    splitter: Splitter,
    spans: Vec<Span>,
    keys: KeyReader,
    times: Times,
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
    /// Those that it has none for.
    further: Vec<usize>,
}

impl Places {
    fn of(schema: &Schema) -> Self {
        let place = |column: Column| schema.position(&column);
        let mut places = Self {
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
            further: Vec::new(),
        };
        let known = [
            places.bucket,
            places.key,
            places.version_id,
            places.is_latest,
            places.is_delete_marker,
            places.size,
            places.last_modified,
            places.etag,
            places.storage_class,
            places.is_multipart_uploaded,
        ];
        places.further = (0..schema.columns().len()).filter(|place| !known.contains(&Some(*place))).collect();
        places
    }
}

/// Between the bucket and the columns of few values at the end are those that differ from row to row.
fn splitter(schema: &Schema) -> Splitter {
    let differs = |column: &Column| {
        matches!(column, Column::Key | Column::VersionId | Column::Size | Column::LastModifiedDate | Column::ETag)
    };
    let columns = schema.columns();
    let first = columns.iter().position(differs).unwrap_or(0);
    let last = columns.iter().rposition(differs).unwrap_or(0);
    Splitter::new(first, last + 1)
}

impl RowReader {
    pub(super) fn new(file: &str, schema: &Schema, source_bucket: &str) -> Self {
        Self {
            file: file.to_owned(),
            source_bucket: source_bucket.to_owned(),
            schema: schema.clone(),
            splitter: splitter(schema),
            places: Places::of(schema),
            spans: Vec::new(),
            keys: KeyReader::new(KeyCodec::Form),
            times: Times::new(),
        }
    }

    pub(super) fn read<'a>(&'a mut self, line: Line<'a>) -> Result<Row<'a>, RowError<'a>> {
        let split = self.splitter.split(line.bytes, &mut self.spans);
        let values = split.ok().and_then(|()| self.values(line.bytes));
        let this: &'a Self = self;
        values.and_then(|values| this.plain_row(line, values)).map_or_else(|| this.any_row(line, split), Ok)
    }

    /// The values of a row of the usual form.
    fn values(&mut self, line: &[u8]) -> Option<Values> {
        let Self { source_bucket, schema, places, spans, keys, times, .. } = self;
        let plain = Plain { line, spans };
        if spans.len() != schema.columns().len() || plain.field(places.bucket)? != source_bucket.as_bytes() {
            return None;
        }
        keys.read(plain.field(places.key)?)?;
        let is_delete_marker = plain.boolean(places.is_delete_marker)?;
        Some(Values {
            is_latest: plain.boolean(places.is_latest)?,
            is_delete_marker,
            is_multipart_uploaded: plain.boolean(places.is_multipart_uploaded)?,
            size: match places.size {
                Some(_) => Some(number(plain.field(places.size)?)?),
                None => None,
            },
            last_modified: match places.last_modified {
                Some(_) => Some(times.read(plain.field(places.last_modified)?)?),
                None => None,
            },
        })
    }

    /// A row of the usual form, unless a text in it is none.
    fn plain_row<'a>(&'a self, line: Line<'a>, values: Values) -> Option<Row<'a>> {
        let places = &self.places;
        let plain = Plain { line: line.bytes, spans: &self.spans };
        let raw_key = plain.field(places.key)?;
        let key = self.keys.key();
        let not_empty = |text: &&str| !text.is_empty();
        let further_are_text = places.further.iter().all(|place| plain.text(Some(*place)).is_some());
        (further_are_text && !key.is_empty()).then_some(())?;
        Some(Row {
            line: line.number,
            bucket: Cow::Borrowed(&self.source_bucket),
            key: Cow::Borrowed(key),
            raw_key: Cow::Borrowed(raw_key),
            version_id: plain.text(places.version_id)?.map(|id| Cow::Borrowed(if id.is_empty() { "null" } else { id })),
            is_latest: values.is_latest,
            is_delete_marker: values.is_delete_marker,
            size: values.size,
            last_modified: values.last_modified,
            etag: plain.text(places.etag)?.filter(not_empty).map(Cow::Borrowed),
            storage_class: plain.text(places.storage_class)?.filter(not_empty).map(Cow::Borrowed),
            is_multipart_uploaded: values.is_multipart_uploaded,
            cells: Cells { schema: &self.schema, line: line.bytes, spans: &self.spans },
        })
    }

    /// A row of any form, with all that is wrong with it.
    #[cold]
    fn any_row<'a>(&'a self, line: Line<'a>, split: Result<(), MisplacedQuote>) -> Result<Row<'a>, RowError<'a>> {
        let Self { file, source_bucket, schema, places, spans, .. } = self;
        let cells = Cells { schema, line: line.bytes, spans };
        let mut problems = Vec::new();
        let expected = schema.columns().len();
        if split.is_err() {
            problems.push(RowProblem::Quotes);
        } else if spans.len() != expected {
            problems.push(RowProblem::ColumnCount { expected, found: spans.len() });
        }
        let whole = problems.is_empty();
        let mut fields = Fields { cells, problems, whole };
        let (row, raw_key) = fields.read(places, source_bucket);
        let problems = fields.problems;
        match row.into_whole(line.number, raw_key, problems.is_empty()) {
            Ok(row) => Ok(row),
            Err(row) => Err(RowError { file, line: line.number, problems, raw: line.bytes, row }),
        }
    }
}

/// What a row of the usual form has besides text and its key, which the reader keeps.
struct Values {
    is_latest: Option<bool>,
    is_delete_marker: Option<bool>,
    is_multipart_uploaded: Option<bool>,
    size: Option<u64>,
    last_modified: Option<Timestamp>,
}

/// The fields of a row of the usual form: none has a quote within. Everything else is left to [`Fields`].
struct Plain<'a> {
    line: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Plain<'a> {
    /// None where it is not plain, or absent.
    #[inline]
    fn field(&self, place: Option<usize>) -> Option<&'a [u8]> {
        self.spans.get(place?)?.plain(self.line)
    }

    /// None where it is not plain; without a value where the schema has no such column.
    #[inline]
    fn text(&self, place: Option<usize>) -> Option<Option<&'a str>> {
        match place {
            Some(_) => str::from_utf8(self.field(place)?).ok().map(Some),
            None => Some(None),
        }
    }

    /// [`Self::text`] of a boolean.
    #[inline]
    fn boolean(&self, place: Option<usize>) -> Option<Option<bool>> {
        match place {
            Some(_) => match self.field(place)? {
                b"true" => Some(Some(true)),
                b"false" => Some(Some(false)),
                _ => None,
            },
            None => Some(None),
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
        let size = number(&field);
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

/// A number of digits alone.
fn number(field: &[u8]) -> Option<u64> {
    /// So many digits never overflow.
    const SHORT: usize = 19;
    if field.is_empty() || field.len() > SHORT {
        return str::from_utf8(field).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok();
    }
    let (number, largest) = field.iter().fold((0_u64, 0), |(number, largest), byte| {
        let digit = byte.wrapping_sub(b'0');
        (number.wrapping_mul(10).wrapping_add(u64::from(digit)), largest.max(digit))
    });
    (largest <= 9).then_some(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const SCHEMA: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, EncryptionStatus";

    /// A field of a column that is mostly right, in quotes or not.
    fn field(right: &'static str) -> impl Strategy<Value = Vec<u8>> {
        let content = prop_oneof![6 => right.prop_map(String::into_bytes), 1 => "[ -~ü]{0,9}".prop_map(String::into_bytes), 1 => prop::collection::vec(any::<u8>(), 0..5)];
        (content, prop::bool::weighted(0.8)).prop_map(|(mut content, quoted)| {
            content.retain(|byte| *byte != b'\n');
            let mut field = Vec::new();
            if quoted {
                csv::push_quoted(&content, &mut field)
            } else {
                field = content
            }
            field
        })
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let fields = (
            field("lake|other"),
            field("t/[a-z]{1,3}|a%20b|c\\+d|%|%C3%BC|%FF|"),
            field("|null|v1"),
            field("true|false|TRUE"),
            field("true|false"),
            field("[0-9]{1,21}|"),
            field("2026-0[1-9]-[0-3][0-9]T0[0-9]:00:00\\.000Z"),
            field("[0-9a-f]{4}|"),
            field("STANDARD|GLACIER|"),
            field("true|false|"),
            field("SSE-S3|"),
        );
        fields.prop_map(|(a, b, c, d, e, f, g, h, i, j, k)| [a, b, c, d, e, f, g, h, i, j, k].join(&b','))
    }

    proptest! {
        #[test]
        fn short_way_and_long_way_read_the_same(lines in prop::collection::vec(line(), 1..8)) {
            let schema = Schema::parse(SCHEMA).unwrap();
            let mut short = RowReader::new("file", &schema, "lake");
            for (number, bytes) in lines.iter().enumerate() {
                let line = Line { number: number as u64, bytes };
                let mut long = RowReader::new("file", &schema, "lake");
                let split = csv::split(bytes, &mut long.spans);
                prop_assert_eq!(format!("{:?}", short.read(line)), format!("{:?}", long.any_row(line, split)));
            }
        }
    }
}
