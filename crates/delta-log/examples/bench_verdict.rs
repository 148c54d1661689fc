//! Makes a table of many files over many commits in a folder, gives the verdict on it, and says how long that took.
//!
//! ```text
//! cargo run --release -p levee-delta-log --example bench_verdict -- --files 1000000 --commits 1000
//! ```
//!
//! `--no-checkpoint` leaves the checkpoint away, so that every commit is replayed; `--keep FOLDER` makes the log there, and
//! `FOLDER.listing` beside it with a line for each object, so that other programs can be timed with them; `--of FOLDER` takes those that
//! are there; `--torn` takes one object in a thousand from the listing; `--threads N` decodes on so many. A line of JSON is printed, of
//! a process that does nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation
)]

use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use levee_delta_log::{Listing, LogReader, Options, ReadError, verdict};
use parquet::{
    data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

struct Arguments {
    files: u64,
    commits: u64,
    seed: u64,
    checkpoint: bool,
    torn: bool,
    keep: Option<PathBuf>,
    of: Option<PathBuf>,
    threads: usize,
}

fn arguments() -> Arguments {
    let mut found = Arguments {
        files: 1_000_000,
        commits: 1000,
        seed: 1,
        checkpoint: true,
        torn: false,
        keep: None,
        of: None,
        threads: 1,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--files" => found.files = value().parse().unwrap(),
            "--commits" => found.commits = value().parse().unwrap(),
            "--seed" => found.seed = value().parse().unwrap(),
            "--no-checkpoint" => found.checkpoint = false,
            "--torn" => found.torn = true,
            "--keep" => found.keep = Some(value().into()),
            "--threads" => found.threads = value().parse().unwrap(),
            "--of" => found.of = Some(value().into()),
            other => panic!("{other} is not an option"),
        }
    }
    found
}

struct Folder(PathBuf);

impl LogReader for Folder {
    fn read(&self, path: &str) -> Result<Bytes, ReadError> {
        fs::read(self.0.join(path)).map(Bytes::from).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ReadError::Gone,
            _ => ReadError::Failed(error.to_string()),
        })
    }
}

struct File {
    path: String,
    size: u64,
    stats: String,
}

fn file(random: &mut StdRng, number: u64) -> File {
    let (id, size) = (random.random::<u128>(), random.random_range(1_000_000..200_000_000_u64));
    let path = format!(
        "date=2026-{:02}-{:02}/part-{:05}-{id:032x}.c000.snappy.parquet",
        number % 12 + 1,
        number % 28 + 1,
        number % 200
    );
    let (least, most) = (random.random::<u32>(), random.random::<u32>());
    let stats = format!(
        r#"{{"numRecords":{},"minValues":{{"id":{least},"name":"a{least:x}"}},"maxValues":{{"id":{most},"name":"z{most:x}"}},"nullCount":{{"id":0,"name":3}}}}"#,
        size / 100
    );
    File { path, size, stats }
}

fn line(file: &File) -> String {
    let date = &file.path[5..15];
    let stats = serde_json::to_string(&file.stats).unwrap();
    format!(
        r#"{{"add":{{"path":"{}","partitionValues":{{"date":"{date}"}},"size":{},"modificationTime":1700000000000,"dataChange":true,"stats":{stats}}}}}"#,
        file.path, file.size
    )
}

const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
const SCHEMA_STRING: &str = r#"{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"name","type":"string","nullable":true,"metadata":{}},{"name":"date","type":"string","nullable":true,"metadata":{}}]}"#;

fn metadata() -> String {
    let schema = serde_json::to_string(SCHEMA_STRING).unwrap();
    format!(
        r#"{{"metaData":{{"id":"00000000-0000-4000-8000-000000000000","format":{{"provider":"parquet","options":{{}}}},"schemaString":{schema},"partitionColumns":["date"],"configuration":{{}},"createdTime":1700000000000}}}}"#
    )
}

