//! Compares the bucket with the plan in bounded memory: once to see whether they differ, and only when they do once more to
//! name where.

use std::{collections::BTreeSet, sync::Arc};

use levee_ledger::{KeyLists, state::Finding};
use levee_stage::StageError;
use levee_tables::{BucketStore, Range, ranges};

use crate::{
    SNAPSHOT_DIFFERS,
    listing::list,
    pass::{By, Digest, Naming},
    planned::Planned,
};

/// How differences are looked for, one way after the other until one can tell them apart: cells of 32 bytes, of which each
/// reading in parallel has its own, so that the first takes 16 MiB and the others at most 160 MiB.
const WAYS: [(By, usize); 3] = [(By::Size, 1 << 16), (By::Size, 1 << 19), (By::Key, 1 << 19)];

/// What the comparison found.
pub(crate) struct Compared {
    /// Objects in the bucket.
    pub(crate) objects: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Objects that were planned and have not vanished.
    pub(crate) planned: u64,
    /// Whether sizes were compared.
    pub(crate) by: By,
    /// Where the two differ, in the order of keys.
    pub(crate) findings: Vec<Finding>,
}

/// The two sides, and what is known to have vanished from the first.
pub(crate) struct Comparison<'a> {
    pub(crate) planned: Planned,
    /// The snapshot bucket's name.
    pub(crate) name: &'a str,
    pub(crate) bucket: BucketStore,
    pub(crate) vanished: KeyLists<'a>,
}

impl Comparison<'_> {
    /// Compares.
    ///
    /// # Errors
    /// The sides differ by more than can be told apart; what was planned cannot be read again; AWS errors.
    pub(crate) async fn run(&self) -> Result<Compared, StageError> {
        let remembered = self.vanished.set().await?;
        // Rows of vanished lists have no sizes: too many to be remembered can only be taken away by their keys.
        let with_sizes = self.planned.has_sizes() && remembered.is_some();
        let take_away = remembered.is_none();
        let vanished = Arc::new(remembered.unwrap_or_default());
        let mut counts = (0, 0);
        for (by, cells) in WAYS.into_iter().filter(|(by, _)| with_sizes || *by == By::Key) {
            let mut plan = self.planned.read(Digest::of_plan(by, cells, Arc::clone(&vanished))).await?;
            let mut gone = 0;
            if take_away {
                let each = self.vanished.each(|key| {
                    plan.sketch.take(by.id(key, None));
                    gone += 1;
                });
                each.await?;
            }
            let ranges = ranges(plan.rows, &plan.sample());
            let bucket = list(&self.bucket, ranges.clone(), Digest::of_bucket(by, cells)).await?;
            plan.sketch.merge(&bucket.sketch);
            let planned = plan.rows.saturating_sub(gone);
            counts = (planned, bucket.rows);
            let Some(difference) = plan.sketch.difference() else {
                tracing::warn!(
                    planned,
                    listed = bucket.rows,
                    cells,
                    "more differences than can be told apart this way"
                );
                continue;
            };
            let wanted: BTreeSet<_> = difference.added.into_iter().chain(difference.taken).collect();
            let findings = if wanted.is_empty() { Vec::new() } else { self.name(by, wanted, ranges).await? };
            return Ok(Compared { objects: bucket.rows, bytes: bucket.bytes, planned, by, findings });
        }
        Err(self.too_different(counts))
    }

    async fn name(&self, by: By, wanted: BTreeSet<u128>, ranges: Vec<Range>) -> Result<Vec<Finding>, StageError> {
        let wanted = Arc::new(wanted);
        let mut named = self.planned.read(Naming::of_plan(by, Arc::clone(&wanted))).await?;
        crate::pass::Pass::merge(&mut named, list(&self.bucket, ranges, Naming::of_bucket(by, wanted)).await?);
        self.vanished.each(|key| named.vanished(key)).await?;
        Ok(named.findings().collect())
    }

    fn too_different(&self, (planned, listed): (u64, u64)) -> StageError {
        let cause = format!(
            "snapshot bucket {} and what was planned differ at so many keys that they cannot be named one by one: {planned} \
             objects were planned and have not vanished, {listed} are in the bucket. The run is not taken for a success. See \
             who deletes there, and whether an execution with other settings has copied into the same bucket; then start a new \
             execution for the date, which copies everything again.",
            self.name
        );
        StageError::permanent(SNAPSHOT_DIFFERS, cause)
    }
}
