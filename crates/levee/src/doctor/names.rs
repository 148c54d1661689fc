//! Names that must fit, and the number of buckets that an account may have.

use std::collections::BTreeMap;

use jiff::civil::date;
use levee_ledger::names;

use super::{
    Examination, Finding, Source,
    finding::{Check, problem, refused},
};

/// The longest name of a schedule.
const MAX_SCHEDULE_NAME: usize = 64;
/// Snapshot buckets are made every night and never removed: so many nights must be left.
const FEWEST_NIGHTS: u64 = 30;
/// Buckets on one page of a listing.
const PAGE: i32 = 1000;

impl Examination<'_> {
    /// The names that a source's name goes into.
    pub(super) fn names(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for source in &self.sources {
            findings.push(Finding::new("names/snapshot-bucket", &source.name, snapshot_bucket(source)));
            findings.push(Finding::new("names/schedule", &source.name, schedule(source)));
            findings.push(Finding::new("names/unique", &source.name, self.unique(source)));
        }
        findings
    }

    /// Executions and schedules hold the beginning of the name: two sources with the same one could not be told apart.
    fn unique(&self, source: &Source) -> Check {
        let others = self.deployment.sources.iter().filter(|other| other.name != source.name);
        let mut same = BTreeMap::new();
        for other in others {
            if other.schedule == source.schedule {
                same.insert(&other.name, format!("the schedule {}", other.schedule));
            } else if other.short_name() == source.short_name() {
                same.insert(&other.name, format!("the first characters {}", other.short_name()));
            }
        }
        match same.into_iter().next() {
            None => Ok("its names are its own".to_owned()),
            Some((other, what)) => Err(problem(
                format!("it shares {what} with {other}: one of the two would not be backed up"),
                "rename one of the two buckets, or back it up by a second deployment with another name",
            )),
        }
    }

    /// Every night makes a bucket for every source.
    pub(super) async fn bucket_quota(&self) -> Vec<Finding> {
        vec![Finding::new("quota/buckets", &self.deployment.account, self.nights_left().await)]
    }

    async fn nights_left(&self) -> Check {
        let mut pages = self.backup.aws.s3.list_buckets().max_buckets(PAGE).into_paginator().send();
        let mut buckets = 0_u64;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| refused("s3:ListAllMyBuckets", "*", &error))?;
            buckets = buckets.saturating_add(page.buckets().len() as u64);
        }
        let limit = self.options.bucket_limit;
        let a_night = self.deployment.sources.iter().filter(|source| source.enabled).count() as u64;
        let Some(nights) = limit.saturating_sub(buckets).checked_div(a_night) else {
            return Ok(format!("{buckets} of {limit} buckets; no source makes more"));
        };
        let detail = format!("{buckets} of {limit} buckets, {a_night} more a night: {nights} nights are left");
        if nights >= FEWEST_NIGHTS {
            return Ok(detail);
        }
        let remedy = "ask for more in Service Quotas (S3, General purpose buckets) and give the new number as --bucket-limit, or remove old snapshots with a break-glass principal";
        Err(problem(detail, remedy))
    }
}

fn snapshot_bucket(source: &Source) -> Check {
    // All dates make names of the same length.
    match names::snapshot_bucket(&source.name, date(2026, 3, 31)) {
        Ok(name) => Ok(format!("snapshots are named like {name}")),
        Err(error) => Err(problem(error.to_string(), "back up from a bucket with a shorter name")),
    }
}

fn schedule(source: &Source) -> Check {
    let length = source.schedule.chars().count();
    if length <= MAX_SCHEDULE_NAME {
        return Ok(format!("the schedule is named {}", source.schedule));
    }
    let detail =
        format!("the schedule's name {} has {length} characters, {MAX_SCHEDULE_NAME} are allowed", source.schedule);
    Err(problem(detail, "give the deployment a shorter name (variable name)"))
}
