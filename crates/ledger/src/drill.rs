//! Drills: restores that are made to see whether they work, and how long they take.
//!
//! A drill is a restore of some tables into a scratch bucket, which is emptied afterwards. What came of it is
//! `drills/<source>/<yyyy-mm-dd>-<execution-name>.json`, after the day on which it was closed: so the keys are in the order of time.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};

use crate::{Ledger, state::ObjectPointer};

/// The version of the form of the records of drills that this release writes.
pub const DRILL_VERSION: u32 = 1;

/// What came of a drill. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// The form, [`DRILL_VERSION`].
    pub version: u32,
    /// The source bucket whose snapshot was restored from.
    pub source: String,
    /// The day of the snapshot.
    pub backup_date: Date,
    /// The execution's ARN.
    pub execution_arn: String,
    /// The execution's name.
    pub execution_name: String,
    /// When it started.
    pub started: Timestamp,
    /// When the tables were proved to be whole in the scratch bucket: what a restore takes.
    pub restored: Timestamp,
    /// When the record was written.
    pub closed: Timestamp,
    /// The receipt of the restore.
    pub receipt: ObjectPointer,
    /// Objects that were copied.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The tables.
    pub tables: Vec<DrilledTable>,
    /// Objects that were deleted from the scratch bucket afterwards.
    pub emptied: u64,
}

/// A table that was drilled. It opened, and was in all that was compared what the snapshot's receipt says: a drill in which one is not
/// has no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledTable {
    /// Its root in the source.
    pub path: String,
    /// The version.
    pub version: u64,
    /// Its live data files, each of which was opened.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The rows that their footers tell, less those that deletion vectors take away.
    pub rows: u64,
}

impl Drill {
    /// From the start to the proof, in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.restored.duration_since(self.started).as_secs().unsigned_abs()
    }

    /// Where its record is.
    #[must_use]
    pub fn key(&self) -> String {
        let day = TimeZone::UTC.to_datetime(self.closed).date();
        format!("{}{day}-{}.json", prefix(&self.source), self.execution_name)
    }
}

fn prefix(source: &str) -> String {
    format!("drills/{source}/")
}

impl Ledger {
    /// The last drills of a source, newest first, at most `limit` of them.
    ///
    /// # Errors
    /// AWS errors; `Levee.LedgerCorrupt` when a record is none.
    pub async fn drills(&self, source: &str, limit: usize) -> Result<Vec<Drill>, StageError> {
        let mut drills = Vec::new();
        for key in self.list(&prefix(source)).await?.into_iter().rev().take(limit) {
            drills.extend(self.read::<Drill>(&key).await?.map(|drill| drill.value));
        }
        Ok(drills)
    }
}
