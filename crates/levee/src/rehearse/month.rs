//! One rehearsal, from the deployment to the audit.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use futures::future::try_join_all;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use levee_clock::Clock;
use levee_stage::Aws;
use levee_twin::{FaultPlan, Twin, s3control::ControlOptions, service::Principal};

use super::{
    audit::Audit,
    chance,
    operator::Operator,
    outcome::Outcome,
    settings::{Faults, Month},
    warehouse::Writer,
    witness::Witness,
};
use crate::{
    deploy::{Accounts, Deployed, Plan, Timetable, deploy_all, schedule},
    fleet::Fleet,
    hosts::Hosted,
};

/// Days that Inventory gets to become consistent.
pub(super) const SETTLE_DAYS: u8 = 2;
/// When the schedules tick, each in the zone of its source.
const TICK: &str = "cron(0 20 * * ? *)";
/// The zones of the sources, in turn. One has daylight saving time.
const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "Etc/UTC"];
/// The hour, UTC, of the warehouse's maintenance.
const MAINTENANCE_HOUR: i8 = 0;
/// The hour, UTC, at which the operator looks at last night, and the day's faults change.
const OFFICE_HOUR: i8 = 9;
/// How long after the last tick every run must have ended: redrives of it included, each with its own waits.
const WIND_DOWN_DAYS: i64 = 14;

/// Plays the month. Needs a paused current-thread runtime of its own.
///
/// # Errors
/// The rehearsal itself could not go on; what it finds wrong is in the outcome.
pub(super) async fn play(month: Month) -> Result<Outcome> {
    play_and(month, async |_| Ok(())).await
}

/// Plays the month, then does something to what it has left before that is audited.
async fn play_and(month: Month, meddle: impl AsyncFnOnce(&Stage) -> Result<()>) -> Result<Outcome> {
    // The SDK and the workers draw their jitter from this thread's generator.
    fastrand::seed(month.seed);
    let stage = Stage::set(month).await?;
    let mut writers = stage.writers();
    for writer in &mut writers {
        writer.keep_history().await?;
        writer.first_day().await?;
    }
    let fleet = stage.fleet()?;
    let mut operator = Operator::new(stage.accounts.backup.clone(), stage.deployed.state_machine_arn.clone());
    let mut witness = Witness::new(&stage.plans);
    stage.start_schedules(month).await?;
    // The day after the last tick.
    let over = i64::from(SETTLE_DAYS) + i64::from(month.days);
    for index in 1..=over + WIND_DOWN_DAYS {
        stage.until(month.day(index), MAINTENANCE_HOUR).await?;
        // What it removes is in inventories that are copied later: such nights have to explain it.
        try_join_all(writers.iter_mut().map(Writer::night)).await?;
        stage.until(month.day(index), OFFICE_HOUR).await?;
        witness.look(&stage.twin);
        operator.look_after().await?;
        let active = index < over;
        stage.twin.set_faults(faults(month, index, active));
        if !active && !operator.has_work().await? {
            break;
        }
        if active {
            try_join_all(writers.iter_mut().map(Writer::day)).await?;
        }
    }
    drop(fleet);
    meddle(&stage).await?;
    witness.look(&stage.twin);
    Audit::of(&stage.twin, &stage.accounts, &stage.plans, &stage.deployed, month).outcome(&witness).await
}

/// Faults end with the last tick, so that what they have broken can be mended.
fn faults(month: Month, day: i64, active: bool) -> FaultPlan {
    match (month.faults, active) {
        (Faults::None, true) => chance::usual_day(&mut Rng::with_seed(stream(month.seed, day))),
        (Faults::Random, true) => chance::bad_day(&mut Rng::with_seed(stream(month.seed, day))),
        (_, false) => FaultPlan::default(),
    }
}

/// A seed for one of many streams of chance.
fn stream(seed: u64, number: i64) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number.unsigned_abs()).rotate_left(17)
}

/// The deployment that the month is played on.
struct Stage {
    twin: Twin,
    clock: Clock,
    plans: Vec<Plan>,
    accounts: Accounts,
    deployed: Deployed,
    seed: u64,
}

