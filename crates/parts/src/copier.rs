//! Who copies: the two buckets, the ledger, and the calls.

use aws_sdk_s3::Client;
use jiff::Timestamp;
use levee_ledger::{
    Ledger, RunKey,
    state::{Bucket, LargeRow, Run},
};
use levee_stage::StageError;

use crate::{
    calls::Calls,
    object::Way,
    records::{End, Records},
    source::SourceBucket,
    trouble::Failure,
    upload::Target,
};

/// What a copy has without `run.snapshot.storage_class`, as with a batch copy.
const DEFAULT_STORAGE_CLASS: &str = "STANDARD";

/// What objects are copied for: a backup, or a restore.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// What was asked for: the source, and how copies are stored and named.
    pub run: &'a Run,
    /// Whose records tell what is under way.
    pub key: &'a RunKey,
    /// The bucket that is copied into.
    pub bucket: &'a Bucket,
    /// When the run began: uploads that were begun before are not of this run.
    pub began: Timestamp,
}

/// Copies the large objects of one run. All of them share a pool of calls; nothing else of one object can reach another.
#[derive(Debug)]
pub struct Copier {
    calls: Calls,
    ledger: Ledger,
    key: RunKey,
    run: Run,
    bucket: Bucket,
    began: Timestamp,
}

impl Copier {
    /// A copier that copies at most `parts_at_a_time` parts at a time, of however many objects.
    #[must_use]
    pub fn new(s3: Client, ledger: Ledger, errand: Errand<'_>, parts_at_a_time: usize) -> Self {
        Self {
            calls: Calls::new(s3, parts_at_a_time),
            ledger,
            key: errand.key.clone(),
            run: errand.run.clone(),
            bucket: errand.bucket.clone(),
            began: errand.began,
        }
    }

    /// Brings an object to its end, or tells why it has none. The end is written down and stays: whoever asks again in this run is
    /// given the same one, whatever has become of the object meanwhile. Afterwards no upload of this run is left for it, unless the
    /// failure may pass.
    ///
    /// # Errors
    /// Nothing can be done for any object: the ledger cannot be read or written, or is corrupt.
    pub async fn bring(&self, row: &LargeRow) -> Result<Result<End, Failure>, StageError> {
        self.way().bring(row).await
    }

    /// As [`bring`](Self::bring), by what both buckets have now: an end that the object has come to before in this run does not
    /// count, and none is written down. Uploads are gone on with all the same.
    ///
    /// # Errors
    /// As [`bring`](Self::bring).
    pub async fn bring_anew(&self, row: &LargeRow) -> Result<Result<End, Failure>, StageError> {
        self.way().bring_anew(row).await
    }

    fn way(&self) -> Way<'_> {
        let calls = &self.calls;
        Way {
            source: SourceBucket { calls, name: &self.run.source, owner: &self.run.source_account },
            target: Target {
                calls,
                bucket: &self.bucket.name,
                owner: &self.bucket.account,
                prefix: self.run.target_prefix(),
                storage_class: self.run.snapshot.storage_class.as_deref().unwrap_or(DEFAULT_STORAGE_CLASS),
                run_began: self.began,
            },
            records: Records { ledger: &self.ledger, run: &self.key, calls },
        }
    }
}
