//! The Delta tables of a place: a bucket, what is below a prefix of one, or a folder. Found by a listing, and given verdicts side
//! by side.

mod bucket;
mod check;
mod folder;
mod log;
mod ranges;
mod store;

pub use bucket::BucketStore;
pub use check::{CANNOT_CHECK, Needed, at_version, last_checkpoint, listing, needs, prefix, roots, verdict};
pub use folder::FolderStore;
pub use ranges::{Range, ranges};
pub use store::{Object, Store};
