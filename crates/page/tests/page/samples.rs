//! Runs to make pages of: values of every kind that a receipt and its list of tables can have.

use jiff::{Timestamp, ToSpan, civil::date};
use levee_delta_log::{
    Absolute, Missing, MissingObject, MissingWhy, OpensInPlace, TableVerdict, Verdict, VersionFacts,
};
use levee_ledger::{
    receipt::{
        InventoryFacts, JobFacts, ObjectFacts, Outcome, RECEIPT_VERSION, Receipt, RunFacts, SnapshotFacts, StageFacts,
        TableFacts,
    },
    state::{Amount, Decision, FailureClass, ObjectPointer, Repair, Run, TableLine, Tables, VerdictCounts},
};
use levee_page::{RunPage, TrendPoint, render};
use serde_json::json;

/// A text that would be read as HTML, as the end of a script, or backwards by a page that is not careful.
pub(crate) const HOSTILE: &str = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">&amp;\u{202e}txt\u{2028}\u{0}";

/// What a page is made of.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) receipt: Receipt,
    pub(crate) pointer: ObjectPointer,
    pub(crate) tables: Vec<TableLine>,
    pub(crate) left_out: VerdictCounts,
    pub(crate) trend: Vec<TrendPoint>,
}

impl Sample {
    pub(crate) fn page(&self) -> String {
        let page = RunPage {
            receipt: &self.receipt,
            receipt_pointer: Some(&self.pointer),
            receipt_sha256: Some("5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"),
            tables: &self.tables,
            left_out: self.left_out,
            trend: &self.trend,
        };
        render(&page).unwrap()
    }

    /// Counts the tables again and puts the counts into the receipt.
    pub(crate) fn counted(mut self) -> Self {
        let mut verdicts = VerdictCounts::default();
        self.tables.iter().for_each(|line| verdicts.add(line.verdict.verdict));
        let repairs: Vec<_> = self.tables.iter().filter_map(|line| line.repair.as_ref()).collect();
        self.receipt.tables.tables = Tables {
            tables: self.tables.len() as u64,
            verdicts,
            repaired: repairs.len() as u64,
            repaired_objects: repairs.iter().map(|repair| repair.objects).sum(),
            repaired_bytes: repairs.iter().map(|repair| repair.bytes).sum(),
            list: (!self.tables.is_empty()).then(|| pointer("08-table-verify.jsonl")),
            not_checked: None,
        };
        if let Some(last) = self.trend.last_mut() {
            *last = TrendPoint::from(&self.receipt);
        }
        self
    }
}

