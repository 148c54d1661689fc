//! Measures the planning of a large inventory: rows and bytes a second, and the peak of memory, of manifest-ready's scan and plan
//! and of `levee plan`. `just bench-plan` builds it, and the command beside it; CI runs a small one.
//!
//! The inventory is made in a folder of its own, from a seed. The plan is written by the real code through the real S3 client,
//! whose HTTP client throws away what it is given: so the figures are those of a worker with an endless network. Each
//! measurement runs in a process of its own, because the peak of memory is one of a process.
#![allow(clippy::print_stdout, reason = "the figures go to standard output")]

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use bytes::{Bytes, BytesMut};
use clap::{Parser, Subcommand};
use jiff::{Timestamp, civil::date};
use levee_formats::inventory::{DataFile, DataWriter, FileFormat, Manifest, Record, Schema};
use levee_ledger::{
    Ledger, RunKey,
    state::{ObjectPointer, Plan},
};
use levee_manifest_ready::{
    decide::{Decider, Rules},
    plan::PlanWriter,
    scan::{Body, DataFiles, scan},
};
use levee_stage::StageError;
use levee_tests::peak_memory_kib;
use serde_json::json;
use tokio::io::AsyncReadExt;

const SCHEMA: &str = "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, EncryptionStatus, IntelligentTieringAccessTier";
const SOURCE: &str = "lake-events";
/// What the worker must stay below.
const MOST_KIB: u64 = 256 * 1024;
const PIECE: usize = 128 * 1024;

/// Measures the planning of a large inventory.
#[derive(Parser)]
struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    /// The rows of the inventory.
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// The rows of each of its data files.
    #[arg(long, default_value_t = 1_000_000)]
    rows_per_file: u64,
    /// The seed of its keys.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The command `levee`, to be measured too.
    #[arg(long)]
    levee: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Write the plan of the inventory in a folder (runs in a process of its own).
    Write { manifest: PathBuf },
}

fn main() -> Result<()> {
    let bench = Bench::parse();
    match &bench.what {
        Some(What::Write { manifest }) => write(manifest),
        None => measure_all(&bench),
    }
}

fn measure_all(bench: &Bench) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("levee-bench-plan-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = measure_in(bench, &folder);
    fs::remove_dir_all(&folder)?;
    done
}

fn measure_in(bench: &Bench, folder: &Path) -> Result<()> {
    let (manifest, bytes) = make(bench, folder)?;
    println!("{} rows in {:.0} MB of gzip, on {} cores", bench.rows, mb(bytes), std::thread::available_parallelism()?);
    let mut planner = Command::new(std::env::current_exe()?);
    planner.arg("write").arg(&manifest);
    let mut peaks = vec![measure("scan and plan", planner, bench.rows, bytes)?];
    if let Some(levee) = &bench.levee {
        let mut plan = Command::new(levee);
        plan.args(["plan", "--json", "--archived", "skip", "--exclude-glob", "**/_tmp/**"]).arg(&manifest);
        peaks.push(measure("levee plan", plan, bench.rows, bytes)?);
    }
    ensure!(peaks.iter().all(|peak| *peak < MOST_KIB), "more than {} MiB of memory were taken", MOST_KIB / 1024);
    Ok(())
}

/// Runs a process to its end. Its peak of memory in KiB, which it keeps, so that the last look sees it.
fn measure(name: &str, mut command: Command, rows: u64, bytes: u64) -> Result<u64> {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak = peak_memory_kib(child.id()).unwrap_or(peak).max(peak);
        std::thread::sleep(Duration::from_millis(20));
    };
    let seconds = began.elapsed().as_secs_f64();
    ensure!(status.success(), "{name} failed: {status}");
    println!(
        "{name}: {seconds:.1} s, {:.0} rows/s, {:.1} MB/s of gzip, at most {:.0} MiB of memory",
        number(rows) / seconds,
        mb(bytes) / seconds,
        number(peak) / 1024.0
    );
    Ok(peak)
}

/// Writes an inventory of a lake: tables in partitions, mostly Parquet, with logs between. The path of its manifest, and the
/// bytes of its data files.
fn make(bench: &Bench, folder: &Path) -> Result<(PathBuf, u64)> {
    let schema = Schema::parse(SCHEMA)?;
    let mut random = fastrand::Rng::with_seed(bench.seed);
    let (mut files, mut left) = (Vec::new(), bench.rows);
    while left > 0 {
        let name = format!("data/{:04}.csv.gz", files.len());
        let path = folder.join(&name);
        fs::create_dir_all(path.parent().context("a data file has no folder")?)?;
        let mut writer = DataWriter::inventory(BufWriter::new(File::create(path)?), &schema)?;
        let rows = left.min(bench.rows_per_file);
        let (mut key, mut etag) = (String::new(), String::new());
        for _ in 0..rows {
            key.clear();
            etag.clear();
            writer.row(&row(&mut random, &mut key, &mut etag))?;
        }
        let written = writer.finish()?;
        written.writer.into_inner().context("a data file could not be written")?.flush()?;
        files.push(DataFile { key: name, size: written.size, md5: written.md5 });
        left -= rows;
    }
    let bytes = files.iter().map(|file| file.size).sum();
    let manifest = Manifest {
        source_bucket: SOURCE.to_owned(),
        destination_bucket: "manifests".to_owned(),
        version: "2016-11-30".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        format: FileFormat::Csv,
        schema,
        files,
    };
    let json = manifest.to_json();
    fs::write(folder.join("manifest.checksum"), Manifest::checksum(&json))?;
    let path = folder.join("manifest.json");
    fs::write(&path, json)?;
    Ok((path, bytes))
}

