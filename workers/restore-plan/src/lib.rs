//! The first stage of a restore: it claims the restore, sees that the plan still holds, and lists what is copied.
//!
//! What is copied is worked out once more, from the snapshot and from what the target has by now, by the code that made the plan. A
//! plan that does not come out as it was is not carried out. The lists are written for the restore and not for the execution: an
//! execution that takes it over from one that ended in the middle goes on with the same lists, and so with the same job.

mod lists;

use levee_delta_log::Options;
use levee_ledger::{
    Ledger, RunKey,
    restore::{PrefixToRestore, RESTORE_PLAN_VERSION, RestoreExecution, RestorePlan, TableToRestore},
    state::{Manifest, Restoration, Run},
};
use levee_restore::{Keys, Objects, Prefix, Stores, Walk, Wish, objects};
use levee_stage::{Aws, CommonSettings, Context, EventBus, NoSettings, Progress, Stage, StageError};
use levee_tables::BucketStore;
use lists::Lists;
use serde::Deserialize;
use serde_json::json;

/// The error of a plan that does not hold any more.
pub const RESTORE_PLAN_STALE: &str = "Levee.RestorePlanStale";

/// What is written for a restore, and not for one of its executions.
const RECORD: &str = "planned.json";

/// The part of the state that the stage reads: what was asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    /// `$.run`.
    pub run: Run,
}

/// The stage.
pub struct RestorePlanning {
    aws: Aws,
    ledger: Ledger,
    bus: EventBus,
}

impl RestorePlanning {
    /// The stage on these clients.
    #[must_use]
    pub fn new(aws: &Aws, common: &CommonSettings, _own: &NoSettings) -> Self {
        Self {
            aws: aws.clone(),
            ledger: Ledger::new(aws.s3.clone(), &common.ledger_bucket),
            bus: EventBus::new(aws.events.clone(), &common.event_bus),
        }
    }

    /// The plan that the run points to, and what this restore does of it.
    async fn plan(&self, restore: &Restoration) -> Result<RestorePlan, StageError> {
        let Some(stored) = self.ledger.read::<RestorePlan>(&restore.plan.key).await? else {
            return Err(stale(restore, "it is gone from the ledger"));
        };
        if stored.pointer.etag != restore.plan.etag {
            return Err(stale(restore, "the ledger has another plan at its key"));
        }
        let plan = stored.value;
        if plan.version != RESTORE_PLAN_VERSION {
            return Err(stale(
                restore,
                &format!("its form is {}, this release knows {RESTORE_PLAN_VERSION}", plan.version),
            ));
        }
        Ok(plan)
    }

    /// Works out what is copied and writes the lists.
    async fn planned(
        &self,
        key: &RunKey,
        run: &Run,
        restore: &Restoration,
        plan: &RestorePlan,
    ) -> Result<Manifest, StageError> {
        let executions = plan.executions()?;
        let Some(execution) = executions.iter().find(|execution| execution.id == restore.id) else {
            return Err(stale(restore, "its digest is not the one that the restore is named by"));
        };
        check(run, restore, plan, execution)?;
        let mut lists = Lists::new(&self.ledger, key.day_prefix(), &run.source);
        if let Err(error) = self.list(run, restore, plan, execution, &mut lists).await {
            lists.abort().await;
            return Err(error);
        }
        lists.finish(plan, restore, key.backup_date).await
    }

    async fn list(
        &self,
        run: &Run,
        restore: &Restoration,
        plan: &RestorePlan,
        execution: &RestoreExecution<'_>,
        lists: &mut Lists,
    ) -> Result<(), StageError> {
        for table in &execution.tables {
            let objects = self.objects(run, restore, plan, table).await?;
            lists.table(table, &objects).await?;
        }
        for prefix in &execution.prefixes {
            self.prefix(restore, plan, prefix, lists).await?;
        }
        Ok(())
    }

    /// Lists the objects below a prefix, if they are what the plan says.
    async fn prefix(
        &self,
        restore: &Restoration,
        plan: &RestorePlan,
        prefix: &PrefixToRestore,
        lists: &mut Lists,
    ) -> Result<(), StageError> {
        let (s3, target) = (&self.aws.s3, &restore.target);
        let what = Prefix { prefix: &prefix.prefix, single: prefix.single };
        let snapshot = Keys::new(s3, &prefix.run.bucket, &prefix.run.account, "", what);
        let there = Keys::new(s3, &target.name, &target.account, &restore.prefix, what);
        let mut walk = Walk::new(snapshot, there);
        while let Some(found) = walk.next().await? {
            lists.object(found).await?;
        }
        let walked = walk.end();
        if !plan.overwrite && walked.there.objects > 0 {
            let why = format!("objects are in the way at s3://{} by now: {}", target.name, walked.there.named());
            return Err(stale(restore, &why));
        }
        if walked.sha256 != prefix.objects_sha256 {
            let why = format!("the snapshot has other objects below {:?} than when it was made", prefix.prefix);
            return Err(stale(restore, &why));
        }
        Ok(())
    }

