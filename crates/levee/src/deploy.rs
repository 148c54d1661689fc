//! Sets up what a real deployment of Levee consists of: buckets with their policies, the inventory configuration, queues,
//! the bus and the state machine. Works on any endpoint; the demo and the tests use it on the twin.

mod buckets;
mod guard;
mod queues;
mod schedules;

use anyhow::{Context, Result};
use jiff::civil::Date;
use levee_stage::Aws;
use serde_json::{Value, json};

pub use buckets::{INVENTORY_FIELDS, manifest_bucket_policy, restore_bucket_policy, source_bucket_policy};
pub use guard::{Guard, guard};
pub use queues::queue_arn;
pub use schedules::{START_EXECUTION, Timetable, schedule};

/// The definition of the state machine; `${queue_url_prefix}` stands for the queues' common beginning.
pub const STATE_MACHINE: &str = include_str!("../../../statemachine/backup.asl.json");
/// The definition of the state machine of restores, in the same form.
pub const RESTORE_STATE_MACHINE: &str = include_str!("../../../statemachine/restore.asl.json");
/// The definition of the state machine of drills, in the same form.
pub const DRILL_STATE_MACHINE: &str = include_str!("../../../statemachine/drill.asl.json");
/// The name of the state machine.
pub const STATE_MACHINE_NAME: &str = "levee-backup";
/// The name of that of restores: see [`levee_ledger::restore::state_machine_of`].
pub const RESTORE_STATE_MACHINE_NAME: &str = "levee-restore";
/// The name of that of drills.
pub const DRILL_STATE_MACHINE_NAME: &str = "levee-drill";
/// The bus that Levee's events go to.
pub const BUS: &str = "levee";

/// What is set up, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The Region of everything.
    pub region: String,
    /// The account that owns the source bucket, 12 digits.
    pub warehouse_account: String,
    /// The account that owns everything else, 12 digits.
    pub backup_account: String,
    /// The bucket to protect.
    pub source: String,
    /// Where inventories arrive.
    pub manifest_bucket: String,
    /// Where completion reports arrive.
    pub report_bucket: String,
    /// Where Levee keeps its records.
    pub ledger_bucket: String,
    /// The id of the inventory configuration.
    pub inventory_id: String,
    /// The prefix of the inventories in the manifest bucket.
    pub inventory_prefix: String,
    /// The role that Batch Operations copies with, in the backup account.
    pub copy_role_arn: String,
    /// The role that tables are brought back with, in the backup account; none while restores are not enabled.
    pub restore_role_arn: Option<String>,
    /// The role that drills copy with, in the backup account; none where there are no drills.
    pub drill_role_arn: Option<String>,
    /// The bucket that drills restore into, in the backup account; none where there are no drills.
    pub scratch_bucket: Option<String>,
    /// What the queues' names begin with.
    pub queue_prefix: String,
    /// The principals, role ARNs or patterns of them, that may remove snapshots and change their protection.
    pub break_glass_arns: Vec<String>,
    /// The key that receipts are signed with; none without it.
    pub receipt_signing_key_arn: Option<String>,
}

impl Plan {
    /// The names that the demo and the tests use: warehouse 111111111111, backup 222222222222, us-east-1.
    #[must_use]
    pub fn for_source(source: &str) -> Self {
        Self {
            region: "us-east-1".to_owned(),
            warehouse_account: "111111111111".to_owned(),
            backup_account: "222222222222".to_owned(),
            source: source.to_owned(),
            manifest_bucket: "levee-manifests".to_owned(),
            report_bucket: "levee-reports".to_owned(),
            ledger_bucket: "levee-ledger".to_owned(),
            inventory_id: "daily".to_owned(),
            inventory_prefix: "inventory".to_owned(),
            copy_role_arn: "arn:aws:iam::222222222222:role/levee-batch-copy".to_owned(),
            restore_role_arn: None,
            drill_role_arn: None,
            scratch_bucket: None,
            queue_prefix: "levee-".to_owned(),
            receipt_signing_key_arn: None,
            break_glass_arns: Vec::new(),
        }
    }

    /// The same with restores into the source enabled.
    #[must_use]
    pub fn with_restores(self) -> Self {
        let role = format!("arn:aws:iam::{}:role/levee-batch-restore", self.backup_account);
        Self { restore_role_arn: Some(role), ..self }
    }

    /// The same with drills.
    #[must_use]
    pub fn with_drills(self) -> Self {
        let role = format!("arn:aws:iam::{}:role/levee-batch-drill", self.backup_account);
        Self { drill_role_arn: Some(role), scratch_bucket: Some("levee-scratch".to_owned()), ..self }
    }

    /// The input of the executions of drills of the source; the scratch bucket has no name where there are none.
    #[must_use]
    pub fn drill_input(&self, tables: u8) -> Value {
        let name = self.scratch_bucket.as_deref().unwrap_or_default();
        json!({ "drill": {
            "source": self.source,
            "scratch": { "name": name, "account": self.backup_account, "region": self.region },
            "tables": tables,
        }})
    }

