//! The scan of an inventory and its plan, on runtimes with one thread and with several.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use jiff::{Timestamp, civil::date};
use levee_formats::inventory::{DataFile, DataWriter, FileFormat, Manifest, Record, Row, Schema};
use levee_ledger::{
    Ledger, RunKey,
    state::{Decision, ObjectPointer, Plan},
};
use levee_manifest_ready::{
    decide::{Decider, Rules},
    plan::PlanWriter,
    scan::{Body, DataFiles, FileRows, Rows, scan},
};
use levee_stage::{Aws, StageError};
use levee_twin::{Twin, service::Principal};
use rstest::rstest;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const FILES: usize = 12;
const ROWS: usize = 600;
const PIECE: usize = 1000;

/// Data files in memory, of which each second one answers late, so that files end in another order than they begin.
struct Memory(BTreeMap<String, Bytes>);

struct Pieces {
    left: Bytes,
    late: bool,
}

impl DataFiles for Memory {
    type Body = Pieces;

    async fn open(&self, key: &str) -> Result<Pieces, StageError> {
        let late = key.ends_with(['0', '2', '4', '6', '8']);
        let left = self.0.get(key).cloned();
        let left = left.ok_or_else(|| StageError::permanent(StageError::AWS_REFUSED, format!("{key} is gone")))?;
        Ok(Pieces { left, late })
    }

    fn place(&self, key: &str) -> String {
        key.to_owned()
    }
}

impl Body for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, StageError> {
        if self.late {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let length = self.left.len().min(PIECE);
        let piece = self.left.split_to(length);
        Ok((length > 0).then_some(piece))
    }
}

/// An inventory whose rows are of every decision.
fn inventory() -> (Memory, Manifest) {
    let schema = Schema::parse("Bucket, Key, Size, ETag, StorageClass").unwrap();
    let (mut memory, mut files) = (BTreeMap::new(), Vec::new());
    for index in 0..FILES {
        let mut writer = DataWriter::inventory(Vec::new(), &schema).unwrap();
        for row in 0..ROWS {
            let key = format!("t{}/{index}/{row:06}/{}", row % 7, "k".repeat(row % 200));
            let class = if row % 5 == 0 { "GLACIER" } else { "STANDARD" };
            let size = if row % 11 == 0 { 6_000_000_000 } else { 100 };
            let record = Record { bucket: "lake", key: key.as_bytes(), size: Some(size), ..Record::default() };
            writer.row(&Record { storage_class: Some(class), etag: Some("abc"), ..record }).unwrap();
        }
        let written = writer.finish().unwrap();
        let key = format!("data/{index}");
        files.push(DataFile { key: key.clone(), size: written.size, md5: written.md5.clone() });
        memory.insert(key, Bytes::from(written.writer));
    }
    let manifest = Manifest {
        source_bucket: "lake".to_owned(),
        destination_bucket: "manifests".to_owned(),
        version: "2016-11-30".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        format: FileFormat::Csv,
        schema,
        files,
    };
    (Memory(memory), manifest)
}

fn rules(archived: serde_json::Value) -> Rules {
    let selection = serde_json::from_value(json!({ "exclude": [{ "prefix": "t6/" }] })).unwrap();
    Rules { selection, archived: serde_json::from_value(archived).unwrap() }
}

/// The plan and all objects of it.
async fn planned(archived: serde_json::Value) -> (Plan, BTreeMap<String, Vec<u8>>) {
    let twin = Twin::builder().build();
    let aws = Aws::new(&twin.sdk_config("222222222222", &Principal::Root));
    aws.s3.create_bucket().bucket("ledger").send().await.unwrap();
    let (ledger, rules) = (Ledger::new(aws.s3.clone(), "ledger"), rules(archived));
    let run = RunKey {
        source: "lake".to_owned(),
        backup_date: date(2026, 3, 31),
        execution_arn: "arn".to_owned(),
        execution_name: "name".to_owned(),
        restore: None,
    };
    let pointer =
        ObjectPointer { bucket: "manifests".into(), key: "manifest.json".into(), etag: "e".into(), version_id: None };
    let (files, manifest) = inventory();
    let decider = Arc::new(Decider::new(&rules, &manifest.schema).unwrap());
    let writer = PlanWriter::new(&ledger, &run, (&manifest, &pointer, "md5"), &rules).unwrap();
    let (count, parts) = scan(Arc::new(files), &manifest, decider, &writer).await.unwrap();
    let plan = writer.finish(&count, parts).await.unwrap().unwrap();
    let mut objects = BTreeMap::new();
    for key in ledger.list("").await.unwrap() {
        let found = aws.s3.get_object().bucket("ledger").key(&key).send().await.unwrap();
        objects.insert(key, found.body.collect().await.unwrap().to_vec());
    }
    (plan, objects)
}

