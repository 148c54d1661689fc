//! How the log is read, and what is given back when it cannot be.

use bytes::Bytes;
use thiserror::Error;

/// Reads whole files of a log.
pub trait LogReader {
    /// The bytes of the file at `path`, which is relative to the table's root and decoded, for instance
    /// `_delta_log/00000000000000000000.json`.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when the file is not there, [`ReadError::Failed`] when it cannot be told or read.
    fn read(&self, path: &str) -> Result<Bytes, ReadError>;

    /// The files that are likely to be read next, in that order, so that a reader may fetch ahead. More may follow, and some of
    /// them may never be asked for.
    fn will_read(&self, paths: &[String]) {
        let _ = paths;
    }
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It is not there: it counts as absent.
    #[error("it is not there")]
    Gone,
    /// It could not be read, for the reason given: nothing can be said about the table.
    #[error("{0}")]
    Failed(String),
}

/// Why there is no answer about a table. It never means that the table is torn.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CannotCheck {
    /// A file of the log could not be read.
    #[error("{path} cannot be read: {cause}; check again when it can")]
    Read {
        /// The file's path below the table's root.
        path: String,
        /// What the reader said.
        cause: String,
    },
    /// A file of the log that had been read was not there, or was another one, when it was read again.
    #[error("{path} changed while the table was checked; check again when nobody writes to it")]
    Changed {
        /// The file's path below the table's root.
        path: String,
    },
    /// A listing of one shard has more objects than can be numbered.
    #[error("{objects} objects are too many for one listing; list the table in shards")]
    TooLarge {
        /// Objects in the listing.
        objects: u64,
    },
    /// A version was asked for that cannot be loaded.
    #[error("version {version} cannot be loaded: {why}; ask for another version")]
    NotLoadable {
        /// The version.
        version: u64,
        /// What is missing or broken.
        why: String,
    },
    /// A file of the log has something that is not looked at when files are checked, and that cannot be understood.
    #[error("{path} cannot be used: {why}; ask for a version that does not need it")]
    Unusable {
        /// The file's path below the table's root.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The metadata of a version cannot be understood.
    #[error("the metadata of version {version} cannot be read: {why}; ask for another version")]
    Metadata {
        /// The version.
        version: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A table must not be written to as it was asked for.
    #[error("the table cannot be rolled back: {why}")]
    Refused {
        /// What forbids it, and what helps.
        why: String,
    },
    /// What the caller supplies failed: a listing of a shard, or the taker of the needs of a version.
    #[error("{0}")]
    Caller(String),
}

/// How a table is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How many missing objects are named, and how many places of absolute paths.
    pub missing_limit: usize,
    /// Objects that are dealt with at once. A table of more objects is replayed once for each shard of the space of keys, so that
    /// the set of live files stays below about 100 bytes for each of this number.
    pub shard_objects: usize,
    /// The longest line of a commit, in bytes; a commit with a longer one counts as unreadable.
    pub line_limit: usize,
    /// Threads that decode one table's log, the caller's among them; with one, no other is started. The reader is called on the
    /// caller's alone. Answers do not depend on it; memory holds up to two commits more for each, while they have no more than 16 MiB in all.
    pub threads: usize,
}

impl Default for Options {
    /// Ten names; shards of 16 Mi objects; lines of 128 MiB; one thread.
    fn default() -> Self {
        Self { missing_limit: 10, shard_objects: 16 << 20, line_limit: 128 << 20, threads: 1 }
    }
}

impl Options {
    /// These options with another number of missing objects that are named.
    #[must_use]
    pub const fn with_missing_limit(mut self, limit: usize) -> Self {
        self.missing_limit = limit;
        self
    }

    /// These options with another number of threads.
    #[must_use]
    pub const fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// These options with shards of another size.
    #[must_use]
    pub const fn with_shard_objects(mut self, objects: usize) -> Self {
        self.shard_objects = objects;
        self
    }
}
