//! The Delta tables of a place: a bucket, what is below a prefix of one, or a folder. Found by a listing, and given verdicts side
//! by side.

mod bucket;
mod check;
mod folder;
mod listings;
mod log;
mod look;
mod ranges;
mod store;

pub use bucket::{BucketStore, EndOf};
pub use check::{
    CANNOT_CHECK, Needed, at_version, described, lacking, last_checkpoint, live_files, needs, prefix, restore_commit,
    version_as_of,
};
pub use folder::FolderStore;
pub use listings::{listing, log_listing, share};
pub use look::{HELD_AT_ONCE, Looked, look, tables};
pub use ranges::{Range, ranges};
pub use store::{Object, Store};
