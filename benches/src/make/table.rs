//! Delta tables: their logs, and the list of the objects that they would have. There are no data files; nobody opens one.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Result, ensure};
use fastrand::Rng;
use serde_json::json;
use uuid::Builder;

use super::{Size, checkpoint};

/// The list of objects: a key, a tab, and bytes in a line.
pub const LISTING: &str = "listing.tsv";

const CHECKPOINT_EVERY: u64 = 100;
/// 2026-03-17T00:00:00Z
const COMMITTED_MS: u64 = 1_773_705_600_000;
const SCHEMA: &str = r#"{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"name","type":"string","nullable":true,"metadata":{}},{"name":"date","type":"string","nullable":true,"metadata":{}}]}"#;

/// What the table's metadata says.
pub(super) const METADATA: Metadata = Metadata {
    id: "00000000-0000-4000-8000-000000000000",
    schema: SCHEMA,
    partitioned_by: "date",
    created_ms: COMMITTED_MS,
};

/// The metadata of the table.
pub(super) struct Metadata {
    pub(super) id: &'static str,
    pub(super) schema: &'static str,
    pub(super) partitioned_by: &'static str,
    pub(super) created_ms: u64,
}

/// A live file.
pub(super) struct Add {
    pub(super) path: String,
    pub(super) date: String,
    pub(super) size: u64,
    pub(super) modified_ms: u64,
    pub(super) stats: String,
}

/// The number of files of the log, and their bytes.
pub(super) fn make(size: Size, folder: &Path) -> Result<(u64, u64)> {
    ensure!(size.commits > 0, "a table has at least one commit");
    let log = folder.join("_delta_log");
    fs::create_dir_all(&log)?;
    let mut listing = Listing { out: BufWriter::new(File::create(folder.join(LISTING))?), log_files: 0, log_bytes: 0 };
    let (mut random, mut files) = (Rng::with_seed(size.seed), Vec::new());
    let mut hint = None;
    for version in 0..size.commits {
        let until = size.rows.saturating_mul(version + 1) / size.commits;
        let mut commit = start(version)?;
        for number in files.len() as u64..until {
            let add = add(&mut random, number, version);
            commit.extend_from_slice(line(&add)?.as_bytes());
            writeln!(listing.out, "{}\t{}", add.path, add.size)?;
            files.push(add);
        }
        let name = format!("{version:020}.json");
        fs::write(log.join(&name), &commit)?;
        listing.log_file(&name, commit.len() as u64)?;
        if version > 0 && version % CHECKPOINT_EVERY == 0 {
            let name = format!("{version:020}.checkpoint.parquet");
            checkpoint::write(&log.join(&name), &files)?;
            listing.log_file(&name, fs::metadata(log.join(&name))?.len())?;
            hint = Some(json!({ "version": version, "size": files.len() + 2 }).to_string());
        }
    }
    if let Some(hint) = hint {
        fs::write(log.join("_last_checkpoint"), &hint)?;
        listing.log_file("_last_checkpoint", hint.len() as u64)?;
    }
    listing.out.flush()?;
    Ok((listing.log_files, listing.log_bytes))
}

struct Listing {
    out: BufWriter<File>,
    log_files: u64,
    log_bytes: u64,
}

impl Listing {
    fn log_file(&mut self, name: &str, size: u64) -> Result<()> {
        self.log_files += 1;
        self.log_bytes += size;
        writeln!(self.out, "_delta_log/{name}\t{size}")?;
        Ok(())
    }
}

/// What a commit begins with.
fn start(version: u64) -> Result<Vec<u8>> {
    let info = json!({ "commitInfo": { "timestamp": COMMITTED_MS + version * 60_000, "operation": "WRITE", "operationParameters": {} } });
    let mut commit = format!("{info}\n");
    if version == 0 {
        let format = json!({ "provider": "parquet", "options": {} });
        let metadata = json!({ "metaData": { "id": METADATA.id, "format": format, "schemaString": METADATA.schema,
            "partitionColumns": [METADATA.partitioned_by], "configuration": {}, "createdTime": METADATA.created_ms } });
        commit.push_str(&format!(
            "{}\n{metadata}\n",
            json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } })
        ));
    }
    Ok(commit.into_bytes())
}

fn add(random: &mut Rng, number: u64, version: u64) -> Add {
    let (part, size) = (number % 200, random.u64(1_000_000..200_000_000));
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    let id = Builder::from_random_bytes(bytes).into_uuid();
    let date = format!("2026-{:02}-{:02}", number % 12 + 1, number % 28 + 1);
    let path = format!("date={date}/part-{part:05}-{}.c000.snappy.parquet", id.hyphenated());
    let (least, most) = (random.u32(..), random.u32(..));
    let stats = format!(
        r#"{{"numRecords":{},"minValues":{{"id":{least},"name":"a{least:x}"}},"maxValues":{{"id":{most},"name":"z{most:x}"}},"nullCount":{{"id":0,"name":3}}}}"#,
        size / 100
    );
    Add { path, date, size, modified_ms: COMMITTED_MS + version * 60_000, stats }
}

fn line(add: &Add) -> Result<String> {
    Ok(format!(
        r#"{{"add":{{"path":"{}","partitionValues":{{"date":"{}"}},"size":{},"modificationTime":{},"dataChange":true,"stats":{}}}}}"#,
        add.path,
        add.date,
        add.size,
        add.modified_ms,
        serde_json::to_string(&add.stats)?
    ) + "\n")
}
