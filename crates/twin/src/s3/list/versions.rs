//! ListObjectVersions: keys in order, of each key the newest version first.

use s3s::{
    S3Result,
    dto::{self, ETag},
    s3_error,
};

use super::{Encoding, checksum_members, owner, page::Scope, page_size};
use crate::s3::{
    Backend,
    access::Target,
    context::Context,
    store::{Bucket, Content, Version, sequence_of},
};

impl Backend {
    pub(crate) fn list_object_versions(
        &self,
        context: &Context,
        input: dto::ListObjectVersionsInput,
    ) -> S3Result<dto::ListObjectVersionsOutput> {
        let expected = input.expected_bucket_owner.as_deref();
        let target = Target::Bucket(&input.bucket);
        let entered = self.enter(context, "ListObjectVersions", target, expected, &["s3:ListBucketVersions"])?;
        let bucket = entered.bucket()?;
        let encoding = Encoding::new(input.encoding_type.as_ref())?;
        let key_marker = input.key_marker.as_deref().filter(|marker| !marker.is_empty());
        let version_marker = input.version_id_marker.as_deref().filter(|marker| !marker.is_empty());
        if key_marker.is_none() && version_marker.is_some() {
            return Err(s3_error!(InvalidArgument, "A version-id marker cannot be specified without a key marker."));
        }
        let mut scope = Scope::new(input.prefix.as_deref(), input.delimiter.as_deref(), key_marker);
        if version_marker.is_some() {
            scope = scope.including_marker();
        }
        let size = page_size(input.max_keys)?;
        let page = scope.page(&bucket.objects, size, |key, versions| {
            let marker = version_marker.filter(|_| key_marker == Some(key));
            behind(versions, marker).into_iter().map(|(latest, version)| (key, latest, version)).collect()
        });
        // A page that ends with a common prefix goes on behind all keys below it.
        let last_version = page
            .entries
            .last()
            .filter(|(key, ..)| page.last.as_ref() == Some(*key))
            .map(|(.., version)| version.id.clone());
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        for (key, latest, version) in page.entries {
            match &version.content {
                Content::Object(_) => versions.push(version_entry(bucket, key, latest, version, &encoding)),
                Content::Marker => markers.push(marker_entry(bucket, key, latest, version, &encoding)),
            }
        }
        let last = page.last.filter(|_| page.truncated);
        Ok(dto::ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.text(input.prefix.unwrap_or_default())),
            key_marker: Some(encoding.text(input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            max_keys: i32::try_from(size).ok(),
            is_truncated: Some(page.truncated),
            next_version_id_marker: last_version.filter(|_| page.truncated),
            next_key_marker: last.map(|last| encoding.text(last)),
            versions: (!versions.is_empty()).then_some(versions),
            delete_markers: (!markers.is_empty()).then_some(markers),
            common_prefixes: encoding.prefixes(page.prefixes),
            delimiter: input.delimiter.map(|delimiter| encoding.text(delimiter)),
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }
}

/// The versions, newest first, that come behind the marker, each with whether it is the latest. A marker version that
/// is gone meanwhile still has its place; one without a place (`null`) starts the key again rather than lose versions.
fn behind<'a>(versions: &'a [Version], marker: Option<&str>) -> Vec<(bool, &'a Version)> {
    let mut all: Vec<_> = versions.iter().rev().enumerate().map(|(index, version)| (index == 0, version)).collect();
    let Some(marker) = marker else { return all };
    if let Some(at) = all.iter().position(|(_, version)| version.id == marker) {
        return all.split_off(at + 1);
    }
    if let Some(gone) = sequence_of(marker) {
        all.retain(|(_, version)| sequence_of(&version.id).is_none_or(|sequence| sequence < gone));
    }
    all
}

fn version_entry(
    bucket: &Bucket,
    key: &str,
    latest: bool,
    version: &Version,
    encoding: &Encoding,
) -> dto::ObjectVersion {
    let object = version.object();
    let (checksum_algorithm, checksum_type) = checksum_members(object.and_then(|object| object.checksum.as_ref()));
    dto::ObjectVersion {
        key: Some(encoding.text(key)),
        version_id: Some(version.id.clone()),
        is_latest: Some(latest),
        last_modified: Some(version.modified.clone()),
        e_tag: object.map(|object| ETag::Strong(object.etag.clone())),
        size: object.and_then(|object| i64::try_from(object.body.len()).ok()),
        storage_class: object.map(|object| object.storage_class.clone().into()),
        owner: Some(owner(bucket)),
        checksum_algorithm,
        checksum_type,
        restore_status: None,
    }
}

fn marker_entry(
    bucket: &Bucket,
    key: &str,
    latest: bool,
    version: &Version,
    encoding: &Encoding,
) -> dto::DeleteMarkerEntry {
    dto::DeleteMarkerEntry {
        key: Some(encoding.text(key)),
        version_id: Some(version.id.clone()),
        is_latest: Some(latest),
        last_modified: Some(version.modified.clone()),
        owner: Some(owner(bucket)),
    }
}
