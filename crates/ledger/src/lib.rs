//! What Levee writes down: the objects of a run's state, the records in the ledger bucket, and the names and dates that
//! everything else is derived from.

mod artefact;
mod canonical;
pub mod chain;
mod claim;
pub mod dates;
pub mod drill;
pub mod history;
mod key;
mod key_lists;
mod lines;
pub mod names;
mod part;
pub mod receipt;
mod records;
pub mod restore;
mod selection;
pub mod signature;
pub mod state;
mod table_list;
mod validate;

pub use artefact::{Artefact, ArtefactWriter};
pub use canonical::canonical_json;
pub use claim::{Claim, Claimed, OwnerState, execution_state};
pub use key::{RunKey, restore_prefix};
pub use key_lists::{KeyLists, KeySet, key_id};
pub use lines::{JsonLines, PlannedRows};
pub use records::{Ledger, Stored, Written};
pub use selection::{STORAGE_CLASSES, Selector};
