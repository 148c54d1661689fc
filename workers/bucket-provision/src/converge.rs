//! Brings a bucket to the state that a snapshot bucket must have: reads first, writes only what differs.

use std::collections::BTreeMap;

use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, DefaultRetention,
        ExpirationStatus, LifecycleRule, LifecycleRuleFilter, ObjectLockConfiguration, ObjectLockEnabled,
        ObjectLockRule, ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
    },
};
use levee_ledger::state::ObjectLock;
use levee_stage::{StageError, aws::error_code, aws_error};
use serde_json::Value;

use crate::{policy, retention};

/// Days after which S3 removes the parts of an upload that nobody finished.
const ABORT_UPLOADS_AFTER_DAYS: i32 = 7;
const LIFECYCLE_RULE: &str = "levee-abort-unfinished-uploads";

/// What a snapshot bucket must have, in the order of writing. The policy is last, because it denies most of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    Ownership,
    PublicAccess,
    Versioning,
    ObjectLock,
    Encryption,
    Lifecycle,
    Tags,
    Policy,
}

impl Aspect {
    pub(crate) const ALL: [Self; 8] = [
        Self::Ownership,
        Self::PublicAccess,
        Self::Versioning,
        Self::ObjectLock,
        Self::Encryption,
        Self::Lifecycle,
        Self::Tags,
        Self::Policy,
    ];

    /// The aspect in an operator's words.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ownership => "object ownership (BucketOwnerEnforced)",
            Self::PublicAccess => "the public access block",
            Self::Versioning => "versioning",
            Self::ObjectLock => "the default retention (Object Lock)",
            Self::Encryption => "the default encryption",
            Self::Lifecycle => "the lifecycle configuration",
            Self::Tags => "the tags",
            Self::Policy => "the bucket policy",
        }
    }
}

/// What a bucket must look like that keeps backups.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name.
    pub bucket: String,
    /// The account that must own it.
    pub account: String,
    /// Default retention; as it is without one.
    pub object_lock: Option<ObjectLock>,
    /// The key of the default encryption; SSE-S3 without one.
    pub kms_key_arn: Option<String>,
    /// Tags that it must have, whatever others there are.
    pub tags: BTreeMap<String, String>,
    /// Statements that its policy must have, whatever others there are.
    pub policy: Vec<Value>,
}

/// Brings a bucket that exists to what is wanted: versioning, ownership, public access, encryption and lifecycle included.
///
/// # Errors
/// The first call that AWS refuses.
pub async fn protect(s3: &Client, wanted: &Wanted) -> Result<(), StageError> {
    let converger = Converger { s3, wanted };
    for aspect in Aspect::ALL {
        if let Some(change) = converger.difference(aspect).await? {
            converger.write(change).await?;
        }
    }
    Ok(())
}

/// A write that makes one aspect hold.
pub(crate) enum Change {
    Ownership,
    PublicAccess,
    Versioning,
    ObjectLock(DefaultRetention),
    Encryption,
    Lifecycle,
    Tags(BTreeMap<String, String>),
    Policy(String),
}

/// One bucket and what it must look like.
pub(crate) struct Converger<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) wanted: &'a Wanted,
}

/// The value of a setting, or nothing where S3 says by `absent` that there is none.
fn setting<T, E>(
    what: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
    absent: &[&str],
) -> Result<Option<T>, StageError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error_code(&error).is_some_and(|code| absent.contains(&code)) => Ok(None),
        Err(error) => Err(aws_error(what, error)),
    }
}

/// One call on the bucket, with the owner it must have.
macro_rules! call {
    ($self:ident . $operation:ident ( $( $with:ident $( ( $value:expr ) )? ),* )) => {
        $self.s3.$operation().bucket(&$self.wanted.bucket).expected_bucket_owner(&$self.wanted.account)
            $( .$with( $( $value )? ) )* .send().await
    };
}

