//! Tags, retention and legal holds of objects that are there already.

use s3s::{S3Result, dto, s3_error};

use super::{
    Backend,
    access::Target,
    context::Context,
    get, lock,
    object::check_tags,
    settings::{pairs, tag_set},
    store::{Bucket, Object, Retention},
};

/// The most tags of an object.
const MOST_TAGS: usize = 10;

/// What a call on one version needs to find it.
struct Named<'a> {
    operation: &'a str,
    action: &'static str,
    bucket: &'a str,
    key: &'a str,
    version: Option<&'a str>,
    owner: Option<&'a str>,
}

impl Backend {
    fn with_object<T>(
        &self,
        context: &Context,
        named: &Named<'_>,
        read: impl FnOnce(&Bucket, &Object) -> S3Result<T>,
    ) -> S3Result<(T, Option<String>)> {
        let target = Target::Object(named.bucket, named.key);
        let entered = self.enter(context, named.operation, target, named.owner, &[named.action])?;
        let bucket = entered.bucket()?;
        let (version, object) = get::find(bucket, context, named.key, named.version)?;
        Ok((read(bucket, object)?, bucket.shown_version(&version.id)))
    }

    /// Checks with the object as it is, then changes it.
    fn change_object(
        &self,
        context: &Context,
        named: &Named<'_>,
        check: impl FnOnce(&Bucket, &Object) -> S3Result<()>,
        change: impl FnOnce(&mut Object),
    ) -> S3Result<Option<String>> {
        let target = Target::Object(named.bucket, named.key);
        let mut entered = self.enter(context, named.operation, target, named.owner, &[named.action])?;
        let bucket = entered.bucket()?;
        let (version, object) = get::find(bucket, context, named.key, named.version)?;
        check(bucket, object)?;
        let shown = bucket.shown_version(&version.id);
        entered.bucket_mut()?.change_object(named.key, named.version, change);
        Ok(shown)
    }

    pub(crate) fn put_object_tagging(
        &self,
        context: &Context,
        input: dto::PutObjectTaggingInput,
    ) -> S3Result<dto::PutObjectTaggingOutput> {
        let version = input.version_id.as_deref();
        let named = Named {
            operation: "PutObjectTagging",
            action: if version.is_some() { "s3:PutObjectVersionTagging" } else { "s3:PutObjectTagging" },
            bucket: &input.bucket,
            key: &input.key,
            version,
            owner: input.expected_bucket_owner.as_deref(),
        };
        let tags = check_tags(pairs(input.tagging.tag_set), MOST_TAGS)?;
        let version_id = self.change_object(context, &named, |_, _| Ok(()), |object| object.tags = tags)?;
        Ok(dto::PutObjectTaggingOutput { version_id })
    }

    pub(crate) fn get_object_tagging(
        &self,
        context: &Context,
        input: dto::GetObjectTaggingInput,
    ) -> S3Result<dto::GetObjectTaggingOutput> {
        let version = input.version_id.as_deref();
        let named = Named {
            operation: "GetObjectTagging",
            action: if version.is_some() { "s3:GetObjectVersionTagging" } else { "s3:GetObjectTagging" },
            bucket: &input.bucket,
            key: &input.key,
            version,
            owner: input.expected_bucket_owner.as_deref(),
        };
        let (tag_set, version_id) = self.with_object(context, &named, |_, object| Ok(tag_set(&object.tags)))?;
        Ok(dto::GetObjectTaggingOutput { tag_set, version_id })
    }

    pub(crate) fn delete_object_tagging(
        &self,
        context: &Context,
        input: dto::DeleteObjectTaggingInput,
    ) -> S3Result<dto::DeleteObjectTaggingOutput> {
        let version = input.version_id.as_deref();
        let named = Named {
            operation: "DeleteObjectTagging",
            action: if version.is_some() { "s3:DeleteObjectVersionTagging" } else { "s3:DeleteObjectTagging" },
            bucket: &input.bucket,
            key: &input.key,
            version,
            owner: input.expected_bucket_owner.as_deref(),
        };
        let version_id = self.change_object(context, &named, |_, _| Ok(()), |object| object.tags.clear())?;
        Ok(dto::DeleteObjectTaggingOutput { version_id })
    }

