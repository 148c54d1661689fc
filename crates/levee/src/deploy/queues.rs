//! The queues of the stages, each with its dead-letter queue.

use anyhow::{Context, Result, anyhow};
use aws_sdk_sqs::types::QueueAttributeName;
use levee_stage::Aws;
use serde_json::json;

use super::Plan;
use crate::hosts::StageName;

/// Deliveries after which a message goes to the dead-letter queue.
const MAX_RECEIVE_COUNT: u32 = 5;

/// The ARN of a stage's queue.
#[must_use]
pub fn queue_arn(plan: &Plan, stage: &str) -> String {
    format!("arn:aws:sqs:{}:{}:{}{stage}", plan.region, plan.backup_account, plan.queue_prefix)
}

/// Creates the queues and answers what their URLs begin with.
pub(super) async fn create(aws: &Aws, prefix: &str) -> Result<String> {
    let mut url_prefix = None;
    for stage in StageName::ALL.map(StageName::name) {
        let name = format!("{prefix}{stage}");
        let dead_letters = queue(aws, &format!("{name}-dlq"), None).await?;
        let arn = arn(aws, &dead_letters).await?;
        let url = queue(aws, &name, Some(&arn)).await?;
        let beginning = url.strip_suffix(stage).ok_or_else(|| anyhow!("the URL {url} does not end with {stage}"))?;
        url_prefix = Some(beginning.to_owned());
    }
    url_prefix.context("there are no stages")
}

pub(super) async fn queue(aws: &Aws, name: &str, dead_letter_arn: Option<&str>) -> Result<String> {
    let redrive = dead_letter_arn
        .map(|arn| json!({ "deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVE_COUNT }).to_string());
    let mut call = aws.sqs.create_queue().queue_name(name);
    if let Some(policy) = redrive {
        call = call.attributes(QueueAttributeName::RedrivePolicy, policy);
    }
    let made = call.send().await.with_context(|| format!("cannot create the queue {name}"))?;
    made.queue_url().map(str::to_owned).ok_or_else(|| anyhow!("CreateQueue answered no URL for {name}"))
}

pub(super) async fn arn(aws: &Aws, url: &str) -> Result<String> {
    let attributes = aws
        .sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .with_context(|| format!("cannot read the queue {url}"))?;
    let arn = attributes.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
    arn.cloned().ok_or_else(|| anyhow!("the queue {url} answered no ARN"))
}