impl Stage {
    async fn set(month: Month) -> Result<Self> {
        let clock = Clock::starting_at(utc(month.first_date, 6)?);
        let plans: Vec<Plan> = (1..=month.sources).map(|number| Plan::for_source(&source_name(number))).collect();
        let plan = plans.first().context("a rehearsal needs a source")?;
        let twin = Twin::builder().clock(clock.clone()).seed(month.seed).region(&plan.region).jobs(long_jobs()).build();
        let accounts = Accounts {
            warehouse: Aws::new(&twin.sdk_config(&plan.warehouse_account, &Principal::Root)),
            backup: Aws::new(&twin.sdk_config(&plan.backup_account, &Principal::Root)),
        };
        let deployed = deploy_all(&accounts, &plans).await.context("cannot set up the deployment")?;
        Ok(Self { twin, clock, plans, accounts, deployed, seed: month.seed })
    }

    /// The names that all sources share.
    fn plan(&self) -> Result<&Plan> {
        self.plans.first().context("a rehearsal needs a source")
    }

    fn fleet(&self) -> Result<Fleet> {
        let (plan, clock) = (self.plan()?.clone(), self.clock.clone());
        Ok(Fleet::start(&self.twin, self.plan()?, move |aws| Hosted::in_process(aws, &plan, clock.clone())))
    }

    fn writers(&self) -> Vec<Writer> {
        let s3 = &self.accounts.warehouse.s3;
        let writer = |(index, plan): (usize, &Plan)| {
            let number = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(100_000);
            Writer::new(s3.clone(), &plan.source, stream(self.seed, number))
        };
        self.plans.iter().enumerate().map(writer).collect()
    }

    async fn until(&self, day: Date, hour: i8) -> Result<()> {
        let when = utc(day, hour)?;
        if when < self.clock.now().saturating_sub(Duration::from_secs(3600))? {
            bail!("the rehearsal is late: it is {} and should be {when}", self.clock.now());
        }
        self.clock.sleep_until(when).await;
        Ok(())
    }

    /// Has every source backed up for every date of the month.
    async fn start_schedules(&self, month: Month) -> Result<()> {
        let plan = self.plan()?;
        let config = self.twin.sdk_config(&plan.backup_account, &Principal::Root);
        let scheduler = aws_sdk_scheduler::Client::new(&config);
        let first = month.day(i64::from(SETTLE_DAYS));
        let after = month.day(i64::from(SETTLE_DAYS) + i64::from(month.days));
        for (plan, zone) in self.plans.iter().zip(ZONES.iter().cycle()) {
            let midnight = |day: Date| anyhow::Ok(day.to_zoned_datetime(TimeZone::get(zone)?)?.timestamp());
            let timetable = Timetable {
                expression: TICK.to_owned(),
                time_zone: (*zone).to_owned(),
                settle_days: SETTLE_DAYS,
                between: Some((midnight(first)?, midnight(after)?)),
            };
            schedule(&scheduler, &self.accounts.backup, plan, &self.deployed, &timetable).await?;
        }
        Ok(())
    }
}

/// Jobs that take hours, as those of a large bucket do.
fn long_jobs() -> ControlOptions {
    ControlOptions { preparing: Duration::from_secs(5400), tasks_per_second: 1, ..ControlOptions::default() }
}

fn source_name(number: u16) -> String {
    format!("lake-{number:02}")
}

