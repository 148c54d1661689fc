//! The Delta tables of a place: a bucket, what is below a prefix of one, or a folder.

mod bucket;
mod folder;
mod ranges;
mod store;

pub use bucket::BucketStore;
pub use folder::FolderStore;
pub use ranges::{Range, ranges};
pub use store::{Object, Store};
