//! Inventories that are read in slices: which data files each has, and how one is read.
//!
//! ```text
//! pin: 01-manifest-ready-slices.json -> every slice by itself: …-slice-<n>-<pass>.json -> join: 01-manifest-ready.json
//! ```
//!
//! The state machine has the slices read side by side, by whichever workers take the messages, then joined. What comes of it is
//! what comes of an inventory that one worker reads.

use jiff::Timestamp;
use levee_formats::inventory::{DataFile, Manifest};
use levee_ledger::{
    RunKey,
    state::{ObjectPointer, Run},
};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};

use crate::{
    ManifestReady,
    decide::Rules,
    lists::FinishedLists,
    pin::{self, Pinned},
    plan::PlannedParts,
    scan::{Count, Counting, scan},
    unusable,
};

/// The most slices of an inventory: beyond that they get larger. Their list stays within a tenth of the 256 KiB of a state, and
/// two passes over them within a sixth of the 25,000 events of a history ("Service quotas" of the Step Functions developer guide).
const MOST: u64 = 256;
/// The record of the pin.
const RECORD: &str = "01-manifest-ready-slices.json";

/// `$.manifest` while an inventory is read in slices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slicing {
    /// The inventory.
    pub pin: Pin,
    /// What the slices are read for.
    pub pass: Pass,
    /// All slices, in the order of their files. A slice is not told of the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Slice>,
}

/// An inventory that a run has decided to copy before it has read the data files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Its `manifest.json`.
    pub inventory: ObjectPointer,
    /// The MD5 of that in hexadecimal, which names all data files with theirs.
    pub md5: String,
    /// Its data files.
    pub files: u64,
}

/// What slices are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// To count, and to see whether a plan is needed.
    Count,
    /// To write the plan.
    Plan,
}

/// Some of the data files of an inventory, which are next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Counts from 1.
    pub number: u32,
    /// The place of its first file in the manifest, from 0.
    pub first: u64,
    /// Its files.
    pub files: u64,
}

/// What a slice answers: for whoever looks at the execution. The state machine does not keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SliceRead {
    /// The slice.
    #[serde(flatten)]
    pub slice: Slice,
    /// Its rows.
    pub objects: u64,
}

/// The record of a slice that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SliceRecord {
    #[serde(flatten)]
    pub(crate) slice: Slice,
    pub(crate) count: Count,
    /// What each of its files has added to the manifests of the plan; empty unless the plan was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<PlannedParts>,
    /// Its part of the lists of the plan.
    #[serde(default, skip_serializing_if = "FinishedLists::is_empty")]
    pub(crate) lists: FinishedLists,
}

impl Pin {
    pub(crate) fn of(pinned: &Pinned) -> Self {
        let files = u64::try_from(pinned.manifest.files.len()).unwrap_or(u64::MAX);
        Self { inventory: pinned.pointer.clone(), md5: pinned.md5.clone(), files }
    }

    /// Says what a redrive does about a delivery that cannot be used.
    pub(crate) fn blame(&self, error: StageError) -> StageError {
        if !unusable(&error) {
            return error;
        }
        let cause = format!(
            "{} An inventory with so many data files is pinned before they are read: a redrive reads those of this delivery \
             again that were not read to their end. Another delivery is taken by a new execution alone.",
            error.cause
        );
        StageError { cause, ..error }
    }

    /// Whether the inventory has more files than one worker is to read.
    pub(crate) fn is_sliced(&self, run: &Run) -> bool {
        self.files > u64::from(run.slice_files)
    }
}

impl Slice {
    /// Slices of `files` data files with at most `most_files` each, or more where there would be too many slices. They are of
    /// the same size but for one file, because the last one to be read is waited for.
    #[must_use]
    pub fn all(files: u64, most_files: u32) -> Vec<Self> {
        let slices = files.div_ceil(u64::from(most_files.max(1))).min(MOST);
        let begin = |slice: u64| {
            let place = u128::from(slice).saturating_mul(u128::from(files)).checked_div(u128::from(slices));
            place.and_then(|place| u64::try_from(place).ok()).unwrap_or(files)
        };
        let numbered = (1..).zip(0..slices);
        let slice = |(number, slice): (u32, u64)| {
            let first = begin(slice);
            Self { number, first, files: begin(slice.saturating_add(1)).saturating_sub(first) }
        };
        numbered.map(slice).collect()
    }

    /// The name of the record of its reading.
    pub(crate) fn record(self, pass: Pass) -> String {
        let pass = match pass {
            Pass::Count => "count",
            Pass::Plan => "plan",
        };
        format!("01-manifest-ready-slice-{:03}-{pass}.json", self.number)
    }

    /// The place of its first file and of the one after its last.
    fn bounds(self) -> Option<(usize, usize)> {
        Some((usize::try_from(self.first).ok()?, usize::try_from(self.first.checked_add(self.files)?).ok()?))
    }

    fn files_of(self, manifest: &Manifest) -> Option<(usize, Vec<DataFile>)> {
        let (first, end) = self.bounds()?;
        Some((first, manifest.files.get(first..end)?.to_vec()))
    }

