//! Levee's own buckets: what protects them, and what lets S3 in.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use levee_bucket_provision::{REMOVING_ACTIONS, retention};
use levee_stage::aws::error_code;

use super::{
    BucketKind, Examination, Finding, Source,
    bucket::BucketCheck,
    finding::{Check, Fault, problem, refused, unknown},
    policy::{Answer, Document, Fact, Request, Who},
};

/// A run can be redriven for 14 days and may have waited for its inventory: files of younger inventories may still be read.
const MANIFEST_DAYS: i32 = 30;
/// The actions on the list of removals that act on objects and not on the bucket.
const OF_OBJECTS: [&str; 3] = ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"];
const APPLY: &str = "run terraform apply for the backup module";
const APPLY_AS_BREAK_GLASS: &str = "run terraform apply for the backup module as a break-glass principal";

impl Examination<'_> {
    /// One of the buckets of the backup account.
    pub(super) async fn own_bucket(&self, kind: BucketKind, name: &str) -> Vec<Finding> {
        let deployment = self.deployment;
        let bucket = BucketCheck {
            s3: &self.backup.aws.s3,
            name,
            owner: &deployment.account,
            region: &deployment.region,
            mend: APPLY_AS_BREAK_GLASS,
        };
        let finding = |check: &str, found| Finding::new(format!("{}-bucket/{check}", kind.word()), name, found);
        let exists = BucketCheck { mend: APPLY, ..bucket }.exists().await;
        let mut findings = vec![finding("exists", exists.clone())];
        if exists.is_err() {
            return findings;
        }
        let bucket = BucketCheck { mend: APPLY_AS_BREAK_GLASS, ..bucket };
        findings.push(finding("versioning", bucket.versioning().await));
        findings.push(finding("public-access", bucket.public_access().await));
        findings.push(finding("ownership", bucket.ownership().await));
        findings.push(finding("encryption", bucket.encryption(deployment.kms_key_arn.as_deref()).await));
        let policy = bucket.policy().await;
        findings.push(finding("tls-only", tls_only(&bucket, &policy)));
        findings.push(finding("removal-denied", self.removal_denied(&bucket, &policy)));
        if kind == BucketKind::Ledger {
            findings.push(finding("object-lock", self.object_lock(&bucket).await));
        }
        if kind == BucketKind::Manifest {
            findings.push(finding("lifecycle", lifecycle(&bucket).await));
            for source in &self.sources {
                let found = self.delivery(source, &policy);
                findings.push(Finding::new("manifest-bucket/delivery", &source.name, found));
            }
        }
        findings
    }

    fn removal_denied(&self, bucket: &BucketCheck<'_>, policy: &Result<Option<Document>, Fault>) -> Check {
        let remedy = format!("put the statement LeveeDenyRemoval back as the backup module has it; {}", bucket.mend);
        let Some(policy) = policy.as_ref().map_err(Clone::clone)? else {
            return Err(problem("it has no policy: whoever has the rights in the account can delete", remedy));
        };
        // The root of an account can always mend the policy of its bucket.
        let mut exempt = self.deployment.break_glass_arns.clone();
        exempt.push(format!("arn:aws:iam::{}:root", self.deployment.account));
        let open: Vec<(&str, String)> = REMOVING_ACTIONS
            .into_iter()
            .filter_map(|action| {
                let resource = if OF_OBJECTS.contains(&action) { bucket.objects() } else { bucket.arn() };
                Some((action, policy.denies_to_all_but(action, &resource, &exempt).err()?))
            })
            .collect();
        let Some((_, why)) = open.first() else {
            let who = if self.deployment.break_glass_arns.is_empty() { "the root" } else { "break-glass principals" };
            return Ok(format!("only {who} can delete or take the protection away"));
        };
        let actions: Vec<&str> = open.iter().map(|(action, _)| *action).collect();
        Err(problem(format!("not denied to everyone: {} ({why})", actions.join(", ")), remedy))
    }

    async fn object_lock(&self, bucket: &BucketCheck<'_>) -> Check {
        let answer =
            bucket.s3.get_object_lock_configuration().bucket(bucket.name).expected_bucket_owner(bucket.owner).send();
        let configuration = match answer.await {
            Ok(found) => found.object_lock_configuration,
            Err(error) if error_code(&error) == Some("ObjectLockConfigurationNotFoundError") => None,
            Err(error) => return Err(refused("s3:GetBucketObjectLockConfiguration", &bucket.arn(), &error)),
        };
        let retention = configuration.as_ref().and_then(|found| found.rule()).and_then(|rule| rule.default_retention());
        let wanted = self.deployment.ledger_lock;
        if retention::to_write(retention, wanted).is_none() {
            return Ok(format!("records are kept for at least {} days", wanted.days));
        }
        let found = retention.map_or_else(
            || "there is no default retention".to_owned(),
            |found| {
                let mode = found.mode().map_or("no mode", |mode| mode.as_str());
                format!(
                    "the default retention is {mode} for {} days or {} years",
                    found.days().unwrap_or(0),
                    found.years().unwrap_or(0)
                )
            },
        );
        let remedy = format!("the variable ledger_lock asks for {} days; {}", wanted.days, bucket.mend);
        Err(problem(format!("{found}: records can be deleted earlier than the deployment says"), remedy))
    }

    /// S3 may deliver the inventories of the source, and in the name of no other bucket.
    fn delivery(&self, source: &Source, policy: &Result<Option<Document>, Fault>) -> Check {
        let remedy = format!(
            "add {} and account {} to the statement InventoryDelivery (the variable sources has them); {APPLY_AS_BREAK_GLASS}",
            source.name, source.account
        );
        let Some(policy) = policy.as_ref().map_err(Clone::clone)? else {
            return Err(problem("the manifest bucket has no policy, so S3 can deliver nothing", remedy));
        };
        match policy.answer(&self.delivery_request(&source.name, &source.name, &source.account)) {
            Answer::Allowed => {}
            Answer::Silent => {
                return Err(problem("no statement lets s3.amazonaws.com put inventories of this source", remedy));
            }
            Answer::Denied(sid) => {
                let remedy = format!("exempt services from it with aws:PrincipalIsAWSService; {APPLY_AS_BREAK_GLASS}");
                return Err(problem(
                    format!("the statement {sid} keeps S3 from delivering, without any error"),
                    remedy,
                ));
            }
            Answer::PerhapsDenied(sid) | Answer::PerhapsAllowed(sid) => {
                let detail = format!(
                    "whether the statement {sid} lets S3 deliver depends on a condition that cannot be decided"
                );
                return Err(unknown(detail, "exempt services with aws:PrincipalIsAWSService, or wait for a delivery"));
            }
        }
        let other_bucket = self.delivery_request(&source.name, "another-bucket", &source.account);
        let other_account = self.delivery_request(&source.name, &source.name, "000000000000");
        if [other_bucket, other_account].iter().any(|request| policy.answer(request) == Answer::Allowed) {
            let remedy = format!("tie the statement to aws:SourceArn and aws:SourceAccount; {APPLY_AS_BREAK_GLASS}");
            return Err(problem("S3 may put objects there in the name of any bucket or account", remedy));
        }
        Ok("S3 may deliver its inventories".to_owned())
    }

    fn delivery_request(&self, of: &str, source: &str, account: &str) -> Request<'_> {
        let deployment = self.deployment;
        let prefix = &deployment.inventory_prefix;
        let slash = if prefix.is_empty() { "" } else { "/" };
        let is = |value: &str| Fact::Is(value.to_owned());
        Request {
            who: Who::Service("s3.amazonaws.com"),
            action: "s3:PutObject",
            resource: format!("arn:aws:s3:::{}/{prefix}{slash}{of}/manifest.json", deployment.manifest_bucket),
            facts: vec![
                ("aws:SourceArn", Fact::Is(format!("arn:aws:s3:::{source}"))),
                ("aws:SourceAccount", is(account)),
                ("s3:x-amz-acl", is("bucket-owner-full-control")),
                ("aws:SecureTransport", is("true")),
                ("aws:PrincipalIsAWSService", is("true")),
                ("aws:PrincipalArn", Fact::Absent),
                ("aws:PrincipalAccount", Fact::Absent),
                ("aws:PrincipalOrgID", Fact::Absent),
            ],
        }
    }
}

