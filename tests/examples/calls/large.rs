//! The nights of large objects.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use levee::hosts::StageName;
use levee_tests::{Captured, Rig};
use levee_twin::{CallFault, FaultAnswer, FaultPlan};
use serde_json::{Value, json};

use crate::{
    night::{GOOD, PLAIN, Played, builder, day, expect, furnished},
    special::hire,
};

/// The error of a night with objects that could not be copied.
const INCOMPLETE: &str = "Levee.LargeCopyIncomplete";
const TAGGED: &str = "events/tagged.parquet";
const PLAIN_KEY: &str = "events/date=2026-03-31/part-00 ä.parquet";

pub(crate) fn on_parts(answer: FaultAnswer) -> CallFault {
    CallFault::new(answer).of("s3", "UploadPartCopy")
}

/// Objects of a source, of a versioned one at last, that are copied by a worker which dies, is replaced, and is refused.
pub(crate) async fn copied(source: &'static str) -> Result<Played> {
    let mut rig = furnished(builder(source)?).await?;
    let execution = rig.start_large("first", day(), &[TAGGED, PLAIN_KEY, "gone"]).await?;
    {
        let _provision = hire(&rig, StageName::BucketProvision);
        come_early(&rig, StageName::LargeCopy).await?;
    }
    rig.set_faults(on_parts(FaultAnswer::DeathAfter).limit(1).into());
    rig.start_workers();
    expect(&rig, &execution, GOOD).await?;
    let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let s3 = &rig.accounts.warehouse.s3;
    s3.put_bucket_versioning().bucket(source).versioning_configuration(versioned).send().await?;
    s3.put_object().bucket(source).key(TAGGED).tagging("table=events").body(b"new"[..].to_vec().into()).send().await?;
    rig.set_faults(on_parts(FaultAnswer::Denied).into());
    let execution = rig.start_large("second", day(), &[TAGGED]).await?;
    expect(&rig, &execution, INCOMPLETE).await?;
    rig.set_faults(on_parts(FaultAnswer::slow_down()).into());
    rig.redrive(&execution).await?;
    replace_workers(&mut rig).await?;
    expect(&rig, &execution, GOOD).await?;
    Played::of(&rig).await
}

/// The message of a stage without a worker comes twice, once as the successor of a message does, before its time.
pub(crate) async fn come_early(rig: &Rig, stage: StageName) -> Result<()> {
    let Captured { queue_url, body } = rig.capture(stage.name()).await?;
    let mut message: Value = serde_json::from_str(&body)?;
    let now = rig.clock.now();
    let wait = json!({ "first_received": now, "count": 0, "due": now.checked_add(Duration::from_secs(120))? });
    message.as_object_mut().context("the message is no object")?.insert("wait".to_owned(), wait);
    rig.duplicate(&Captured { queue_url, body: message.to_string() }).await
}

/// Stops the workers as soon as a fault has struck, and starts others without faults.
async fn replace_workers(rig: &mut Rig) -> Result<()> {
    while rig.twin.struck().is_empty() {
        rig.clock.sleep(Duration::from_millis(100)).await;
    }
    rig.stop_workers().await?;
    rig.set_faults(FaultPlan::default());
    rig.start_workers();
    Ok(())
}

/// Failures of which so much is said that their list is written in parts, and one that may pass, so that it is given up.
pub(crate) async fn long_list() -> Result<Played> {
    let mut rig = furnished(builder(PLAIN)?).await?;
    let keys: Vec<_> = (0..50).map(|n| format!("denied/{n:02}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).chain([PLAIN_KEY]).collect();
    let execution = rig.start_large("night", day(), &keys).await?;
    let (code, message) = ("AccessDenied".to_owned(), "x".repeat(200_000));
    let denied = |operation, answer| CallFault {
        resource: Some("/denied/".to_owned()),
        ..CallFault::new(answer).of("s3", operation)
    };
    let faults = [
        denied("HeadObject", FaultAnswer::Denied),
        denied("GetObject", FaultAnswer::Error { code, status: 403, message }),
        on_parts(FaultAnswer::slow_down()),
    ];
    rig.set_faults(faults.map(FaultPlan::from).into_iter().fold(FaultPlan::default(), FaultPlan::and));
    rig.start_workers();
    for _ in 0..600 {
        rig.clock.sleep(Duration::from_secs(10)).await;
        if rig.calls_of("AbortMultipartUpload") > 0 {
            break;
        }
    }
    for operation in ["UploadPart", "AbortMultipartUpload"] {
        ensure!(rig.calls_of(operation) > 0, "no list was given up in its midst: there is no {operation}");
    }
    rig.accounts.backup.sfn.stop_execution().execution_arn(&execution).send().await?;
    expect(&rig, &execution, "ABORTED").await?;
    Played::of(&rig).await
}
