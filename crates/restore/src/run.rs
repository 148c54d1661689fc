//! The input of the executions that carry a plan out.

use levee_ledger::{
    restore::{RestoreExecution, RestorePlan},
    state::{
        ArchivedPolicy, InventoryLocation, ObjectPointer, Restoration, Restoring, Run, SLICE_FILES, Selection,
        SnapshotSettings,
    },
};

/// Whoever waits for a restore waits for nothing else.
const PRIORITY: i32 = 100;
/// A drill can wait for the nights, whose priority is 10.
const PRIORITY_OF_DRILLS: i32 = 1;

/// `$.run` of an execution of a plan, which is at `pointer`.
#[must_use]
pub fn run_of(plan: &RestorePlan, execution: &RestoreExecution<'_>, pointer: ObjectPointer, drill: bool) -> Run {
    let archived = execution.copied().archived > 0;
    Run {
        source: execution.run.bucket.clone(),
        source_account: execution.run.account.clone(),
        inventory: InventoryLocation::default(),
        backup_date: Some(execution.run.backup_date),
        scheduled_time: None,
        time_zone: "UTC".to_owned(),
        settle_days: 0,
        manifest_limit_hours: 1,
        stall_limit_hours: 6,
        priority: if drill { PRIORITY_OF_DRILLS } else { PRIORITY },
        retries: 3,
        slice_files: SLICE_FILES,
        selection: Selection::default(),
        archived: if archived { ArchivedPolicy::Restore(Restoring::default()) } else { ArchivedPolicy::Fail },
        snapshot: SnapshotSettings::default(),
        restore: Some(Restoration {
            id: execution.id.clone(),
            of: plan.source.clone(),
            plan: pointer,
            target: plan.target.clone(),
            prefix: plan.target_prefix.clone(),
            drill,
        }),
    }
}
