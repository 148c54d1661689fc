//! The protected buckets: that they are there, that the copy role may read them, and that their inventories arrive.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use levee_manifest_ready::stamp;

use super::{
    Examination, Finding, Source,
    bucket::BucketCheck,
    finding::{Check, problem, refused, unknown},
    policy::{Answer, Fact, Request, Who},
};

/// What the copy role needs on every object ("Granting permissions for Batch Operations" of the S3 User Guide, for copies).
const OBJECT_READS: [&str; 6] = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectAcl",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectTagging",
    "s3:GetObjectVersionTagging",
];
/// A daily inventory that is older has failed to come at least once.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(48);
/// What a source is put right with.
const APPLY: &str = "run terraform apply for the source module";

impl Examination<'_> {
    /// A source as its own account sees it.
    pub(super) async fn source(&self, source: &Source) -> Vec<Finding> {
        let finding = |check: &str, found| Finding::new(format!("source/{check}"), &source.name, found);
        let clients = match self.warehouse.of_source(source) {
            Ok(clients) => clients,
            Err(fault) => {
                let checks = ["bucket", "copy-role", "inventory", "inventory-destination", "inventory-content"];
                return checks.map(|check| finding(check, Err(fault.clone()))).into();
            }
        };
        let bucket = BucketCheck {
            s3: &clients.aws.s3,
            name: &source.name,
            owner: &source.account,
            region: &self.deployment.region,
            mend: "correct the variable sources of the backup module",
        };
        let exists = bucket.exists().await;
        let mut findings = vec![finding("bucket", exists.clone())];
        if exists.is_ok() {
            findings.push(finding("copy-role", self.copy_role_reads(&bucket).await));
            findings.extend(self.inventory(source, &bucket).await);
        }
        findings
    }

    /// The policy lets the copy role read, and nothing in it keeps it from that.
    async fn copy_role_reads(&self, bucket: &BucketCheck<'_>) -> Check {
        let role = self.deployment.copy_role_arn.as_str();
        let remedy = format!("{APPLY}, or merge its output bucket_policy_json into the bucket's policy");
        let Some(policy) = bucket.policy().await? else {
            return Err(problem(format!("the bucket has no policy, so {role} cannot read it"), remedy));
        };
        let object = format!("arn:aws:s3:::{}/key", bucket.name);
        let on_objects = OBJECT_READS.map(|action| (action, object.clone()));
        let mut missing = Vec::new();
        let mut perhaps = BTreeSet::new();
        for (action, resource) in on_objects.into_iter().chain([("s3:ListBucket", bucket.arn())]) {
            match policy.answer(&self.read_request(role, action, resource)) {
                Answer::Allowed => {}
                Answer::Silent => missing.push(action),
                Answer::PerhapsAllowed(sid) | Answer::PerhapsDenied(sid) => drop(perhaps.insert(sid)),
                Answer::Denied(sid) => {
                    let remedy = format!("exempt {role} from it with ArnNotLike on aws:PrincipalArn");
                    return Err(problem(format!("the statement {sid} of its policy denies {role} {action}"), remedy));
                }
            }
        }
        if !missing.is_empty() {
            return Err(problem(format!("its policy does not allow {role} {}", missing.join(", ")), remedy));
        }
        if !perhaps.is_empty() {
            let sids: Vec<String> = perhaps.into_iter().collect();
            let detail =
                format!("whether {role} may read depends on conditions that cannot be decided: {}", sids.join(", "));
            return Err(unknown(
                detail,
                format!("exempt {role} from them with ArnNotLike on aws:PrincipalArn, or try with --canary"),
            ));
        }
        Ok(format!("{role} may read it"))
    }

    fn read_request<'a>(&self, role: &'a str, action: &'a str, resource: String) -> Request<'a> {
        let is = |value: &str| Fact::Is(value.to_owned());
        let facts = vec![
            ("aws:PrincipalArn", is(role)),
            ("aws:PrincipalAccount", is(&self.deployment.account)),
            ("aws:PrincipalIsAWSService", is("false")),
            ("aws:SecureTransport", is("true")),
        ];
        Request { who: Who::Role(role), action, resource, facts }
    }

    /// The newest inventory that has arrived, as the manifest bucket shows it.
    pub(super) async fn last_delivery(&self, source: &Source) -> Vec<Finding> {
        vec![Finding::new("source/last-delivery", &source.name, self.delivered(source).await)]
    }

    async fn delivered(&self, source: &Source) -> Check {
        let bucket = &self.deployment.manifest_bucket;
        let prefix = &self.deployment.inventory_prefix;
        let slash = if prefix.is_empty() { "" } else { "/" };
        let base = format!("{prefix}{slash}{}/{}/", source.name, source.inventory_id);
        let mut folders = self.dated_folders(&base).await?;
        while let Some((scan, folder)) = folders.pop() {
            if !self.is_complete(&folder).await? {
                continue;
            }
            let age = self.clock.now().duration_since(scan);
            if age < STALE_AFTER {
                return Ok(format!("the newest inventory was scanned at {scan}"));
            }
            let detail = format!("the newest inventory was scanned at {scan}, {} hours ago", age.as_hours());
            let remedy = "see that the inventory configuration is enabled (Weekly ones are late by design) and that the policy of the manifest bucket lets S3 in (manifest-bucket/delivery)";
            return Err(problem(detail, remedy));
        }
        let detail = format!("nothing has been delivered to s3://{bucket}/{base} yet");
        Err(problem(detail, "wait: the first inventory takes up to 48 hours after its configuration was made"))
    }

    /// The dated folders of an inventory, the latest last.
    async fn dated_folders(&self, base: &str) -> Result<Vec<(Timestamp, String)>, super::finding::Fault> {
        let bucket = &self.deployment.manifest_bucket;
        let list = self.backup.aws.s3.list_objects_v2().bucket(bucket).expected_bucket_owner(&self.deployment.account);
        let mut pages = list.prefix(base).delimiter("/").into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| refused("s3:ListBucket", &format!("arn:aws:s3:::{bucket}"), &error))?;
            for folder in page.common_prefixes().iter().filter_map(|common| common.prefix()) {
                let name = folder.strip_prefix(base).and_then(|rest| rest.strip_suffix('/'));
                folders.extend(name.and_then(stamp::parse).map(|scan| (scan, folder.to_owned())));
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// Both files are there: they come in no certain order.
    async fn is_complete(&self, folder: &str) -> Result<bool, super::finding::Fault> {
        let bucket = &self.deployment.manifest_bucket;
        let list = self.backup.aws.s3.list_objects_v2().bucket(bucket).expected_bucket_owner(&self.deployment.account);
        let page = list.prefix(format!("{folder}manifest.")).send().await;
        let page = page.map_err(|error| refused("s3:ListBucket", &format!("arn:aws:s3:::{bucket}"), &error))?;
        let has = |name: &str| page.contents().iter().any(|object| object.key() == Some(&format!("{folder}{name}")));
        Ok(has("manifest.json") && has("manifest.checksum"))
    }
}