fn utc(date: Date, hour: i8) -> Result<Timestamp> {
    Ok(date.at(hour, 0, 0, 0).to_zoned_datetime(TimeZone::UTC)?.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use levee_ledger::Ledger;

    use super::*;

    const SNAPSHOT: &str = "lake-01-01-mar-2026";
    const KEY: &str = "sales/orders/_delta_log/00000000000000000000.json";

    fn month() -> Month {
        Month { seed: 3, days: 1, sources: 1, first_date: "2026-03-01".parse().unwrap(), faults: Faults::None }
    }

    /// The key of a record of the month's only run.
    async fn record(stage: &Stage, name: &str) -> String {
        let ledger = Ledger::new(stage.accounts.backup.s3.clone(), &stage.plan().unwrap().ledger_bucket);
        let keys = ledger.list("runs/lake-01/2026-03-01/").await.unwrap();
        keys.into_iter().find(|key| key.ends_with(name)).unwrap()
    }

    async fn audited(meddle: impl AsyncFnOnce(&Stage) -> Result<()>) -> Vec<String> {
        play_and(month(), meddle).await.unwrap().violations
    }

    #[tokio::test(start_paused = true)]
    async fn untouched_month_has_no_violations() {
        assert_eq!(audited(async |_| Ok(())).await, Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn overwritten_copy_is_found() {
        let found = audited(async |stage| {
            let s3 = &stage.accounts.backup.s3;
            let put = s3.put_object().bucket(SNAPSHOT).key(KEY).body(b"other".to_vec().into());
            put.send().await.map(drop).map_err(Into::into)
        });
        let found = found.await;
        assert!(found.iter().any(|what| what.contains("is not what lake-01 held")), "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn delete_that_was_sent_is_found_although_it_was_denied() {
        let found = audited(async |stage| {
            let delete = stage.accounts.backup.s3.delete_object().bucket(SNAPSHOT).key(KEY).send().await;
            assert!(delete.is_err(), "the policy of the snapshot bucket lets a delete through");
            Ok(())
        });
        let found = found.await;
        assert!(found.iter().any(|what| what.contains("called DeleteObject on")), "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn record_that_was_hidden_is_found() {
        let found = audited(async |stage| {
            let (s3, bucket) = (&stage.accounts.backup.s3, &stage.plan()?.ledger_bucket);
            let key = record(stage, "01-manifest-ready.json").await;
            s3.delete_object().bucket(bucket).key(key).send().await.map(drop).map_err(Into::into)
        });
        let found = found.await;
        for what in ["was written or removed 2 times", "called DeleteObject on"] {
            assert!(found.iter().any(|violation| violation.contains(what)), "{what}: {found:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn copy_that_is_only_reported_is_found() {
        let found = audited(async |stage| {
            let (s3, bucket) = (&stage.accounts.backup.s3, &stage.plan()?.report_bucket);
            let listed = s3.list_objects_v2().bucket(bucket).send().await?;
            let key = listed.contents().iter().filter_map(|object| object.key()).find(|key| key.ends_with(".csv"));
            let got = s3.get_object().bucket(bucket).key(key.unwrap()).send().await?;
            let mut rows = got.body.collect().await?.to_vec();
            rows.extend_from_slice(b"lake-01,nowhere,,succeeded,200,,Successful\n");
            let put = s3.put_object().bucket(bucket).key(key.unwrap()).body(rows.into());
            put.send().await.map(drop).map_err(Into::into)
        });
        let found = found.await;
        assert!(found.iter().any(|what| what.contains("1 objects reported as copied are not in")), "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn ledger_record_that_was_written_again_is_found() {
        let found = audited(async |stage| {
            let (bucket, key) = (&stage.plan()?.ledger_bucket, record(stage, "01-manifest-ready.json").await);
            let put = stage.accounts.backup.s3.put_object().bucket(bucket).key(key).body(b"{}".to_vec().into());
            put.send().await.map(drop).map_err(Into::into)
        });
        let found = found.await;
        assert!(found.iter().any(|what| what.contains("was written or removed 2 times")), "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn run_that_nobody_started_or_that_never_ends_is_found() {
        let found = audited(async |stage| {
            let plan = stage.plan()?;
            let start =
                stage.accounts.backup.sfn.start_execution().state_machine_arn(&stage.deployed.state_machine_arn);
            let input = plan.execution_input(month().day(7), SETTLE_DAYS).to_string();
            start.name("one-too-many").input(input).send().await.map(drop).map_err(Into::into)
        });
        let found = found.await;
        for what in ["one-too-many never ended", "was started that nobody asked for"] {
            assert!(found.iter().any(|violation| violation.contains(what)), "{what}: {found:?}");
        }
    }
}