    pub(crate) fn put_object_retention(
        &self,
        context: &Context,
        input: dto::PutObjectRetentionInput,
    ) -> S3Result<dto::PutObjectRetentionOutput> {
        let named = Named {
            operation: "PutObjectRetention",
            action: "s3:PutObjectRetention",
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            owner: input.expected_bucket_owner.as_deref(),
        };
        let now = self.now();
        let asked = input.retention.unwrap_or_default();
        let mode = asked.mode.as_ref().map(dto::ObjectLockRetentionMode::as_str);
        let asked = lock::requested(mode, asked.retain_until_date.as_ref(), &now)?;
        let bypass = input.bypass_governance_retention == Some(true);
        let check = |bucket: &Bucket, object: &Object| {
            check_enabled(bucket)?;
            let kept = object.lock.retention.as_ref().filter(|kept| kept.until > now);
            match kept {
                Some(kept) if loosens(kept, asked.as_ref()) => {
                    if kept.compliance || !bypass {
                        return Err(lock::locked());
                    }
                    lock::authorize_bypass(bucket, context, &input.key)
                }
                _ => Ok(()),
            }
        };
        self.change_object(context, &named, check, |object| object.lock.retention = asked.clone())?;
        Ok(dto::PutObjectRetentionOutput::default())
    }

    pub(crate) fn get_object_retention(
        &self,
        context: &Context,
        input: dto::GetObjectRetentionInput,
    ) -> S3Result<dto::GetObjectRetentionOutput> {
        let named = Named {
            operation: "GetObjectRetention",
            action: "s3:GetObjectRetention",
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            owner: input.expected_bucket_owner.as_deref(),
        };
        let (retention, _) = self.with_object(context, &named, |bucket, object| {
            check_enabled(bucket)?;
            object.lock.retention.clone().ok_or_else(no_lock)
        })?;
        let mode = dto::ObjectLockRetentionMode::from_static(lock::mode_name(retention.compliance));
        let retention = dto::ObjectLockRetention { mode: Some(mode), retain_until_date: Some(retention.until) };
        Ok(dto::GetObjectRetentionOutput { retention: Some(retention) })
    }

    pub(crate) fn put_object_legal_hold(
        &self,
        context: &Context,
        input: dto::PutObjectLegalHoldInput,
    ) -> S3Result<dto::PutObjectLegalHoldOutput> {
        let named = Named {
            operation: "PutObjectLegalHold",
            action: "s3:PutObjectLegalHold",
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            owner: input.expected_bucket_owner.as_deref(),
        };
        let status = input.legal_hold.and_then(|hold| hold.status);
        let status = status.ok_or_else(|| s3_error!(MalformedXML, "A legal hold has a status"))?;
        let on = lock::parse_legal_hold(status.as_str())?;
        let check = |bucket: &Bucket, _: &Object| check_enabled(bucket);
        self.change_object(context, &named, check, |object| object.lock.legal_hold = Some(on))?;
        Ok(dto::PutObjectLegalHoldOutput::default())
    }

    pub(crate) fn get_object_legal_hold(
        &self,
        context: &Context,
        input: dto::GetObjectLegalHoldInput,
    ) -> S3Result<dto::GetObjectLegalHoldOutput> {
        let named = Named {
            operation: "GetObjectLegalHold",
            action: "s3:GetObjectLegalHold",
            bucket: &input.bucket,
            key: &input.key,
            version: input.version_id.as_deref(),
            owner: input.expected_bucket_owner.as_deref(),
        };
        let (on, _) = self.with_object(context, &named, |bucket, object| {
            check_enabled(bucket)?;
            object.lock.legal_hold.ok_or_else(no_lock)
        })?;
        let status = dto::ObjectLockLegalHoldStatus::from_static(lock::legal_hold_name(on));
        Ok(dto::GetObjectLegalHoldOutput { legal_hold: Some(dto::ObjectLockLegalHold { status: Some(status) }) })
    }
}

fn check_enabled(bucket: &Bucket) -> S3Result<()> {
    if bucket.settings.object_lock {
        return Ok(());
    }
    Err(s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration"))
}

fn no_lock() -> s3s::S3Error {
    s3_error!(NoSuchObjectLockConfiguration, "The specified object does not have a ObjectLock configuration")
}

/// Whether the new retention keeps the version shorter or less firmly than the one in force.
fn loosens(kept: &Retention, asked: Option<&Retention>) -> bool {
    asked.is_none_or(|asked| asked.until < kept.until || (kept.compliance && !asked.compliance))
}
