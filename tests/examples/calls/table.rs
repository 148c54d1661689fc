//! The nights that are told by their settings.

use levee_twin::{
    CallFault, FaultAnswer, FaultPlan, When,
    faults::{
        InventoryFault, InventoryFaultKind, JobFault, JobFaultKind, ObjectFault, ObjectFaultKind, ReportFault,
        ReportFaultKind, RowClass, RowFault,
    },
};
use serde_json::json;

use crate::night::{GOOD, LOCKED, Night, PLAIN};

pub(crate) fn nights() -> Vec<Night> {
    let mut nights = vec![
        Night::new("good", GOOD),
        Night { empty: true, ..Night::new("empty inventory", GOOD) },
        Night::new("unknown setting", "Levee.InputInvalid").of(PLAIN, json!({ "retention": 7 })),
        Night::new("locked, encrypted, in another class", GOOD).of(LOCKED, locked()),
    ];
    nights.extend(inventories());
    nights.extend(buckets());
    nights.extend(jobs());
    nights.extend(reports());
    nights.extend(trouble());
    nights
}

fn locked() -> serde_json::Value {
    json!({ "snapshot": {
        "object_lock": { "mode": "GOVERNANCE", "days": 30 },
        "kms_key_arn": "arn:aws:kms:us-east-1:222222222222:key/22222222-0000-4000-8000-000000000002",
        "storage_class": "GLACIER_IR",
        "tags": { "team": "payments" },
    }})
}

fn inventories() -> Vec<Night> {
    let fault = |kind| FaultPlan::from(InventoryFault::new(kind));
    let damaged = |name, kind| Night::new(name, "Levee.ManifestCorrupt").delivery(fault(kind)).redriven(GOOD);
    vec![
        Night::new("inventory overdue", "Levee.ManifestOverdue")
            .of(PLAIN, json!({ "manifest_limit_hours": 1 }))
            .delivery(fault(InventoryFaultKind::Missing))
            .redriven(GOOD),
        Night::new("checksum missing", "Levee.ManifestOverdue")
            .of(PLAIN, json!({ "manifest_limit_hours": 1 }))
            .delivery(fault(InventoryFaultKind::ChecksumMissing))
            .redriven(GOOD),
        Night::new("nothing selected", "Levee.NothingSelected")
            .of(PLAIN, json!({ "selection": { "include": [{ "prefix": "nowhere/" }] } })),
        Night::new("inventory overwritten", GOOD).delivery(fault(InventoryFaultKind::Overwritten { seconds: 15 })),
        damaged("checksum wrong", InventoryFaultKind::ChecksumWrong),
        damaged("data file missing", InventoryFaultKind::DataFileMissing),
        damaged("data file corrupt", InventoryFaultKind::DataFileCorrupt),
        damaged("data file truncated", InventoryFaultKind::DataFileTruncated),
    ]
}

fn buckets() -> Vec<Night> {
    vec![
        Night::new("name refused by S3", "Levee.BucketNameInvalid")
            .faults(CallFault::new(FaultAnswer::new("InvalidBucketName", 400)).of("s3", "CreateBucket")),
        Night::new("setting refused", "Levee.BucketNotConverged")
            .faults(CallFault::new(FaultAnswer::Denied).of("s3", "PutBucketTagging"))
            .redriven(GOOD),
        // The first look finds nothing, and the one after CreateBucket nothing yet.
        Night::new("bucket that appears late", GOOD)
            .faults(CallFault::new(FaultAnswer::new("NotFound", 404)).of("s3", "HeadBucket").limit(2)),
    ]
}

