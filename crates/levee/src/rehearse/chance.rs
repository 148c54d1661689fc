//! The faults of a day, drawn by chance.

use fastrand::Rng;
use levee_twin::{
    FaultPlan,
    faults::{
        CallFault, FaultAnswer, InventoryFault, InventoryFaultKind, JobFault, JobFaultKind, MessageFault,
        MessageFaultKind, ObjectFault, ObjectFaultKind, ReportFault, ReportFaultKind, RowClass, RowFault,
        ScheduleFault, ScheduleFaultKind, When,
    },
};

/// How likely a kind of fault is in a bad day's plan.
const LIKELY: f64 = 0.35;
/// The account whose calls are struck: the one that the workers call from. The warehouse's own writer is left alone.
const BACKUP_ACCOUNT: &str = "222222222222";
/// Classes of failed rows that a redrive can mend.
const CLASSES: [RowClass; 8] = [
    RowClass::Denied,
    RowClass::Vanished,
    RowClass::TooLarge,
    RowClass::Archived,
    RowClass::Kms,
    RowClass::Throttled,
    RowClass::Internal,
    RowClass::ErrorWith200,
];

/// A day as there are many: some inventories are hours late.
pub(super) fn usual_day(random: &mut Rng) -> FaultPlan {
    let late = InventoryFaultKind::Late { seconds: random.u64(1..7) * 3600 };
    InventoryFault { when: When::First(random.u64(0..5)), ..InventoryFault::new(late) }.into()
}

/// A day on which several things go wrong at once.
pub(super) fn bad_day(random: &mut Rng) -> FaultPlan {
    let mut plan = usual_day(random);
    let parts: [fn(&mut Rng) -> FaultPlan; 9] =
        [failing_calls, deaths, messages, inventories, schedules, objects, jobs, rows, reports];
    for part in parts {
        if random.f64() < LIKELY {
            plan = plan.and(part(random));
        }
    }
    plan
}

fn failing_calls(random: &mut Rng) -> FaultPlan {
    let answers = [FaultAnswer::Throttled, FaultAnswer::Internal];
    let services = ["s3", "sqs", "states", "s3control", "events"];
    let mut plan = FaultPlan::default();
    for answer in answers {
        let service = services.get(random.usize(0..services.len())).map(|name| (*name).to_owned());
        let rate = random.f64() * 0.05;
        let rule = CallFault { service, account: Some(BACKUP_ACCOUNT.to_owned()), ..CallFault::new(answer) };
        plan.calls.push(rule.when(When::Rate(rate)));
    }
    plan
}

fn deaths(random: &mut Rng) -> FaultPlan {
    let answer = if random.bool() { FaultAnswer::Death } else { FaultAnswer::DeathAfter };
    let rule = CallFault::new(answer).when(When::Rate(random.f64() * 0.02)).limit(random.u64(1..20));
    rule.into()
}

fn messages(random: &mut Rng) -> FaultPlan {
    let kind = match random.u8(0..3) {
        0 => MessageFaultKind::Duplicated { seconds: random.u32(0..3600) },
        1 => MessageFaultKind::Delayed { seconds: random.u32(1..900) },
        _ => MessageFaultKind::Reordered { behind: random.u32(1..4), seconds: random.u32(1..900) },
    };
    // Without a limit every copy of a message that waits would be copied again with each wait.
    MessageFault { when: When::Rate(random.f64() * 0.3), limit: Some(40), ..MessageFault::new(kind) }.into()
}

fn inventories(random: &mut Rng) -> FaultPlan {
    let kind = match random.u8(0..9) {
        0 => InventoryFaultKind::Missing,
        1 => InventoryFaultKind::ChecksumMissing,
        2 => InventoryFaultKind::ChecksumWrong,
        3 => InventoryFaultKind::DataFileMissing,
        4 => InventoryFaultKind::DataFileCorrupt,
        5 => InventoryFaultKind::DataFileTruncated,
        6 => InventoryFaultKind::RecentMissing { seconds: random.u64(1..48) * 3600 },
        7 => InventoryFaultKind::DeletedListed { keys: vec!["sales/orders/gone ä.parquet".to_owned()] },
        _ => InventoryFaultKind::Overwritten { seconds: random.u64(1..7200) },
    };
    InventoryFault { when: When::First(random.u64(1..4)), ..InventoryFault::new(kind) }.into()
}

fn schedules(random: &mut Rng) -> FaultPlan {
    let kind = match random.bool() {
        true => ScheduleFaultKind::Duplicate { after_seconds: random.u64(0..86_400) },
        false => ScheduleFaultKind::Late { seconds: random.u64(1..18_000) },
    };
    ScheduleFault { when: When::Rate(random.f64()), ..ScheduleFault::new(kind) }.into()
}

fn objects(random: &mut Rng) -> FaultPlan {
    let kind = if random.bool() { ObjectFaultKind::Vanishes } else { ObjectFaultKind::Changes };
    let keys = if random.bool() { "*.parquet" } else { "*" };
    let rule =
        ObjectFault { rate: Some(random.f64() * 0.2), limit: Some(random.u64(1..5)), ..ObjectFault::new(keys, kind) };
    ObjectFault { when: When::First(random.u64(1..4)), ..rule }.into()
}

fn jobs(random: &mut Rng) -> FaultPlan {
    let kind = match random.u8(0..5) {
        0 => JobFaultKind::Fails { code: "InternalFailure".to_owned(), reason: "a planned failure".to_owned() },
        1 => JobFaultKind::Stalls,
        2 => JobFaultKind::Suspended,
        3 => JobFaultKind::Paused { seconds: random.u64(1..36_000) },
        _ => JobFaultKind::Slow { seconds_per_task: random.u64(1..600) },
    };
    let rule = JobFault { after_tasks: random.u64(0..20), ..JobFault::new(kind) };
    JobFault { when: When::First(random.u64(1..4)), ..rule }.into()
}

fn rows(random: &mut Rng) -> FaultPlan {
    let class = CLASSES.get(random.usize(0..CLASSES.len())).copied().unwrap_or(RowClass::Throttled);
    let rule = RowFault { rate: Some(random.f64() * 0.5), ..RowFault::new("*", class) };
    RowFault { when: When::First(random.u64(1..4)), ..rule }.into()
}

fn reports(random: &mut Rng) -> FaultPlan {
    let kind = match random.u8(0..7) {
        0 => ReportFaultKind::Missing,
        1 => ReportFaultKind::PartMissing,
        2 => ReportFaultKind::Late { seconds: random.u64(1..7200) },
        3 => ReportFaultKind::BadRow,
        4 => ReportFaultKind::RowDropped,
        5 => ReportFaultKind::RowDuplicated,
        _ => ReportFaultKind::ChecksumWrong,
    };
    ReportFault { when: When::First(random.u64(1..4)), ..ReportFault::new(kind) }.into()
}
