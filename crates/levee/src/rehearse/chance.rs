//! The faults of a day, drawn by chance.

use fastrand::Rng;
use levee_twin::{
    FaultPlan,
    gate::{CallFault, FaultAnswer, When},
    inventory::faults::{InventoryFault, InventoryFaultKind, InventoryFaults},
};

/// A day as there are many: some inventories are hours late.
pub(super) fn usual_day(random: &mut Rng) -> FaultPlan {
    let late = InventoryFaultKind::Late { seconds: random.u64(0..6) * 3600 };
    let reports = vec![InventoryFault { kind: late, bucket: None, first_reports: Some(random.u64(0..5)) }];
    FaultPlan { inventories: InventoryFaults { reports }, ..FaultPlan::default() }
}

/// A day with a plan of faults.
pub(super) fn bad_day(random: &mut Rng) -> FaultPlan {
    let mut plan = usual_day(random);
    plan.calls = vec![CallFault {
        service: Some("s3".to_owned()),
        operation: None,
        resource: None,
        account: Some("222222222222".to_owned()),
        when: When::Rate(0.01),
        limit: None,
        answer: FaultAnswer::slow_down(),
    }];
    plan
}
