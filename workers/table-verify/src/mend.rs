//! What is done about a table whose copy is not whole, or does not open where it is.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{StreamExt, stream};
use levee_delta_log::{Listing, NeedKind, Options, TableVerdict, Verdict, hint_is_sound};
use levee_ledger::{
    Selector,
    state::{Repair, TableLine},
};
use levee_stage::{ErrorKind, StageError};
use levee_tables::{
    BucketStore, CANNOT_CHECK, Looked, Needed, Store, lacking, last_checkpoint, log_listing, look, prefix, share,
};

use crate::{
    copy::{Copier, Trouble},
    explain::{self, Circumstances},
};

/// Objects of one table that are copied at the same time.
const AT_ONCE: usize = 16;
/// How often a table is looked at anew when its source has moved on meanwhile.
const LOOKS: u32 = 3;
const HINT: &str = "_delta_log/_last_checkpoint";

/// Mends the tables of a run.
#[derive(Clone, Debug)]
pub(crate) struct Mender {
    pub(crate) snapshot: BucketStore,
    pub(crate) source: BucketStore,
    pub(crate) copier: Copier,
    pub(crate) options: Options,
    pub(crate) circumstances: Arc<Circumstances>,
    pub(crate) selector: Selector,
    /// Whether the run leaves archived objects out.
    pub(crate) skips_archived: bool,
}

/// How a mending ended.
#[derive(Default)]
struct Mending {
    objects: u64,
    bytes: u64,
    last_checkpoint_written: bool,
    /// Why nothing more was done.
    explanation: Option<String>,
    refused: Option<String>,
}

impl Mender {
    /// Gives a table of the snapshot its verdict, and mends its copy where it is not whole.
    ///
    /// # Errors
    /// The snapshot bucket cannot be listed; something failed in passing.
    pub(crate) async fn settle(&self, root: &str, known: Option<Arc<Listing>>) -> Result<TableLine, StageError> {
        match self.settled(root, known).await {
            Err(error) if error.kind == ErrorKind::Permanent => {
                // No other table is worse for it.
                let asks_too_much = error.name == CANNOT_CHECK;
                let verdict = TableVerdict::not_checked(root, error.cause.clone());
                let (explanation, refused) = match asks_too_much {
                    true => (Some(error.cause), None),
                    false => (None, Some(error.cause)),
                };
                Ok(TableLine { verdict, age_seconds: None, repair: None, explanation, refused })
            }
            settled => settled,
        }
    }

    async fn settled(&self, root: &str, known: Option<Arc<Listing>>) -> Result<TableLine, StageError> {
        let mut copy = look(&self.snapshot, root, known, &self.options).await?;
        let before = copy.verdict.clone();
        let mut mending = Mending::default();
        let suspected = before.verdict.is_good() && before.suspected_incarnations;
        // What is left of a later commit says that the copy has lost it, and keeps readers from what is whole.
        let lost = before.verdict.is_good() && before.checksum_beyond.is_some();
        if suspected || lost || matches!(before.verdict, Verdict::Behind | Verdict::Torn) {
            mending = self.mend(root, &copy, suspected).await?;
            if mending.objects > 0 {
                copy = look(&self.snapshot, root, None, &self.options).await?;
            }
        }
        let mut after = copy.verdict;
        if mending.refused.is_none() && !after.opens_in_place.yes {
            let log = match copy.listing {
                Some(listing) => listing,
                None => log_listing(&self.snapshot, root).await?,
            };
            if self.write_hint(root, &after, &log, &mut mending).await? {
                after = look(&self.snapshot, root, None, &self.options).await?.verdict;
            }
        }
        Ok(self.line(before, after, mending))
    }

    fn line(&self, before: TableVerdict, after: TableVerdict, mending: Mending) -> TableLine {
        let repaired = mending.objects > 0 || mending.last_checkpoint_written;
        let repair = repaired.then_some(Repair {
            before: before.verdict,
            version_before: before.newest_whole_version,
            objects: mending.objects,
            bytes: mending.bytes,
            last_checkpoint_written: mending.last_checkpoint_written,
        });
        let explanation = explain::table(&before, &after, mending.explanation, repair.as_ref(), &self.circumstances);
        let age_seconds = self.circumstances.age_of(&after);
        TableLine { verdict: after, age_seconds, repair, explanation, refused: mending.refused }
    }

    /// Copies what the newest whole version at the source needs and the copy lacks.
    async fn mend(&self, root: &str, copy: &Looked, suspected: bool) -> Result<Mending, StageError> {
        let mut mending = Mending::default();
        for _ in 0..LOOKS {
            let source = match look(&self.source, root, None, &self.options).await {
                Ok(source) => source,
                Err(error) if error.kind == ErrorKind::Transient => return Err(error),
                Err(error) => {
                    mending.refused = Some(error.cause);
                    return Ok(mending);
                }
            };
            if let Some(explanation) = explain::impossible(&copy.verdict, &source.verdict) {
                mending.explanation = Some(explanation);
                return Ok(mending);
            }
            // A whole copy is only compared with its source, which may be of another table.
            let version = source.verdict.newest_whole_version.filter(|_| !suspected);
            let Some(version) = version else { return Ok(mending) };
            match self.bring(root, &source, version, copy, &mut mending).await {
                Ok(()) => return Ok(mending),
                Err(Trouble::Gone) => {}
                Err(trouble) => return self.stopped(trouble, mending),
            }
        }
        mending.explanation = Some(explain::restless());
        Ok(mending)
    }

