//! Reads an inventory's manifest, checks what it says, and pins it.

use aws_sdk_s3::Client;
use jiff::Timestamp;
use levee_formats::inventory::{Column, FileFormat, Manifest, ManifestError};
use levee_ledger::state::{ObjectPointer, Run};
use levee_stage::{
    StageError,
    aws::{error_code, http_status},
    aws_error,
};

use crate::{MANIFEST_CORRUPT, MANIFEST_UNSUPPORTED, delivery::Deliveries, slices::Pin};

/// A manifest that passed its checks, and the object version that it was read from.
pub(crate) struct Pinned {
    pub(crate) pointer: ObjectPointer,
    pub(crate) manifest: Manifest,
    /// The MD5 of `manifest.json` in hexadecimal.
    pub(crate) md5: String,
}

/// Reads `manifest.json` and `manifest.checksum` of a folder and checks everything that they say by themselves.
///
/// # Errors
/// The manifest is corrupt or not one that can be used; AWS errors.
pub(crate) async fn pin(
    s3: &Client,
    deliveries: &Deliveries<'_>,
    owner: &str,
    folder: &str,
    run: &Run,
    threshold: Timestamp,
) -> Result<Pinned, StageError> {
    let bucket = deliveries.bucket;
    let (bytes, pointer) = get(s3, bucket, owner, &format!("{folder}manifest.json"), None).await?;
    let (checksum, _) = get(s3, bucket, owner, &format!("{folder}manifest.checksum"), None).await?;
    let place = format!("s3://{bucket}/{}", pointer.key);
    Manifest::verify_checksum(&bytes, &checksum).map_err(|error| corrupt(&place, &error.to_string()))?;
    let manifest = checked(&bytes, &place, run, threshold)?;
    Ok(Pinned { pointer, manifest, md5: Manifest::checksum(&bytes) })
}

/// Reads the `manifest.json` of a recorded pin again, which has to have the same bytes.
///
/// # Errors
/// It is gone or was replaced; AWS errors.
pub(crate) async fn again(
    s3: &Client,
    owner: &str,
    run: &Run,
    threshold: Timestamp,
    pin: &Pin,
) -> Result<Pinned, StageError> {
    let (bucket, key) = (&pin.inventory.bucket, &pin.inventory.key);
    // A delivery that is overwritten meanwhile changes nothing where the bucket keeps versions.
    let (bytes, _) = get(s3, bucket, owner, key, pin.inventory.version_id.as_deref()).await?;
    let place = format!("s3://{bucket}/{key}");
    let md5 = Manifest::checksum(&bytes);
    if md5 != pin.md5 {
        return Err(corrupt(&place, "it was replaced after the run had pinned it"));
    }
    let manifest = checked(&bytes, &place, run, threshold)?;
    Ok(Pinned { pointer: pin.inventory.clone(), manifest, md5 })
}

fn checked(bytes: &[u8], place: &str, run: &Run, threshold: Timestamp) -> Result<Manifest, StageError> {
    let manifest = Manifest::parse(bytes).map_err(|error| match error {
        ManifestError::Schema(_) => unsupported(place, &error.to_string()),
        _ => corrupt(place, &error.to_string()),
    })?;
    check_belongs(&manifest, run, threshold).map_err(|problem| corrupt(place, &problem))?;
    check_supported(&manifest).map_err(|problem| unsupported(place, &problem))?;
    Ok(manifest)
}

/// Whether the manifest is of this source and was delivered here.
fn check_belongs(manifest: &Manifest, run: &Run, threshold: Timestamp) -> Result<(), String> {
    if manifest.source_bucket != run.source {
        return Err(format!("it is the inventory of bucket {}, not of {}", manifest.source_bucket, run.source));
    }
    if manifest.destination_bucket != run.inventory.bucket {
        let (said, read) = (&manifest.destination_bucket, &run.inventory.bucket);
        return Err(format!("it says that its data files are in bucket {said}, but it was delivered to {read}"));
    }
    if manifest.created < threshold {
        return Err(format!("its scan began at {}, before {threshold} and not when its folder says", manifest.created));
    }
    Ok(())
}

/// Whether a copy job can work through the inventory as it is.
///
/// # Errors
/// What is wrong with it, and the remedy.
pub fn check_supported(manifest: &Manifest) -> Result<(), String> {
    if manifest.format != FileFormat::Csv {
        let format = manifest.format.name();
        return Err(format!(
            "its format is {format}; Batch Operations reads CSV only: set the inventory's format to CSV"
        ));
    }
    for column in [Column::Bucket, Column::Key] {
        if !manifest.schema.has(&column) {
            return Err(format!("its columns are `{}`; {} is missing", manifest.schema, column.name()));
        }
    }
    if manifest.schema.has(&Column::VersionId) {
        return Err(
            "it lists all object versions (column VersionId), so a copy job would also take old versions and fail on \
                    delete markers: set the inventory's included versions to `Current`"
                .to_owned(),
        );
    }
    Ok(())
}

