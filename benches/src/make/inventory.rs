//! Inventories in the dialect of S3 Inventory.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    ops::Range,
    path::Path,
};

use anyhow::{Context, Result};
use jiff::Timestamp;
use levee_formats::inventory::{Column, DataFile, DataWriter, FileFormat, Manifest, Record, Schema};

use super::{Lake, Size};
use crate::parallel;

/// The bucket that inventories and reports are of.
pub const SOURCE: &str = "lake-events";

const SCHEMA: &str = "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, EncryptionStatus, IntelligentTieringAccessTier";
const ROWS_PER_FILE: u64 = 1_000_000;
/// 2026-03-31T01:00:00Z
const SCANNED: i64 = 1_774_918_800;

/// The number of data files, and their bytes.
pub(super) fn make(size: Size, folder: &Path, threads: usize) -> Result<(u64, u64)> {
    let (lake, schema) = (Lake::new(&size), Schema::parse(SCHEMA)?);
    fs::create_dir_all(folder.join("data"))?;
    let ranges = ranges(size.rows, size.rows_per_file_or(ROWS_PER_FILE));
    let files = parallel::each(
        threads,
        ranges.len(),
        || (),
        |(), index| {
            let name = format!("data/{index:05}.csv.gz");
            let rows = ranges.get(index).cloned().unwrap_or_default();
            write(&lake, rows, &schema, &folder.join(&name)).map(|(size, md5)| DataFile { key: name, size, md5 })
        },
    )?;
    let bytes = files.iter().map(|file| file.size).sum();
    let count = files.len() as u64;
    let manifest = Manifest {
        source_bucket: SOURCE.to_owned(),
        destination_bucket: "manifests".to_owned(),
        version: "2016-11-30".to_owned(),
        created: Timestamp::from_second(SCANNED)?,
        format: FileFormat::Csv,
        schema,
        files,
    };
    let json = manifest.to_json();
    fs::write(folder.join("manifest.checksum"), Manifest::checksum(&json))?;
    fs::write(folder.join("manifest.json"), json)?;
    Ok((count, bytes))
}

/// The rows of each file.
pub(super) fn ranges(rows: u64, each: u64) -> Vec<Range<u64>> {
    let each = each.max(1);
    (0..rows.div_ceil(each)).map(|file| file * each..rows.min((file + 1) * each)).collect()
}

fn write(lake: &Lake, rows: Range<u64>, schema: &Schema, path: &Path) -> Result<(u64, String)> {
    let file = BufWriter::new(File::create(path).with_context(|| format!("cannot make {}", path.display()))?);
    let mut writer = DataWriter::inventory(file, schema)?;
    lake.objects(rows, &mut |object| {
        writer.row(&Record {
            bucket: SOURCE,
            key: object.key.as_bytes(),
            size: Some(object.size),
            last_modified: object.last_modified,
            etag: Some(object.etag),
            storage_class: Some(object.storage_class),
            is_multipart_uploaded: Some(object.multipart),
            further: &[
                (Column::EncryptionStatus, object.encryption),
                (Column::IntelligentTieringAccessTier, object.tier),
            ],
            ..Record::default()
        })?;
        Ok(())
    })?;
    let written = writer.finish()?;
    written.writer.into_inner().context("a data file could not be written")?.flush()?;
    Ok((written.size, written.md5))
}
