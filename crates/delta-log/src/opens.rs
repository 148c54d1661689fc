//! What a reader gets that is pointed at the table's root.
//!
//! As delta-kernel-rs does it (`LogSegmentFiles::list_with_checkpoint_hint`, `LogSegment::try_new`): the hint says where to begin
//! to list, and without a checkpoint from there on the table does not open; the newest checkpoint that is complete by name is
//! taken, and there is no other one when it cannot be read; commits behind it must have no gap. The version is that of the last
//! commit, whether its files are there or not. A file of checksums above it ends in an error (delta-kernel-rs: "CRC file version …
//! is newer than log segment version"), as deltalake 1.6.6 shows it.

use std::collections::BTreeMap;

use crate::{
    actions::{Actions, Add, Metadata, Protocol, Unusable},
    commit::read_json,
    hint::Hint,
    latest::Detail,
    names::{Names, commit_path},
    reader::CannotCheck,
    replay::Replay,
    verdict::OpensInPlace,
};

/// All that decides it.
pub(crate) struct Opening<'a> {
    pub(crate) names: &'a Names,
    pub(crate) hint: Option<Hint>,
    pub(crate) broken_checkpoints: &'a BTreeMap<u64, String>,
    pub(crate) broken_commits: &'a BTreeMap<u64, String>,
    pub(crate) newest_whole: Option<u64>,
    pub(crate) loadable: Option<&'a Detail>,
    pub(crate) unsupported: &'a [String],
    pub(crate) managed: bool,
}

impl Opening<'_> {
    pub(crate) fn judge(&self, replay: &Replay<'_>) -> Result<OpensInPlace, CannotCheck> {
        let why_not = match self.newest_whole {
            None => Some(self.nothing_is_whole(replay)?),
            Some(newest) => self.why_not(newest),
        };
        Ok(OpensInPlace { yes: why_not.is_none(), why_not })
    }

    fn why_not(&self, newest: u64) -> Option<String> {
        if !self.unsupported.is_empty() {
            let names = self.unsupported.join(", ");
            return Some(format!("Readers have to know {names}; what such a reader gets is not known here."));
        }
        if self.managed {
            let why =
                "A catalog decides what the newest version is, so that readers refuse to open the table by its path";
            return Some(format!("{why}; register the copy with a catalog, or ask for version {newest}."));
        }
        let checkpoint = self.names.checkpoint_versions().next();
        if let Some(hint) = self.hint.as_ref().filter(|hint| checkpoint.is_none_or(|version| version < hint.version)) {
            return Some(format!(
                "_last_checkpoint names checkpoint {}, which is not there, so that readers refuse to open the table; remove \
                 _last_checkpoint, or write one that names a checkpoint that is there.",
                hint.version
            ));
        }
        if let Some((version, why)) = checkpoint.and_then(|version| self.broken_checkpoints.get_key_value(&version)) {
            return Some(format!(
                "Readers start from checkpoint {version}, which cannot be used ({why}), and take no other; restore version \
                 {newest} without that checkpoint."
            ));
        }
        if self.loadable.is_some_and(|detail| detail.base < checkpoint) {
            let version = checkpoint.unwrap_or_default();
            return Some(format!(
                "Readers start from checkpoint {version}, which lacks protocol or metadata; restore version {newest} without that \
                 checkpoint."
            ));
        }
        self.commits_in_the_way(checkpoint, newest)
    }

    /// The first commit behind the checkpoint that is missing, broken, or beyond the newest whole version; or what is left of one.
    fn commits_in_the_way(&self, checkpoint: Option<u64>, newest: u64) -> Option<String> {
        let first = checkpoint.map_or(0, |version| version + 1);
        let reached = self.names.commits().keys().next_back().copied().max(checkpoint)?;
        let mut expected = first;
        for version in self.names.commits().range(first..).map(|(version, _)| *version) {
            if version != expected {
                return Some(format!(
                    "Commit {expected} is not there while {version} is, so that readers refuse to open the table; restore version \
                     {newest}, or read it by its number."
                ));
            }
            if let Some(why) = self.broken_commits.get(&version) {
                return Some(format!(
                    "Commit {version} cannot be read ({why}), so that readers refuse to open the table; restore version {newest}, \
                     or read it by its number."
                ));
            }
            expected = version + 1;
        }
        if reached != newest {
            return Some(format!(
                "A reader gets version {reached}, which is not wholly there; restore version {newest}, or read it by its number."
            ));
        }
        self.names.checksum_beyond().map(|version| {
            format!(
                "{version:020}.crc is there and commit {version} is not, which readers on delta-kernel-rs refuse; restore version \
                 {newest}, or read the copy without that file."
            )
        })
    }

    fn nothing_is_whole(&self, replay: &Replay<'_>) -> Result<String, CannotCheck> {
        if self.loadable.is_some() {
            return Ok(
                "No version is wholly there: a reader that opens the table fails at the files that are missing."
                    .to_owned(),
            );
        }
        Ok(match self.misleading_version(replay)? {
            Some(version) => format!(
                "No version can be loaded as a whole, yet a reader opens version {version} without an error and misses all files of the \
                 commits that were lost, since a later one states protocol and metadata anew; do not use this copy as it is."
            ),
            None => "No version can be loaded: readers refuse to open the table.".to_owned(),
        })
    }

    /// The version that a reader opens of a log that has lost its beginning and has no checkpoint, when later commits state
    /// protocol and metadata anew: kernel readers ask for no gaps, but not for commit 0.
    fn misleading_version(&self, replay: &Replay<'_>) -> Result<Option<u64>, CannotCheck> {
        let commits = self.names.commits();
        let (Some((first, _)), Some((last, _))) = (commits.first_key_value(), commits.last_key_value()) else {
            return Ok(None);
        };
        let gapless = last - first + 1 == commits.len() as u64;
        if self.names.checkpoint_versions().next().is_some() || !gapless {
            return Ok(None);
        }
        let mut stated = Stated::default();
        for version in commits.keys() {
            let bytes = replay.read(&commit_path(*version))?.unwrap_or_default();
            if read_json(&bytes, replay.options.line_limit, &mut stated).is_err() {
                return Ok(None);
            }
        }
        Ok((stated.protocol && stated.metadata).then_some(*last))
    }
}

#[derive(Default)]
struct Stated {
    protocol: bool,
    metadata: bool,
}

impl Actions for Stated {
    fn add(&mut self, _: &Add<'_>) -> Result<(), Unusable> {
        Ok(())
    }

    fn protocol(&mut self, _: Protocol) {
        self.protocol = true;
    }

    fn metadata(&mut self, _: Metadata) {
        self.metadata = true;
    }
}
