//! Buckets themselves: create, delete, head, list, location, versioning.

use std::collections::BTreeMap;

use s3s::{S3Result, dto, s3_error};

use super::{
    Backend,
    access::Target,
    context::Context,
    list::canonical_user,
    store::{BucketData, Settings, Versioning, bucket_arn},
};

const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 6] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an"];

impl Backend {
    pub(crate) fn create_bucket(
        &self,
        context: &Context,
        input: dto::CreateBucketInput,
    ) -> S3Result<dto::CreateBucketOutput> {
        let arn = bucket_arn(&input.bucket);
        for action in creating(&input) {
            context.flight.need(action, &arn);
        }
        Self::admit(context, "CreateBucket", &arn)?;
        let name = input.bucket;
        if RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        {
            return Err(s3_error!(InvalidBucketName, "The specified bucket is not valid."));
        }
        let region = bucket_region(&context.caller.region, input.create_bucket_configuration)?;
        let mut state = self.store.lock();
        if let Some(there) = state.buckets().get(&name) {
            return Err(if there.account == context.caller.account {
                s3_error!(
                    BucketAlreadyOwnedByYou,
                    "Your previous request to create the named bucket succeeded and you already own it."
                )
            } else {
                s3_error!(
                    BucketAlreadyExists,
                    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."
                )
            });
        }
        let object_lock = input.object_lock_enabled_for_bucket == Some(true);
        let ownership =
            input.object_ownership.unwrap_or_else(|| dto::ObjectOwnership::from_static("BucketOwnerEnforced"));
        check_ownership(&ownership)?;
        let on = Some(true);
        let settings = Settings {
            object_lock,
            ownership: Some(dto::OwnershipControls {
                rules: vec![dto::OwnershipControlsRule { object_ownership: ownership }],
            }),
            // As for all new buckets since April 2023.
            public_access_block: Some(dto::PublicAccessBlockConfiguration {
                block_public_acls: on,
                block_public_policy: on,
                ignore_public_acls: on,
                restrict_public_buckets: on,
            }),
            ..Settings::default()
        };
        let bucket = BucketData {
            name: name.clone(),
            account: context.caller.account.clone(),
            region,
            created: self.now(),
            versioning: if object_lock { Versioning::Enabled } else { Versioning::Never },
            settings,
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        };
        state.add_bucket(bucket);
        Ok(dto::CreateBucketOutput { location: Some(format!("/{name}")) })
    }

    pub(crate) fn delete_bucket(
        &self,
        context: &Context,
        input: dto::DeleteBucketInput,
    ) -> S3Result<dto::DeleteBucketOutput> {
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Bucket(&input.bucket);
        let mut entered = self.enter(context, "DeleteBucket", target, owner, &["s3:DeleteBucket"])?;
        let bucket = entered.bucket()?;
        if !bucket.objects.is_empty() {
            let more = if bucket.versioning == Versioning::Never {
                ""
            } else {
                " You must delete all versions in the bucket."
            };
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty.{more}"));
        }
        let listed = !bucket.settings.inventories.is_empty();
        entered.state().remove_bucket(&input.bucket);
        if listed {
            self.inventories.send_modify(|changes| *changes += 1);
        }
        Ok(dto::DeleteBucketOutput::default())
    }

    pub(crate) fn head_bucket(
        &self,
        context: &Context,
        input: dto::HeadBucketInput,
    ) -> S3Result<dto::HeadBucketOutput> {
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Bucket(&input.bucket);
        let entered = self.enter(context, "HeadBucket", target, owner, &["s3:ListBucket"])?;
        let bucket_region = Some(entered.bucket()?.region.clone());
        Ok(dto::HeadBucketOutput { bucket_region, access_point_alias: Some(false), ..Default::default() })
    }

    pub(crate) fn list_buckets(
        &self,
        context: &Context,
        input: dto::ListBucketsInput,
    ) -> S3Result<dto::ListBucketsOutput> {
        context.flight.need("s3:ListAllMyBuckets", "*");
        Self::admit(context, "ListBuckets", "")?;
        let state = self.store.lock();
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.unwrap_or_default();
        let most = usize::try_from(input.max_buckets.unwrap_or(10_000)).unwrap_or_default();
        let mut buckets: Vec<dto::Bucket> = state
            .buckets()
            .values()
            .filter(|bucket| bucket.account == context.caller.account)
            .filter(|bucket| bucket.name.starts_with(&prefix) && bucket.name > after)
            .filter(|bucket| input.bucket_region.as_ref().is_none_or(|region| *region == bucket.region))
            .map(|bucket| dto::Bucket {
                name: Some(bucket.name.clone()),
                creation_date: Some(bucket.created.clone()),
                bucket_region: Some(bucket.region.clone()),
            })
            .collect();
        let truncated = buckets.len() > most;
        buckets.truncate(most);
        let last = buckets.last().and_then(|bucket| bucket.name.clone());
        Ok(dto::ListBucketsOutput {
            buckets: Some(buckets),
            continuation_token: last.filter(|_| truncated),
            owner: Some(dto::Owner { id: Some(canonical_user(&context.caller.account)), display_name: None }),
            prefix: input.prefix,
        })
    }

