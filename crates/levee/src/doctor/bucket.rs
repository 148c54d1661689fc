//! A bucket and its settings, whoever it is for.

use aws_sdk_s3::{
    Client,
    types::{BucketVersioningStatus, ObjectOwnership, ServerSideEncryption},
};
use levee_stage::aws::{error_code, http_status};

use super::{
    finding::{Check, Fault, problem, refused, unknown},
    policy::Document,
};

/// A bucket, by its name, and the account that must own it.
pub(super) struct BucketCheck<'a> {
    pub(super) s3: &'a Client,
    pub(super) name: &'a str,
    pub(super) owner: &'a str,
    pub(super) region: &'a str,
    /// What makes it as it should be: the end of a remedy.
    pub(super) mend: &'a str,
}

/// One call on the bucket, with the owner that it must have.
macro_rules! ask {
    ($self:ident . $operation:ident) => {
        $self.s3.$operation().bucket($self.name).expected_bucket_owner($self.owner).send().await
    };
}

impl BucketCheck<'_> {
    pub(super) fn arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.name)
    }

    /// Everything below it, as a pattern.
    pub(super) fn objects(&self) -> String {
        format!("arn:aws:s3:::{}/*", self.name)
    }

    /// The bucket is there, the account's, and in the Region. Without it nothing else can be asked.
    pub(super) async fn exists(&self) -> Check {
        let error = match ask!(self.head_bucket) {
            Ok(found) => {
                return match found.bucket_region() {
                    Some(region) if region != self.region => Err(self.elsewhere(region)),
                    _ => Ok(format!("account {} owns it, in {}", self.owner, self.region)),
                };
            }
            Err(error) => error,
        };
        match http_status(&error) {
            Some(404) => Err(problem("there is no such bucket", self.mend)),
            Some(301) => Err(self.elsewhere("another Region")),
            // S3 says the same of a bucket of another account and of one that the caller may not list.
            Some(403) => match self.is_listed().await {
                Ok(true) => Err(refused("s3:ListBucket", &self.arn(), &error)),
                Ok(false) => Err(problem(
                    format!(
                        "a bucket of this name is not account {}'s: another account has taken the name",
                        self.owner
                    ),
                    "choose another name with the variable bucket_names (for a source: correct its account_id)",
                )),
                Err(fault) => Err(fault),
            },
            _ => Err(refused("s3:ListBucket", &self.arn(), &error)),
        }
    }

    fn elsewhere(&self, region: &str) -> Fault {
        problem(
            format!("it is in {region} and not in {}: inventories are delivered within a Region only", self.region),
            format!("make the deployment in the Region of the bucket, or the bucket in {}", self.region),
        )
    }

    /// Whether the bucket is among those of the caller's account.
    async fn is_listed(&self) -> Result<bool, Fault> {
        let page = self.s3.list_buckets().prefix(self.name).send().await;
        let page = page.map_err(|error| refused("s3:ListAllMyBuckets", "*", &error))?;
        Ok(page.buckets().iter().any(|bucket| bucket.name() == Some(self.name)))
    }

    pub(super) async fn versioning(&self) -> Check {
        let found = ask!(self.get_bucket_versioning);
        let found = found.map_err(|error| refused("s3:GetBucketVersioning", &self.arn(), &error))?;
        match found.status() {
            Some(BucketVersioningStatus::Enabled) => Ok("it is versioned".to_owned()),
            other => {
                let state = other.map_or("off", BucketVersioningStatus::as_str);
                let detail = format!("versioning is {state}: an object that is overwritten is lost");
                Err(problem(detail, format!("turn versioning on; {}", self.mend)))
            }
        }
    }

    pub(super) async fn public_access(&self) -> Check {
        let blocked = match ask!(self.get_public_access_block) {
            Ok(found) => found.public_access_block_configuration,
            Err(error) if error_code(&error) == Some("NoSuchPublicAccessBlockConfiguration") => None,
            Err(error) => return Err(refused("s3:GetBucketPublicAccessBlock", &self.arn(), &error)),
        };
        let settings = blocked.map_or([("all four settings", None); 4], |found| {
            [
                ("BlockPublicAcls", found.block_public_acls()),
                ("BlockPublicPolicy", found.block_public_policy()),
                ("IgnorePublicAcls", found.ignore_public_acls()),
                ("RestrictPublicBuckets", found.restrict_public_buckets()),
            ]
        });
        let mut off: Vec<&str> = settings.iter().filter(|(_, on)| *on != Some(true)).map(|(name, _)| *name).collect();
        off.dedup();
        if off.is_empty() {
            return Ok("public access is blocked".to_owned());
        }
        let detail = format!("the public access block is off: {}", off.join(", "));
        Err(problem(detail, format!("turn all four settings of the public access block on; {}", self.mend)))
    }

    pub(super) async fn ownership(&self) -> Check {
        let rules = match ask!(self.get_bucket_ownership_controls) {
            Ok(found) => found.ownership_controls.map(|controls| controls.rules).unwrap_or_default(),
            Err(error) if error_code(&error) == Some("OwnershipControlsNotFoundError") => Vec::new(),
            Err(error) => return Err(refused("s3:GetBucketOwnershipControls", &self.arn(), &error)),
        };
        match rules.as_slice() {
            [rule] if rule.object_ownership() == &ObjectOwnership::BucketOwnerEnforced => {
                Ok("ACLs are disabled".to_owned())
            }
            rules => {
                let found = rules.first().map_or("not set", |rule| rule.object_ownership().as_str());
                let detail = format!("object ownership is {found}, so that ACLs can open objects");
                Err(problem(detail, format!("set object ownership to BucketOwnerEnforced; {}", self.mend)))
            }
        }
    }

    /// Encrypted with `key`, or with S3's own keys where none is asked for.
    pub(super) async fn encryption(&self, key: Option<&str>) -> Check {
        let found = match ask!(self.get_bucket_encryption) {
            Ok(found) => found.server_side_encryption_configuration.map(|all| all.rules).unwrap_or_default(),
            Err(error) if error_code(&error) == Some("ServerSideEncryptionConfigurationNotFoundError") => Vec::new(),
            Err(error) => return Err(refused("s3:GetEncryptionConfiguration", &self.arn(), &error)),
        };
        let default = found.first().and_then(|rule| rule.apply_server_side_encryption_by_default());
        let algorithm = default.map(|default| default.sse_algorithm());
        let found_key = default.and_then(|default| default.kms_master_key_id());
        let by_key = matches!(algorithm, Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse));
        let said = algorithm.map_or("no encryption", ServerSideEncryption::as_str);
        match key {
            Some(key) if by_key && found_key == Some(key) => Ok(format!("encrypted with {key}")),
            None if algorithm.is_some() && !by_key => Ok(format!("encrypted with {said}")),
            // S3 could not read what it delivers or reports under a key that nobody told it to use.
            wanted => Err(problem(
                format!(
                    "the default encryption is {said} with the key {}, the deployment has {}",
                    found_key.unwrap_or("of the service"),
                    wanted.unwrap_or("keys of the service")
                ),
                format!("set the default encryption as the variable kms_key_arn says; {}", self.mend),
            )),
        }
    }

    /// The bucket's policy; nothing where it has none.
    pub(super) async fn policy(&self) -> Result<Option<Document>, Fault> {
        let text = match ask!(self.get_bucket_policy) {
            Ok(found) => found.policy,
            Err(error) if error_code(&error) == Some("NoSuchBucketPolicy") => None,
            Err(error) => return Err(refused("s3:GetBucketPolicy", &self.arn(), &error)),
        };
        let Some(text) = text else { return Ok(None) };
        Document::parse(&text).map(Some).map_err(|why| {
            let remedy = format!("look at it yourself: aws s3api get-bucket-policy --bucket {}", self.name);
            unknown(format!("the bucket's policy is not understood: {why}"), remedy)
        })
    }
}
