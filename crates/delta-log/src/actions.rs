//! The actions that decide which files a version needs, from commits and checkpoints alike.

use thiserror::Error;

use crate::{
    ids::{Id, Kind},
    path::{Located, canonical, locate},
    vector::Vector,
};

/// Why a file of the log does not count, in words that finish "it cannot be used: ".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct Unusable(pub(crate) String);

impl Unusable {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// An `add`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Add<'a> {
    /// As the log has it.
    pub(crate) path: &'a str,
    pub(crate) size: u64,
    pub(crate) vector: Option<Vector<'a>>,
    /// `numRecords` of its statistics.
    pub(crate) records: Option<u64>,
}

/// The name of a logical file: PROTOCOL.md, "Add File and Remove File", its path and the unique id of its deletion vector.
pub(crate) fn logical_id(file: Id, vector: Option<&Vector<'_>>) -> Id {
    vector.map_or(file, |vector| file.with(vector.unique_id()))
}

/// The hash of a path of the log, and whether it is absolute.
pub(crate) fn file_id(path: &str) -> (Id, bool) {
    let located = locate(path);
    (located_id(&located), matches!(located, Located::Absolute(_)))
}

/// The hash of what a path of the log leads to.
pub(crate) fn located_id(located: &Located<'_>) -> Id {
    match located {
        Located::Relative(key) => Id::of(Kind::Key, key),
        Located::Absolute(path) => Id::of(Kind::Absolute, &canonical(path)),
    }
}

/// A `protocol`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) min_reader_version: i64,
    pub(crate) reader_features: Option<Vec<String>>,
}

/// What is used of a `metaData`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    /// `delta.deletedFileRetentionDuration`
    pub(crate) retention: Option<String>,
}

/// A `sidecar` of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sidecar {
    /// Below the table's root.
    pub(crate) path: String,
    pub(crate) size: u64,
}

/// What is used of a `commitInfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommitInfo {
    pub(crate) timestamp: Option<i64>,
    pub(crate) in_commit_timestamp: Option<i64>,
}

impl CommitInfo {
    /// When the version was committed, as far as the log says.
    pub(crate) fn time(self) -> Option<i64> {
        self.in_commit_timestamp.or(self.timestamp)
    }
}

/// Takes the actions of one file of the log.
///
/// A file that turns out to be unusable has given some of its actions already: what took them has to be thrown away.
pub(crate) trait Actions {
    fn add(&mut self, add: &Add<'_>) -> Result<(), Unusable>;

    fn remove(&mut self, path: &str, vector: Option<&Vector<'_>>) -> Result<(), Unusable> {
        let _ = (path, vector);
        Ok(())
    }

    fn protocol(&mut self, protocol: Protocol) {
        let _ = protocol;
    }

    fn metadata(&mut self, metadata: Metadata) {
        let _ = metadata;
    }

    fn sidecar(&mut self, sidecar: Sidecar) {
        let _ = sidecar;
    }

    fn commit_info(&mut self, info: CommitInfo) {
        let _ = info;
    }

    /// About so many `add`s follow, as the file says.
    fn expect(&mut self, adds: usize) {
        let _ = adds;
    }

    /// All of the file was given.
    fn end_of_file(&mut self) {}
}