fn one_thread() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn many_threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(6).enable_all().build().unwrap()
}

#[rstest]
#[case::skip(json!("skip"), ["large.jsonl", "skipped.jsonl", "data/0.csv.gz"])]
#[case::restore(json!({ "restore": {} }), ["large.jsonl", "restore/data/11.csv.gz", "thawed/data/11.csv.gz"])]
fn plan_has_the_same_bytes_on_one_thread_and_on_many(#[case] archived: serde_json::Value, #[case] objects: [&str; 3]) {
    let (plan, written) = one_thread().block_on(planned(archived.clone()));
    let (again, written_again) = many_threads().block_on(planned(archived));
    assert_eq!(plan, again);
    assert_eq!(written.keys().collect::<Vec<_>>(), written_again.keys().collect::<Vec<_>>());
    for (key, bytes) in &written {
        assert!(written_again[key] == *bytes, "{key} differs");
    }
    for object in objects {
        assert!(written.keys().any(|key| key.ends_with(object)), "{object} is not in {:?}", written.keys());
    }
    let sum: u64 = plan.decisions.values().map(|amount| amount.rows).sum();
    assert_eq!(sum, (FILES * ROWS) as u64);
}

/// Notes what becomes of each file.
#[derive(Clone, Default)]
struct Fates(Arc<Mutex<BTreeMap<usize, &'static str>>>);

struct Fate {
    fates: Fates,
    index: usize,
}

impl Fate {
    fn is(&self, what: &'static str) {
        self.fates.0.lock().unwrap().insert(self.index, what);
    }
}

impl Rows for Fates {
    type File = Fate;
    const AT_A_TIME: usize = 4;

    fn file(&self, index: usize, _stop: &CancellationToken) -> Fate {
        Fate { fates: self.clone(), index }
    }
}

impl FileRows for Fate {
    type Done = usize;

    fn row(&mut self, _row: &Row<'_>, _decision: Decision) -> Result<(), StageError> {
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    async fn finish(self) -> Result<usize, StageError> {
        self.is("finished");
        Ok(self.index)
    }

    async fn abort(self) {
        self.is("given up");
    }
}

#[rstest]
#[case::missing(|memory: &mut Memory, _: &mut Manifest| drop(memory.0.remove("data/3")), "data/3 is gone")]
#[case::another_size(|_: &mut Memory, manifest: &mut Manifest| manifest.files[3].size += 1, "the manifest says")]
#[case::another_md5(|_: &mut Memory, manifest: &mut Manifest| manifest.files[3].md5 = "0".repeat(32), "its MD5 is")]
#[case::damaged(|memory: &mut Memory, _: &mut Manifest| drop(memory.0.insert("data/3".into(), Bytes::from_static(b"no gzip"))), "data/3")]
fn file_that_cannot_be_used_stops_the_scan_and_every_other_file_is_finished_or_given_up(
    #[case] damage: fn(&mut Memory, &mut Manifest),
    #[case] told: &str,
) {
    for runtime in [one_thread(), many_threads()] {
        let (mut memory, mut manifest) = inventory();
        damage(&mut memory, &mut manifest);
        // A later file is gone too: the error is that of the first one.
        memory.0.remove("data/9");
        let decider = Arc::new(Decider::new(&Rules::default(), &manifest.schema).unwrap());
        let fates = Fates::default();
        let error = runtime.block_on(scan::<_, _, Vec<_>>(Arc::new(memory), &manifest, decider, &fates)).unwrap_err();
        assert!(error.cause.contains(told), "{}", error.cause);
        let fates = fates.0.lock().unwrap();
        assert_eq!((fates.len(), fates[&3], fates[&0]), (FILES, "given up", "finished"));
    }
}
