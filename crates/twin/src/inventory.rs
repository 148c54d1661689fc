//! S3 Inventory: lists of the objects of a bucket, delivered to another bucket on a schedule.
//!
//! The configurations live in the S3 store; a background task scans on the twin's clock and delivers after a lag, in the
//! layout of the user guide: gzipped CSV files under `SOURCE/ID/data/`, `SOURCE/ID/<scan>/manifest.json`, the Hive
//! symlink, and `manifest.checksum` last. Scans read through S3 API calls as the source account, deliveries are written
//! as the service `s3.amazonaws.com` with the source's ARN and account, so that the policy of the destination bucket
//! decides. A delivery that is refused is silent, as on AWS, except in [`Inventory::deliveries`] and in the log.
//!
//! The hour of the scan, the lag and the number of rows in a data file are nowhere documented; they are options.

mod columns;
mod deliver;
pub mod faults;
mod plan;
mod scan;
mod schedule;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use s3s::dto;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    faults::{Faults, InventoryFault, Rules},
    plan::Plan,
};
use crate::{env::Env, s3control::S3Clients, timetable};

/// Where the inventory configurations of all buckets are kept.
pub trait InventoryConfigurations: Send + Sync {
    /// All of them, with the bucket that each is for and its account.
    fn all(&self) -> Vec<ConfiguredInventory>;

    /// Changes whenever one of them is put or deleted.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// One configuration of one bucket.
#[derive(Clone, Debug)]
pub struct ConfiguredInventory {
    /// The account that owns the bucket.
    pub account: String,
    /// The bucket that is listed.
    pub bucket: String,
    /// The configuration as it was put.
    pub configuration: dto::InventoryConfiguration,
}

/// How inventories behave.
#[derive(Clone, Debug)]
pub struct InventoryOptions {
    /// The hour of the day, UTC, at which scans begin; 0 to 23.
    pub scan_hour: i8,
    /// For rehearsals on the machine's clock: in place of the hour and of the frequency of the configuration, the first
    /// scan begins a second after it was put, and the next ones this far apart.
    pub scan_every: Option<Duration>,
    /// How long after the scan the report is delivered.
    pub delivery_lag: Duration,
    /// How many rows a data file holds at most.
    pub rows_per_file: usize,
}

impl Default for InventoryOptions {
    fn default() -> Self {
        Self { scan_hour: 1, scan_every: None, delivery_lag: Duration::from_secs(20 * 3600), rows_per_file: 500 }
    }
}

/// A report that was delivered, or was to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The bucket that was listed.
    pub bucket: String,
    /// The configuration's id.
    pub id: String,
    /// When the scan began: the stamp of the report.
    pub scan: Timestamp,
    /// The bucket and key of `manifest.json`, or why there is none.
    pub result: Result<(String, String), InventoryError>,
}

/// Why a report could not be made or delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// There is no such configuration.
    #[error("the bucket {bucket} has no inventory configuration {id}; put one first")]
    NoSuchConfiguration {
        /// The bucket.
        bucket: String,
        /// The id that was asked for.
        id: String,
    },
    /// The configuration asks for something that the twin does not make.
    #[error("the inventory configuration {id} of {bucket} asks for {what}, which the twin does not model")]
    NotModelled {
        /// The bucket.
        bucket: String,
        /// The configuration's id.
        id: String,
        /// What it asks for.
        what: String,
    },
    /// The source bucket could not be read.
    #[error("the bucket {bucket} could not be listed: {why}")]
    Scan {
        /// The bucket.
        bucket: String,
        /// The error of S3.
        why: String,
    },
    /// The destination refused an object.
    #[error("{key} could not be delivered to {bucket}: {why}; does its policy let s3.amazonaws.com put objects?")]
    Delivery {
        /// The destination bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The error of S3.
        why: String,
    },
    /// A row has no place in the format.
    #[error("the inventory of {bucket} could not be written: {why}")]
    Write {
        /// The source bucket.
        bucket: String,
        /// What is wrong.
        why: String,
    },
}

/// The service. Its background work ends with it.
pub struct Inventory {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

pub(crate) struct Shared {
    env: Env,
    clients: Arc<dyn S3Clients>,
    configurations: Arc<dyn InventoryConfigurations>,
    region: String,
    options: InventoryOptions,
    state: Mutex<State>,
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    faults: Rules,
    deliveries: Vec<Delivery>,
}

impl Inventory {
    /// The service for the configurations of one Region; its schedule runs from now on. Must be called inside a tokio
    /// runtime.
    #[must_use]
    pub fn new(
        env: Env,
        clients: Arc<dyn S3Clients>,
        configurations: Arc<dyn InventoryConfigurations>,
        region: impl Into<String>,
        options: InventoryOptions,
    ) -> Self {
        let stop = CancellationToken::new();
        let state = Mutex::default();
        let region = region.into();
        let shared = Arc::new(Shared { env, clients, configurations, region, options, state, stop: stop.clone() });
        let (clock, changes) = (shared.env.clock.clone(), shared.configurations.changes());
        let (keeper, mut due) = (Arc::clone(&shared), BTreeMap::new());
        let keep = timetable::keep(clock, changes, move |now| keeper.start_due(&mut due, now));
        tokio::spawn(stop.clone().run_until_cancelled_owned(keep));
        Self { shared, _stop: stop.drop_guard() }
    }

