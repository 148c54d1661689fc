//! The canary: one object of a source, copied by a real batch job as every night's are, reported, and compared.

mod compare;
mod report;

use std::time::Duration;

use aws_sdk_s3::{primitives::ByteStream, types::ServerSideEncryption};
use aws_sdk_s3control::types::JobDescriptor;
use jiff::{SignedDuration, Timestamp};
use levee_formats::batch_manifest::ManifestWriter;
use levee_jobs::{
    JobRequest, Work,
    watch::{Verdict as JobVerdict, judge, wait_after},
};
use levee_ledger::state::{JobManifest, JobManifestKind, ObjectPointer};
use sha2::{Digest, Sha256};

use super::{
    Deployment, Examination, Finding, Source,
    finding::{Check, Fault, problem, refused, unknown},
};

/// An object that is larger is no canary.
const LARGEST: i64 = 1024 * 1024;
/// Objects that are looked at to find a small one.
const PAGES: usize = 10;
/// Before the jobs of nights: it is one object.
const PRIORITY: i32 = 100;

/// One canary on its way.
struct Canary<'a> {
    examination: &'a Examination<'a>,
    source: &'a Source,
    key: String,
    /// `canary/<time>/<source>`: what all that it leaves behind begins with, in whichever bucket.
    prefix: String,
}

impl Examination<'_> {
    /// A canary for every source, one after the other.
    pub(super) async fn canaries(&self, limit: Duration) -> Vec<Finding> {
        let mut findings = Vec::new();
        for source in &self.sources {
            findings.push(Finding::new("canary/copy", &source.name, self.canary(source, limit).await));
        }
        findings
    }

    async fn canary(&self, source: &Source, limit: Duration) -> Check {
        let began = self.clock.now();
        let key = self.small_object(source).await?;
        let stamp = began.strftime("%Y-%m-%dT%H-%M-%SZ");
        let prefix = format!("canary/{stamp}/{}", source.name);
        let canary = Canary { examination: self, source, key, prefix };
        let (bucket, key) = (&source.name, &canary.key);
        (self.say)(&format!("canary: s3://{bucket}/{key} is copied to {}", self.deployment.canary_bucket));
        let manifest = canary.write_manifest().await?;
        let job = canary.submit(manifest).await?;
        (self.say)(&format!("canary: job {job} is made; it is waited for up to {} minutes", limit.as_secs() / 60));
        let deadline = limit.try_into().ok().and_then(|limit: SignedDuration| began.checked_add(limit).ok());
        let deadline = deadline.unwrap_or(Timestamp::MAX);
        canary.wait(&job, deadline).await?;
        report::read(&canary, &job, deadline).await?;
        let bytes = compare::compare(&canary).await?;
        let seconds = self.clock.now().duration_since(began).as_secs();
        Ok(format!("s3://{bucket}/{key} was copied by job {job} in {seconds} s; its {bytes} bytes are equal (SHA-256)"))
    }

    /// The smallest object below the limit among the first of the source; one with bytes in it goes before one without.
    async fn small_object(&self, source: &Source) -> Result<String, Fault> {
        let list = self.backup.aws.s3.list_objects_v2().bucket(&source.name).expected_bucket_owner(&source.account);
        let mut pages = list.into_paginator().send();
        let mut smallest: Option<(bool, i64, String)> = None;
        for _ in 0..PAGES {
            let Some(page) = pages.next().await else { break };
            let page =
                page.map_err(|error| refused("s3:ListBucket", &format!("arn:aws:s3:::{}", source.name), &error))?;
            for object in page.contents() {
                let (Some(size), Some(key)) = (object.size(), object.key()) else { continue };
                let candidate = (size == 0, size, key.to_owned());
                if size < LARGEST && smallest.as_ref().is_none_or(|known| candidate < *known) {
                    smallest = Some(candidate);
                }
            }
        }
        let none = || {
            let detail = "among its first objects there is none below 1 MiB, so there is no canary";
            unknown(detail, format!("put a small object into {} and run the doctor again", source.name))
        };
        smallest.map(|(_, _, key)| key).ok_or_else(none)
    }
}