fn jobs() -> Vec<Night> {
    let first = |kind| JobFault { after_tasks: 3, when: When::First(1), ..JobFault::new(kind) };
    let fault = |class| RowFault { when: When::First(1), ..RowFault::new("*/part-0*", class) };
    let rows = |name, class| Night::new(name, "Levee.CopyIncomplete").faults(fault(class)).redriven(GOOD);
    let passing = |name, class| Night::new(name, GOOD).faults(fault(class));
    vec![
        Night::new("job rejected", "Levee.JobRejected")
            .faults(CallFault::new(FaultAnswer::Denied).of("s3control", "CreateJob"))
            .redriven(GOOD),
        Night::new("job failed", "Levee.CopyJobFailed")
            .faults(first(JobFaultKind::Fails { code: "Internal".to_owned(), reason: "planned".to_owned() }))
            .redriven(GOOD),
        Night::new("job stalled", "Levee.CopyJobStalled")
            .faults(first(JobFaultKind::Stalls))
            .of(PLAIN, json!({ "stall_limit_hours": 1 }))
            .redriven(GOOD),
        Night::new("job slow", GOOD).faults(JobFault::new(JobFaultKind::Slow { seconds_per_task: 200 })),
        rows("rows denied", RowClass::Denied),
        rows("rows too large", RowClass::TooLarge),
        rows("rows archived", RowClass::Archived),
        rows("rows under another key", RowClass::Kms),
        passing("rows said to be gone", RowClass::Vanished),
        passing("rows throttled", RowClass::Throttled),
        Night::new("rows throttled for ever", "Levee.CopyIncomplete")
            .of(PLAIN, json!({ "retries": 1 }))
            .faults(RowFault::new("*/part-0*", RowClass::Throttled))
            .redriven(GOOD),
        Night::new("objects vanished", GOOD)
            .faults(ObjectFault { limit: Some(2), ..ObjectFault::new("*part-1*", ObjectFaultKind::Vanishes) }),
        Night::new("objects of the locked source vanished", GOOD)
            .of(LOCKED, locked())
            .faults(ObjectFault { limit: Some(2), ..ObjectFault::new("*part-1*", ObjectFaultKind::Vanishes) }),
        Night::new("object changed", GOOD).faults(ObjectFault::new("*part-07*", ObjectFaultKind::Changes)),
        // What S3 does not do for the copy role, a redrive does.
        Night::new("copies refused", "Levee.CopyIncomplete")
            .faults(CallFault::new(FaultAnswer::Denied).of("s3", "CopyObject"))
            .redriven(GOOD),
    ]
}

fn reports() -> Vec<Night> {
    let fault = |kind| FaultPlan::from(ReportFault::new(kind));
    let untrusted = |name, kind| {
        Night::new(name, "Levee.ReportDoesNotReconcile").faults(fault(kind)).redriven("Levee.ReportDoesNotReconcile")
    };
    vec![
        Night::new("report missing", "Levee.ReportMissing")
            .faults(fault(ReportFaultKind::Missing))
            .redriven("Levee.ReportMissing"),
        Night::new("part of a report missing", "Levee.ReportMissing").faults(fault(ReportFaultKind::PartMissing)),
        Night::new("report late", GOOD).faults(fault(ReportFaultKind::Late { seconds: 1200 })),
        untrusted("row unreadable", ReportFaultKind::BadRow),
        untrusted("row dropped", ReportFaultKind::RowDropped),
        untrusted("row twice", ReportFaultKind::RowDuplicated),
        untrusted("checksum of a report wrong", ReportFaultKind::ChecksumWrong),
    ]
}

fn trouble() -> Vec<Night> {
    let often = |service: &str, answer| CallFault { service: Some(service.to_owned()), ..CallFault::new(answer) };
    vec![
        Night::new("call refused for good", "Levee.AwsRefused")
            .faults(CallFault::new(FaultAnswer::Denied).of("s3control", "DescribeJob"))
            .redriven(GOOD),
        Night::new("S3 throttles", GOOD).faults(often("s3", FaultAnswer::Throttled).when(When::Rate(0.3)).limit(30)),
        Night::new("batch fails inside", GOOD)
            .faults(often("s3control", FaultAnswer::Internal).when(When::Rate(0.3)).limit(30)),
        Night::new("queues throttle", GOOD)
            .faults(often("sqs", FaultAnswer::Throttled).when(When::Rate(0.3)).limit(30)),
        Night::new("states fail inside", GOOD)
            .faults(often("states", FaultAnswer::Internal).when(When::Rate(0.3)).limit(30)),
        Night::new("S3 down for long", GOOD)
            .faults(CallFault::new(FaultAnswer::Internal).of("s3", "CreateBucket").limit(60)),
        Night::new("workers die before a call", GOOD)
            .faults(CallFault::new(FaultAnswer::Death).when(When::Rate(0.08)).limit(8)),
        Night::new("workers die after a call", GOOD)
            .faults(CallFault::new(FaultAnswer::DeathAfter).when(When::Rate(0.08)).limit(8)),
    ]
}
