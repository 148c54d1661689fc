//! Reads the manifest of a job as the job's role.
//!
//! As on AWS the whole manifest is read before the first task, the pinned ETag and version must match, and a manifest
//! that breaks a rule fails the job. The checksums in an inventory's `manifest.json` are not checked, since S3 does not
//! check them either: an inventory is checked by whoever hands it in.

use aws_sdk_s3::{Client, types::ServerSideEncryption};
use levee_formats::{
    KeyCodec,
    batch_manifest::{Fields, ManifestReader},
    inventory::{Column, DataReader, FileFormat, Manifest},
};

use super::{
    copy::{Task, Version, task_error},
    job::Failure,
    spec::{ManifestFormat, ManifestSpec},
};

/// The rows of a manifest.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    /// The bucket that all rows name; empty when there is no row.
    pub(crate) bucket: String,
    pub(crate) tasks: Vec<Task>,
}

/// Reads the manifest.
///
/// # Errors
/// Why the job fails: `InvalidManifestContent`, `PreconditionFailed` for another ETag than the pinned one, or the code of
/// the S3 error that the reading met.
pub(crate) async fn read(client: &Client, spec: &ManifestSpec) -> Result<Tasks, Failure> {
    let object = get(client, &spec.bucket, &spec.key, spec.version_id.as_deref()).await?;
    if object.etag != spec.etag {
        let reason = format!("The ETag of {} is {}, not {} as the job says", name(spec), object.etag, spec.etag);
        return Err(Failure { code: "PreconditionFailed".to_owned(), reason });
    }
    match &spec.format {
        ManifestFormat::Csv(_) if object.kms => {
            Err(invalid(format!("{} is encrypted with SSE-KMS, which a CSV manifest must not be", name(spec))))
        }
        ManifestFormat::Csv(fields) => csv(&name(spec), fields, &object.body),
        ManifestFormat::Inventory => inventory(client, &object.body).await,
    }
}

struct Object {
    body: Vec<u8>,
    /// Without quotes.
    etag: String,
    kms: bool,
}

async fn get(client: &Client, bucket: &str, key: &str, version: Option<&str>) -> Result<Object, Failure> {
    let request = client.get_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
    let unreadable = |code: String, why: String| Failure {
        code,
        reason: format!("The manifest s3://{bucket}/{key} could not be read: {why}"),
    };
    let answer = request.send().await.map_err(|error| {
        let error = task_error(&error);
        unreadable(error.code, error.message)
    })?;
    let etag = answer.e_tag.as_deref().unwrap_or_default().trim_matches('"').to_owned();
    let kms = answer.server_side_encryption.is_some_and(|kind| kind != ServerSideEncryption::Aes256);
    let body =
        answer.body.collect().await.map_err(|error| unreadable("InternalError".to_owned(), error.to_string()))?;
    Ok(Object { body: body.to_vec(), etag, kms })
}

/// S3 takes a `+` in a key for a space, so its own decoding is that of forms.
fn csv(file: &str, fields: &Fields, body: &[u8]) -> Result<Tasks, Failure> {
    let mut found = Found::default();
    let mut reader = ManifestReader::new(file, fields, KeyCodec::Form);
    let mut sink = |row: Result<
        levee_formats::batch_manifest::Row<'_>,
        levee_formats::batch_manifest::RowError<'_>,
    >| match row {
        Ok(row) => {
            found.add(&row.bucket, &row.raw_key, &row.key, version(row.version_id.as_deref(), fields.has_versions()))
        }
        Err(error) => found.spoil(error.to_string()),
    };
    reader.push(body, &mut sink).map_err(|error| invalid(error.to_string()))?;
    reader.finish(&mut sink).map_err(|error| invalid(error.to_string()))?;
    found.tasks()
}

async fn inventory(client: &Client, body: &[u8]) -> Result<Tasks, Failure> {
    let manifest = Manifest::parse(body).map_err(|error| invalid(error.to_string()))?;
    if manifest.format != FileFormat::Csv {
        return Err(invalid("the inventory is not in CSV, the only format that a job takes".to_owned()));
    }
    let has_versions = manifest.schema.has(&Column::VersionId);
    let mut found = Found::default();
    for file in &manifest.files {
        let object = get(client, &manifest.destination_bucket, &file.key, None).await?;
        let mut reader = DataReader::new(&file.key, &manifest.schema, &manifest.source_bucket)
            .map_err(|error| invalid(error.to_string()))?;
        let mut sink =
            |row: Result<levee_formats::inventory::Row<'_>, levee_formats::inventory::RowError<'_>>| match row {
                Ok(row) => {
                    // The field as it stands: the reader calls an empty one `null`, Batch Operations fails its task.
                    let id = row.text(&Column::VersionId);
                    found.add(&row.bucket, &row.raw_key, &row.key, version(id.as_deref(), has_versions));
                }
                Err(error) => found.spoil(error.to_string()),
            };
        reader.push(&object.body, &mut sink).map_err(|error| invalid(error.to_string()))?;
        reader.finish(&mut sink).map_err(|error| invalid(error.to_string()))?;
    }
    found.tasks()
}

fn version(id: Option<&str>, has_versions: bool) -> Version {
    match id {
        _ if !has_versions => Version::Newest,
        None | Some("") => Version::Empty,
        Some(id) => Version::Id(id.to_owned()),
    }
}

/// What the rows have given so far: one bad row is enough to fail the job.
#[derive(Default)]
struct Found {
    tasks: Tasks,
    problem: Option<String>,
}

impl Found {
    fn add(&mut self, bucket: &str, raw_key: &[u8], key: &str, version: Version) {
        if self.tasks.tasks.is_empty() {
            bucket.clone_into(&mut self.tasks.bucket);
        } else if self.tasks.bucket != bucket {
            self.spoil(format!(
                "the manifest names the buckets {} and {bucket}; a job copies from one",
                self.tasks.bucket
            ));
        }
        self.tasks.tasks.push(Task { raw_key: raw_key.to_vec(), key: key.to_owned(), version });
    }

    fn spoil(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    fn tasks(self) -> Result<Tasks, Failure> {
        self.problem.map_or(Ok(self.tasks), |problem| Err(invalid(problem)))
    }
}

fn invalid(reason: String) -> Failure {
    Failure { code: "InvalidManifestContent".to_owned(), reason }
}

fn name(spec: &ManifestSpec) -> String {
    format!("s3://{}/{}", spec.bucket, spec.key)
}
