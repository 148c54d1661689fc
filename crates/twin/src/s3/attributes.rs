//! GetObjectAttributes.

use s3s::{
    S3Result,
    dto::{self, ETag},
    s3_error,
};

use super::{
    Backend,
    access::Target,
    checksum::{StoredChecksum, tell_checksum},
    context::Context,
    get,
    keys::customer_key,
    list::page_size,
    store::{FinishedPart, Object},
};

const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

impl Backend {
    pub(crate) fn get_object_attributes(
        &self,
        context: &Context,
        mut input: dto::GetObjectAttributesInput,
    ) -> S3Result<dto::GetObjectAttributesOutput> {
        let customer_key = customer_key!(input).checked()?;
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Object(&input.bucket, &input.key);
        let more = if version.is_some() { "s3:GetObjectVersionAttributes" } else { "s3:GetObjectAttributes" };
        let actions = [get::read_action(version), more];
        let entered = self.enter(context, "GetObjectAttributes", target, owner, &actions)?;
        let bucket = entered.bucket()?;
        let (version, object) = get::find(bucket, context, &input.key, version)?;
        object.encryption.check_customer_key(customer_key.as_deref())?;
        // The protocol layer may hand over the header's list as one name.
        let asked: Vec<&str> =
            input.object_attributes.iter().flat_map(|name| name.as_str().split(',')).map(str::trim).collect();
        if asked.is_empty() || asked.iter().any(|name| !KNOWN.contains(name)) {
            return Err(s3_error!(InvalidArgument, "Invalid attribute name specified."));
        }
        let wants = |name: &str| asked.contains(&name);
        let checksum = object.checksum.as_ref().filter(|_| wants("Checksum"));
        let parts = (wants("ObjectParts") && !object.parts.is_empty())
            .then(|| parts(object, input.max_parts, input.part_number_marker))
            .transpose()?;
        Ok(dto::GetObjectAttributesOutput {
            last_modified: Some(version.modified.clone()),
            version_id: bucket.shown_version(&version.id),
            e_tag: wants("ETag").then(|| ETag::Strong(object.etag.clone())),
            checksum: checksum.map(|checksum| StoredChecksum::fields(Some(checksum))),
            object_parts: parts,
            object_size: i64::try_from(object.body.len()).ok().filter(|_| wants("ObjectSize")),
            storage_class: wants("StorageClass").then(|| object.storage_class.clone().into()),
            ..Default::default()
        })
    }
}

/// The parts of a multipart upload. Only of one with a composite checksum are the single parts told, as on AWS.
fn parts(object: &Object, most: Option<i32>, marker: Option<i32>) -> S3Result<dto::GetObjectAttributesParts> {
    let total_parts_count = i32::try_from(object.parts.len()).ok();
    if object.checksum.as_ref().is_none_or(|checksum| !checksum.composite) {
        return Ok(dto::GetObjectAttributesParts { total_parts_count, ..Default::default() });
    }
    let size = page_size(most)?;
    let marker = marker.unwrap_or_default();
    let mut behind = object.parts.iter().filter(|part| part.number > marker);
    let listed: Vec<_> = behind.by_ref().take(size).map(part_entry).collect();
    let is_truncated = Some(behind.next().is_some());
    Ok(dto::GetObjectAttributesParts {
        total_parts_count,
        is_truncated,
        max_parts: i32::try_from(size).ok(),
        part_number_marker: Some(marker),
        next_part_number_marker: listed.last().and_then(|part| part.part_number),
        parts: Some(listed),
    })
}

fn part_entry(part: &FinishedPart) -> dto::ObjectPart {
    let mut entry =
        dto::ObjectPart { part_number: Some(part.number), size: i64::try_from(part.size).ok(), ..Default::default() };
    tell_checksum!(entry, part.checksum.as_ref());
    entry
}