    pub(crate) fn get_bucket_location(
        &self,
        context: &Context,
        input: dto::GetBucketLocationInput,
    ) -> S3Result<dto::GetBucketLocationOutput> {
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Bucket(&input.bucket);
        let entered = self.enter(context, "GetBucketLocation", target, owner, &["s3:GetBucketLocation"])?;
        let region = entered.bucket()?.region.clone();
        // The oldest Region has no constraint.
        Ok(dto::GetBucketLocationOutput { location_constraint: (region != "us-east-1").then(|| region.into()) })
    }

    pub(crate) fn get_bucket_versioning(
        &self,
        context: &Context,
        input: dto::GetBucketVersioningInput,
    ) -> S3Result<dto::GetBucketVersioningOutput> {
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Bucket(&input.bucket);
        let entered = self.enter(context, "GetBucketVersioning", target, owner, &["s3:GetBucketVersioning"])?;
        let status = match entered.bucket()?.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        };
        Ok(dto::GetBucketVersioningOutput {
            status: status.map(dto::BucketVersioningStatus::from_static),
            mfa_delete: None,
        })
    }

    pub(crate) fn put_bucket_versioning(
        &self,
        context: &Context,
        input: dto::PutBucketVersioningInput,
    ) -> S3Result<dto::PutBucketVersioningOutput> {
        let owner = input.expected_bucket_owner.as_deref();
        let target = Target::Bucket(&input.bucket);
        let mut entered = self.enter(context, "PutBucketVersioning", target, owner, &["s3:PutBucketVersioning"])?;
        let bucket = entered.bucket_mut()?;
        let configuration = input.versioning_configuration;
        if configuration.mfa_delete.is_some_and(|mfa| mfa.as_str() == "Enabled") {
            return Err(s3_error!(NotImplemented, "the twin does not model MFA delete"));
        }
        let versioning = match configuration.status.as_ref().map(dto::BucketVersioningStatus::as_str) {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") if bucket.settings.object_lock => {
                return Err(s3_error!(
                    InvalidBucketState,
                    "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
                ));
            }
            Some("Suspended") => Versioning::Suspended,
            _ => return Err(s3_error!(MalformedXML, "The versioning status must be Enabled or Suspended")),
        };
        bucket.set_versioning(versioning);
        Ok(dto::PutBucketVersioningOutput::default())
    }
}

/// Only the setting under which ACLs are disabled is modelled.
pub(crate) fn check_ownership(ownership: &dto::ObjectOwnership) -> S3Result<()> {
    match ownership.as_str() {
        "BucketOwnerEnforced" => Ok(()),
        "BucketOwnerPreferred" | "ObjectWriter" => Err(s3_error!(
            NotImplemented,
            "the twin does not model ACLs, hence no object ownership but BucketOwnerEnforced"
        )),
        _ => Err(s3_error!(MalformedXML, "The object ownership is not valid")),
    }
}

/// The Region of a new bucket: the one that the request names, else the one that it is sent to.
/// What creating a bucket needs, by the API reference of CreateBucket.
fn creating(input: &dto::CreateBucketInput) -> impl Iterator<Item = &'static str> {
    let lock = ["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"];
    let lock = lock.into_iter().filter(|_| input.object_lock_enabled_for_bucket == Some(true));
    let ownership = input.object_ownership.is_some().then_some("s3:PutBucketOwnershipControls");
    ["s3:CreateBucket"].into_iter().chain(lock).chain(ownership)
}

fn bucket_region(called: &str, configuration: Option<dto::CreateBucketConfiguration>) -> S3Result<String> {
    let Some(configuration) = configuration else { return Ok(called.to_owned()) };
    if configuration.bucket.is_some() || configuration.location.is_some() {
        return Err(s3_error!(NotImplemented, "the twin does not model directory buckets"));
    }
    let named = configuration.location_constraint.map(|constraint| constraint.as_str().to_owned());
    match named.as_deref() {
        None | Some("") => Ok(called.to_owned()),
        Some("us-east-1") => {
            Err(s3_error!(InvalidLocationConstraint, "The specified location-constraint is not valid"))
        }
        Some(named) if called != "us-east-1" && named != called => Err(s3_error!(
            IllegalLocationConstraintException,
            "The {named} location constraint is incompatible for the region specific endpoint this request was sent to."
        )),
        Some(named) => Ok(named.to_owned()),
    }
}
