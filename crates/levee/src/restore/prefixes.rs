//! Prefixes and single objects, whatever is there: out of the newest snapshot, or of that of a day.

use anyhow::Result;
use aws_sdk_s3::Client;
use levee_ledger::{
    history::Closed,
    restore::PrefixToRestore,
    state::{Bucket, COPY_LIMIT_BYTES},
};
use levee_restore::{Keys, Prefix, Walk, snapshot_run};

use super::Place;

/// What a walk through one of them counts on its way.
#[derive(Default)]
struct Counted {
    large: u64,
    archived: u64,
}

/// Looks through the prefixes.
pub(super) struct Prefixes<'a> {
    pub(super) s3: &'a Client,
    pub(super) target: &'a Client,
    pub(super) bucket: &'a Bucket,
    pub(super) place: &'a Place,
    pub(super) overwrite: bool,
    pub(super) run: &'a Closed,
}

impl Prefixes<'_> {
    /// What is brought back of each; or why it is not, a line for each.
    ///
    /// # Errors
    /// The snapshot or the target cannot be listed.
    pub(super) async fn all(&self, wishes: &[Prefix<'_>]) -> Result<Result<Vec<PrefixToRestore>, Vec<String>>> {
        let (mut prefixes, mut refusals) = (Vec::new(), Vec::new());
        for wish in wishes {
            match self.one(*wish).await? {
                Ok(prefix) => prefixes.push(prefix),
                Err(refusal) => refusals.push(refusal),
            }
        }
        Ok(if refusals.is_empty() { Ok(prefixes) } else { Err(refusals) })
    }

    async fn one(&self, what: Prefix<'_>) -> Result<Result<PrefixToRestore, String>> {
        let run = snapshot_run(self.run);
        let snapshot = Keys::new(self.s3, &run.bucket, &run.account, "", what);
        let there = Keys::new(self.target, &self.bucket.name, &self.bucket.account, &self.place.prefix, what);
        let mut counted = Counted::default();
        let mut walk = Walk::new(snapshot, there);
        while let Some(found) = walk.next().await? {
            counted.large += u64::from(found.size > COPY_LIMIT_BYTES);
            counted.archived += u64::from(found.archived);
        }
        let walked = walk.end();
        if walked.objects == 0 {
            return Ok(Err(format!("the snapshot of {} has nothing at {:?}", run.backup_date, what.prefix)));
        }
        if walked.there.objects > 0 && !self.overwrite {
            return Ok(Err(format!(
                "{:?} is not restored to s3://{}/{}: {} of its objects are there already: {}. Nothing is overwritten unless --overwrite \
                 names the place of --to again; or restore to another prefix",
                what.prefix,
                self.bucket.name,
                self.place.prefix,
                walked.there.objects,
                walked.there.named()
            )));
        }
        Ok(Ok(PrefixToRestore {
            prefix: what.prefix.to_owned(),
            single: what.single,
            run,
            objects: walked.objects,
            object_bytes: walked.bytes,
            large_objects: counted.large,
            archived_objects: counted.archived,
            objects_sha256: walked.sha256,
        }))
    }
}
