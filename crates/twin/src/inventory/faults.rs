//! Planned faults of inventories, for tests and rehearsals.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{plan::Plan, scan::ScannedObject};

/// Everything that is to go wrong with inventories. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InventoryFaults {
    /// The faults; a report has all that fit.
    pub reports: Vec<InventoryFault>,
}

/// One fault, and the reports that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InventoryFault {
    /// What is wrong.
    pub kind: InventoryFaultKind,
    /// Only in reports on this source bucket.
    #[serde(default)]
    pub bucket: Option<String>,
    /// Only in the first so many reports scanned since the plan was set; in every one when absent.
    #[serde(default)]
    pub first_reports: Option<u64>,
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
}

impl InventoryFaults {
    /// The faults of the report on `bucket` that is number `ordinal`, from 0, since the plan was set.
    pub(crate) fn for_report(&self, bucket: &str, ordinal: u64) -> Self {
        let fits = |fault: &&InventoryFault| {
            fault.bucket.as_deref().is_none_or(|wanted| wanted == bucket)
                && fault.first_reports.is_none_or(|count| ordinal < count)
        };
        Self { reports: self.reports.iter().filter(fits).cloned().collect() }
    }

    /// Whether the report has that fault.
    pub(crate) fn has(&self, kind: &InventoryFaultKind) -> bool {
        self.reports.iter().any(|fault| fault.kind == *kind)
    }

    /// How much later than usual the report comes.
    pub(crate) fn delay(&self) -> Duration {
        let seconds = self.reports.iter().filter_map(|fault| match fault.kind {
            InventoryFaultKind::Late { seconds } => Some(seconds),
            _ => None,
        });
        Duration::from_secs(seconds.sum())
    }

    /// Takes out and adds rows.
    pub(crate) fn spoil_rows(&self, plan: &Plan, scan: Timestamp, rows: &mut Vec<ScannedObject>) {
        for fault in &self.reports {
            match &fault.kind {
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