fn tls_only(bucket: &BucketCheck<'_>, policy: &Result<Option<Document>, Fault>) -> Check {
    let policy = policy.as_ref().map_err(Clone::clone)?;
    if policy.as_ref().is_some_and(|policy| policy.denies_plain_http([&bucket.arn(), &bucket.objects()])) {
        return Ok("plain HTTP is denied".to_owned());
    }
    let remedy = format!("put the statement LeveeDenyPlainHttp back as the backup module has it; {}", bucket.mend);
    Err(problem("its policy does not deny requests over plain HTTP", remedy))
}

/// No rule takes files of inventories away, or out of reach, that a job may still read.
async fn lifecycle(bucket: &BucketCheck<'_>) -> Check {
    let answer =
        bucket.s3.get_bucket_lifecycle_configuration().bucket(bucket.name).expected_bucket_owner(bucket.owner).send();
    let rules = match answer.await {
        Ok(found) => found.rules.unwrap_or_default(),
        Err(error) if error_code(&error) == Some("NoSuchLifecycleConfiguration") => Vec::new(),
        Err(error) => return Err(refused("s3:GetLifecycleConfiguration", &bucket.arn(), &error)),
    };
    let early: Vec<String> = rules
        .iter()
        .filter(|rule| rule.status() == &ExpirationStatus::Enabled)
        .filter_map(|rule| Some(format!("{} {}", rule.id().unwrap_or("without an id"), too_early(rule)?)))
        .collect();
    if early.is_empty() {
        return Ok(format!("inventories stay for at least {MANIFEST_DAYS} days"));
    }
    let remedy =
        format!("set manifest_retention_days to {MANIFEST_DAYS} or more and remove rules of others; {}", bucket.mend);
    Err(problem(format!("jobs may still read what these rules take away: {}", early.join(", ")), remedy))
}

/// What a rule does before its time. A rule for part of the bucket counts like one for all of it: a part that no inventory
/// is in needs no rule.
fn too_early(rule: &LifecycleRule) -> Option<String> {
    if let Some(expiration) = rule.expiration() {
        if expiration.date().is_some() {
            return Some("expires everything at a date".to_owned());
        }
        if let Some(days) = expiration.days().filter(|days| *days < MANIFEST_DAYS) {
            return Some(format!("expires objects after {days} days"));
        }
    }
    let moved = rule.transitions().iter().find(|transition| {
        let archived =
            transition.storage_class().is_some_and(|class| matches!(class.as_str(), "GLACIER" | "DEEP_ARCHIVE"));
        archived && (transition.date().is_some() || transition.days().is_none_or(|days| days < MANIFEST_DAYS))
    });
    moved.map(|_| format!("archives objects within {MANIFEST_DAYS} days"))
}
