//! The completion report of a canary: one row, which must have succeeded.

use jiff::Timestamp;
use levee_formats::{
    KeyCodec,
    report::{Manifest, ResultFile, ResultReader, TaskStatus},
};

use levee_jobs::watch::wait_after;

use super::Canary;
use crate::doctor::finding::{Fault, problem, refused, unknown};

/// What the rows of the report say.
#[derive(Default)]
struct Rows {
    succeeded: u64,
    /// Code and message of tasks that failed.
    failed: Vec<String>,
    unreadable: Vec<String>,
}

/// Reads the report of the job down to its row. It may come some time after the job is complete: it is waited for.
///
/// # Errors
/// The object was not copied, the report does not say, or it cannot be read.
pub(super) async fn read(canary: &Canary<'_>, job: &str, deadline: Timestamp) -> Result<(), Fault> {
    let folder = format!("{}/job-{job}", canary.prefix);
    let manifest = get(canary, &format!("{folder}/manifest.json"), deadline).await?;
    let manifest = Manifest::parse(&manifest).map_err(|error| untrusted(&folder, &error.to_string()))?;
    let mut rows = Rows::default();
    for file in &manifest.results {
        let bytes = get(canary, &file.key, deadline).await?;
        rows.read(file, &bytes).map_err(|why| untrusted(&folder, &why))?;
    }
    if let Some(why) = rows.failed.first() {
        return Err(problem(
            format!("the job {job} could not copy s3://{}/{}: {why}", canary.source.name, canary.key),
            canary.advice(),
        ));
    }
    if let Some(why) = rows.unreadable.first() {
        return Err(untrusted(&folder, why));
    }
    if rows.succeeded == 1 {
        return Ok(());
    }
    Err(untrusted(&folder, &format!("it has {} rows, not one", rows.succeeded)))
}

impl Rows {
    fn read(&mut self, file: &ResultFile, bytes: &[u8]) -> Result<(), String> {
        let mut reader = ResultReader::of(file, KeyCodec::Percent);
        let mut sink = |row: Result<levee_formats::report::Row<'_>, levee_formats::report::RowError<'_>>| match row {
            Ok(row) if row.status == TaskStatus::Succeeded => self.succeeded += 1,
            Ok(row) => {
                let code = row.error_code.as_deref().unwrap_or("no code");
                self.failed.push(format!("{code}: {}", row.message.as_deref().unwrap_or("no message")));
            }
            Err(error) => self.unreadable.push(error.to_string()),
        };
        reader.push(bytes, &mut sink).map_err(|error| error.to_string())?;
        let totals = reader.finish(&mut sink).map_err(|error| error.to_string())?;
        if totals.md5.eq_ignore_ascii_case(&file.md5) {
            return Ok(());
        }
        Err(format!("the MD5 of {} is {}, the manifest says {}", file.key, totals.md5, file.md5))
    }
}

/// A file of the report.
async fn get(canary: &Canary<'_>, key: &str, deadline: Timestamp) -> Result<Vec<u8>, Fault> {
    let (bucket, clock) = (&canary.deployment().report_bucket, canary.examination.clock);
    let mut looks = 0_u32;
    loop {
        if let Some(bytes) = get_now(canary, key).await? {
            return Ok(bytes);
        }
        if clock.now() >= deadline {
            break;
        }
        clock.sleep(wait_after(looks)).await;
        looks = looks.saturating_add(1);
    }
    let detail = format!("the job is complete, but there is no s3://{bucket}/{key}");
    Err(problem(detail, format!("let {} put objects into {bucket}", canary.deployment().copy_role_arn)))
}

async fn get_now(canary: &Canary<'_>, key: &str) -> Result<Option<Vec<u8>>, Fault> {
    let (bucket, owner) = (&canary.deployment().report_bucket, &canary.deployment().account);
    let get = canary.examination.backup.aws.s3.get_object().bucket(bucket).key(key).expected_bucket_owner(owner);
    let found = match get.send().await {
        Ok(found) => found,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
        Err(error) => return Err(refused("s3:GetObject", &format!("arn:aws:s3:::{bucket}/{key}"), &error)),
    };
    let broken = |error| unknown(format!("reading s3://{bucket}/{key} broke off: {error}"), "run the doctor again");
    Ok(Some(found.body.collect().await.map_err(broken)?.to_vec()))
}

fn untrusted(folder: &str, why: &str) -> Fault {
    problem(
        format!("the completion report in {folder} does not say what became of the object: {why}"),
        "see that nothing but Batch Operations writes to the report bucket, then run the doctor again",
    )
}
