//! The bucket itself: made once, and never taken for ours on the word of an error code alone.

use std::time::Duration;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership};
use levee_ledger::state::Bucket;
use levee_stage::{
    Context, Progress, StageError,
    aws::{error_code, http_status},
    aws_error,
};
use serde_json::json;

use crate::{BucketProvision, NOT_CONVERGED, OWNED_BY_OTHER, converge::Wanted};

/// The Region that S3 does not want to hear as a location constraint.
const REGION_WITHOUT_CONSTRAINT: &str = "us-east-1";
/// A new bucket may take a moment until every part of S3 knows it.
const APPEARS_WITHIN: u32 = 12;
const APPEARS_PAUSE: Duration = Duration::from_secs(5);

enum Found {
    Ours,
    Missing,
}

/// Sees to it that the bucket exists in our account and Region and is not another snapshot's. Answers a wait when it was
/// made and does not show yet.
///
/// # Errors
/// Another account owns the name, the bucket is in another Region or belongs to another source or date, or AWS refuses.
pub(crate) async fn ensure(
    stage: &BucketProvision,
    context: &Context,
    wanted: &Wanted,
) -> Result<Option<Progress<Bucket>>, StageError> {
    if matches!(look(stage, wanted).await?, Found::Missing) {
        create(stage, wanted).await?;
        if matches!(look(stage, wanted).await?, Found::Missing) {
            if context.waits < APPEARS_WITHIN {
                return Ok(Some(Progress::NotYet { after: APPEARS_PAUSE, memo: json!({ "not_yet": "the bucket" }) }));
            }
            let cause = format!(
                "bucket {} was made but S3 still does not show it; look at the AWS Health Dashboard, then redrive the execution",
                wanted.bucket
            );
            return Err(StageError::permanent(NOT_CONVERGED, cause));
        }
    }
    refuse_strangers(stage, wanted).await?;
    Ok(None)
}

/// HeadBucket with the owner it must have: the only answer that says whose the bucket is.
async fn look(stage: &BucketProvision, wanted: &Wanted) -> Result<Found, StageError> {
    let answer = stage.aws.s3.head_bucket().bucket(&wanted.bucket).expected_bucket_owner(&wanted.account).send().await;
    let error = match answer {
        Ok(found) => {
            return match found.bucket_region() {
                Some(region) if region != stage.region => Err(elsewhere(stage, wanted, region)),
                _ => Ok(Found::Ours),
            };
        }
        Err(error) => error,
    };
    match http_status(&error) {
        Some(404) => Ok(Found::Missing),
        Some(403) => Err(owned_by_other(wanted, "HeadBucket answered 403")),
        Some(301) => Err(elsewhere(stage, wanted, "another Region")),
        _ => Err(aws_error(&format!("HeadBucket on bucket {}", wanted.bucket), error)),
    }
}

async fn create(stage: &BucketProvision, wanted: &Wanted) -> Result<(), StageError> {
    let location = (stage.region != REGION_WITHOUT_CONSTRAINT).then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(stage.region.as_str()))
            .build()
    });
    let answer = stage
        .aws
        .s3
        .create_bucket()
        .bucket(&wanted.bucket)
        .object_ownership(ObjectOwnership::BucketOwnerEnforced)
        .set_object_lock_enabled_for_bucket(wanted.object_lock.map(|_| true))
        .set_create_bucket_configuration(location)
        .send()
        .await;
    let Err(error) = answer else {
        tracing::info!(bucket = %wanted.bucket, "created the snapshot bucket");
        return Ok(());
    };
    match error_code(&error) {
        // Both may be our own earlier call, or somebody else's: the HeadBucket that follows tells.
        Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists") => Ok(()),
        Some("InvalidBucketName") => {
            let cause = format!(
                "S3 does not take `{}` as a bucket's name; rename the source or use another account",
                wanted.bucket
            );
            Err(StageError::permanent(crate::NAME_INVALID, cause))
        }
        _ => Err(aws_error(&format!("CreateBucket {}", wanted.bucket), error)),
    }
}

/// A bucket that carries the tags of another source or date is not written to.
async fn refuse_strangers(stage: &BucketProvision, wanted: &Wanted) -> Result<(), StageError> {
    let answer =
        stage.aws.s3.get_bucket_tagging().bucket(&wanted.bucket).expected_bucket_owner(&wanted.account).send().await;
    let found = match answer {
        Ok(found) => found,
        Err(error) if error_code(&error) == Some("NoSuchTagSet") => return Ok(()),
        Err(error) => return Err(aws_error(&format!("GetBucketTagging on bucket {}", wanted.bucket), error)),
    };
    for tag in found.tag_set() {
        let ours = wanted.tags.get(tag.key());
        if tag.key().starts_with("levee:") && ours.is_some_and(|ours| ours != tag.value()) {
            let cause = format!(
                "bucket {} carries the tag {}={}, so it is the snapshot of something else; this run needs {}. Nothing was \
                 written. Find out which run made it, then correct the tag or remove the bucket, and redrive the execution.",
                wanted.bucket,
                tag.key(),
                tag.value(),
                ours.map_or("-", String::as_str)
            );
            return Err(StageError::permanent(NOT_CONVERGED, cause));
        }
    }
    Ok(())
}

fn owned_by_other(wanted: &Wanted, what: &str) -> StageError {
    let cause = format!(
        "bucket {} is not account {}'s ({what} when asked for that owner): another account has taken the name, or the \
         worker's role may not call s3:ListBucket on it. Nothing was copied. Check the role first; if the name is taken, \
         rename the source or have the other account release it, then redrive the execution.",
        wanted.bucket, wanted.account
    );
    StageError::permanent(OWNED_BY_OTHER, cause)
}

fn elsewhere(stage: &BucketProvision, wanted: &Wanted, region: &str) -> StageError {
    let cause = format!(
        "bucket {} exists in {region} and not in {}, where this run copies to. Run the workers in the Region of the \
         snapshots, or remove the bucket if it is empty; then redrive the execution.",
        wanted.bucket, stage.region
    );
    StageError::permanent(NOT_CONVERGED, cause)
}
