//! A bucket, listed in ranges side by side.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use aws_sdk_s3::{Client, types};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use levee_stage::{StageError, aws::http_status, aws_error};

use crate::{
    ranges::{Range, cut},
    store::{Object, Store},
};

/// Ranges of one listing that are listed at the same time.
const AT_ONCE: usize = 16;
/// Ranges that what follows the first page is cut into.
const CUTS: usize = 64;
/// Pages of folders that are looked at for places to cut.
const PAGES_OF_FOLDERS: usize = 16;
/// Folders within folders that are gone down for a place to cut.
const DEPTH: usize = 8;

/// The end of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndOf {
    /// Its last bytes: as many as were asked for, or all of them.
    pub bytes: Bytes,
    /// The bytes of the whole object.
    pub size: u64,
}

/// What is below a prefix of a bucket. Keys are relative to it.
#[derive(Clone, Debug)]
pub struct BucketStore {
    s3: Client,
    bucket: String,
    /// The account that must own the bucket; anyone without it.
    owner: Option<String>,
    /// Empty, or with a slash at the end.
    prefix: String,
}

impl BucketStore {
    /// A whole bucket, which `owner` must own where it is given.
    pub fn new(s3: &Client, bucket: impl Into<String>, owner: Option<String>) -> Self {
        Self { s3: s3.clone(), bucket: bucket.into(), owner, prefix: String::new() }
    }

    /// Of the bucket, what is below a prefix. A slash at its end is added where it lacks.
    #[must_use]
    pub fn below(self, prefix: &str) -> Self {
        let prefix = prefix.trim_end_matches('/');
        Self { prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") }, ..self }
    }

    /// Gives every object of the ranges to `take`, in any order. Keys are whole ones.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn list_ranges(&self, ranges: Vec<Range>, take: impl FnMut(Object<'_>) + Send) -> Result<(), StageError> {
        let take = Mutex::new(take);
        let take = &take;
        let listed = ranges.into_iter().map(|range| async move { self.range("", range, take).await });
        stream::iter(listed).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// The last bytes of an object, at most `most` of them; none when it is not there. Of an object without bytes there are none.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn read_end(&self, key: &str, most: u64) -> Result<Option<EndOf>, StageError> {
        let place = self.place(key);
        let call = self.s3.get_object().bucket(&self.bucket).key(format!("{}{key}", self.prefix));
        let call = call.range(format!("bytes=-{most}")).set_expected_bucket_owner(self.owner.clone());
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) => match http_status(&error) {
                Some(404) => return Ok(None),
                // An object without bytes has no range that could be given.
                Some(416) => return Ok(Some(EndOf { bytes: Bytes::new(), size: 0 })),
                _ => return Err(aws_error(&format!("GetObject {place}"), error)),
            },
        };
        // `bytes 100-199/200`; where all is given, it may be missing.
        let whole = answer.content_range().and_then(|range| range.rsplit('/').next()?.parse().ok());
        let bytes = answer.body.collect().await.map_err(|error| {
            let cause = format!("reading the end of {place} broke off: {error}; it is tried again");
            StageError::transient(StageError::AWS_UNAVAILABLE, cause)
        })?;
        let bytes = bytes.into_bytes();
        let size = whole.unwrap_or(bytes.len() as u64);
        Ok(Some(EndOf { bytes, size }))
    }

    async fn range(
        &self,
        prefix: &str,
        range: Range,
        take: &Mutex<impl FnMut(Object<'_>) + Send>,
    ) -> Result<(), StageError> {
        let call = self.list_call(prefix).set_start_after(range.after.clone());
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.list_error(error))?;
            let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
            for object in page.contents() {
                let object = Object::of(object);
                if range.ends_before(object.key) {
                    return Ok(());
                }
                take(object);
            }
        }
        Ok(())
    }

    /// Keys above `after` at which the rest of the listing can be cut: the folders on the first level that has several.
    async fn points(&self, prefix: &str, after: &str) -> Result<BTreeSet<String>, StageError> {
        let mut prefix = prefix.to_owned();
        for _ in 0..DEPTH {
            let call = self.list_call(&prefix).delimiter("/").set_start_after(Some(after.to_owned()));
            let mut pages = call.into_paginator().send();
            let (mut folders, mut looked) = (BTreeSet::new(), 0);
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| self.list_error(error))?;
                let found = page.common_prefixes().iter().filter_map(types::CommonPrefix::prefix);
                folders.extend(found.map(str::to_owned));
                looked += 1;
                if looked == PAGES_OF_FOLDERS {
                    break;
                }
            }
            match folders.first() {
                Some(only) if folders.len() == 1 => prefix.clone_from(only),
                _ => return Ok(folders.into_iter().filter(|folder| folder.as_str() > after).collect()),
            }
        }
        Ok(BTreeSet::new())
    }

    fn list_call(&self, prefix: &str) -> aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder {
        let call = self.s3.list_objects_v2().bucket(&self.bucket).set_expected_bucket_owner(self.owner.clone());
        call.set_prefix((!prefix.is_empty()).then(|| prefix.to_owned()))
    }

    fn list_error(
        &self,
        error: aws_sdk_s3::error::SdkError<aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error>,
    ) -> StageError {
        aws_error(&format!("ListObjectsV2 of s3://{}", self.bucket), error)
    }
}

impl Store for BucketStore {
    async fn list(&self, below: &str, mut take: impl FnMut(Object<'_>) + Send) -> Result<(), StageError> {
        let (cut_off, prefix) = (self.prefix.len(), format!("{}{below}", self.prefix));
        let first = self.list_call(&prefix).send().await.map_err(|error| self.list_error(error))?;
        let mut relative = |object: Object<'_>| {
            if let Some(key) = object.key.get(cut_off..) {
                take(Object { key, ..object });
            }
        };
        first.contents().iter().map(Object::of).for_each(&mut relative);
        let last = first.contents().last().and_then(types::Object::key);
        let (Some(true), Some(last)) = (first.is_truncated(), last) else { return Ok(()) };
        let ranges = cut(Some(last.to_owned()), &self.points(&prefix, last).await?, CUTS);
        let take = Mutex::new(relative);
        let (take, prefix) = (&take, prefix.as_str());
        let listed = ranges.into_iter().map(|range| async move { self.range(prefix, range, take).await });
        stream::iter(listed).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn read(&self, key: &str) -> Result<Option<Bytes>, StageError> {
        let place = self.place(key);
        let call = self.s3.get_object().bucket(&self.bucket).key(format!("{}{key}", self.prefix));
        let answer = match call.set_expected_bucket_owner(self.owner.clone()).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) if http_status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(aws_error(&format!("GetObject {place}"), error)),
        };
        let bytes = answer.body.collect().await.map_err(|error| {
            let cause = format!("reading {place} broke off: {error}; it is tried again");
            StageError::transient(StageError::AWS_UNAVAILABLE, cause)
        })?;
        Ok(Some(bytes.into_bytes()))
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.bucket, self.prefix)
    }
}

impl<'a> Object<'a> {
    /// The object of a page of a listing.
    #[must_use]
    pub fn of(object: &'a types::Object) -> Self {
        Self {
            key: object.key().unwrap_or_default(),
            size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            modified_ms: object.last_modified().and_then(|time| time.to_millis().ok()),
            etag: object.e_tag().map(|etag| etag.trim_matches('"')),
            archived: matches!(
                object.storage_class(),
                Some(types::ObjectStorageClass::Glacier | types::ObjectStorageClass::DeepArchive)
            ),
        }
    }
}
