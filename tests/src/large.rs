//! Nights of large objects alone: the state machine from BucketProvision on, without a copy job.
//!
//! What is large is a matter of the plan, so that these nights have objects of a few megabytes.

use anyhow::{Context, Result};
use jiff::civil::Date;
use levee::deploy::definition;
use levee_ledger::{
    Ledger, OwnerState, RunKey,
    state::{Amount, LargeRow, Manifest, ObjectPointer, Plan, PlannedList},
};
use levee_stage::Execution;
use serde_json::{Map, Value, json};

use crate::Rig;

/// The first state of such a night, and those that come next.
const FIRST: &str = "BucketProvision";
const NEXT: [&str; 3] = ["LargeNext", "LargeCopy", "Done"];

impl Rig {
    /// Starts an execution that copies the objects `keys` of the source, as they are now, as large ones; what is not there is
    /// in the list with one byte. No worker is started.
    ///
    /// # Errors
    /// The first call that the twin refuses.
    pub async fn start_large(&self, name: &str, backup_date: Date, keys: &[&str]) -> Result<String> {
        let machine = self.large_machine().await?;
        let arn = format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"));
        let start_time = self.clock.now();
        let execution = Execution { id: arn.clone(), name: name.to_owned(), start_time, redrive_count: 0 };
        let run = RunKey::new(&self.plan.source, backup_date, &execution);
        let ledger = Ledger::new(self.accounts.backup.s3.clone(), &self.plan.ledger_bucket);
        ledger.claim(&run, self.clock.now(), async |_| Ok(OwnerState::Ended)).await?;
        let list = self.large_list(&ledger, &run, keys).await?;
        let mut input = self.plan.execution_input(backup_date, 2);
        let manifest = serde_json::to_value(manifest(backup_date, list, self.clock.now()))?;
        input.as_object_mut().context("the input is no object")?.insert("manifest".to_owned(), manifest);
        let start = self.accounts.backup.sfn.start_execution().state_machine_arn(machine).name(name);
        let started = start.input(input.to_string()).send().await.context("cannot start the execution")?;
        assert_eq!(started.execution_arn(), arn);
        Ok(arn)
    }

    /// The state machine without the stages of a copy job, and without the last look, which needs what those leave.
    async fn large_machine(&self) -> Result<String> {
        let whole: Value = serde_json::from_str(&definition(&self.deployed.queue_url_prefix))?;
        let mut states = Map::new();
        for name in [FIRST].iter().chain(&NEXT) {
            let state = whole.pointer(&format!("/States/{name}")).context("the definition lacks a state")?;
            states.insert((*name).to_owned(), state.clone());
        }
        for (name, way) in [("LargeNext", "Default"), ("LargeCopy", "Next")] {
            let state = states.get_mut(name).and_then(Value::as_object_mut).context("a state is no object")?;
            state.insert(way.to_owned(), "Done".into());
        }
        let first = states.get_mut(FIRST).and_then(Value::as_object_mut).context("the first state is no object")?;
        first.insert("Next".to_owned(), NEXT.first().copied().into());
        let machine = json!({ "StartAt": FIRST, "States": states });
        let role = format!("arn:aws:iam::{}:role/levee-state-machine", self.plan.backup_account);
        // Asked for again with the same definition, it is the same machine.
        let create = self.accounts.backup.sfn.create_state_machine().name("large").role_arn(role);
        Ok(create.definition(machine.to_string()).send().await?.state_machine_arn)
    }

    async fn large_list(&self, ledger: &Ledger, run: &RunKey, keys: &[&str]) -> Result<PlannedList> {
        let mut list = ledger.artefact(run.record("01-manifest-ready-large.jsonl"), "application/x-ndjson");
        let mut amount = Amount::default();
        for key in keys {
            let head = self.accounts.warehouse.s3.head_object().bucket(&self.plan.source).key(*key).send().await;
            let (size, etag) = match head {
                Ok(head) => (u64::try_from(head.content_length().unwrap_or_default())?, head.e_tag),
                Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => (1, None),
                Err(error) => return Err(error.into()),
            };
            let etag = etag.map(|etag| etag.trim_matches('"').to_owned());
            let row = LargeRow { key: (*key).to_owned(), size, etag };
            list.write(format!("{}\n", serde_json::to_string(&row)?).as_bytes()).await?;
            amount = Amount { rows: amount.rows + 1, bytes: amount.bytes + size };
        }
        Ok(PlannedList { pointer: list.finish().await?.pointer, amount })
    }
}

fn manifest(backup_date: Date, large: PlannedList, scan_started: jiff::Timestamp) -> Manifest {
    let pointer = |key: &str| ObjectPointer {
        bucket: "levee-manifests".to_owned(),
        key: key.to_owned(),
        etag: "e".to_owned(),
        version_id: None,
    };
    let objects = large.amount.rows;
    let plan = Plan {
        summary: pointer("plan.json"),
        decisions: [(levee_ledger::state::Decision::Large, large.amount)].into(),
        batch: None,
        large: Some(large),
        restore: None,
        skipped: None,
    };
    Manifest {
        backup_date,
        pointer: pointer("manifest.json"),
        scan_started,
        schema: ["Bucket", "Key", "Size", "ETag"].map(str::to_owned).to_vec(),
        files: 1,
        objects,
        bytes: None,
        too_large: Some(objects),
        archived: None,
        keys: None,
        plan: Some(plan),
    }
}
