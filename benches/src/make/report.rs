//! Completion reports as S3 Batch Operations writes them.

use std::{
    fs::{self, File},
    io::BufWriter,
    ops::Range,
    path::Path,
};

use anyhow::{Context, Result};
use levee_formats::{
    KeyCodec, md5_hex,
    report::{LineEnd, Manifest, REPORT_SCHEMA, ResultFile, ResultWriter, TaskResult, TaskStatus},
};

use super::{Lake, SOURCE, Size, inventory::ranges, lake::mix};
use crate::parallel;

const ROWS_PER_FILE: u64 = 500_000;
const FAILED_OF: u64 = 1000;

/// Status, code and message of tasks that fail.
const FAILURES: [(u16, &str, &str); 7] = [
    (
        403,
        "AccessDenied",
        "User: arn:aws:sts::222222222222:assumed-role/levee-batch-copy/s3-batch-operations is not authorized to perform: s3:GetObject on \
         resource: \"arn:aws:s3:::lake-events/*\" because no identity-based policy allows the s3:GetObject action (Service: Amazon S3; \
         Status Code: 403; Error Code: AccessDenied; Request ID: 7QF2Z1T0K5D8XN4B; Proxy: null)",
    ),
    (
        404,
        "NoSuchKey",
        "The specified key does not exist. (Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey; Request ID: Y2S0B6M9R7TQ1C3W; \
         Proxy: null)",
    ),
    (
        503,
        "SlowDown",
        "Please reduce your request rate. (Service: Amazon S3; Status Code: 503; Error Code: SlowDown; Proxy: null)",
    ),
    (500, "InternalError", "We encountered an internal error. Please try again."),
    (412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
    (403, "InvalidObjectState", "Operation is not valid for the source object's storage class"),
    (
        400,
        "InvalidRequest",
        "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
    ),
];

/// What one part of the rows came to.
struct Part {
    file: ResultFile,
    bytes: u64,
    /// The rows of tasks that failed, which are in a file of their own.
    failed: Vec<u8>,
}

/// The number of result files, and their bytes.
pub(super) fn make(size: Size, folder: &Path, threads: usize) -> Result<(u64, u64)> {
    let lake = Lake::new(&size);
    fs::create_dir_all(folder.join("results"))?;
    let ranges = ranges(size.rows, size.rows_per_file_or(ROWS_PER_FILE));
    let parts = parallel::each(
        threads,
        ranges.len(),
        || (),
        |(), index| part(&lake, &size, ranges.get(index).cloned().unwrap_or_default(), folder),
    )?;
    let mut bytes = parts.iter().map(|part| part.bytes).sum();
    let failed = parts.iter().flat_map(|part| part.failed.iter().copied()).collect::<Vec<u8>>();
    let mut results: Vec<_> = parts.into_iter().map(|part| part.file).collect();
    if !failed.is_empty() {
        let file = result_file(TaskStatus::Failed, "failed", md5_hex(&failed));
        fs::write(folder.join(&file.key), &failed)?;
        bytes += failed.len() as u64;
        results.push(file);
    }
    let count = results.len() as u64;
    let manifest =
        Manifest { created: "2026-04-01T09:49:46.474712072Z".parse()?, results, schema: REPORT_SCHEMA.to_owned() };
    let json = manifest.to_json();
    fs::write(folder.join("manifest.json.md5"), Manifest::checksum(&json))?;
    fs::write(folder.join("manifest.json"), json)?;
    Ok((count, bytes))
}

fn part(lake: &Lake, size: &Size, rows: Range<u64>, folder: &Path) -> Result<Part> {
    // The name is made of the rows, and the MD5 is known when they are written.
    let mut file = result_file(TaskStatus::Succeeded, &rows.start.to_string(), String::new());
    let path = folder.join(&file.key);
    let out = BufWriter::new(File::create(&path).with_context(|| format!("cannot make {}", path.display()))?);
    let mut succeeded = ResultWriter::new(out, LineEnd::Lf);
    let mut failed = ResultWriter::new(Vec::new(), LineEnd::Lf);
    let mut raw_key = Vec::new();
    lake.objects(rows, &mut |object| {
        raw_key.clear();
        KeyCodec::Form.encode_into(object.key.as_bytes(), &mut raw_key);
        let chance = mix(size.seed, object.row);
        let mut result = TaskResult {
            bucket: SOURCE,
            raw_key: &raw_key,
            version_id: "",
            status: TaskStatus::Succeeded,
            http_status: Some(200),
            error_code: "",
            message: "Successful",
        };
        if !chance.is_multiple_of(FAILED_OF) {
            return Ok(succeeded.row(&result)?);
        }
        let kind = usize::try_from(chance / FAILED_OF % FAILURES.len() as u64)?;
        let (http_status, error_code, message) = FAILURES.get(kind).copied().context("there is no such failure")?;
        result =
            TaskResult { status: TaskStatus::Failed, http_status: Some(http_status), error_code, message, ..result };
        Ok(failed.row(&result)?)
    })?;
    let written = succeeded.finish()?;
    written.writer.into_inner().context("a result file could not be written")?;
    file.md5 = written.md5;
    Ok(Part { file, bytes: written.size, failed: failed.finish()?.writer })
}

/// Names of result files are 40 hexadecimal digits, whatever they are of.
fn result_file(status: TaskStatus, name: &str, md5: String) -> ResultFile {
    let digits = md5_hex(name.as_bytes());
    let key = format!("results/{digits}{}.csv", digits.get(..8).unwrap_or_default());
    ResultFile { status, bucket: "reports".to_owned(), key, md5 }
}