const CHECKPOINT_SCHEMA: &str = "message checkpoint {
  optional group protocol { required int32 minReaderVersion; required int32 minWriterVersion; }
  optional group metaData {
    required binary id (UTF8);
    required group format {
      required binary provider (UTF8);
      optional group options (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    }
    required binary schemaString (UTF8);
    required group partitionColumns (LIST) { repeated group list { required binary element (UTF8); } }
    optional group configuration (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    optional int64 createdTime;
  }
  optional group add {
    required binary path (UTF8);
    optional group partitionValues (MAP) { repeated group key_value { required binary key (UTF8); optional binary value (UTF8); } }
    required int64 size;
    required int64 modificationTime;
    required boolean dataChange;
    optional binary stats (UTF8);
  }
}";

enum Values {
    Flags(Vec<bool>),
    Narrow(Vec<i32>),
    Wide(Vec<i64>),
    Texts(Vec<ByteArray>),
}

/// Says whether a row has something.
type Rows = fn(usize) -> bool;

/// The values of a column, the definition level of the rows that have one, and which rows those are.
fn values(path: &str, files: &[File]) -> (Values, i16, Rows) {
    let text = |text: &str| Values::Texts(vec![text.into()]);
    let of_files = |text: fn(&File) -> &str| Values::Texts(files.iter().map(|file| text(file).into()).collect());
    let first: Rows = |row| row == 0;
    let second: Rows = |row| row == 1;
    let others: Rows = |row| row >= 2;
    match path {
        "protocol.minReaderVersion" => (Values::Narrow(vec![1]), 1, first),
        "protocol.minWriterVersion" => (Values::Narrow(vec![2]), 1, first),
        "metaData.id" => (text("00000000-0000-4000-8000-000000000000"), 1, second),
        "metaData.format.provider" => (text("parquet"), 1, second),
        "metaData.schemaString" => (text(SCHEMA_STRING), 1, second),
        "metaData.partitionColumns.list.element" => (text("date"), 2, second),
        "metaData.createdTime" => (Values::Wide(Vec::new()), 1, second),
        // Maps that are there and empty.
        map if map.starts_with("metaData.") => (Values::Texts(Vec::new()), 2, second),
        "add.partitionValues.key_value.key" => (of_files(|_| "date"), 3, others),
        "add.partitionValues.key_value.value" => (of_files(|file| &file.path[5..15]), 4, others),
        "add.path" => (of_files(|file| &file.path), 1, others),
        "add.stats" => (of_files(|file| &file.stats), 2, others),
        "add.size" => (Values::Wide(files.iter().map(|file| file.size as i64).collect()), 1, others),
        "add.modificationTime" => (Values::Wide(vec![1_700_000_000_000; files.len()]), 1, others),
        "add.dataChange" => (Values::Flags(vec![true; files.len()]), 1, others),
        other => panic!("{other}"),
    }
}

/// Writes the checkpoint: protocol, metadata, then files.
fn write_checkpoint(to: &Path, files: &[File]) {
    let schema = Arc::new(parse_message_type(CHECKPOINT_SCHEMA).unwrap());
    let out = fs::File::create(to).unwrap();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(WriterProperties::builder().build())).unwrap();
    let rows = files.len() + 2;
    let reps = vec![0; rows];
    let mut group = writer.next_row_group().unwrap();
    while let Some(mut column) = group.next_column().unwrap() {
        let (values, level, has) = values(&column.untyped_column_path(), files);
        let defs: Vec<i16> = (0..rows).map(|row| if has(row) { level } else { 0 }).collect();
        let (defs, reps) = (Some(defs.as_slice()), Some(reps.as_slice()));
        match values {
            Values::Flags(values) => column.typed::<BoolType>().write_batch(&values, defs, reps),
            Values::Narrow(values) => column.typed::<Int32Type>().write_batch(&values, defs, reps),
            Values::Wide(values) => column.typed::<Int64Type>().write_batch(&values, defs, reps),
            Values::Texts(values) => column.typed::<ByteArrayType>().write_batch(&values, defs, reps),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

/// Names of columns, which the writer does not tell by itself.
trait ColumnPath {
    fn untyped_column_path(&mut self) -> String;
}

impl ColumnPath for parquet::file::writer::SerializedColumnWriter<'_> {
    fn untyped_column_path(&mut self) -> String {
        use parquet::column::writer::ColumnWriter;
        match self.untyped() {
            ColumnWriter::BoolColumnWriter(column) => column.get_descriptor().path().string(),
            ColumnWriter::Int32ColumnWriter(column) => column.get_descriptor().path().string(),
            ColumnWriter::Int64ColumnWriter(column) => column.get_descriptor().path().string(),
            ColumnWriter::ByteArrayColumnWriter(column) => column.get_descriptor().path().string(),
            _ => String::new(),
        }
    }
}

/// Makes the log, and gives every object with its size.
fn make(folder: &Path, arguments: &Arguments) -> Vec<(String, u64)> {
    let log = folder.join("_delta_log");
    fs::create_dir_all(&log).unwrap();
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let mut files = Vec::new();
    let mut objects = Vec::new();
    let checkpoint_at = arguments.commits * 9 / 10;
    for version in 0..arguments.commits {
        let until = arguments.files * (version + 1) / arguments.commits;
        let mut lines = vec![r#"{"commitInfo":{"timestamp":1700000000000,"operation":"WRITE"}}"#.to_owned()];
        if version == 0 {
            lines.extend([PROTOCOL.to_owned(), metadata()]);
        }
        for number in files.len() as u64..until {
            let file = file(&mut random, number);
            lines.push(line(&file));
            objects.push((file.path.clone(), file.size));
            files.push(file);
        }
        let text = lines.join("\n");
        let name = format!("{version:020}.json");
        objects.push((format!("_delta_log/{name}"), text.len() as u64));
        fs::File::create(log.join(&name)).unwrap().write_all(text.as_bytes()).unwrap();
        if arguments.checkpoint && version == checkpoint_at {
            let name = format!("{version:020}.checkpoint.parquet");
            write_checkpoint(&log.join(&name), &files);
            let size = fs::metadata(log.join(&name)).unwrap().len();
            objects.push((format!("_delta_log/{name}"), size));
            let hint = format!(r#"{{"version":{version},"size":{}}}"#, files.len() + 2);
            fs::write(log.join("_last_checkpoint"), &hint).unwrap();
            objects.push(("_delta_log/_last_checkpoint".to_owned(), hint.len() as u64));
        }
    }
    objects
}

/// The line of `/proc/self/status`, in MiB.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Seconds that the threads of this process have been on a processor, which other programs do not lengthen as they do the time by
/// the clock. The kernel counts hundredths.
fn on_processor() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_the_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_the_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// The file beside a folder that has a line for each object of its table: the key, a tab, the size.
fn listing_file(folder: &Path) -> PathBuf {
    folder.with_extension("listing")
}

fn main() {
    let arguments = arguments();
    if let Some(folder) = &arguments.of {
        judge(folder, &arguments);
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let folder = arguments.keep.clone().unwrap_or_else(|| temporary.path().join("table"));
    let objects = make(&folder, &arguments);
    let mut file = BufWriter::new(fs::File::create(listing_file(&folder)).unwrap());
    for (key, size) in &objects {
        writeln!(file, "{key}\t{size}").unwrap();
    }
    file.into_inner().unwrap();
    drop(objects);
    // A process of its own, so that its memory and time are those of the verdict alone.
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(std::env::args_os().skip(1)).arg("--of").arg(&folder);
    assert!(again.status().unwrap().success());
}

/// Gives the verdict on the table in a folder, and prints what it took.
fn judge(folder: &Path, arguments: &Arguments) {
    let text = fs::read_to_string(listing_file(folder)).unwrap();
    let (start, before) = (Instant::now(), status("VmRSS"));
    let mut listing = Listing::new();
    let mut objects = 0_u64;
    for (number, line) in text.lines().enumerate() {
        let (key, size) = line.split_once('\t').unwrap();
        if !arguments.torn || key.starts_with('_') || number % 1000 != 0 {
            listing.push(key, size.parse().unwrap(), Some(1_700_000_000_000));
            objects += 1;
        }
    }
    let listed = start.elapsed();
    drop(text);
    // The peak from here on; the text of the listing took more.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let options = Options::default().with_threads(arguments.threads);
    let (start, before_processor) = (Instant::now(), on_processor());
    let answer = verdict("bench", &listing, &Folder(folder.to_owned()), &options).unwrap();
    let (took, processor) = (start.elapsed(), on_processor() - before_processor);
    let facts = answer.newest_whole.as_ref();
    println!(
        "{}",
        serde_json::json!({
            "objects": objects, "verdict": answer.verdict.name(), "newest_whole": answer.newest_whole_version,
            "live": facts.map(|facts| facts.files), "rows": facts.and_then(|facts| facts.rows),
            "missing": answer.missing_in_all.objects,
            "listing_s": listed.as_secs_f64(), "verdict_s": took.as_secs_f64(), "cpu_s": processor,
            "files_per_s": (objects as f64 / took.as_secs_f64()) as u64,
            "listing_mib": listing.memory() >> 20, "before_mib": before, "peak_mib": status("VmHWM"),
        })
    );
}
