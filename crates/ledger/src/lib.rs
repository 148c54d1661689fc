//! What Levee writes down: the objects of a run's state, the records in the ledger bucket, and the names and dates that
//! everything else is derived from.

mod artefact;
mod canonical;
pub mod chain;
mod claim;
pub mod dates;
pub mod history;
mod key;
mod lines;
pub mod names;
pub mod receipt;
mod records;
mod selection;
pub mod signature;
pub mod state;
mod validate;

pub use artefact::{Artefact, ArtefactWriter};
pub use canonical::canonical_json;
pub use claim::{Claim, Claimed, OwnerState, execution_state};
pub use key::RunKey;
pub use lines::{JsonLines, PlannedRows};
pub use records::{Ledger, Stored, Written};
pub use selection::{STORAGE_CLASSES, Selector};