    /// The input of an execution for one backup date.
    #[must_use]
    pub fn execution_input(&self, backup_date: Date, settle_days: u8) -> Value {
        json!({ "run": {
            "source": self.source,
            "source_account": self.warehouse_account,
            "inventory": self.inventory_location(),
            "backup_date": backup_date.to_string(),
            "settle_days": settle_days,
        }})
    }

    /// The input of the executions that a schedule starts: the backup date is that of the tick less the settle days.
    #[must_use]
    pub fn scheduled_input(&self, time_zone: &str, settle_days: u8) -> Value {
        json!({ "run": {
            "source": self.source,
            "source_account": self.warehouse_account,
            "inventory": self.inventory_location(),
            "scheduled_time": "<aws.scheduler.scheduled-time>",
            "time_zone": time_zone,
            "settle_days": settle_days,
        }})
    }

    /// The name of the execution for one backup date.
    #[must_use]
    pub fn execution_name(&self, backup_date: Date) -> String {
        format!("{}-{backup_date}", self.short_source())
    }

    /// The source's name for names that hold it and something more: of executions (80 characters), of schedules (64).
    #[must_use]
    pub fn short_source(&self) -> String {
        self.source.chars().take(58).collect()
    }

    /// The role of a stage's worker, in the backup account.
    #[must_use]
    pub fn worker_role_arn(&self, stage: &str) -> String {
        format!("arn:aws:iam::{}:role/levee-worker-{stage}", self.backup_account)
    }

    fn inventory_location(&self) -> Value {
        json!({ "bucket": self.manifest_bucket, "prefix": self.inventory_prefix, "id": self.inventory_id })
    }
}

/// Clients of the two accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// The account of the source bucket.
    pub warehouse: Aws,
    /// The backup account.
    pub backup: Aws,
}

/// What was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The state machine.
    pub state_machine_arn: String,
    /// What the queues' URLs begin with; a stage's name makes it whole.
    pub queue_url_prefix: String,
}

/// Sets everything up for one source.
///
/// # Errors
/// The first call that AWS refuses, with what was being set up.
pub async fn deploy(accounts: &Accounts, plan: &Plan) -> Result<Deployed> {
    deploy_all(accounts, std::slice::from_ref(plan)).await
}

/// Sets everything up for several sources. The plans differ in their sources alone: the names of what sources share are
/// taken from the first.
///
/// # Errors
/// There is no plan; or the first call that AWS refuses, with what was being set up.
pub async fn deploy_all(accounts: &Accounts, plans: &[Plan]) -> Result<Deployed> {
    let plan = plans.first().context("there is no source to set up")?;
    for plan in plans {
        buckets::source(accounts, plan).await?;
    }
    buckets::shared(accounts, plan, plans).await?;
    let queue_url_prefix = queues::create(&accounts.backup, &plan.queue_prefix).await?;
    let events = &accounts.backup.events;
    events.create_event_bus().name(BUS).send().await.with_context(|| format!("cannot create the bus {BUS}"))?;
    let machine = async |name, definition| {
        state_machine(&accounts.backup, plan, name, filled(definition, &queue_url_prefix)).await
    };
    let state_machine_arn = machine(STATE_MACHINE_NAME, STATE_MACHINE).await?;
    machine(RESTORE_STATE_MACHINE_NAME, RESTORE_STATE_MACHINE).await?;
    machine(DRILL_STATE_MACHINE_NAME, DRILL_STATE_MACHINE).await?;
    for plan in plans {
        buckets::inventory(accounts, plan).await?;
    }
    Ok(Deployed { state_machine_arn, queue_url_prefix })
}

/// The state machine's definition for queues whose URLs begin with `queue_url_prefix`.
#[must_use]
pub fn definition(queue_url_prefix: &str) -> String {
    filled(STATE_MACHINE, queue_url_prefix)
}

/// That of the state machine of restores.
#[must_use]
pub fn restore_definition(queue_url_prefix: &str) -> String {
    filled(RESTORE_STATE_MACHINE, queue_url_prefix)
}

/// That of the state machine of drills.
#[must_use]
pub fn drill_definition(queue_url_prefix: &str) -> String {
    filled(DRILL_STATE_MACHINE, queue_url_prefix)
}

fn filled(definition: &str, queue_url_prefix: &str) -> String {
    definition.replace("${queue_url_prefix}", queue_url_prefix)
}

async fn state_machine(aws: &Aws, plan: &Plan, name: &str, definition: String) -> Result<String> {
    let made = aws
        .sfn
        .create_state_machine()
        .name(name)
        .definition(definition)
        .role_arn(format!("arn:aws:iam::{}:role/levee-state-machine", plan.backup_account))
        .send()
        .await
        .with_context(|| format!("cannot create the state machine {name}"))?;
    Ok(made.state_machine_arn().to_owned())
}