impl Converger<'_> {
    fn on(&self, operation: &str) -> String {
        format!("{operation} on bucket {}", self.wanted.bucket)
    }

    /// The write that `aspect` needs; nothing when it holds.
    pub(crate) async fn difference(&self, aspect: Aspect) -> Result<Option<Change>, StageError> {
        match aspect {
            Aspect::Ownership => self.ownership().await,
            Aspect::PublicAccess => self.public_access().await,
            Aspect::Versioning => self.versioning().await,
            Aspect::ObjectLock => self.object_lock().await,
            Aspect::Encryption => self.encryption().await,
            Aspect::Lifecycle => self.lifecycle().await,
            Aspect::Tags => self.tags().await,
            Aspect::Policy => self.policy().await,
        }
    }

    async fn ownership(&self) -> Result<Option<Change>, StageError> {
        let answer = call!(self.get_bucket_ownership_controls());
        let found = setting(&self.on("GetBucketOwnershipControls"), answer, &["OwnershipControlsNotFoundError"])?;
        let rules =
            found.as_ref().and_then(|found| found.ownership_controls()).map_or(&[][..], |controls| controls.rules());
        let holds = matches!(rules, [rule] if rule.object_ownership() == &ObjectOwnership::BucketOwnerEnforced);
        Ok((!holds).then_some(Change::Ownership))
    }

    async fn public_access(&self) -> Result<Option<Change>, StageError> {
        let answer = call!(self.get_public_access_block());
        let found = setting(&self.on("GetPublicAccessBlock"), answer, &["NoSuchPublicAccessBlockConfiguration"])?;
        let holds = found.as_ref().and_then(|found| found.public_access_block_configuration()) == Some(&all_blocked());
        Ok((!holds).then_some(Change::PublicAccess))
    }

    async fn versioning(&self) -> Result<Option<Change>, StageError> {
        let found = setting(&self.on("GetBucketVersioning"), call!(self.get_bucket_versioning()), &[])?;
        let holds = found.as_ref().and_then(|found| found.status()) == Some(&BucketVersioningStatus::Enabled);
        Ok((!holds).then_some(Change::Versioning))
    }

    async fn object_lock(&self) -> Result<Option<Change>, StageError> {
        let Some(wanted) = self.wanted.object_lock else { return Ok(None) };
        let answer = call!(self.get_object_lock_configuration());
        let found = setting(&self.on("GetObjectLockConfiguration"), answer, &["ObjectLockConfigurationNotFoundError"])?;
        let current = found
            .as_ref()
            .and_then(|found| found.object_lock_configuration())
            .and_then(|configuration| configuration.rule())
            .and_then(|rule| rule.default_retention());
        Ok(retention::to_write(current, wanted).map(Change::ObjectLock))
    }

    async fn encryption(&self) -> Result<Option<Change>, StageError> {
        let answer = call!(self.get_bucket_encryption());
        let found =
            setting(&self.on("GetBucketEncryption"), answer, &["ServerSideEncryptionConfigurationNotFoundError"])?;
        let rules = found
            .as_ref()
            .and_then(|found| found.server_side_encryption_configuration())
            .map_or(&[][..], |configuration| configuration.rules());
        let holds = match rules {
            [rule] => self.encrypts_as_wanted(rule),
            _ => false,
        };
        Ok((!holds).then_some(Change::Encryption))
    }

    fn encrypts_as_wanted(&self, rule: &ServerSideEncryptionRule) -> bool {
        let Some(default) = rule.apply_server_side_encryption_by_default() else { return false };
        match &self.wanted.kms_key_arn {
            Some(key) => {
                default.sse_algorithm() == &ServerSideEncryption::AwsKms
                    && default.kms_master_key_id() == Some(key)
                    && rule.bucket_key_enabled() == Some(true)
            }
            None => default.sse_algorithm() == &ServerSideEncryption::Aes256,
        }
    }

    async fn lifecycle(&self) -> Result<Option<Change>, StageError> {
        let answer = call!(self.get_bucket_lifecycle_configuration());
        let found = setting(&self.on("GetBucketLifecycleConfiguration"), answer, &["NoSuchLifecycleConfiguration"])?;
        let rules = found.as_ref().map_or(&[][..], |found| found.rules());
        let holds = matches!(rules, [rule] if only_aborts_uploads(rule));
        Ok((!holds).then_some(Change::Lifecycle))
    }

    async fn tags(&self) -> Result<Option<Change>, StageError> {
        let found = setting(&self.on("GetBucketTagging"), call!(self.get_bucket_tagging()), &["NoSuchTagSet"])?;
        let tags = found.as_ref().map_or(&[][..], |found| found.tag_set());
        let current: BTreeMap<String, String> =
            tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        let mut all = current.clone();
        all.extend(self.wanted.tags.clone());
        Ok((all != current).then_some(Change::Tags(all)))
    }

    async fn policy(&self) -> Result<Option<Change>, StageError> {
        let found = setting(&self.on("GetBucketPolicy"), call!(self.get_bucket_policy()), &["NoSuchBucketPolicy"])?;
        let current = found.as_ref().and_then(|found| found.policy());
        let change = policy::to_write(current, &self.wanted.policy).map_err(|error| {
            let cause = format!(
                "the policy of bucket {} is not JSON ({error}); remove it with a break-glass principal and redrive the execution",
                self.wanted.bucket
            );
            StageError::permanent(crate::NOT_CONVERGED, cause)
        })?;
        Ok(change.map(Change::Policy))
    }

    /// Writes one change.
    pub(crate) async fn write(&self, change: Change) -> Result<(), StageError> {
        match change {
            Change::Ownership => call!(self.put_bucket_ownership_controls(ownership_controls(owner_enforced()?)))
                .map(drop)
                .map_err(|error| aws_error(&self.on("PutBucketOwnershipControls"), error)),
            Change::PublicAccess => {
                call!(self.put_public_access_block(public_access_block_configuration(all_blocked())))
                    .map(drop)
                    .map_err(|error| aws_error(&self.on("PutPublicAccessBlock"), error))
            }
            Change::Versioning => {
                let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
                call!(self.put_bucket_versioning(versioning_configuration(enabled)))
                    .map(drop)
                    .map_err(|error| aws_error(&self.on("PutBucketVersioning"), error))
            }
            Change::ObjectLock(retention) => self.write_object_lock(retention).await,
            Change::Encryption => {
                call!(self.put_bucket_encryption(server_side_encryption_configuration(self.encrypted()?)))
                    .map(drop)
                    .map_err(|error| aws_error(&self.on("PutBucketEncryption"), error))
            }
            Change::Lifecycle => {
                call!(self.put_bucket_lifecycle_configuration(lifecycle_configuration(abort_uploads()?)))
                    .map(drop)
                    .map_err(|error| aws_error(&self.on("PutBucketLifecycleConfiguration"), error))
            }
            Change::Tags(tags) => call!(self.put_bucket_tagging(tagging(tag_set(tags)?)))
                .map(drop)
                .map_err(|error| aws_error(&self.on("PutBucketTagging"), error)),
            Change::Policy(policy) => call!(self.put_bucket_policy(policy(policy)))
                .map(drop)
                .map_err(|error| aws_error(&self.on("PutBucketPolicy"), error)),
        }
    }

    async fn write_object_lock(&self, retention: DefaultRetention) -> Result<(), StageError> {
        let rule = ObjectLockRule::builder().default_retention(retention).build();
        let configuration =
            ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule).build();
        call!(self.put_object_lock_configuration(object_lock_configuration(configuration)))
            .map(drop)
            .map_err(|error| aws_error(&self.on("PutObjectLockConfiguration"), error))
    }

    fn encrypted(&self) -> Result<ServerSideEncryptionConfiguration, StageError> {
        let default = match &self.wanted.kms_key_arn {
            Some(key) => ServerSideEncryptionByDefault::builder()
                .sse_algorithm(ServerSideEncryption::AwsKms)
                .kms_master_key_id(key),
            None => ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256),
        };
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(default.build().map_err(unbuilt)?)
            .set_bucket_key_enabled(self.wanted.kms_key_arn.is_some().then_some(true));
        ServerSideEncryptionConfiguration::builder().rules(rule.build()).build().map_err(unbuilt)
    }
}

