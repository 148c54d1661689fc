//! The copy, byte for byte.

use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use sha2::{Digest, Sha256};

use super::Canary;
use crate::doctor::finding::{Fault, problem, refused, unknown};

/// Compares the copy with the source; answers the size.
///
/// # Errors
/// There is no copy, it differs, or one of the two cannot be read.
pub(super) async fn compare(canary: &Canary<'_>) -> Result<u64, Fault> {
    let s3 = &canary.examination.backup.aws.s3;
    let (source, deployment) = (canary.source, canary.deployment());
    let copy = find(canary).await?;
    let original = s3.get_object().bucket(&source.name).key(&canary.key).expected_bucket_owner(&source.account);
    let original = digest(original, &source.name, &canary.key).await?;
    let bucket = &deployment.canary_bucket;
    let copied = s3.get_object().bucket(bucket).key(&copy).expected_bucket_owner(&deployment.account);
    let copied = digest(copied, bucket, &copy).await?;
    if original == copied {
        return Ok(original.0);
    }
    let (name, key) = (&source.name, &canary.key);
    Err(problem(
        format!(
            "the copy s3://{bucket}/{copy} has {} bytes with the SHA-256 {}, s3://{name}/{key} has {} with {}",
            copied.0, copied.1, original.0, original.1
        ),
        "if the object was overwritten meanwhile, run the doctor again; else ask AWS support, and trust no copy until then",
    ))
}

/// The key of the copy: the source's key behind the prefix, with or without a slash more.
async fn find(canary: &Canary<'_>) -> Result<String, Fault> {
    let (bucket, prefix) = (&canary.deployment().canary_bucket, canary.copies());
    let list = canary.examination.backup.aws.s3.list_objects_v2().bucket(bucket).prefix(&prefix);
    let page = list.expected_bucket_owner(&canary.deployment().account).send().await;
    let page = page.map_err(|error| refused("s3:ListBucket", &format!("arn:aws:s3:::{bucket}"), &error))?;
    let keys: Vec<&str> = page.contents().iter().filter_map(|object| object.key()).collect();
    match keys.as_slice() {
        [key] if key.ends_with(&canary.key) => Ok((*key).to_owned()),
        keys => Err(problem(
            format!("the report says that the object was copied, but s3://{bucket}/{prefix} holds {keys:?}"),
            "see that nothing else writes to or deletes from the canary bucket, then run the doctor again",
        )),
    }
}

/// Size and SHA-256 of an object.
async fn digest(get: GetObjectFluentBuilder, bucket: &str, key: &str) -> Result<(u64, String), Fault> {
    let arn = format!("arn:aws:s3:::{bucket}/{key}");
    let mut body = get.send().await.map_err(|error| refused("s3:GetObject", &arn, &error))?.body;
    let (mut size, mut hash) = (0_u64, Sha256::new());
    while let Some(piece) = body.next().await {
        let broken = |error| unknown(format!("reading {arn} broke off: {error}"), "run the doctor again");
        let piece = piece.map_err(broken)?;
        size = size.saturating_add(piece.len() as u64);
        hash.update(&piece);
    }
    Ok((size, hex::encode(hash.finalize())))
}
