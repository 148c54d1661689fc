//! The snapshot bucket, listed in ranges of keys side by side.

use levee_stage::StageError;
use levee_tables::{BucketStore, Range};

use crate::pass::Pass;

/// Gives every object that a reader of the bucket sees to a pass.
///
/// # Errors
/// AWS errors.
pub(crate) async fn list<P: Pass>(bucket: &BucketStore, ranges: Vec<Range>, mut pass: P) -> Result<P, StageError> {
    bucket.list_ranges(ranges, |object| pass.row(object.key, Some(object.size))).await?;
    Ok(pass)
}