    /// Copies what a version at the source needs and the copy has not, or not in its size: all data, then the log in its order. Of a
    /// table that is judged by shares, the copy is listed and the log read once for each of them, so that memory holds what one
    /// share lacks.
    async fn bring(
        &self,
        root: &str,
        source: &Looked,
        version: u64,
        copy: &Looked,
        mending: &mut Mending,
    ) -> Result<(), Trouble> {
        let log = match &source.listing {
            Some(listing) => Arc::clone(listing),
            None => log_listing(&self.source, root).await?,
        };
        let shares = source.shares.max(copy.shares);
        for index in 0..shares {
            let there = match &copy.listing {
                Some(listing) if shares == 1 => Arc::clone(listing),
                _ => share(&self.snapshot, root, index, shares).await?,
            };
            let lacking = lacking(&self.source, root, &log, &there, &self.options, version).await?;
            self.check_selection(root, &lacking).await?;
            // Data side by side; a commit must not be there before all that it names.
            let (data, log): (Vec<_>, Vec<_>) =
                lacking.into_iter().partition(|need| need.kind <= NeedKind::DeletionVectors);
            self.copy_all(root, data, AT_ONCE, mending).await?;
            if index + 1 == shares {
                self.copy_all(root, log, 1, mending).await?;
            }
        }
        Ok(())
    }

    /// A mending that could not go on.
    fn stopped(&self, trouble: Trouble, mut mending: Mending) -> Result<Mending, StageError> {
        match trouble {
            Trouble::Broken(error) => return Err(error),
            Trouble::LeftOut(key) => mending.explanation = Some(explain::left_out(&key)),
            Trouble::Archived if self.skips_archived => mending.explanation = Some(explain::archived()),
            Trouble::Archived => mending.refused = Some(explain::archived()),
            Trouble::Refused(why) => mending.refused = Some(why),
            Trouble::Gone => mending.explanation = Some(explain::restless()),
        }
        Ok(mending)
    }

    /// Refuses what the run's selection leaves out.
    async fn check_selection(&self, root: &str, lacking: &[Needed]) -> Result<(), Trouble> {
        for need in lacking {
            let key = format!("{}{}", prefix(root), need.path);
            if !self.selects(&key).await? {
                return Err(Trouble::LeftOut(key));
            }
        }
        Ok(())
    }

    /// Copies objects of a table. When one fails, those under way are waited for, so that no upload of a large one is left half done;
    /// no further one is begun.
    async fn copy_all(
        &self,
        root: &str,
        needs: Vec<Needed>,
        at_once: usize,
        mending: &mut Mending,
    ) -> Result<(), Trouble> {
        let stop = AtomicBool::new(false);
        let copies = stream::iter(needs).take_while(|_| ready(!stop.load(Ordering::Relaxed))).map(|need| {
            let key = format!("{}{}", prefix(root), need.path);
            async move { self.copier.copy(&key, need.size).await.map(|()| need.size) }
        });
        let mut copies = std::pin::pin!(copies.buffer_unordered(at_once));
        let mut trouble = None;
        while let Some(copied) = copies.next().await {
            match copied {
                Ok(size) => {
                    mending.objects += 1;
                    mending.bytes += size.unwrap_or_default();
                }
                Err(first) => {
                    stop.store(true, Ordering::Relaxed);
                    trouble.get_or_insert(first);
                }
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    async fn selects(&self, key: &str) -> Result<bool, Trouble> {
        let class = if self.selector.asks_for_classes() { self.copier.class_of(key).await? } else { None };
        Ok(self.selector.takes(key, class.as_deref()))
    }

    /// Writes a `_last_checkpoint` that names a checkpoint of the copy, where the one that is there names none. Whether it did.
    async fn write_hint(
        &self,
        root: &str,
        verdict: &TableVerdict,
        copy: &Arc<Listing>,
        mending: &mut Mending,
    ) -> Result<bool, StageError> {
        let checkpoint = verdict.newest_whole.as_ref().and_then(|facts| facts.checkpoint);
        let (Some(checkpoint), true) = (checkpoint, copy.size_at(HINT).is_some()) else { return Ok(false) };
        let key = format!("{}{HINT}", prefix(root));
        let there = self.snapshot.read(&key).await?.unwrap_or_default();
        if hint_is_sound(copy, &there) {
            return Ok(false);
        }
        let Some(bytes) = last_checkpoint(&self.snapshot, root, copy, checkpoint).await? else { return Ok(false) };
        match self.copier.write(&key, bytes).await {
            Ok(()) => mending.last_checkpoint_written = true,
            Err(Trouble::Broken(error)) => return Err(error),
            Err(Trouble::Refused(why)) => mending.refused = Some(why),
            Err(_) => {}
        }
        Ok(mending.last_checkpoint_written)
    }
}
