//! What the tests share: readers run over pieces of any size, and rows turned into owned values.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use levee_formats::{
    FileError, KeyCodec,
    batch_manifest::{self, Fields, ManifestReader},
    inventory::{self, DataFileTotals, DataReader, Schema},
    report::{self, ResultReader, ResultTotals},
};

/// A row that could be read, by the members that a test compares, or the codes of its problems.
pub(crate) type Seen = Result<Vec<Option<String>>, Vec<String>>;

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

pub(crate) fn read_inventory(
    schema: &Schema,
    data: &[u8],
    piece: usize,
) -> (Vec<Seen>, Result<DataFileTotals, FileError>) {
    let mut seen = Vec::new();
    let mut sink = |row: Result<inventory::Row<'_>, inventory::RowError<'_>>| {
        seen.push(match row {
            Ok(row) => Ok(vec![
                text(&row.bucket),
                text(&row.key),
                row.version_id.as_deref().map(str::to_owned),
                row.is_latest.map(|value| value.to_string()),
                row.is_delete_marker.map(|value| value.to_string()),
                row.size.map(|value| value.to_string()),
                row.last_modified.map(|value| value.to_string()),
                row.etag.as_deref().map(str::to_owned),
                row.storage_class.as_deref().map(str::to_owned),
            ]),
            Err(error) => Err(error.problems.iter().map(|problem| problem.code().to_owned()).collect()),
        });
    };
    let mut reader = DataReader::new("data.csv.gz", schema, "lake-src").unwrap();
    let pushed = data.chunks(piece.max(1)).try_for_each(|piece| reader.push(piece, &mut sink));
    let ended = pushed.and_then(|()| reader.finish(&mut sink));
    (seen, ended)
}

pub(crate) fn read_results(data: &[u8], piece: usize, codec: KeyCodec) -> (Vec<Seen>, Result<ResultTotals, FileError>) {
    let mut seen = Vec::new();
    let mut sink = |row: Result<report::Row<'_>, report::RowError<'_>>| {
        seen.push(match row {
            Ok(row) => Ok(vec![
                text(&row.bucket),
                text(&row.key),
                row.version_id.as_deref().map(str::to_owned),
                text(row.status.name()),
                row.http_status.map(|value| value.to_string()),
                row.error_code.as_deref().map(str::to_owned),
                row.message.as_deref().map(str::to_owned),
            ]),
            Err(error) => Err(error.problems.iter().map(|problem| problem.code().to_owned()).collect()),
        });
    };
    let mut reader = ResultReader::new("results.csv", codec);
    let pushed = data.chunks(piece.max(1)).try_for_each(|piece| reader.push(piece, &mut sink));
    let ended = pushed.and_then(|()| reader.finish(&mut sink));
    (seen, ended)
}

pub(crate) fn read_manifest(data: &[u8], piece: usize, fields: &Fields) -> Vec<Result<Vec<Option<String>>, String>> {
    let mut seen = Vec::new();
    let mut sink = |row: Result<batch_manifest::Row<'_>, batch_manifest::RowError<'_>>| {
        seen.push(match row {
            Ok(row) => Ok(vec![text(&row.bucket), text(&row.key), row.version_id.as_deref().map(str::to_owned)]),
            Err(error) => Err(error.to_string()),
        });
    };
    let mut reader = ManifestReader::new("manifest.csv", fields, KeyCodec::Percent);
    data.chunks(piece.max(1)).for_each(|piece| reader.push(piece, &mut sink).unwrap());
    reader.finish(&mut sink).unwrap();
    seen
}
