//! One night: what it is set up with, how it ends, and what is left of it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use anyhow::{Result, bail};
use jiff::civil::{Date, date};
use levee::deploy::{Accounts, Plan};
use levee_tests::{Rig, RigBuilder};
use levee_twin::{FaultPlan, RecordedCall, Twin};
use serde_json::{Value, json};

use crate::notify;

/// The source of most nights.
pub(crate) const PLAIN: &str = "lake-events";
/// The source whose snapshots have Object Lock, a KMS key and another storage class.
pub(crate) const LOCKED: &str = "lake-payments";
pub(crate) const SOURCES: [&str; 2] = [PLAIN, LOCKED];
/// May remove snapshots.
pub(crate) const BREAK_GLASS: &str = "arn:aws:iam::222222222222:role/break-glass";
/// How an execution ends well.
pub(crate) const GOOD: &str = "Succeeded";

pub(crate) const SCAN: &str = "2026-04-02T01:00:00Z";
pub(crate) const BEGINS: &str = "2026-04-02T02:00:00Z";

/// A night that is told by its settings.
pub(crate) struct Night {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    /// Members of the execution's `run`, beside the usual ones.
    pub(crate) run: Value,
    pub(crate) empty: bool,
    /// In force while the inventory is delivered, and from then on.
    pub(crate) delivery: FaultPlan,
    /// In force once the inventory is there.
    pub(crate) faults: FaultPlan,
    /// The error that the execution fails with, or [`GOOD`].
    pub(crate) ends: &'static str,
    /// How a redrive ends, without faults and with another delivery; none is made without it.
    pub(crate) redriven: Option<&'static str>,
}

impl Night {
    pub(crate) fn new(name: &'static str, ends: &'static str) -> Self {
        Self {
            name,
            source: PLAIN,
            run: json!({}),
            empty: false,
            delivery: FaultPlan::default(),
            faults: FaultPlan::default(),
            ends,
            redriven: None,
        }
    }

    pub(crate) fn faults(self, faults: impl Into<FaultPlan>) -> Self {
        Self { faults: self.faults.and(faults.into()), ..self }
    }

    pub(crate) fn delivery(self, faults: impl Into<FaultPlan>) -> Self {
        Self { delivery: faults.into(), ..self }
    }

    pub(crate) fn of(self, source: &'static str, run: Value) -> Self {
        Self { source, run, ..self }
    }

    pub(crate) fn redriven(self, ends: &'static str) -> Self {
        Self { redriven: Some(ends), ..self }
    }
}

/// What is left of a night.
pub(crate) struct Played {
    pub(crate) calls: Vec<RecordedCall>,
    /// The account of each bucket.
    pub(crate) owners: BTreeMap<String, String>,
    /// The policies of the snapshot buckets.
    pub(crate) policies: BTreeMap<String, Value>,
}

impl Played {
    /// Gives resources other names.
    pub(crate) fn rename(&mut self, names: &[(&str, &str)]) {
        for need in self.calls.iter_mut().flat_map(|call| &mut call.needs) {
            if let Some((_, name)) = names.iter().find(|(from, _)| need.resource == *from) {
                need.resource = (*name).into();
            }
        }
    }

    pub(crate) async fn of(rig: &Rig) -> Result<Self> {
        let mut played = Self::on(&rig.twin, &rig.accounts, &rig.plan).await?;
        for bucket in rig.snapshot_buckets().await? {
            // A bucket that was never finished has none.
            if let Ok(found) = rig.accounts.backup.s3.get_bucket_policy().bucket(&bucket).send().await {
                played.policies.insert(bucket, serde_json::from_str(found.policy().unwrap_or_default())?);
            }
        }
        Ok(played)
    }

    /// What is left on a twin without snapshots.
    pub(crate) async fn on(twin: &Twin, accounts: &Accounts, plan: &Plan) -> Result<Self> {
        let mut owners = BTreeMap::new();
        for (account, aws) in [(&plan.warehouse_account, &accounts.warehouse), (&plan.backup_account, &accounts.backup)]
        {
            for bucket in aws.s3.list_buckets().send().await?.buckets() {
                owners.insert(bucket.name().unwrap_or_default().to_owned(), account.clone());
            }
        }
        Ok(Self { calls: twin.calls(), owners, policies: BTreeMap::new() })
    }
}

pub(crate) fn day() -> Date {
    date(2026, 3, 31)
}

/// What a rig of these nights is made with.
pub(crate) fn builder(source: &str) -> Result<RigBuilder> {
    let builder = RigBuilder::new(source, BEGINS.parse()?);
    Ok(builder.plan(|mut plan| {
        plan.break_glass_arns = vec![BREAK_GLASS.to_owned()];
        plan
    }))
}

/// A deployed rig whose events are told to subscribers, with objects in the source, one of them tagged.
pub(crate) async fn furnished(builder: RigBuilder) -> Result<Rig> {
    let rig = builder.build().await?;
    notify::subscribe(&rig).await?;
    let key = |n: u8| format!("events/date=2026-03-31/part-{n:02} ä.parquet");
    rig.fill((0..12).map(|n| (key(n), vec![n; 64]))).await?;
    let tagged = rig.accounts.warehouse.s3.put_object().bucket(&rig.plan.source).key("events/tagged.parquet");
    tagged.tagging("table=events").send().await?;
    Ok(rig)
}

/// A furnished rig of a source, with its inventory delivered.
pub(crate) async fn ready(source: &str) -> Result<Rig> {
    let rig = furnished(builder(source)?).await?;
    deliver(&rig).await?;
    Ok(rig)
}

pub(crate) async fn deliver(rig: &Rig) -> Result<()> {
    rig.deliver(SCAN.parse()?).await
}

thread_local! {
    static ENDS: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// How executions have ended so far, in all nights.
pub(crate) fn ends() -> BTreeSet<String> {
    ENDS.with_borrow(Clone::clone)
}

/// Lets time pass until the execution has ended, which must be in this way.
pub(crate) async fn expect(rig: &Rig, execution: &str, ends: &str) -> Result<()> {
    let ended = rig.until_ended(execution).await?;
    let how = match (ended.status.as_str(), &ended.error) {
        ("FAILED", Some(error)) => error.as_str(),
        ("SUCCEEDED", _) => GOOD,
        (other, _) => other,
    };
    if how != ends {
        bail!("it ends with {how} and not with {ends}: {:?}", ended.cause);
    }
    ENDS.with_borrow_mut(|all| all.insert(ends.to_owned()));
    Ok(())
}

/// Plays the night.
pub(crate) async fn play(night: Night) -> Result<Played> {
    let mut rig = if night.empty {
        let rig = builder(night.source)?.build().await?;
        notify::subscribe(&rig).await?;
        rig
    } else {
        furnished(builder(night.source)?).await?
    };
    rig.set_faults(night.delivery.clone());
    deliver(&rig).await?;
    rig.set_faults(night.delivery.and(night.faults));
    let mut input = rig.plan.execution_input(day(), 2);
    if let (Some(run), Some(more)) = (input.pointer_mut("/run").and_then(Value::as_object_mut), night.run.as_object()) {
        run.extend(more.clone());
    }
    let execution = rig.start_with("night", &input).await?;
    expect(&rig, &execution, night.ends).await?;
    if let Some(ends) = night.redriven {
        rig.set_faults(FaultPlan::default());
        deliver(&rig).await?;
        rig.redrive(&execution).await?;
        expect(&rig, &execution, ends).await?;
    }
    Played::of(&rig).await
}