    /// Says which slice it was.
    fn blame(self, pin: &Pin, error: StageError) -> StageError {
        let last = self.first.saturating_add(self.files).saturating_sub(1);
        let error = pin.blame(error);
        let cause =
            format!("slice {} (data files {} to {last} of {}): {}", self.number, self.first, pin.files, error.cause);
        StageError { cause, ..error }
    }
}

impl SliceRecord {
    fn told(&self) -> SliceRead {
        SliceRead { slice: self.slice, objects: self.count.objects }
    }
}

impl ManifestReady {
    /// Records which inventory the run copies, and divides it. A pin that is recorded already stays.
    pub(crate) async fn divide(&self, key: &RunKey, run: &Run, pin: Pin) -> Result<Slicing, StageError> {
        let written = self.ledger.write_once(&key.record(RECORD), &pin).await?;
        let pin = written.into_stored(pin).value;
        let pass = if Rules::of(run).ask_for_a_plan() { Pass::Plan } else { Pass::Count };
        let slices = Slice::all(pin.files, run.slice_files);
        tracing::info!(files = pin.files, slices = slices.len(), "the inventory is pinned, and read in slices");
        Ok(Slicing { pin, pass, slices })
    }

    /// Reads a slice, and writes its part of the plan where that is what it is read for.
    pub(crate) async fn read_slice(
        &self,
        key: &RunKey,
        run: &Run,
        threshold: Timestamp,
        slicing: &Slicing,
        slice: Slice,
    ) -> Result<SliceRead, StageError> {
        let record = key.record(&slice.record(slicing.pass));
        if let Some(read) = self.ledger.read::<SliceRecord>(&record).await? {
            return Ok(read.value.told());
        }
        let read = self.scan_slice(key, run, threshold, slicing, slice).await;
        let read = read.map_err(|error| slice.blame(&slicing.pin, error))?;
        let written = self.ledger.write_once(&record, &read).await?;
        let read = written.into_stored(read).value.told();
        tracing::info!(slice = slice.number, objects = read.objects, "the slice is read");
        Ok(read)
    }

    async fn scan_slice(
        &self,
        key: &RunKey,
        run: &Run,
        threshold: Timestamp,
        slicing: &Slicing,
        slice: Slice,
    ) -> Result<SliceRecord, StageError> {
        let whole = pin::again(&self.aws.s3, &self.account, run, threshold, &slicing.pin).await?;
        let (first, files) = slice.files_of(&whole.manifest).ok_or_else(|| {
            let cause = format!("the inventory has {} data files", whole.manifest.files.len());
            StageError::permanent(StageError::INPUT_INVALID, cause)
        })?;
        let rules = Rules::of(run);
        let decider = self.decider(&whole, &rules)?;
        let pinned = Pinned { manifest: Manifest { files, ..whole.manifest }, ..whole };
        match slicing.pass {
            Pass::Count => {
                let (count, ()) = scan(self.files(&pinned), &pinned.manifest, decider, &Counting).await?;
                Ok(SliceRecord { slice, count, parts: Vec::new(), lists: FinishedLists::default() })
            }
            Pass::Plan => {
                let files = pinned.manifest.files.len();
                let writer = self.plan_writer(key, &pinned, &rules)?.of_slice(first, files);
                let (writer, count, parts) = self.scan_for_plan(&pinned, &decider, writer).await?;
                Ok(SliceRecord { slice, count, parts, lists: writer.finish_lists().await? })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one_more_than_one_has(513, 512, 2, 256, 257)]
    #[case::one_file_each(3, 1, 3, 1, 1)]
    #[case::as_many_as_there_may_be(256 * 512, 512, 256, 512, 512)]
    #[case::larger_ones_beyond_that(1_000_000, 512, 256, 3906, 3907)]
    fn slices_are_even_and_have_every_file_once(
        #[case] files: u64,
        #[case] most_files: u32,
        #[case] slices: usize,
        #[case] smallest: u64,
        #[case] largest: u64,
    ) {
        let all = Slice::all(files, most_files);
        let mut next = 0;
        for (number, slice) in (1..).zip(&all) {
            assert_eq!((slice.number, slice.first), (number, next));
            next += slice.files;
        }
        assert_eq!((all.len(), next), (slices, files));
        let sizes = || all.iter().map(|slice| slice.files);
        assert_eq!((sizes().min(), sizes().max()), (Some(smallest), Some(largest)));
    }

    #[test]
    fn state_stays_small_whatever_the_inventory() {
        let inventory = ObjectPointer {
            bucket: "b".repeat(63),
            key: "k".repeat(1024),
            etag: "e".repeat(40),
            version_id: Some("v".repeat(1024)),
        };
        let pin = Pin { inventory, md5: "0".repeat(32), files: u64::MAX };
        let slicing = Slicing { pin, pass: Pass::Count, slices: Slice::all(u64::MAX, 1) };
        assert_eq!(slicing.slices.len(), 256);
        let bytes = serde_json::to_vec(&slicing).map(|state| state.len());
        assert!(bytes.as_ref().is_ok_and(|bytes| *bytes < 26 * 1024), "{bytes:?}");
    }
}
