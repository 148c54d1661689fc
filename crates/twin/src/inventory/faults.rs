//! Planned faults of inventories, for tests and rehearsals.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{plan::Plan, scan::ScannedObject};
use crate::{
    env::Env,
    faults::{Tally, When, fits},
};

/// One fault, and the reports that have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InventoryFault {
    /// What is wrong.
    pub kind: InventoryFaultKind,
    /// Which source buckets, by name: `*` stands for any run of characters, `?` for one; every bucket without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// Which of the reports on these buckets, in the order of their scans.
    #[serde(default)]
    pub when: When,
}

/// What is wrong with a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InventoryFaultKind {
    /// Everything is delivered so many seconds later than it would be.
    Late {
        /// The delay, on top of the lag.
        seconds: u64,
    },
    /// Nothing is delivered.
    Missing,
    /// The data files and `manifest.json` are there, `manifest.checksum` never comes.
    ChecksumMissing,
    /// `manifest.checksum` is not that of `manifest.json`.
    ChecksumWrong,
    /// The first data file is named in the manifest and not there.
    DataFileMissing,
    /// The first data file has one byte changed; size as the manifest says, MD5 not.
    DataFileCorrupt,
    /// The first data file is cut in half.
    DataFileTruncated,
    /// Objects written within so many seconds before the scan are not listed.
    RecentMissing {
        /// How long before the scan.
        seconds: u64,
    },
    /// Objects are listed that are not in the bucket (any more).
    DeletedListed {
        /// Their keys.
        keys: Vec<String>,
    },
    /// The report is delivered again into the same dated folder, with what the bucket holds by then: other data files, and
    /// a `manifest.json` and a `manifest.checksum` that take the place of the first ones (new versions in a versioned
    /// bucket).
    Overwritten {
        /// How long after the first delivery.
        seconds: u64,
    },
}

impl InventoryFault {
    /// A rule that strikes every report on every bucket.
    #[must_use]
    pub fn new(kind: InventoryFaultKind) -> Self {
        Self { kind, bucket: None, when: When::Always }
    }
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Rules(Vec<(InventoryFault, Tally)>);

/// The faults of one report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(Vec<InventoryFaultKind>);

impl Rules {
    pub(crate) fn new(rules: Vec<InventoryFault>) -> Self {
        Self(rules.into_iter().map(|rule| (rule, Tally::default())).collect())
    }

    /// Counts a report on `bucket` and picks its faults.
    pub(crate) fn next(&mut self, bucket: &str, env: &Env) -> Faults {
        let mut faults = Vec::new();
        for (place, (rule, tally)) in self.0.iter_mut().enumerate() {
            let about = fits(rule.bucket.as_deref(), bucket);
            if about && tally.meet(rule.when, None, &env.ids, &format!("inventory {place}")) {
                tally.strike();
                env.gate.struck("inventories", place);
                faults.push(rule.kind.clone());
            }
        }
        Faults(faults)
    }
}

impl Faults {
    /// Whether the report has that fault.
    pub(crate) fn has(&self, kind: &InventoryFaultKind) -> bool {
        self.0.contains(kind)
    }

    /// How much later than usual the report comes.
    pub(crate) fn delay(&self) -> Duration {
        let seconds = self.0.iter().filter_map(|fault| match fault {
            InventoryFaultKind::Late { seconds } => Some(*seconds),
            _ => None,
        });
        Duration::from_secs(seconds.fold(0, u64::saturating_add))
    }

    /// How long after the report another one takes its place.
    pub(crate) fn overwritten(&self) -> Option<Duration> {
        self.0.iter().find_map(|fault| match fault {
            InventoryFaultKind::Overwritten { seconds } => Some(Duration::from_secs(*seconds)),
            _ => None,
        })
    }

    /// Takes out and adds rows.
    pub(crate) fn spoil_rows(&self, plan: &Plan, scan: Timestamp, rows: &mut Vec<ScannedObject>) {
        for fault in &self.0 {
            match fault {
                InventoryFaultKind::RecentMissing { seconds } => {
                    let from = scan.saturating_sub(Duration::from_secs(*seconds)).unwrap_or(Timestamp::MIN);
                    rows.retain(|row| row.last_modified < from);
                }
                InventoryFaultKind::DeletedListed { keys } => rows.extend(keys.iter().map(|key| ScannedObject {
                    key: key.clone(),
                    version_id: plan.all_versions.then(|| "null".to_owned()),
                    is_latest: true,
                    size: Some(0),
                    last_modified: scan,
                    etag: Some("d41d8cd98f00b204e9800998ecf8427e".to_owned()),
                    storage_class: Some("STANDARD".to_owned()),
                    ..ScannedObject::default()
                })),
                _ => {}
            }
        }
    }
}
