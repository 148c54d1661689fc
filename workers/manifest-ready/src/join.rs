//! Joins the slices of an inventory to what a worker that reads all of it comes to.

use jiff::Timestamp;
use levee_ledger::{
    RunKey,
    state::{Manifest, Plan, Run},
};
use levee_stage::StageError;

use crate::{
    Answer, ManifestReady,
    decide::Rules,
    nothing_selected, output,
    pin::{self, Pinned},
    scan::Count,
    slices::{Pass, Slice, SliceRecord, Slicing},
};

impl ManifestReady {
    /// Adds the slices up. When they were counted and it shows that a plan is needed, they are to be read again, for the plan.
    pub(crate) async fn join(
        &self,
        key: &RunKey,
        run: &Run,
        threshold: Timestamp,
        slicing: Slicing,
    ) -> Result<Answer, StageError> {
        let pinned = pin::again(&self.aws.s3, &self.account, run, threshold, &slicing.pin).await;
        let pinned = pinned.map_err(|error| slicing.pin.blame(error))?;
        let mut read = Vec::with_capacity(slicing.slices.len());
        for slice in &slicing.slices {
            read.push(self.record_of(key, *slice, slicing.pass).await?);
        }
        let mut count = Count::default();
        for slice in &read {
            count.add(slice.count.clone());
        }
        if count.is_nothing_selected() {
            return Err(nothing_selected(&pinned.pointer, count.objects));
        }
        let plan = match slicing.pass {
            Pass::Count if count.is_all_batch() => None,
            Pass::Count => {
                tracing::info!("the inventory has objects that a copy job cannot copy: its slices are read for a plan");
                return Ok(Answer::Sliced(Slicing { pass: Pass::Plan, ..slicing }));
            }
            Pass::Plan => self.plan_of(key, run, &pinned, read, &count).await?,
        };
        self.finish(key, output(key.backup_date, pinned, &count, plan)).await
    }

    /// What was recorded of a slice.
    async fn record_of(&self, key: &RunKey, slice: Slice, pass: Pass) -> Result<SliceRecord, StageError> {
        let record = key.record(&slice.record(pass));
        match self.ledger.read::<SliceRecord>(&record).await? {
            Some(read) if read.value.slice == slice => Ok(read.value),
            found => {
                let is = if found.is_some() { "is of other data files" } else { "is gone" };
                let cause = format!(
                    "the record s3://{}/{record} of slice {} {is}, although the slice was read. Look at who writes the ledger \
                     besides Levee; then start a new execution, which reads all slices again.",
                    self.ledger.bucket(),
                    slice.number
                );
                Err(StageError::permanent("Levee.LedgerCorrupt", cause))
            }
        }
    }

    /// Ends the plan that the slices have written the data files of.
    async fn plan_of(
        &self,
        key: &RunKey,
        run: &Run,
        pinned: &Pinned,
        read: Vec<SliceRecord>,
        count: &Count,
    ) -> Result<Option<Plan>, StageError> {
        let writer = self.plan_writer(key, pinned, &Rules::of(run))?;
        let mut parts = Vec::new();
        for slice in read {
            if let Err(error) = writer.append(&slice.lists).await {
                writer.abort().await;
                return Err(error);
            }
            parts.extend(slice.parts);
        }
        writer.finish(count, parts).await
    }

    /// Records what the run copies.
    pub(crate) async fn finish(&self, key: &RunKey, manifest: Manifest) -> Result<Answer, StageError> {
        let manifest = self.record(key, manifest).await?;
        tracing::info!(objects = manifest.objects, bytes = manifest.bytes, "the inventory is pinned");
        Ok(Answer::Whole(Box::new(manifest)))
    }
}
