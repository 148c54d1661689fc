//! The keys: those that copies are written with, and those that sources are read with.

use std::collections::BTreeMap;

use aws_sdk_kms::{
    Client,
    types::{GrantListEntry, GrantOperation, KeyState},
};
use levee_stage::aws::error_code;

use super::{
    Examination, Finding, Source,
    finding::{Check, Fault, problem, refused, unknown},
    policy::{Answer, Document, Fact, Request, Who},
};

impl Examination<'_> {
    /// Every key once: those of the backup account, then those of the sources.
    pub(super) async fn keys(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let snapshots = self.sources.iter().filter_map(|source| source.snapshot.kms_key_arn.as_ref());
        let own: std::collections::BTreeSet<&String> = self.deployment.kms_key_arn.iter().chain(snapshots).collect();
        for key in own {
            findings.push(Finding::new("kms/backup-key", key, self.usable(&self.backup.kms, key).await));
        }
        for (key, source) in self.source_keys() {
            let clients = match self.warehouse.of_source(source) {
                Ok(clients) => clients,
                Err(fault) => {
                    findings.push(Finding::new("kms/source-key", key, Err(fault.clone())));
                    findings.push(Finding::new("kms/source-key-decrypt", key, Err(fault)));
                    continue;
                }
            };
            let usable = self.usable(&clients.kms, key).await;
            let there = usable.is_ok();
            findings.push(Finding::new("kms/source-key", key, usable));
            if there {
                findings.push(Finding::new("kms/source-key-decrypt", key, self.may_decrypt(&clients.kms, key).await));
            }
        }
        findings
    }

    /// The keys of the sources, each with one source that uses it.
    fn source_keys(&self) -> BTreeMap<&str, &Source> {
        let pairs =
            self.sources.iter().flat_map(|source| source.kms_key_arns.iter().map(move |key| (key.as_str(), *source)));
        pairs.collect()
    }

    async fn usable(&self, kms: &Client, key: &str) -> Check {
        let region = key.split(':').nth(3).unwrap_or_default();
        if region != self.deployment.region {
            let detail = format!("the key is in {region}, the buckets are in {}", self.deployment.region);
            return Err(problem(
                detail,
                "use a key of the Region of the deployment (variables kms_key_arn, kms_key_arns)",
            ));
        }
        let found = match kms.describe_key().key_id(key).send().await {
            Ok(found) => found,
            Err(error) if error_code(&error) == Some("NotFoundException") => {
                return Err(problem("there is no such key", "correct the variables kms_key_arn and kms_key_arns"));
            }
            Err(error) => return Err(refused("kms:DescribeKey", key, &error)),
        };
        match found.key_metadata().and_then(|metadata| metadata.key_state()) {
            Some(KeyState::Enabled) => Ok("the key is enabled".to_owned()),
            Some(KeyState::Disabled) => {
                let remedy = format!("aws kms enable-key --key-id {key}");
                Err(problem("the key is disabled: nothing can be read or written with it", remedy))
            }
            Some(KeyState::PendingDeletion) => {
                let remedy =
                    format!("aws kms cancel-key-deletion --key-id {key}, then aws kms enable-key --key-id {key}");
                Err(problem("the key is about to be deleted, and with it everything that it encrypts", remedy))
            }
            other => {
                let state = other.map_or("unknown", KeyState::as_str);
                Err(problem(format!("the state of the key is {state}"), "bring the key into the state Enabled"))
            }
        }
    }

    /// The copy role may decrypt with the key of a source, by a grant or by the key's policy.
    async fn may_decrypt(&self, kms: &Client, key: &str) -> Check {
        let role = self.deployment.copy_role_arn.as_str();
        let mut perhaps = Vec::new();
        for grant in grants(kms, key).await? {
            if grant.grantee_principal() == Some(role) && grant.operations().contains(&GrantOperation::Decrypt) {
                if grant.constraints().is_none() {
                    return Ok(format!("a grant lets {role} decrypt"));
                }
                perhaps.push(format!("the grant {} has constraints", grant.grant_id().unwrap_or_default()));
            }
        }
        match self.by_policy(kms, key, role).await? {
            Answer::Allowed => return Ok(format!("the key's policy lets {role} decrypt")),
            Answer::Silent => {}
            Answer::Denied(sid) => {
                let remedy = format!("exempt {role} from it with ArnNotLike on aws:PrincipalArn");
                return Err(problem(
                    format!("the statement {sid} of the key's policy denies {role} kms:Decrypt"),
                    remedy,
                ));
            }
            Answer::PerhapsAllowed(sid) | Answer::PerhapsDenied(sid) => {
                perhaps.push(format!("the statement {sid} has conditions that cannot be decided"));
            }
        }
        if perhaps.is_empty() {
            let remedy =
                "name the key in kms_key_arns of the source module and run terraform apply there: it makes the grant";
            return Err(problem(format!("neither a grant nor the key's policy lets {role} decrypt"), remedy));
        }
        Err(unknown(perhaps.join("; "), "try with --canary"))
    }

    async fn by_policy(&self, kms: &Client, key: &str, role: &str) -> Result<Answer, Fault> {
        let found = kms.get_key_policy().key_id(key).policy_name("default").send().await;
        let found = found.map_err(|error| refused("kms:GetKeyPolicy", key, &error))?;
        let policy = Document::parse(found.policy().unwrap_or_default()).map_err(|why| {
            let remedy = format!("look at it yourself: aws kms get-key-policy --key-id {key}");
            unknown(format!("the key's policy is not understood: {why}"), remedy)
        })?;
        let is = |value: &str| Fact::Is(value.to_owned());
        let facts = vec![
            ("aws:PrincipalArn", is(role)),
            ("aws:PrincipalAccount", is(&self.deployment.account)),
            ("aws:PrincipalIsAWSService", is("false")),
            ("kms:CallerAccount", is(&self.deployment.account)),
            // S3 uses the key on behalf of whoever reads.
            ("kms:ViaService", Fact::Is(format!("s3.{}.amazonaws.com", self.deployment.region))),
        ];
        let request = Request { who: Who::Role(role), action: "kms:Decrypt", resource: key.to_owned(), facts };
        Ok(policy.answer(&request))
    }
}

async fn grants(kms: &Client, key: &str) -> Result<Vec<GrantListEntry>, Fault> {
    let pages = kms.list_grants().key_id(key).into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    pages.map_err(|error| refused("kms:ListGrants", key, &error))
}
