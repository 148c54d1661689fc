//! The commit that rolls a table back to an older version.
//!
//! As `RestoreTableCommand` of delta-io/delta does it; docs/decisions/0025-rolling-back-by-a-commit.md says where this is stricter.

mod difference;
mod domains;
mod emit;
mod identity;
mod metadata;
mod protocol;
mod rows;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::{
    difference::{Difference, Side},
    emit::{Adds, Lines, Removes},
    metadata::NewMetadata,
    rows::RowIds,
};
use crate::{
    actions::Unusable,
    described::{Described, of_head},
    head::Head,
    listing::Listing,
    reader::{CannotCheck, LogReader, Options},
    replay::Replay,
    whole::{Object, read_whole},
};

/// What the writer of a commit says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreFacts {
    /// The time of the commit, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Who writes it: `commitInfo.engineInfo`.
    pub engine_info: String,
}

/// What the commit does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSummary {
    /// The version that was the newest.
    pub from: u64,
    /// The version whose state the table has again.
    pub to: u64,
    /// The version that the commit makes; none when the two versions have the same state, so that there is nothing to write.
    pub version: Option<u64>,
    /// Files that are live again.
    pub added: RestoredFiles,
    /// Files that are not live any more.
    pub removed: RestoredFiles,
    /// Added files whose statistics are only in the columns of a checkpoint (`stats_parsed`), of which the commit has the number of
    /// records and nothing else, or that have none.
    pub without_statistics: u64,
    /// Whether metadata, the schema for instance, is another one than before.
    pub metadata_changed: bool,
    /// Whether the protocol asks for more than before, since the older version had features that were dropped.
    pub protocol_raised: bool,
    /// The time of the commit that the table goes by, where it has in-commit timestamps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_commit_timestamp_ms: Option<i64>,
}

/// Files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredFiles {
    /// Logical files: a data file with another deletion vector is another one.
    pub files: u64,
    /// Bytes of their data files.
    pub bytes: u64,
}

/// Gives the bytes of the commit `from + 1` that makes the table's state that of `to`, piece by piece. `from` must be the newest
/// version in the listing. The bytes are to be thrown away when there is an error, and to be written with put-if-absent. Whether the
/// files of `to` are there is not looked at: put back what is missing first.
///
/// The commit has
/// - `commitInfo`, of the operation `RESTORE`;
/// - `metaData` of `to`, where it differs: identity columns go on from where they were, `delta.columnMapping.maxColumnId` is not
///   lowered, and row tracking keeps the names of its columns;
/// - `protocol` only where `to` has features that `from` lacks; it is never lowered;
/// - `add` of each logical file (path and deletion vector) that is live at `to` alone, with all of its members as the log has them,
///   from commits and checkpoints alike;
/// - `remove` of each one that is live at `from` alone;
/// - `domainMetadata` of clustering, and of row tracking where files get their row ids only now. Other domains, and `txn`, stay as
///   they are.
///
/// Memory: what the listing takes, the live files of both versions or of one shard of them (together within what [`Options`] allows
/// for one version), and some 60 bytes for each file of the difference. The log is read four times, data columns of checkpoints
/// only where they have files of the difference.
///
/// # Errors
/// [`CannotCheck`] when the log cannot be read or changes meanwhile, when a version cannot be loaded, when an action that has to be
/// written cannot be understood, and what `out` returns. [`CannotCheck::Refused`] when the table must not be written to: `from` is
/// not the newest version, or not behind `to`; it is append-only; a catalog manages it; its protocol has a feature that is not known
/// here to be safe; columns are mapped in another way at `to`; row tracking is suspended or was dropped; the difference has files at
/// absolute paths, which may be those of another table.
pub fn restore_commit(
    listing: &Listing,
    reader: &dyn LogReader,
    options: &Options,
    from: u64,
    to: u64,
    facts: &RestoreFacts,
    out: &mut dyn FnMut(&[u8]) -> Result<(), CannotCheck>,
) -> Result<RestoreSummary, CannotCheck> {
    check_order(listing, from, to)?;
    let difference = difference::between(listing, reader, options, from, to)?;
    let replay = Replay::new(listing.names(), reader, options);
    let commit = Commit::plan(&replay, &difference, facts)?;
    commit.write(&replay, difference, facts, out)
}

fn refused(why: impl Into<String>) -> CannotCheck {
    CannotCheck::Refused { why: why.into() }
}

fn check_order(listing: &Listing, from: u64, to: u64) -> Result<(), CannotCheck> {
    if to >= from {
        return Err(refused(format!("version {to} is not older than version {from}; choose an older one")));
    }
    match listing.names().latest() {
        Some(latest) if latest != from => {
            Err(refused(format!("version {from} is not its newest version, which is {latest}; list its log again")))
        }
        // A version is a signed number for most.
        _ if i64::try_from(from).is_ok_and(|from| from == i64::MAX) => {
            Err(refused("there is no version left behind its newest"))
        }
        _ => Ok(()),
    }
}

/// One of the versions.
struct Version {
    head: Head,
    described: Described,
    /// `schemaString`
    schema: String,
}

