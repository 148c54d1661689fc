//! Lists the snapshot bucket, in ranges of keys that are listed side by side.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_s3::{Client, types::Object};
use futures::{StreamExt, stream};
use levee_stage::{StageError, aws_error};
use tokio_util::task::AbortOnDropHandle;

use crate::{pass::Pass, planned::panicked};

/// Ranges that are listed at the same time.
const AT_ONCE: usize = 16;
/// The keys of a range, about: ten calls.
const RANGE: u64 = 10_000;

/// Keys above `after` up to `until`, which belongs to it; without them from the first or to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    after: Option<String>,
    until: Option<String>,
}

/// Cuts a bucket of about `keys` keys, of which `sample` is an even sample, into ranges of about the same size. The ranges
/// have every key once, whatever keys there are.
pub(crate) fn ranges(keys: u64, sample: &BTreeSet<String>) -> Vec<Range> {
    let sample: Vec<&String> = sample.iter().collect();
    let wanted = usize::try_from(keys / RANGE).unwrap_or(usize::MAX).clamp(1, sample.len().max(1));
    let mut cuts: Vec<String> = (1..wanted)
        .filter_map(|cut| sample.get(cut.saturating_mul(sample.len()) / wanted))
        .map(|key| (*key).clone())
        .collect();
    cuts.dedup();
    let mut ranges = Vec::new();
    let mut after = None;
    for cut in cuts {
        ranges.push(Range { after: after.replace(cut.clone()), until: Some(cut) });
    }
    ranges.push(Range { after, until: None });
    ranges
}

/// The bucket that is listed.
#[derive(Clone)]
pub(crate) struct Listing {
    pub(crate) s3: Client,
    pub(crate) bucket: String,
    pub(crate) owner: String,
}

impl Listing {
    /// Gives every object that a reader of the bucket sees to a pass.
    ///
    /// # Errors
    /// AWS errors.
    pub(crate) async fn read<P: Pass>(&self, ranges: Vec<Range>, pass: P) -> Result<P, StageError> {
        let fresh = pass.fresh();
        let shared = Arc::new(Mutex::new(pass));
        let listed = ranges.into_iter().map(|range| {
            let (listing, shared) = (self.clone(), Arc::clone(&shared));
            AbortOnDropHandle::new(tokio::spawn(async move { listing.range(&range, &shared).await }))
        });
        let mut listed = stream::iter(listed).buffer_unordered(AT_ONCE);
        while let Some(range) = listed.next().await {
            range.map_err(|error| panicked(&error))??;
        }
        let mut pass = shared.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::replace(&mut *pass, fresh))
    }

    async fn range<P: Pass>(&self, range: &Range, shared: &Mutex<P>) -> Result<(), StageError> {
        let call = self.s3.list_objects_v2().bucket(&self.bucket).expected_bucket_owner(&self.owner);
        let mut pages = call.set_start_after(range.after.clone()).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws_error(&format!("ListObjectsV2 of s3://{}", self.bucket), error))?;
            let mut pass = shared.lock().unwrap_or_else(PoisonError::into_inner);
            for object in page.contents() {
                let (key, bytes) = row(object);
                if range.until.as_deref().is_some_and(|until| key > until) {
                    return Ok(());
                }
                pass.row(key, bytes);
            }
        }
        Ok(())
    }
}

fn row(object: &Object) -> (&str, Option<u64>) {
    (object.key().unwrap_or_default(), object.size().and_then(|size| u64::try_from(size).ok()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::empty(0, 0)]
    #[case::few_keys(9_999, 256)]
    #[case::many_keys(1_000_000, 256)]
    #[case::billions_of_keys(5_000_000_000, 256)]
    #[case::no_sample(1_000_000, 0)]
    fn ranges_join_without_gap_or_overlap(#[case] keys: u64, #[case] samples: usize) {
        let sample = (0..samples).map(|number| format!("{:08}", number * 7)).collect();
        let ranges = ranges(keys, &sample);
        assert_eq!(ranges.first().map(|range| range.after.clone()), Some(None));
        assert_eq!(ranges.last().map(|range| range.until.clone()), Some(None));
        for pair in ranges.windows(2) {
            let [one, next] = pair else { continue };
            assert_eq!(one.until, next.after);
            assert!(one.after < one.until);
        }
    }

    #[test]
    fn ranges_are_as_many_as_the_keys_need_and_the_sample_allows() {
        let sample: BTreeSet<_> = (0..256).map(|number| format!("{number:03}")).collect();
        assert_eq!(ranges(9_999, &sample).len(), 1);
        assert_eq!(ranges(40_000, &sample).len(), 4);
        assert_eq!(ranges(5_000_000_000, &sample).len(), 256);
    }
}