    /// What is copied of a table, if that is what the plan says.
    async fn objects(
        &self,
        run: &Run,
        restore: &Restoration,
        plan: &RestorePlan,
        table: &TableToRestore,
    ) -> Result<Objects, StageError> {
        let store = |bucket: &str, account: &str| BucketStore::new(&self.aws.s3, bucket, Some(account.to_owned()));
        let snapshot = store(&run.source, &run.source_account);
        let target = store(&restore.target.name, &restore.target.account);
        let stores = Stores { snapshot: &snapshot, path: &table.path, target: &target, root: &table.target };
        let wish = Wish { how: table.how, version: table.version, overwrite: plan.overwrite };
        let found = objects(&stores, wish, &Options::default()).await?.map_err(|refusal| stale(restore, &refusal))?;
        let (objects, bytes) = (found.copy.len() as u64, found.bytes());
        if (objects, bytes) != (table.objects, table.object_bytes) || found.sha256() != table.objects_sha256 {
            let why = format!(
                "{:?} would now take {objects} objects of {bytes} bytes, the plan has {} of {}: the snapshot or the target has \
                 changed since",
                table.path, table.objects, table.object_bytes
            );
            return Err(stale(restore, &why));
        }
        Ok(found)
    }
}

impl Stage for RestorePlanning {
    const NAME: &'static str = "restore-plan";
    type Input = Input;
    type Output = Manifest;

    async fn run(&self, context: &Context, input: Input) -> Result<Progress<Manifest>, StageError> {
        let run = &input.run;
        run.validate()?;
        let (Some(restore), Some(date)) = (&run.restore, run.backup_date) else {
            let cause = "$.run has no `restore` with a `backup_date`: this state machine is started by `levee restore apply` alone";
            return Err(StageError::permanent(StageError::INPUT_INVALID, cause));
        };
        let key = RunKey::of(run, date, &context.execution);
        self.ledger.claim_asking(&self.aws.sfn, &key, context.clock.now()).await?;
        let record = format!("{}{RECORD}", key.day_prefix());
        if let Some(planned) = self.ledger.read::<Manifest>(&record).await? {
            return Ok(Progress::Done(planned.value));
        }
        let plan = self.plan(restore).await?;
        let manifest = self.planned(&key, run, restore, &plan).await?;
        let manifest = self.ledger.write_once(&record, &manifest).await?.into_stored(manifest).value;
        self.bus.send("Restore Started", &started(&key, restore, &manifest)).await?;
        tracing::info!(
            objects = manifest.objects,
            bytes = manifest.bytes,
            "the plan holds, and what is copied is listed"
        );
        Ok(Progress::Done(manifest))
    }
}

/// Makes sure that the execution's input says what the plan says.
fn check(
    run: &Run,
    restore: &Restoration,
    plan: &RestorePlan,
    execution: &RestoreExecution<'_>,
) -> Result<(), StageError> {
    let same = execution.run.bucket == run.source
        && execution.run.account == run.source_account
        && Some(execution.run.backup_date) == run.backup_date
        && plan.source == restore.of
        && plan.target == restore.target
        && plan.target_prefix == restore.prefix;
    if same { Ok(()) } else { Err(stale(restore, "the input of the execution says other buckets than it does")) }
}

fn started(key: &RunKey, restore: &Restoration, manifest: &Manifest) -> serde_json::Value {
    json!({
        "source": key.source,
        "restore": restore.id,
        "drill": restore.drill,
        "backup_date": key.backup_date,
        "execution": key.execution_arn,
        "target": restore.target,
        "prefix": restore.prefix,
        "objects": manifest.objects,
        "bytes": manifest.bytes,
        "plan": restore.plan,
        "ledger": key.prefix(),
    })
}

fn stale(restore: &Restoration, why: &str) -> StageError {
    let cause = format!(
        "the plan s3://{}/{} is not carried out: {why}. Nothing was copied. Make a new plan with `levee restore plan` and apply \
         that one.",
        restore.plan.bucket, restore.plan.key
    );
    StageError::permanent(RESTORE_PLAN_STALE, cause)
}