fn pointer(name: &str) -> ObjectPointer {
    ObjectPointer {
        bucket: "levee-ledger-222222222222".to_owned(),
        key: format!("runs/lake-events/2026-03-31/lake-events-2026-03-31/{name}"),
        etag: "9b2cf535f27731c974343645a3985328".to_owned(),
        version_id: None,
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn stage(state: &str, entered: &str, left: Option<&str>) -> StageFacts {
    StageFacts { state: state.to_owned(), entered: at(entered), left: left.map(at) }
}

fn settings() -> Run {
    serde_json::from_value(json!({
        "source": "lake-events", "source_account": "111111111111",
        "inventory": { "bucket": "levee-manifests-222222222222", "id": "daily" },
        "snapshot": { "object_lock": { "mode": "GOVERNANCE", "days": 35 } },
    }))
    .unwrap()
}

fn receipt() -> Receipt {
    let run = RunFacts {
        source: "lake-events".to_owned(),
        source_account: "111111111111".to_owned(),
        backup_date: date(2026, 3, 31),
        execution_arn: "arn:aws:states:us-east-1:222222222222:execution:levee-backup:lake-events-2026-03-31".to_owned(),
        execution_name: "lake-events-2026-03-31".to_owned(),
        started: at("2026-04-02T02:00:00Z"),
        closed: at("2026-04-02T05:48:19Z"),
        redrives: 0,
    };
    let inventory = InventoryFacts {
        pointer: ObjectPointer {
            bucket: "levee-manifests-222222222222".to_owned(),
            key: "lake-events/daily/2026-04-02T01-00Z/manifest.json".to_owned(),
            etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            version_id: None,
        },
        scan_started: at("2026-04-02T01:00:00Z"),
        objects: 1_204_334,
        bytes: Some(3_412_908_775_110),
        plan: Vec::new(),
        decisions: [].into(),
    };
    let job = JobFacts {
        attempt: 1,
        id: "7b1a3c50-2f7e-4a37-9d07-0c4ad1f0a1f2".to_owned(),
        status: "Complete".to_owned(),
        tasks: 1_204_334,
        succeeded: 1_204_331,
        failed: 3,
        report: Some(ObjectPointer {
            bucket: "levee-reports-222222222222".to_owned(),
            key: "lake-events/2026-03-31/attempt-1-0c4ad1f0a1f2/job-7b1a3c50/manifest.json".to_owned(),
            etag: "e4d909c290d0fb1ca068ffaddf22cbd0".to_owned(),
            version_id: None,
        }),
    };
    Receipt {
        version: RECEIPT_VERSION,
        sequence: 42,
        previous_sha256: Some("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".to_owned()),
        run,
        headline: "lake-events 31 Mar 2026: 412 of 412 tables whole, 1,204,331 objects, 3 vanished".to_owned(),
        outcome: Outcome::Complete,
        inventory,
        objects: ObjectFacts {
            copied: 1_204_331,
            vanished: 3,
            failed_rows: [(FailureClass::Vanished, 3)].into(),
            lists: vec![pointer("05-report-parse-attempt-1-vanished.jsonl")],
            ..ObjectFacts::default()
        },
        jobs: vec![job],
        snapshot: SnapshotFacts {
            bucket: "lake-events-31-mar-2026".to_owned(),
            account: "222222222222".to_owned(),
            region: "us-east-1".to_owned(),
            objects: 1_204_331,
            bytes: 3_412_908_700_000,
            changed: 0,
            unexpected: 0,
            findings: None,
        },
        tables: TableFacts {
            tables: Tables {
                tables: 0,
                verdicts: VerdictCounts::default(),
                repaired: 0,
                repaired_objects: 0,
                repaired_bytes: 0,
                list: None,
                not_checked: None,
            },
            list_sha256: None,
        },
        stages: vec![
            stage("ManifestReady", "2026-04-02T02:00:01Z", Some("2026-04-02T02:11:40Z")),
            stage("BucketProvision", "2026-04-02T02:11:40Z", Some("2026-04-02T02:11:52Z")),
            stage("JobSubmit", "2026-04-02T02:11:52Z", Some("2026-04-02T02:11:58Z")),
            stage("JobPoll", "2026-04-02T02:11:58Z", Some("2026-04-02T04:51:20Z")),
            stage("ReportParse", "2026-04-02T04:51:20Z", Some("2026-04-02T04:58:02Z")),
            stage("SnapshotCheck", "2026-04-02T04:58:02Z", Some("2026-04-02T05:24:40Z")),
            stage("TableVerify", "2026-04-02T05:24:40Z", Some("2026-04-02T05:48:12Z")),
            stage("RunClose", "2026-04-02T05:48:12Z", None),
        ],
        settings: settings(),
        levee_version: "0.1.0".to_owned(),
    }
}

const AREAS: [&str; 8] = ["sales", "finance", "telemetry", "web", "ml/features", "hr", "supply", "raw/partner"];
const THINGS: [&str; 10] =
    ["orders", "refunds", "sessions", "clicks", "invoices", "devices", "shipments", "customers", "prices", "events"];

/// The table of a number, whole.
pub(crate) fn whole(n: u64) -> TableLine {
    let (area, thing) = (AREAS[(n % 8) as usize], THINGS[(n / 8 % 10) as usize]);
    let generation = n / 80;
    let path = if generation == 0 { format!("{area}/{thing}") } else { format!("{area}/{thing}_v{generation}") };
    let version = n * 37 % 1_900;
    let files = n * 7_919 % 4_000 + 1;
    TableLine {
        verdict: TableVerdict {
            path,
            verdict: Verdict::Whole,
            latest_version: Some(version),
            latest_loadable_version: Some(version),
            newest_whole_version: Some(version),
            newest_whole: Some(VersionFacts {
                timestamp_ms: Some(1_775_001_600_000 - (n as i64) * 431_000),
                files,
                bytes: files * (18_000_000 + n * 1_313),
                rows: (n % 9 != 4).then_some(files * 120_000 + n),
                deletion_vectors: n % 3,
                checkpoint: Some(version / 10 * 10),
            }),
            behind: None,
            missing: Vec::new(),
            missing_in_all: Missing::default(),
            self_contained: true,
            absolute: None,
            unsupported: Vec::new(),
            opens_in_place: OpensInPlace { yes: true, why_not: None },
            table_id: Some(format!("00000000-0000-4000-8000-{n:012}")),
            name: None,
            file_retention_seconds: None,
            suspected_incarnations: false,
            checksum_beyond: None,
            notes: Vec::new(),
        },
        age_seconds: Some(n * 431),
        repair: None,
        explanation: None,
        refused: None,
    }
}

fn lacking(line: TableLine, verdict: Verdict, files: u64, explanation: &str) -> TableLine {
    let mut line = line;
    line.verdict.verdict = verdict;
    line.verdict.missing = (0..files.min(10))
        .map(|n| MissingObject {
            path: format!("date=2026-03-3{}/part-{n:05}-c000.snappy.parquet", n % 2),
            why: if n % 4 == 3 { MissingWhy::Size } else { MissingWhy::Absent },
            want: Some(18_234_511 + n),
            have: (n % 4 == 3).then_some(1_024),
        })
        .collect();
    line.verdict.missing_in_all = Missing { objects: files, bytes: files * 18_234_511 };
    line.explanation = Some(explanation.to_owned());
    line
}

pub(crate) fn torn(n: u64) -> TableLine {
    let why = "31 files were vacuumed in the source after the inventory (files are kept for 7 days there); the source has a newer version, which the next night copies.";
    let mut line = lacking(whole(n), Verdict::Torn, 31, why);
    line.verdict.newest_whole_version = None;
    line.verdict.newest_whole = None;
    line.verdict.opens_in_place = OpensInPlace { yes: false, why_not: Some("no version is whole".to_owned()) };
    line
}

pub(crate) fn behind(n: u64) -> TableLine {
    let why = "4 files of version 1,042 were written after the inventory's scan, and are gone from the source since.";
    let mut line = lacking(whole(n), Verdict::Behind, 4, why);
    line.verdict.latest_version = line.verdict.newest_whole_version.map(|version| version + 2);
    line.verdict.opens_in_place = OpensInPlace {
        yes: false,
        why_not: Some(
            "a reader takes version 1,042, whose files are not all there: open it at the version that is whole"
                .to_owned(),
        ),
    };
    line
}

pub(crate) fn elsewhere(n: u64) -> TableLine {
    let mut line = whole(n);
    line.verdict.verdict = Verdict::NotSelfContained;
    line.verdict.self_contained = false;
    line.verdict.newest_whole = None;
    line.verdict.newest_whole_version = None;
    line.verdict.absolute = Some(Absolute { files: 2_204, places: vec!["s3://lake-raw/partner/clicks".to_owned()] });
    line.explanation = Some(
        "A shallow clone: s3://lake-raw is a source of Levee too, whose snapshot of the same day has the files."
            .to_owned(),
    );
    line
}

pub(crate) fn unsupported(n: u64) -> TableLine {
    let mut line = whole(n);
    line.verdict.verdict = Verdict::Unsupported;
    line.verdict.newest_whole = None;
    line.verdict.newest_whole_version = None;
    line.verdict.latest_loadable_version = None;
    line.verdict.unsupported = vec!["rowTeleport".to_owned()];
    line
}

pub(crate) fn repaired(n: u64) -> TableLine {
    let mut line = whole(n);
    line.repair = Some(Repair {
        before: Verdict::Behind,
        version_before: line.verdict.newest_whole_version.map(|version| version.saturating_sub(1)),
        objects: 5,
        bytes: 92_440_112,
        last_checkpoint_written: true,
    });
    line
}

/// Names that no page should be moved by.
pub(crate) fn hostile() -> TableLine {
    let mut line = torn(3);
    line.verdict.path = format!("raw/{HOSTILE}/x");
    line.verdict.name = Some(HOSTILE.to_owned());
    line.verdict.notes = vec![HOSTILE.to_owned()];
    line.explanation = Some(HOSTILE.to_owned());
    line.verdict.opens_in_place.why_not = Some(HOSTILE.to_owned());
    if let Some(missing) = line.verdict.missing.first_mut() {
        missing.path = HOSTILE.to_owned();
    }
    line
}

/// A trend of so many runs up to this one, a day without one among them.
fn trend(runs: u64) -> Vec<TrendPoint> {
    let last = date(2026, 3, 31);
    let days = (0..=runs).rev().filter(|back| *back != 6);
    days.map(|back| {
        let backup_date = last.checked_sub((back as i64).days()).unwrap();
        let closed = at("2026-04-02T05:48:19Z").checked_sub((back as i64 * 24).hours()).unwrap();
        let tables = 412 - back / 5;
        TrendPoint {
            backup_date,
            closed,
            outcome: if back == 11 || back == 12 { Outcome::Degraded } else { Outcome::Complete },
            objects: 1_204_331 - back * 9_973,
            bytes: 3_412_908_700_000 - back * 21_400_000_000,
            seconds: 13_699 - back * 60 + back % 4 * 700,
            tables,
            tables_good: if back == 11 || back == 12 { tables - 40 } else { tables },
        }
    })
    .collect()
}

/// A night on which everything is well.
pub(crate) fn good() -> Sample {
    let mut tables: Vec<_> = (0..412).map(whole).collect();
    for n in [17, 90] {
        tables[n] = repaired(n as u64);
    }
    for n in [40, 41] {
        tables[n].verdict.verdict = Verdict::CatalogManaged;
    }
    Sample {
        receipt: receipt(),
        pointer: pointer("receipt.json"),
        tables,
        left_out: VerdictCounts::default(),
        trend: trend(30),
    }
    .counted()
}

/// A night that ended with tables that are not whole, objects that were skipped, and a redrive.
pub(crate) fn degraded() -> Sample {
    let mut sample = good();
    for (n, line) in [(5, torn(5)), (61, torn(61)), (7, behind(7)), (8, behind(8)), (9, behind(9)), (33, elsewhere(33))]
    {
        sample.tables[n] = line;
    }
    sample.tables[71] = unsupported(71);
    sample.tables[72] = hostile();
    sample.tables[73].verdict.path = String::new();
    sample.tables[74].verdict.notes =
        vec!["Two incarnations of the table are suspected: files older than its metadata are live.".to_owned()];
    sample.tables[76].verdict.opens_in_place = OpensInPlace {
        yes: false,
        why_not: Some("_last_checkpoint names a checkpoint that is not there: remove it or write it anew".to_owned()),
    };
    sample.tables[75].verdict.path = "raw/ספר/טבלה".to_owned();
    let receipt = &mut sample.receipt;
    receipt.outcome = Outcome::Degraded;
    receipt.headline =
        "lake-events 31 Mar 2026: 404 of 412 tables whole (3 torn, 3 behind), 1,203,902 objects, 31 vanished, 401 skipped".to_owned();
    receipt.run.redrives = 1;
    receipt.inventory.plan = vec![pointer("01-plan.json"), pointer("01-plan-batch.csv")];
    receipt.inventory.decisions = [
        (Decision::Batch, Amount { rows: 1_203_921, bytes: 3_012_908_775_110 }),
        (Decision::Large, Amount { rows: 12, bytes: 397_000_000_000 }),
        (Decision::SkippedArchived, Amount { rows: 399, bytes: 2_999_000_000 }),
        (Decision::Unsupported, Amount { rows: 2, bytes: 1_000_000 }),
    ]
    .into();
    receipt.objects = ObjectFacts {
        copied: 1_203_902,
        copied_large: 12,
        vanished: 31,
        skipped: 401,
        excluded: 0,
        failed_rows: [(FailureClass::Vanished, 31), (FailureClass::Throttled, 2_204), (FailureClass::Denied, 6)].into(),
        lists: vec![pointer("05-report-parse-attempt-2-vanished.jsonl"), pointer("01-plan-skipped.jsonl")],
    };
    let second = JobFacts { attempt: 2, tasks: 2_210, succeeded: 2_210, failed: 0, ..receipt.jobs[0].clone() };
    receipt.jobs[0] = JobFacts { tasks: 1_203_921, succeeded: 1_201_680, failed: 2_241, ..receipt.jobs[0].clone() };
    receipt.jobs.push(second);
    receipt.snapshot.objects = 1_203_909;
    receipt.snapshot.changed = 2;
    receipt.snapshot.unexpected = 7;
    receipt.snapshot.findings = Some(pointer("07-snapshot-check-attempt-2-findings.jsonl"));
    receipt.stages = vec![
        stage("ManifestReady", "2026-04-02T02:00:01Z", Some("2026-04-02T02:11:40Z")),
        stage("BucketProvision", "2026-04-02T02:11:40Z", Some("2026-04-02T02:11:52Z")),
        stage("JobSubmit", "2026-04-02T02:11:52Z", Some("2026-04-02T02:11:58Z")),
        stage("JobPoll", "2026-04-02T02:11:58Z", Some("2026-04-02T04:51:20Z")),
        stage("ReportParse", "2026-04-02T04:51:20Z", Some("2026-04-02T04:58:02Z")),
        stage("JobSubmit", "2026-04-02T05:03:10Z", Some("2026-04-02T05:03:16Z")),
        stage("JobPoll", "2026-04-02T05:03:16Z", Some("2026-04-02T05:21:16Z")),
        stage("ReportParse", "2026-04-02T05:21:16Z", Some("2026-04-02T05:22:02Z")),
        stage("LargeCopy", "2026-04-02T05:22:02Z", Some("2026-04-02T07:10:55Z")),
        stage("SnapshotCheck", "2026-04-02T07:10:55Z", Some("2026-04-02T07:24:40Z")),
        stage("TableVerify", "2026-04-02T07:24:40Z", Some("2026-04-02T07:58:12Z")),
        stage("RunClose", "2026-04-02T07:58:12Z", None),
    ];
    receipt.run.closed = at("2026-04-02T07:58:19Z");
    sample.counted()
}

/// Five thousand tables, some of them not whole.
pub(crate) fn many() -> Sample {
    let mut sample = good();
    sample.tables = (0..5_000)
        .map(|n| match n % 500 {
            3 => torn(n),
            4 | 250 => behind(n),
            77 => elsewhere(n),
            _ => whole(n),
        })
        .collect();
    sample.receipt.outcome = Outcome::Degraded;
    sample.receipt.headline =
        "lake-events 31 Mar 2026: 4,960 of 5,000 tables whole (10 torn, 20 behind), 1,204,331 objects, 3 vanished"
            .to_owned();
    sample.counted()
}

/// The first run of a source without tables.
pub(crate) fn first() -> Sample {
    let mut sample = good();
    sample.tables.clear();
    sample.trend.clear();
    sample.receipt.sequence = 1;
    sample.receipt.previous_sha256 = None;
    sample.receipt.headline = "lake-events 31 Mar 2026: no tables, 1,204,331 objects, 3 vanished".to_owned();
    sample.receipt.settings.snapshot.object_lock = None;
    sample.counted()
}
