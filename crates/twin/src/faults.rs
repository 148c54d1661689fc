//! The plan of faults: everything that a twin can be told to let go wrong, as values and as a TOML file.
//!
//! A plan is data. It can be set before a night and changed while one runs ([`crate::Twin::set_faults`]); every decision is
//! taken when the thing in question happens, with the plan that holds then. All chance comes from the twin's seed, and each
//! draw only from the rule and from what it is about, so that no other call changes it. `docs/faults.md` describes every
//! kind with its fields and what Levee answers.

mod glob;
mod operations;
mod read;
mod when;

use serde::{Deserialize, Serialize};

pub(crate) use self::{
    glob::{fits, glob},
    when::{Tally, rate},
};
pub use self::{
    read::{Place, PlanError},
    when::When,
};
pub use crate::{
    gate::{CallFault, FaultAnswer},
    inventory::faults::{InventoryFault, InventoryFaultKind},
    s3control::faults::{
        JobFault, JobFaultKind, ObjectFault, ObjectFaultKind, ReportFault, ReportFaultKind, RowClass, RowFault,
    },
    scheduler::faults::{ScheduleFault, ScheduleFaultKind},
    sqs::faults::{MessageFault, MessageFaultKind},
};

/// The faults that a twin plays. The default plan has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Calls that are answered with an error, or in whose place the caller dies. The first rule that strikes decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<CallFault>,
    /// Messages that come twice, late or in another order. A message has all that strike it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageFault>,
    /// Inventories that are late, missing, damaged or wrong. A report has all that strike it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inventories: Vec<InventoryFault>,
    /// Invocations of schedules that come twice, late or never. An invocation has all that strike it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScheduleFault>,
    /// Objects that vanish or change between the inventory and the copy. The first rule that strikes decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectFault>,
    /// Batch jobs that go wrong as a whole. A job has all that strike it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobFault>,
    /// Tasks of batch jobs that fail, whatever the store would say. The first rule that strikes decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowFault>,
    /// Completion reports that are not what they should be. A report has all that strike it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ReportFault>,
}

impl FaultPlan {
    /// Adds a rule for one operation of one service that strikes every call.
    #[must_use]
    pub fn call(self, service: &str, operation: &str, answer: FaultAnswer) -> Self {
        self.call_when(service, operation, When::Always, answer)
    }

    /// Adds a rule for one operation of one service.
    #[must_use]
    pub fn call_when(mut self, service: &str, operation: &str, when: When, answer: FaultAnswer) -> Self {
        self.calls.push(CallFault::new(answer).of(service, operation).when(when));
        self
    }

    /// The rules by their places (`calls[0]`), as [`crate::Twin::struck`] names them.
    #[must_use]
    pub fn rules(&self) -> Vec<String> {
        let lists = [
            ("calls", self.calls.len()),
            ("messages", self.messages.len()),
            ("inventories", self.inventories.len()),
            ("schedules", self.schedules.len()),
            ("objects", self.objects.len()),
            ("jobs", self.jobs.len()),
            ("rows", self.rows.len()),
            ("reports", self.reports.len()),
        ];
        lists.into_iter().flat_map(|(list, count)| (0..count).map(move |rule| format!("{list}[{rule}]"))).collect()
    }

    /// Adds the rules of another plan behind those of this one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.calls.extend(other.calls);
        self.messages.extend(other.messages);
        self.inventories.extend(other.inventories);
        self.schedules.extend(other.schedules);
        self.objects.extend(other.objects);
        self.jobs.extend(other.jobs);
        self.rows.extend(other.rows);
        self.reports.extend(other.reports);
        self
    }
}

macro_rules! plans_of_one_rule {
    ($($list:ident: $Rule:ident),*) => {
        $(impl From<$Rule> for FaultPlan {
            /// A plan of this rule alone.
            fn from(rule: $Rule) -> Self {
                Self { $list: vec![rule], ..Self::default() }
            }
        })*
    };
}

plans_of_one_rule! {
    calls: CallFault,
    messages: MessageFault,
    inventories: InventoryFault,
    schedules: ScheduleFault,
    objects: ObjectFault,
    jobs: JobFault,
    rows: RowFault,
    reports: ReportFault
}