impl Canary<'_> {
    fn deployment(&self) -> &Deployment {
        self.examination.deployment
    }

    /// Writes a manifest of the one key.
    async fn write_manifest(&self) -> Result<ObjectPointer, Fault> {
        let (bucket, key) = (&self.deployment().canary_bucket, format!("{}/manifest.csv", self.prefix));
        let mut writer = ManifestWriter::new(Vec::new(), false);
        let written = writer.row(&self.source.name, self.key.as_bytes(), None).and_then(|()| writer.finish());
        let written = written.map_err(|error| {
            unknown(format!("the key {:?} fits into no manifest: {error}", self.key), "remove or rename the object")
        })?;
        let put = self.examination.backup.aws.s3.put_object().bucket(bucket).key(&key);
        let put = put.expected_bucket_owner(&self.deployment().account).body(ByteStream::from(written.writer));
        // Batch Operations reads no CSV manifest that is encrypted with a KMS key, and the bucket's default may be one.
        let put = put.server_side_encryption(ServerSideEncryption::Aes256).send();
        let put =
            put.await.map_err(|error| refused("s3:PutObject", &format!("arn:aws:s3:::{bucket}/{key}"), &error))?;
        let etag = put.e_tag().unwrap_or_default().trim_matches('"').to_owned();
        Ok(ObjectPointer { bucket: bucket.clone(), key, etag, version_id: put.version_id })
    }

    /// Makes the job, as the worker job-submit makes those of the nights.
    async fn submit(&self, manifest: ObjectPointer) -> Result<String, Fault> {
        let deployment = self.deployment();
        let token = hex::encode(Sha256::digest(format!("levee-canary\n{}\n{}", self.prefix, manifest.etag)));
        let request = JobRequest {
            account: deployment.account.clone(),
            description: format!("Levee canary of {}, token {token}", self.source.name),
            token,
            role_arn: deployment.copy_role_arn.clone(),
            priority: PRIORITY,
            work: Work::Copy {
                target: deployment.canary_bucket.clone(),
                target_prefix: Some(self.copies()),
                storage_class: "STANDARD".to_owned(),
            },
            manifest: JobManifest { kind: JobManifestKind::Csv, pointer: manifest, rows: 1, keys: None },
            report_bucket: deployment.report_bucket.clone(),
            report_prefix: self.prefix.clone(),
        };
        let call = request.fill(self.examination.backup.aws.s3control.create_job());
        let call =
            call.map_err(|error| unknown(format!("the request of the job is incomplete: {error}"), "report it"))?;
        let made = call.send().await.map_err(|error| {
            let actions = format!("s3:CreateJob and iam:PassRole for {}", deployment.copy_role_arn);
            refused(&actions, &format!("account {}", deployment.account), &error)
        })?;
        made.job_id.ok_or_else(|| unknown("CreateJob answered no job id", "run the doctor again"))
    }

    /// What the keys of copies begin with.
    fn copies(&self) -> String {
        format!("{}/copy/", self.prefix)
    }

    /// Waits until every task of the job was tried.
    async fn wait(&self, job: &str, deadline: Timestamp) -> Result<(), Fault> {
        let examination = self.examination;
        let mut looks = 0_u32;
        loop {
            examination.clock.sleep(wait_after(looks)).await;
            looks = looks.saturating_add(1);
            let found = self.describe(job).await?;
            match judge(&found) {
                JobVerdict::Complete(_) => return Ok(()),
                JobVerdict::Ended { status, reasons } => {
                    let detail = format!("the job {job} ended as {status}: {reasons}");
                    return Err(problem(detail, self.advice()));
                }
                JobVerdict::Running => {}
            }
            let status = found.status().map_or("unknown", |status| status.as_str());
            (examination.say)(&format!("canary: job {job} is {status}"));
            if examination.clock.now() >= deadline {
                let detail = format!("the job {job} is still {status} after the time that was given");
                let remedy = "jobs of a higher priority go first: look at the job in the S3 console, and give more time with --canary-limit";
                return Err(unknown(detail, remedy));
            }
        }
    }

    async fn describe(&self, job: &str) -> Result<JobDescriptor, Fault> {
        let account = &self.deployment().account;
        let ask = self.examination.backup.aws.s3control.describe_job().account_id(account).job_id(job);
        let arn = format!("arn:aws:s3:{}:{account}:job/{job}", self.deployment().region);
        let found = ask.send().await.map_err(|error| refused("s3:DescribeJob", &arn, &error))?;
        found.job.ok_or_else(|| unknown(format!("DescribeJob answered no job {job}"), "run the doctor again"))
    }

    /// Where to look when the copy fails.
    fn advice(&self) -> String {
        let (deployment, source) = (self.deployment(), &self.source.name);
        format!(
            "see that {} trusts batchoperations.s3.amazonaws.com, may read {source} (its own policy, the policy of the bucket, its KMS keys: check source/copy-role and kms/source-key-decrypt with --source-profile) and may write to {} and {}",
            deployment.copy_role_arn, deployment.canary_bucket, deployment.report_bucket
        )
    }
}
