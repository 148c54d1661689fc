//! What a restore copies, of Delta tables and of prefixes: worked out when the plan is made, and once more before it is carried out, by the same
//! code. Neither reads data files.

mod keys;
mod objects;
mod run;
mod stores;
mod tables;

pub use keys::{Differing, Found, Keys, Prefix, Walk, Walked};
pub use objects::{Lacking, Objects, ToCopy, Wish, objects};
pub use run::run_of;
pub use stores::Stores;
pub use tables::{Chosen, described_if_readable, root_below, snapshot, snapshot_run};