fn all_blocked() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build()
}

fn owner_enforced() -> Result<OwnershipControls, StageError> {
    let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced);
    OwnershipControls::builder().rules(rule.build().map_err(unbuilt)?).build().map_err(unbuilt)
}

fn abort_uploads() -> Result<BucketLifecycleConfiguration, StageError> {
    let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(ABORT_UPLOADS_AFTER_DAYS).build();
    let rule = LifecycleRule::builder()
        .id(LIFECYCLE_RULE)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .abort_incomplete_multipart_upload(abort);
    BucketLifecycleConfiguration::builder().rules(rule.build().map_err(unbuilt)?).build().map_err(unbuilt)
}

/// Whether the rule does what Levee's rule does, and nothing that removes objects.
fn only_aborts_uploads(rule: &LifecycleRule) -> bool {
    let everywhere = rule.filter().is_none_or(|filter| {
        filter.prefix().unwrap_or_default().is_empty() && filter.tag().is_none() && filter.and().is_none()
    });
    let aborts = rule
        .abort_incomplete_multipart_upload()
        .is_some_and(|abort| abort.days_after_initiation() == Some(ABORT_UPLOADS_AFTER_DAYS));
    rule.status() == &ExpirationStatus::Enabled
        && everywhere
        && aborts
        && rule.expiration().is_none()
        && rule.transitions().is_empty()
        && rule.noncurrent_version_expiration().is_none()
        && rule.noncurrent_version_transitions().is_empty()
}

fn tag_set(tags: BTreeMap<String, String>) -> Result<Tagging, StageError> {
    let mut set = Tagging::builder();
    for (key, value) in tags {
        set = set.tag_set(Tag::builder().key(key).value(value).build().map_err(unbuilt)?);
    }
    set.build().map_err(unbuilt)
}

/// A request that the SDK could not build: a required member is missing, so the program is wrong.
pub(crate) fn unbuilt(error: aws_sdk_s3::error::BuildError) -> StageError {
    StageError::permanent(
        StageError::INPUT_INVALID,
        format!("a request could not be built: {error}; this is a bug, report it"),
    )
}