impl Version {
    fn read(replay: &Replay<'_>, side: &Side) -> Result<Self, CannotCheck> {
        let mut head = Head::default();
        read_whole(replay, &side.segment, &mut head)?;
        let version = side.version;
        let unreadable = |Unusable(why)| CannotCheck::Metadata { version, why };
        let described = of_head(&head, version).map_err(unreadable)?;
        let schema = head.metadata.as_ref().map(|metadata| metadata.read("schemaString")).transpose();
        Ok(Self { schema: schema.map_err(unreadable)?.flatten().unwrap_or_default(), head, described })
    }

    /// The value of a property.
    fn property(&self, key: &str) -> Option<&str> {
        self.described.configuration.get(key).map(String::as_str)
    }
}

/// A commit of which everything is known but its files.
struct Commit {
    from: u64,
    to: u64,
    metadata: Option<Object>,
    protocol: Option<Value>,
    clustering: Option<Value>,
    rows: Option<RowIds>,
    in_commit_timestamp: Option<i64>,
    is_partitioned: bool,
}

impl Commit {
    fn plan(replay: &Replay<'_>, difference: &Difference, facts: &RestoreFacts) -> Result<Self, CannotCheck> {
        let (old, new) = (Version::read(replay, &difference.from)?, Version::read(replay, &difference.to)?);
        let (from, to) = (difference.from.version, difference.to.version);
        let unreadable = |version| move |Unusable(why)| CannotCheck::Metadata { version, why };
        protocol::check(&old.described, &new.described)?;
        difference.check_paths()?;
        let NewMetadata { metadata, in_commit_timestamp } = metadata::plan(replay, &old, &new, facts)?;
        Ok(Self {
            from,
            to,
            metadata,
            protocol: protocol::raised(&old, &new),
            clustering: domains::clustering(&old, &new).map_err(unreadable(to))?,
            rows: rows::plan(&old).map_err(unreadable(from))?,
            in_commit_timestamp,
            is_partitioned: !new.described.partition_columns.is_empty(),
        })
    }

    fn changes_nothing(&self, difference: &Difference) -> bool {
        let head = self.metadata.is_some() || self.protocol.is_some() || self.clustering.is_some();
        !head && difference.to.only.is_empty() && difference.from.only.is_empty()
    }

    fn write(
        self,
        replay: &Replay<'_>,
        difference: Difference,
        facts: &RestoreFacts,
        out: &mut dyn FnMut(&[u8]) -> Result<(), CannotCheck>,
    ) -> Result<RestoreSummary, CannotCheck> {
        let mut summary = RestoreSummary {
            from: self.from,
            to: self.to,
            version: None,
            added: difference.to.only_files(),
            removed: difference.from.only_files(),
            without_statistics: 0,
            metadata_changed: self.metadata.is_some(),
            protocol_raised: self.protocol.is_some(),
            in_commit_timestamp_ms: None,
        };
        if self.changes_nothing(&difference) {
            return Ok(summary);
        }
        let version = self.from + 1;
        let mut lines = Lines::new(out);
        lines.give("commitInfo", &self.commit_info(&difference, facts))?;
        self.metadata.iter().try_for_each(|metadata| lines.give("metaData", metadata))?;
        self.protocol.iter().try_for_each(|protocol| lines.give("protocol", protocol))?;
        let Difference { from, to } = difference;
        let mut adds = Adds::new(&mut lines, to.only, self.is_partitioned, self.rows);
        let read = read_whole(replay, &to.segment, &mut adds);
        let (rows, without_statistics) = adds.finish(read)?;
        let mut removes = Removes::new(&mut lines, from.only, facts.timestamp_ms);
        let read = read_whole(replay, &from.segment, &mut removes);
        removes.finish(read)?;
        let domains = self.clustering.into_iter().chain(rows.and_then(RowIds::domain));
        domains.into_iter().try_for_each(|domain| lines.give("domainMetadata", &domain))?;
        summary.version = Some(version);
        summary.without_statistics = without_statistics;
        summary.in_commit_timestamp_ms = self.in_commit_timestamp;
        Ok(summary)
    }

    /// As `CommitInfo` of delta-io/delta is written: parameters are JSON, metrics are texts.
    fn commit_info(&self, difference: &Difference, facts: &RestoreFacts) -> Value {
        let (added, removed) = (difference.to.only_files(), difference.from.only_files());
        let mut info = json!({
            "timestamp": facts.timestamp_ms,
            "operation": "RESTORE",
            "operationParameters": {"version": self.to, "timestamp": null},
            "readVersion": self.from,
            "isolationLevel": "Serializable",
            "isBlindAppend": false,
            "operationMetrics": {
                "numRestoredFiles": added.files.to_string(),
                "restoredFilesSize": added.bytes.to_string(),
                "numRemovedFiles": removed.files.to_string(),
                "removedFilesSize": removed.bytes.to_string(),
                "numOfFilesAfterRestore": difference.to.all.files.to_string(),
                "tableSizeAfterRestore": difference.to.all.bytes.to_string(),
            },
            "engineInfo": facts.engine_info,
        });
        if let (Some(time), Value::Object(info)) = (self.in_commit_timestamp, &mut info) {
            info.insert("inCommitTimestamp".to_owned(), time.into());
        }
        info
    }
}
