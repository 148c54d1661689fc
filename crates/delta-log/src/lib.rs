//! Replay of Delta Lake logs, and the newest version of a table that is wholly there.
//!
//! Pure over a listing and a reader that the caller gives it: no I/O of its own.

mod actions;
mod as_of;
mod assess;
mod at_version;
mod commit;
mod described;
mod features;
mod head;
mod hint;
mod ids;
mod interval;
mod lacking;
mod latest;
mod listing;
mod live;
mod names;
mod notes;
mod objects;
mod opens;
mod parquet_file;
mod path;
mod place;
mod presence;
mod reader;
mod register;
mod replay;
mod restore;
mod schema;
mod state;
mod stats;
mod threads;
mod vector;
mod verdict;
mod whole;

pub use as_of::version_as_of;
pub use assess::{verdict, verdict_by_shards};
pub use at_version::{AtVersion, Need, NeedKind, Needs, at_version, needs};
pub use described::{Described, TableProtocol, described};
pub use hint::{hint_is_sound, last_checkpoint_for};
pub use lacking::lacking;
pub use listing::Listing;
pub use live::{LiveFile, live_files};
pub use names::root_of;
pub use parquet_file::{End, MOST_OF_A_FOOTER, rows_by_end};
pub use place::PlaceListing;
pub use reader::{CannotCheck, LogReader, Options, ReadError};
pub use register::{Engine, RegisterError, register_sql};
pub use restore::{RestoreFacts, RestoreSummary, RestoredFiles, restore_commit};
pub use schema::{DataType, Primitive, StructField, StructType};
pub use verdict::{
    Absolute, Behind, Missing, MissingObject, MissingWhy, OpensInPlace, TableVerdict, Verdict, VersionFacts,
};
