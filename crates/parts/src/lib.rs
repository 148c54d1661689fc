//! Copies objects that are too large for one call of S3: part by part inside of S3, without reading a byte, with attributes, tags,
//! checksum algorithm and parts of their sources.
//!
//! ```text
//! LargeRow -> look at the source -> upload in parts (begun, or gone on with) -> complete -> compare -> End
//! ```
//!
//! Whoever copies may be broken off at any time: each object's upload is in the ledger, the parts are in S3, and whoever is asked for
//! the same object in the same run copies what is missing. A failure of one object is a value, which keeps no other from being
//! copied.

mod attributes;
mod calls;
mod checksum;
mod copier;
mod layout;
mod object;
mod proof;
mod records;
mod remedy;
mod source;
mod trouble;
mod upload;

pub use copier::{Copier, Errand};
pub use records::End;
pub use remedy::remedy;
pub use trouble::Failure;
