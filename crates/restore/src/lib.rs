//! What a restore of a Delta table copies: worked out when the plan is made, and once more before it is carried out, by the same
//! code. Neither reads data files.

mod objects;
mod run;
mod stores;
mod tables;

pub use objects::{Objects, ToCopy, Wish, objects};
pub use run::run_of;
pub use stores::Stores;
pub use tables::{Chosen, root_below, snapshot, snapshot_run};
