//! Drills: restores that are made to see whether they work, and how long they take.
//!
//! A drill is a restore of some tables into a scratch bucket, which is emptied afterwards. What came of it is
//! `drills/<source>/<yyyy-mm-dd>-<execution-name>.json`, after the day on which it was closed: so the keys are in the order of time.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};

use crate::{
    Ledger,
    state::{Bucket, ObjectPointer},
    validate,
};

/// The version of the form of the records of drills that this release writes.
pub const DRILL_VERSION: u32 = 1;

/// The most tables of one drill.
const MOST_TABLES: u8 = 100;

/// `$.drill`: the input of the execution, what the schedule asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillRequest {
    /// The source bucket whose snapshots are drilled.
    pub source: String,
    /// The bucket of the backup account that tables are restored into, and that is emptied afterwards.
    pub scratch: Bucket,
    /// How many tables, 1 to 100.
    pub tables: u8,
}

impl DrillRequest {
    /// Checks every field. `own` are the account of the deployment and the bucket of its ledger.
    ///
    /// # Errors
    /// `Levee.InputInvalid` with all problems at once.
    pub fn validate(&self, (account, ledger): (&str, &str)) -> Result<(), StageError> {
        let mut problems = Vec::new();
        validate::bucket(&mut problems, "drill.source", &self.source);
        validate::bucket(&mut problems, "drill.scratch.name", &self.scratch.name);
        if self.scratch.account != account {
            problems.push(format!(
                "`drill.scratch.account` is {:?}, and the scratch bucket must belong to the backup account {account}",
                self.scratch.account
            ));
        }
        if [self.source.as_str(), ledger].contains(&self.scratch.name.as_str()) {
            problems.push(format!(
                "`drill.scratch.name` is {:?}, which is no scratch bucket: what is in that is deleted",
                self.scratch.name
            ));
        }
        if !(1..=MOST_TABLES).contains(&self.tables) {
            problems.push(format!("`drill.tables` is {}, it must be 1 to {MOST_TABLES}", self.tables));
        }
        if problems.is_empty() {
            return Ok(());
        }
        let cause = format!(
            "the input of the execution has {} problem(s): {}. Correct the schedule's input and start a new execution: a redrive \
             repeats the same input.",
            problems.len(),
            problems.join("; ")
        );
        Err(StageError::permanent(StageError::INPUT_INVALID, cause))
    }
}

/// What everything of a source is below in the scratch bucket, with a slash at the end.
#[must_use]
pub fn scratch_of(source: &str) -> String {
    format!("{source}/")
}

/// What an execution restores below in the scratch bucket, without a slash at the end.
#[must_use]
pub fn scratch_prefix(source: &str, execution_name: &str) -> String {
    format!("{}{execution_name}", scratch_of(source))
}

/// Where the run that drill-plan answers is recorded: of an execution, since its restore has no name before that.
#[must_use]
pub fn plan_record(source: &str, execution_name: &str) -> String {
    format!("drill-plans/{source}/{execution_name}.json")
}

/// `$.drilled`, by drill-close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// `drill of lake-events from 31 Mar 2026: 3 tables open as their backup says, 412 objects in 14 min`.
    pub headline: String,
    /// The record.
    #[serde(flatten)]
    pub pointer: ObjectPointer,
}

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

    /// Objects that were copied in a second of all of it; none when it took none.
    #[must_use]
    pub fn objects_per_second(&self) -> Option<f64> {
        self.per_second(self.objects)
    }

    /// Bytes that were copied in a second of all of it; none when it took none.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<f64> {
        self.per_second(self.bytes)
    }

    #[allow(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    fn per_second(&self, what: u64) -> Option<f64> {
        let seconds = self.seconds();
        (seconds > 0).then(|| what as f64 / seconds as f64)
    }

    /// Where its record is.
    #[must_use]
    pub fn key(&self) -> String {
        let day = TimeZone::UTC.to_datetime(self.closed).date();
        format!("{}{day}-{}.json", prefix(&self.source), self.execution_name)
    }
}