/// One whole small object, and the version that was read: this one, or the newest.
async fn get(
    s3: &Client,
    bucket: &str,
    owner: &str,
    key: &str,
    version: Option<&str>,
) -> Result<(Vec<u8>, ObjectPointer), StageError> {
    let what = format!("GetObject s3://{bucket}/{key}");
    let call = s3.get_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
    let answer = match call.expected_bucket_owner(owner).send().await {
        Ok(answer) => answer,
        Err(error) if error_code(&error) == Some("NoSuchKey") || http_status(&error) == Some(404) => {
            return Err(corrupt(&format!("s3://{bucket}/{key}"), "it was listed but is gone"));
        }
        Err(error) => return Err(aws_error(&what, error)),
    };
    let etag = answer.e_tag().unwrap_or_default().trim_matches('"').to_owned();
    let version_id = answer.version_id().filter(|version| *version != "null").map(str::to_owned);
    let bytes = answer.body.collect().await.map_err(|error| {
        StageError::transient(StageError::AWS_UNAVAILABLE, format!("{what} broke off: {error}; it is tried again"))
    })?;
    Ok((bytes.to_vec(), ObjectPointer { bucket: bucket.to_owned(), key: key.to_owned(), etag, version_id }))
}

/// The error of a delivery that is not what it should be.
pub(crate) fn corrupt(place: &str, problem: &str) -> StageError {
    let cause = format!(
        "the inventory {place} cannot be trusted: {problem}. Nothing was copied. Look at what else writes to the manifest \
         bucket, and have the delivery put back (its earlier versions, if the bucket is versioned) or remove its folder so \
         that the next delivery is taken; then redrive the execution, which reads everything afresh."
    );
    StageError::permanent(MANIFEST_CORRUPT, cause)
}

/// The error of a delivery that cannot be used as it was configured.
pub(crate) fn unsupported(place: &str, problem: &str) -> StageError {
    let cause = format!(
        "the inventory {place} cannot be used: {problem}. Nothing was copied. Correct the inventory configuration of the \
         source bucket and remove this delivery's folder; then redrive the execution, which takes the next delivery."
    );
    StageError::permanent(MANIFEST_UNSUPPORTED, cause)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use levee_formats::inventory::Schema;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn manifest(schema: &str) -> Manifest {
        Manifest {
            source_bucket: "lake-events".into(),
            destination_bucket: "backup-manifests".into(),
            version: "2016-11-30".into(),
            created: "2026-04-02T01:00:00Z".parse().unwrap(),
            format: FileFormat::Csv,
            schema: Schema::parse(schema).unwrap(),
            files: Vec::new(),
        }
    }

    fn run() -> Run {
        serde_json::from_value(json!({
            "source": "lake-events", "source_account": "111111111111",
            "inventory": { "bucket": "backup-manifests", "id": "daily" },
        }))
        .unwrap()
    }

    fn threshold() -> Timestamp {
        "2026-04-02T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn manifest_of_the_source_in_its_bucket_is_taken() {
        assert_eq!(check_belongs(&manifest("Bucket, Key"), &run(), threshold()), Ok(()));
        assert_eq!(check_supported(&manifest("Bucket, Key, Size")), Ok(()));
    }

    #[test]
    fn manifest_of_another_source_another_bucket_or_an_earlier_scan_is_refused() {
        let mut other = manifest("Bucket, Key");
        other.source_bucket = "lake-other".into();
        assert!(check_belongs(&other, &run(), threshold()).unwrap_err().contains("lake-other"));
        let mut other = manifest("Bucket, Key");
        other.destination_bucket = "elsewhere".into();
        assert!(check_belongs(&other, &run(), threshold()).unwrap_err().contains("elsewhere"));
        let mut other = manifest("Bucket, Key");
        other.created = "2026-04-01T23:59:59Z".parse().unwrap();
        assert!(check_belongs(&other, &run(), threshold()).unwrap_err().contains("2026-04-01T23:59:59Z"));
    }

    #[rstest]
    #[case::all_versions(manifest("Bucket, Key, VersionId, IsLatest"), "`Current`")]
    #[case::orc(Manifest { format: FileFormat::Orc, ..manifest("Bucket, Key") }, "ORC")]
    #[case::parquet(Manifest { format: FileFormat::Parquet, ..manifest("Bucket, Key") }, "Parquet")]
    fn manifest_that_a_job_cannot_read_is_refused_with_the_remedy(#[case] manifest: Manifest, #[case] remedy: &str) {
        let problem = check_supported(&manifest).unwrap_err();
        assert!(problem.contains(remedy), "{problem}");
    }
}
