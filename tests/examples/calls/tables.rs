//! The nights of tables: copies that are mended, one that may not be before somebody allows it, and counts that contradict each other.

use anyhow::{Context, Result};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use levee::{hosts::StageName, lake};
use levee_tests::{Captured, Rig};
use levee_twin::{CallFault, FaultAnswer, FaultPlan};
use serde_json::{Value, json};

use crate::{
    copies::{self, LARGE, sparse},
    large::on_parts,
    night::{GOOD, PLAIN, Played, builder, day, deliver, expect, furnished, ready},
    special::hire,
};

/// A table of the sample warehouse, with a checkpoint.
const TABLE: &str = "curated/planes/";
const HINT: &str = "curated/planes/_delta_log/_last_checkpoint";
/// Without the first, or without the second and the commit behind it, its newest version cannot be loaded.
const CHECKPOINT: &str = "curated/planes/_delta_log/00000000000000000008.checkpoint.parquet";
const COMMIT: &str = "curated/planes/_delta_log/00000000000000000007.json";

/// A table of which the inventory misses a commit and the checkpoint, and whose hint is newer than the copy, and one of which it
/// misses a file that is copied in parts: they are mended once somebody allows it, by a worker that dies over the parts. Then the
/// night of the next day.
pub(crate) async fn mended(source: &'static str) -> Result<Played> {
    let mut rig = furnished(builder(source)?).await?;
    let files = lake::sample()?.into_iter().filter(|file| file.key.starts_with(TABLE));
    let files: Vec<_> = files.map(|file| (file.key, file.bytes.to_vec())).collect();
    let early = files.iter().filter(|(key, _)| ![CHECKPOINT, COMMIT].contains(&key.as_str())).cloned();
    rig.fill(early).await?;
    let commits = [copies::commit(0, &[("a.parquet", 9)], &[]), copies::commit(1, &[("large.parquet", LARGE)], &[])];
    rig.fill(commits).await?;
    rig.fill([(format!("{}/a.parquet", copies::TABLE), vec![7; 9])]).await?;
    deliver(&rig).await?;
    large_file(&rig).await?;
    rig.fill(files.iter().filter(|(key, _)| key == COMMIT).cloned()).await?;
    let (_, checkpoint) =
        files.iter().find(|(key, _)| key == CHECKPOINT).context("the sample has another checkpoint")?;
    let tagged = rig.accounts.warehouse.s3.put_object().bucket(source).key(CHECKPOINT).tagging("table=planes");
    tagged.body(checkpoint.clone().into()).send().await?;
    rig.fill([(HINT.to_owned(), br#"{"version":99,"size":3}"#.to_vec())]).await?;
    let denied = CallFault { resource: Some(CHECKPOINT.to_owned()), ..CallFault::new(FaultAnswer::Denied) };
    rig.set_faults(FaultPlan::from(denied.of("s3", "CopyObject")).and(on_parts(FaultAnswer::Denied).into()));
    let execution = rig.start(day()).await?;
    expect(&rig, &execution, "Levee.TablesTorn").await?;
    rig.set_faults(on_parts(FaultAnswer::DeathAfter).limit(1).into());
    rig.redrive(&execution).await?;
    expect(&rig, &execution, GOOD).await?;
    // The receipt of the next day is chained to the one of this day.
    rig.deliver("2026-04-03T01:00:00Z".parse()?).await?;
    let next = rig.start(day().tomorrow()?).await?;
    expect(&rig, &next, GOOD).await?;
    let mut played = Played::of(&rig).await?;
    // The wall of a snapshot bucket is looked at with one bucket.
    played.policies.retain(|bucket, _| bucket.ends_with("-31-mar-2026"));
    Ok(played)
}

/// Puts the file that is copied in parts into the source, which keeps versions from then on.
async fn large_file(rig: &Rig) -> Result<()> {
    let s3 = &rig.accounts.warehouse.s3;
    let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket(&rig.plan.source).versioning_configuration(versioned).send().await?;
    let put = s3.put_object().bucket(&rig.plan.source).key(format!("{}/large.parquet", copies::TABLE));
    sparse(put.tagging("table=orders"), LARGE).await
}

/// A state whose counts contradict each other is not closed.
pub(crate) async fn contradicted() -> Result<Played> {
    let rig = ready(PLAIN).await?;
    let others = StageName::EVERY_NIGHT.into_iter().filter(|stage| *stage != StageName::RunClose);
    let _hands: Vec<_> = others.map(|stage| hire(&rig, stage)).collect();
    let execution = rig.start_alone(day()).await?;
    let Captured { queue_url, body } = rig.capture(StageName::RunClose.name()).await?;
    let sqs = &rig.accounts.backup.sqs;
    let got = sqs.receive_message().queue_url(&queue_url).send().await?;
    let handle = got.messages().first().and_then(|message| message.receipt_handle());
    sqs.delete_message().queue_url(&queue_url).receipt_handle(handle.context("the message is gone")?).send().await?;
    let mut message: Value = serde_json::from_str(&body)?;
    let objects = message.pointer_mut("/input/manifest/objects").context("the message has no count")?;
    *objects = json!(1_000_000);
    rig.duplicate(&Captured { queue_url, body: message.to_string() }).await?;
    let _last = hire(&rig, StageName::RunClose);
    expect(&rig, &execution, "Levee.ReceiptDoesNotAddUp").await?;
    Played::of(&rig).await
}
