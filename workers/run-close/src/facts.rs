//! The receipt, from the state and from the records of all attempts.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use levee_ledger::{
    Ledger, RunKey,
    receipt::{InventoryFacts, JobFacts, RECEIPT_VERSION, Receipt, RunFacts, SnapshotFacts, StageFacts, TableFacts},
    state::{Copy, FailureClass, Job, ObjectPointer, Report, Tables},
};
use levee_stage::{Context, StageError, aws::error_code, aws_error};
use serde::Deserialize;

use crate::{Input, headline::Told, reconcile};

/// What the ledger and the report bucket have of a run, over all attempts.
pub(crate) struct Records {
    pub(crate) jobs: Vec<JobFacts>,
    failed_rows: BTreeMap<FailureClass, u64>,
    pub(crate) list_sha256: Option<String>,
}

/// The record of an attempt that left rows outstanding, as report-parse writes it.
#[derive(Deserialize)]
struct Incomplete {
    report: Report,
}

impl Records {
    /// Reads the records of all attempts.
    pub(crate) async fn read(
        s3: &Client,
        ledger: &Ledger,
        account: &str,
        run: &RunKey,
        attempts: u32,
        tables: &Tables,
    ) -> Result<Self, StageError> {
        let mut jobs = Vec::new();
        let mut failed_rows = BTreeMap::new();
        for attempt in 1..=attempts {
            let report = report(ledger, run, attempt).await?;
            for (class, rows) in report.iter().flat_map(|report| &report.failed_by_class) {
                let count: &mut u64 = failed_rows.entry(*class).or_default();
                *count = count.saturating_add(*rows);
            }
            let Some(ended) = ended(ledger, run, attempt).await? else { continue };
            let report = match report {
                Some(_) => report_manifest(s3, ledger, account, run, &ended).await?,
                None => None,
            };
            jobs.push(JobFacts {
                attempt,
                id: ended.job_id,
                status: ended.status,
                tasks: ended.tasks,
                succeeded: ended.succeeded,
                failed: ended.failed,
                report,
            });
        }
        let list_sha256 = match &tables.list {
            Some(list) => Some(list_sha256(ledger, list).await?),
            None => None,
        };
        Ok(Self { jobs, failed_rows, list_sha256 })
    }
}

/// How the job of an attempt ended: what job-poll has recorded of one that is complete, or of one that failed.
#[derive(Deserialize)]
struct Ended {
    attempt: u32,
    job_id: String,
    status: String,
    tasks: u64,
    succeeded: u64,
    failed: u64,
}

impl From<Copy> for Ended {
    fn from(copy: Copy) -> Self {
        let Copy { attempt, job_id, status, tasks, succeeded, failed, .. } = copy;
        Self { attempt, job_id, status, tasks, succeeded, failed }
    }
}

async fn ended(ledger: &Ledger, run: &RunKey, attempt: u32) -> Result<Option<Ended>, StageError> {
    let stem = format!("04-job-poll-attempt-{attempt}");
    if let Some(copy) = ledger.read::<Copy>(&run.record(&format!("{stem}.json"))).await? {
        return Ok(Some(copy.value.into()));
    }
    let failed = ledger.read::<Ended>(&run.record(&format!("{stem}-failed.json"))).await?;
    Ok(failed.map(|failed| failed.value))
}

async fn report(ledger: &Ledger, run: &RunKey, attempt: u32) -> Result<Option<Report>, StageError> {
    let stem = format!("05-report-parse-attempt-{attempt}");
    if let Some(report) = ledger.read::<Report>(&run.record(&format!("{stem}.json"))).await? {
        return Ok(Some(report.value));
    }
    let incomplete = ledger.read::<Incomplete>(&run.record(&format!("{stem}-incomplete.json"))).await?;
    Ok(incomplete.map(|found| found.value.report))
}

