//! Replay of Delta Lake logs, and the newest version of a table that is wholly there.
//!
//! Pure over a listing and a reader that the caller gives it: no I/O of its own.

mod verdict;

pub use verdict::{Absolute, Missing, MissingObject, MissingWhy, OpensInPlace, TableVerdict, Verdict, VersionFacts};