/// How long a restore takes, as drills have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Seconds that it takes at least.
    pub least_seconds: u64,
    /// Seconds that it takes at most.
    pub most_seconds: u64,
    /// The drills that say so.
    pub drills: u64,
}

/// The longest pause between two looks at a copy job, which a restore may end in or not.
const PAUSE_SECONDS: u64 = 300;

/// How long a restore of so many objects and bytes takes, from the drills: the fastest and the slowest of them, scaled to a restore
/// that is smaller, or larger, than the drill in objects or in bytes, whichever says more. None without drills.
///
/// A part of the time is the same for every restore, and jobs work on many objects at once, so that neither grows as fast as the
/// restore does: the true time is between the two.
#[must_use]
pub fn expected(drills: &[Drill], objects: u64, bytes: u64) -> Option<Spread> {
    let scaled = |seconds: u64, wanted: u64, drilled: u64| match drilled {
        0 => seconds,
        _ => u64::try_from(u128::from(seconds) * u128::from(wanted) / u128::from(drilled)).unwrap_or(u64::MAX),
    };
    let both = |drill: &Drill| {
        let seconds = drill.seconds();
        [scaled(seconds, objects, drill.objects), scaled(seconds, bytes, drill.bytes), seconds]
    };
    let least = drills.iter().filter_map(|drill| both(drill).into_iter().min()).min()?;
    let most = drills.iter().filter_map(|drill| both(drill).into_iter().max()).max()?;
    Some(Spread {
        least_seconds: least.saturating_sub(PAUSE_SECONDS),
        most_seconds: most.saturating_add(PAUSE_SECONDS),
        drills: drills.len() as u64,
    })
}

fn prefix(source: &str) -> String {
    format!("drills/{source}/")
}

impl Ledger {
    /// The sources that have drills, by name.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn drilled_sources(&self) -> Result<Vec<String>, StageError> {
        self.folders("drills/").await
    }

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn drill(objects: u64, bytes: u64, seconds: i64) -> Drill {
        let at = |second: i64| Timestamp::from_second(second).unwrap().to_string();
        serde_json::from_value(json!({
            "version": 1, "source": "lake", "backup_date": "2026-03-31", "execution_arn": "arn", "execution_name": "drill",
            "started": at(0), "restored": at(seconds), "closed": at(seconds), "objects": objects, "bytes": bytes, "tables": [],
            "receipt": { "bucket": "ledger", "key": "receipt.json", "etag": "e" }, "emptied": objects,
        }))
        .unwrap()
    }

    #[rstest]
    #[case::as_large_as_the_drill(&[(100, 1_000, 900)], (100, 1_000), (600, 1_200))]
    #[case::ten_times_the_objects(&[(100, 1_000, 900)], (1_000, 1_000), (600, 9_300))]
    #[case::ten_times_the_bytes(&[(100, 1_000, 900)], (100, 10_000), (600, 9_300))]
    #[case::a_tenth_of_it(&[(100, 1_000, 900)], (10, 100), (0, 1_200))]
    #[case::between_two(&[(10, 10, 600), (1_000, 1_000, 6_000)], (100, 100), (300, 6_300))]
    #[case::drill_of_nothing(&[(0, 0, 600)], (100, 100), (300, 900))]
    fn time_of_a_restore_is_between_the_scaled_drills(
        #[case] drills: &[(u64, u64, i64)],
        #[case] (objects, bytes): (u64, u64),
        #[case] (least_seconds, most_seconds): (u64, u64),
    ) {
        let drills: Vec<_> = drills.iter().map(|(objects, bytes, seconds)| drill(*objects, *bytes, *seconds)).collect();
        let spread = Spread { least_seconds, most_seconds, drills: drills.len() as u64 };
        assert_eq!(expected(&drills, objects, bytes), Some(spread));
        assert_eq!(expected(&[], objects, bytes), None);
    }

    #[test]
    fn records_of_drills_are_in_the_order_of_their_days() {
        assert_eq!(drill(1, 1, 86_400).key(), "drills/lake/1970-01-02-drill.json");
    }
}
