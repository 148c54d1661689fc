//! DeleteObject and DeleteObjects.

use s3s::{S3Result, dto, dto::ETagCondition, s3_error};

use super::{
    Backend,
    access::{self, Target},
    conditions::check_write,
    context::Context,
    lock,
    store::{Bucket, Content, NULL_VERSION, Version, Versioning, object_arn},
};

/// The most keys of one DeleteObjects.
const MOST_KEYS: usize = 1000;

/// What deleting one key did.
#[derive(Default)]
struct Deleted {
    /// The version taken away, or the marker laid.
    version_id: Option<String>,
    marker: bool,
}

impl Backend {
    pub(crate) fn delete_object(
        &self,
        context: &Context,
        input: dto::DeleteObjectInput,
    ) -> S3Result<dto::DeleteObjectOutput> {
        let target = Target::Object(&input.bucket, &input.key);
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        let mut entered = self.enter(context, "DeleteObject", target, owner, &[delete_action(version)])?;
        let bucket = entered.bucket_mut()?;
        if input.if_match.is_some() {
            check_write(bucket, &input.key, input.if_match.as_ref(), None)?;
        }
        let bypass = input.bypass_governance_retention == Some(true);
        let deleted = self.delete_one(bucket, context, &input.key, version, bypass)?;
        Ok(dto::DeleteObjectOutput {
            delete_marker: deleted.marker.then_some(true),
            version_id: deleted.version_id,
            ..Default::default()
        })
    }

    pub(crate) fn delete_objects(
        &self,
        context: &Context,
        input: dto::DeleteObjectsInput,
    ) -> S3Result<dto::DeleteObjectsOutput> {
        let owner = input.expected_bucket_owner.as_deref();
        for object in &input.delete.objects {
            let action = delete_action(object.version_id.as_deref());
            context.flight.need(action, &object_arn(&input.bucket, &object.key));
        }
        let mut entered = self.enter(context, "DeleteObjects", Target::Bucket(&input.bucket), owner, &[])?;
        let bucket = entered.bucket_mut()?;
        if input.delete.objects.is_empty() || input.delete.objects.len() > MOST_KEYS {
            return Err(s3_error!(
                MalformedXML,
                "The XML you provided was not well-formed or did not validate against our published schema"
            ));
        }
        let bypass = input.bypass_governance_retention == Some(true);
        let (mut done, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            match self.delete_listed(bucket, context, &object, bypass) {
                Ok(deleted) => done.push(told(object, deleted)),
                Err(error) => errors.push(dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                    key: Some(object.key),
                    version_id: object.version_id,
                }),
            }
        }
        let quiet = input.delete.quiet == Some(true);
        Ok(dto::DeleteObjectsOutput {
            deleted: (!quiet).then_some(done),
            errors: (!errors.is_empty()).then_some(errors),
            ..Default::default()
        })
    }

    fn delete_listed(
        &self,
        bucket: &mut Bucket,
        context: &Context,
        object: &dto::ObjectIdentifier,
        bypass: bool,
    ) -> S3Result<Deleted> {
        if object.last_modified_time.is_some() || object.size.is_some() {
            return Err(s3_error!(NotImplemented, "the twin does not model conditional deletes by time or size"));
        }
        let version = object.version_id.as_deref();
        access::permit(bucket, context, delete_action(version), &object_arn(&bucket.name, &object.key))?;
        if let Some(etag) = object.e_tag.clone() {
            check_write(bucket, &object.key, Some(&ETagCondition::ETag(etag)), None)?;
        }
        self.delete_one(bucket, context, &object.key, version, bypass)
    }

    /// Takes away the named version; without a name, removes the object or lays a marker, as versioning has it.
    fn delete_one(
        &self,
        bucket: &mut Bucket,
        context: &Context,
        key: &str,
        version: Option<&str>,
        bypass: bool,
    ) -> S3Result<Deleted> {
        let now = self.now();
        if let Some(id) = version {
            let Some(found) = bucket.version(key, Some(id)) else {
                return Ok(Deleted { version_id: Some(id.to_owned()), marker: false });
            };
            lock::check_deletion(bucket, context, key, found, bypass, &now)?;
            let marker = bucket.remove(key, id).is_some_and(|version| version.is_marker());
            return Ok(Deleted { version_id: Some(id.to_owned()), marker });
        }
        if bucket.versioning == Versioning::Never {
            bucket.remove(key, NULL_VERSION);
            return Ok(Deleted::default());
        }
        let id = self.new_version_id(bucket);
        bucket.add(key, Version { id: id.clone(), modified: now, content: Content::Marker });
        Ok(Deleted { version_id: Some(id), marker: true })
    }
}

fn delete_action(version: Option<&str>) -> &'static str {
    if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" }
}

/// The entry of a DeleteObjects answer.
fn told(object: dto::ObjectIdentifier, deleted: Deleted) -> dto::DeletedObject {
    dto::DeletedObject {
        key: Some(object.key),
        version_id: object.version_id,
        delete_marker: deleted.marker.then_some(true),
        delete_marker_version_id: deleted.version_id.filter(|_| deleted.marker),
    }
}