    /// Scans now and delivers at once, stamped `scan`, whether or not the configuration is enabled.
    ///
    /// # Errors
    /// Why there is no report.
    pub async fn deliver_now(&self, bucket: &str, id: &str, scan: Timestamp) -> Result<Delivery, InventoryError> {
        let wanted = |one: &ConfiguredInventory| one.bucket == bucket && one.configuration.id == id;
        let found = self.shared.configurations.all().into_iter().find(wanted);
        let found = found
            .ok_or_else(|| InventoryError::NoSuchConfiguration { bucket: bucket.to_owned(), id: id.to_owned() })?;
        let faults = self.shared.faults_of_next(&found)?;
        let report = self.shared.scan(&found, scan, &faults).await?;
        let delivered = self.shared.deliver(report, &faults).await;
        self.shared.overwrite_later(found, scan, &faults);
        delivered.result.clone().map(|_| delivered)
    }

    /// The reports so far, delivered or not, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.state().deliveries.clone()
    }

    /// Sets the plan of faults for reports whose scan begins from now on.
    pub(crate) fn set_faults(&self, rules: Vec<InventoryFault>) {
        self.shared.state().faults = Rules::new(rules);
    }
}

/// A scanned report, before it is delivered.
struct Report {
    plan: Plan,
    scan: Timestamp,
    rows: Vec<scan::ScannedObject>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the scans that are due and notes when the others are, by bucket and id; returns when the next one is.
    fn start_due(
        self: &Arc<Self>,
        due: &mut BTreeMap<(String, String), Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut next = BTreeMap::new();
        for one in self.configurations.all() {
            let Ok(plan) = Plan::of(&one) else { continue };
            if !plan.enabled {
                continue;
            }
            let name = (plan.bucket.clone(), plan.id.clone());
            let mut when = due.get(&name).copied().unwrap_or_else(|| self.first_scan(now));
            if when <= now {
                self.start(one, when);
                when = self.next_scan(now, plan.frequency);
            }
            next.insert(name, when);
        }
        *due = next;
        due.values().min().copied()
    }

    /// The first report comes within 48 hours, weekly ones too.
    fn first_scan(&self, now: Timestamp) -> Timestamp {
        match self.options.scan_every {
            Some(_) => now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX),
            None => self.next_scan(now, schedule::Frequency::Daily),
        }
    }

    fn next_scan(&self, now: Timestamp, frequency: schedule::Frequency) -> Timestamp {
        match self.options.scan_every {
            Some(period) => now.saturating_add(period).unwrap_or(Timestamp::MAX),
            None => schedule::next_scan(now, frequency, self.options.scan_hour),
        }
    }

    fn start(self: &Arc<Self>, one: ConfiguredInventory, scan: Timestamp) {
        let shared = Arc::clone(self);
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(async move {
            if let Err(error) = shared.make(&one, scan).await {
                shared.note_failed(&one, scan, error);
            }
        }));
    }

    /// One report, from its scan to its delivery.
    async fn make(self: &Arc<Self>, one: &ConfiguredInventory, scan: Timestamp) -> Result<(), InventoryError> {
        let faults = self.faults_of_next(one)?;
        let report = self.scan(one, scan, &faults).await?;
        self.env.clock.sleep(self.options.delivery_lag.saturating_add(faults.delay())).await;
        self.deliver(report, &faults).await;
        self.overwrite_later(one.clone(), scan, &faults);
        Ok(())
    }

    /// Counts one more report, which gets its faults for good when its scan begins.
    fn faults_of_next(&self, one: &ConfiguredInventory) -> Result<Faults, InventoryError> {
        let plan = Plan::of(one)?;
        Ok(self.state().faults.next(&plan.bucket, &self.env))
    }

    /// Delivers the report once more where its faults say so, with what the bucket holds then.
    fn overwrite_later(self: &Arc<Self>, one: ConfiguredInventory, scan: Timestamp, faults: &Faults) {
        let Some(later) = faults.overwritten() else { return };
        let shared = Arc::clone(self);
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(async move {
            shared.env.clock.sleep(later).await;
            let faultless = Faults::default();
            match shared.scan(&one, scan, &faultless).await {
                Ok(report) => {
                    shared.deliver(report, &faultless).await;
                }
                Err(error) => shared.note_failed(&one, scan, error),
            }
        }));
    }

    /// Lists the bucket.
    async fn scan(
        &self,
        one: &ConfiguredInventory,
        scan: Timestamp,
        faults: &Faults,
    ) -> Result<Report, InventoryError> {
        let plan = Plan::of(one)?;
        let mut rows = scan::scan(self, &plan).await?;
        faults.spoil_rows(&plan, scan, &mut rows);
        scan::shuffle(&mut rows, &self.env.ids);
        Ok(Report { plan, scan, rows })
    }

    async fn deliver(&self, report: Report, faults: &Faults) -> Delivery {
        let result = deliver::deliver(self, &report, faults).await;
        let Report { plan, scan, .. } = report;
        let delivery = Delivery { bucket: plan.bucket, id: plan.id, scan, result };
        self.note(delivery.clone());
        delivery
    }

    fn note_failed(&self, one: &ConfiguredInventory, scan: Timestamp, error: InventoryError) {
        let (bucket, id) = (one.bucket.clone(), one.configuration.id.clone());
        self.note(Delivery { bucket, id, scan, result: Err(error) });
    }

    fn note(&self, delivery: Delivery) {
        match &delivery.result {
            Ok((bucket, key)) => tracing::info!(source = %delivery.bucket, %bucket, %key, "inventory delivered"),
            Err(error) => {
                tracing::warn!(source = %delivery.bucket, id = %delivery.id, %error, "inventory not delivered")
            }
        }
        self.state().deliveries.push(delivery);
    }
}