fn row<'a>(random: &mut fastrand::Rng, key: &'a mut String, etag: &'a mut String) -> Record<'a> {
    use std::fmt::Write as _;
    let (table, day, part) = (random.u32(0..300), random.u32(1..29), random.u32(..));
    let _ = match random.u32(0..100) {
        0..3 => write!(key, "sales/table_{table:03}/_delta_log/{part:020}.json"),
        3..5 => write!(key, "sales/table_{table:03}/_tmp/{:016x}", random.u64(..)),
        _ => write!(
            key,
            "sales/table_{table:03}/date=2026-03-{day:02}/part-{part:05}-{:032x}-c000.snappy.parquet",
            random.u128(..)
        ),
    };
    let _ = write!(etag, "{:032x}", random.u128(..));
    let (large, archived) = (random.u32(0..1000) == 0, random.u32(0..20) == 0);
    Record {
        bucket: SOURCE,
        key: key.as_bytes(),
        size: Some(if large { random.u64(5_000_000_001..60_000_000_000) } else { random.u64(..200_000_000) }),
        last_modified: Timestamp::UNIX_EPOCH,
        etag: Some(etag),
        storage_class: Some(if archived { "GLACIER" } else { "STANDARD" }),
        is_multipart_uploaded: Some(large),
        further: &[],
        ..Record::default()
    }
}

/// Scans and plans as manifest-ready does, on a runtime like the worker's.
fn write(manifest: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let plan = runtime.block_on(plan_of(manifest))?;
    println!("{}", serde_json::to_string(&plan.decisions)?);
    Ok(())
}

async fn plan_of(path: &Path) -> Result<Plan> {
    let bytes = fs::read(path)?;
    let manifest = Manifest::parse(&bytes)?;
    let rules = Rules {
        selection: serde_json::from_value(json!({ "exclude": [{ "glob": "**/_tmp/**" }] }))?,
        archived: serde_json::from_value(json!("skip"))?,
    };
    let decider = Arc::new(Decider::new(&rules, &manifest.schema).map_err(anyhow::Error::msg)?);
    let run = RunKey {
        source: SOURCE.to_owned(),
        backup_date: date(2026, 3, 31),
        execution_arn: "arn".to_owned(),
        execution_name: "bench".to_owned(),
        restore: None,
    };
    let pointer = ObjectPointer {
        bucket: "manifests".to_owned(),
        key: "manifest.json".to_owned(),
        etag: "e".to_owned(),
        version_id: None,
    };
    let ledger = Ledger::new(discarding(), "ledger");
    let writer = PlanWriter::new(&ledger, &run, (&manifest, &pointer, &Manifest::checksum(&bytes)), &rules)?;
    let folder = path.parent().context("the manifest has no folder")?.to_owned();
    let (count, files) = scan(Arc::new(Folder(folder)), &manifest, decider, &writer).await?;
    writer.finish(&count, files).await?.context("there is nothing to plan")
}

/// Data files in a folder.
struct Folder(PathBuf);

struct OpenFile(tokio::fs::File);

impl DataFiles for Folder {
    type Body = OpenFile;

    async fn open(&self, key: &str) -> Result<OpenFile, StageError> {
        tokio::fs::File::open(self.0.join(key)).await.map(OpenFile).map_err(|error| unreadable(&error))
    }

    fn place(&self, key: &str) -> String {
        key.to_owned()
    }
}

impl Body for OpenFile {
    async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = self.0.read_buf(&mut piece).await.map_err(|error| unreadable(&error))?;
        Ok((read > 0).then(|| piece.freeze()))
    }
}

fn unreadable(error: &std::io::Error) -> StageError {
    StageError::permanent(StageError::AWS_REFUSED, error.to_string())
}

/// An S3 that takes everything and keeps nothing.
fn discarding() -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "bench")))
        .http_client(Discarding)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

#[derive(Clone, Debug)]
struct Discarding;

impl HttpClient for Discarding {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Discarding {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(async move {
            let query = request.uri().split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
            let answer = match (request.method(), query.contains("uploadId")) {
                ("POST", false) => {
                    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                }
                ("POST", true) => "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
                _ => "",
            };
            let status = StatusCode::try_from(200).map_err(|error| ConnectorError::other(Box::new(error), None))?;
            let mut response = HttpResponse::new(status, answer.into());
            response.headers_mut().insert("etag", "\"e\"");
            Ok(response)
        })
    }
}

fn mb(bytes: u64) -> f64 {
    number(bytes) / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn number(count: u64) -> f64 {
    count as f64
}