/// The manifest of the report that was read, which has the checksums of the report's files. It may be gone by now, as reports
/// need not be kept for ever.
async fn report_manifest(
    s3: &Client,
    ledger: &Ledger,
    account: &str,
    run: &RunKey,
    ended: &Ended,
) -> Result<Option<ObjectPointer>, StageError> {
    let submitted = run.record(&format!("03-job-submit-attempt-{}.json", ended.attempt));
    let Some(job) = ledger.read::<Job>(&submitted).await?.map(|job| job.value) else { return Ok(None) };
    let bucket = job.report_bucket;
    // "Examples: S3 Batch Operations completion reports" of the S3 user guide has the form of the key.
    let key = format!("{}/job-{}/manifest.json", job.report_prefix, ended.job_id);
    match s3.head_object().bucket(&bucket).key(&key).expected_bucket_owner(account).send().await {
        Ok(found) => Ok(Some(ObjectPointer {
            etag: found.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
            version_id: found.version_id.filter(|version| version != "null"),
            bucket,
            key,
        })),
        Err(error) if error_code(&error) == Some("NotFound") => Ok(None),
        Err(error) => Err(aws_error(&format!("HeadObject of s3://{bucket}/{key}"), error)),
    }
}

/// SHA-256 of the list of tables.
async fn list_sha256(ledger: &Ledger, list: &ObjectPointer) -> Result<String, StageError> {
    ledger.sha256(&list.key).await?.ok_or_else(|| {
        let cause = format!(
            "the list of tables s3://{}/{} is gone. Look at who removes records; then start a new execution for the date.",
            list.bucket, list.key
        );
        StageError::permanent("Levee.LedgerCorrupt", cause)
    })
}

/// The receipt, without its place in the chain.
///
/// # Errors
/// `Levee.ReceiptDoesNotAddUp`.
pub(crate) fn receipt(
    context: &Context,
    run: &RunKey,
    input: &Input,
    records: Records,
    stages: Vec<StageFacts>,
) -> Result<Receipt, StageError> {
    let mut objects = reconcile::objects(input);
    reconcile::check(run, input, &objects)?;
    objects.failed_rows = records.failed_rows;
    objects.lists = lists(input);
    let (source, date) = (&run.source, run.backup_date);
    let snapshot = snapshot(input);
    let told = Told { source, date, objects: &objects, snapshot: &snapshot, tables: &input.tables };
    Ok(Receipt {
        version: RECEIPT_VERSION,
        sequence: 0,
        previous_sha256: None,
        run: RunFacts {
            source: run.source.clone(),
            source_account: input.run.source_account.clone(),
            backup_date: run.backup_date,
            execution_arn: run.execution_arn.clone(),
            execution_name: run.execution_name.clone(),
            started: context.execution.start_time,
            closed: context.clock.now(),
            redrives: context.execution.redrive_count,
        },
        headline: told.headline(),
        outcome: told.outcome(),
        inventory: inventory(input),
        objects,
        jobs: records.jobs,
        snapshot,
        tables: TableFacts { tables: input.tables.clone(), list_sha256: records.list_sha256 },
        stages,
        settings: input.run.clone(),
        levee_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn inventory(input: &Input) -> InventoryFacts {
    let manifest = &input.manifest;
    let plan = manifest.plan.as_ref();
    let batch = plan.and_then(|plan| plan.batch.as_ref()).map(|batch| batch.pointer.clone());
    InventoryFacts {
        pointer: manifest.pointer.clone(),
        scan_started: manifest.scan_started,
        objects: manifest.objects,
        bytes: manifest.bytes,
        plan: batch.into_iter().chain(plan.map(|plan| plan.summary.clone())).collect(),
        decisions: plan.map(|plan| plan.decisions.clone()).unwrap_or_default(),
    }
}

fn snapshot(input: &Input) -> SnapshotFacts {
    let (bucket, found) = (input.bucket.clone(), &input.snapshot);
    SnapshotFacts {
        bucket: bucket.name,
        account: bucket.account,
        region: bucket.region,
        objects: found.objects,
        bytes: found.bytes,
        changed: found.changed,
        unexpected: found.unexpected,
        findings: found.findings.clone(),
    }
}

/// The lists of the vanished and of the skipped.
fn lists(input: &Input) -> Vec<ObjectPointer> {
    let reported = input.report.as_ref().and_then(|report| report.vanished_list.clone());
    let large = input.large.as_ref().and_then(|large| large.vanished_list.clone());
    let plan = input.manifest.plan.as_ref();
    let skipped = plan.and_then(|plan| plan.skipped.as_ref()).map(|list| list.pointer.clone());
    reported.into_iter().chain(large).chain(skipped).collect()
}
