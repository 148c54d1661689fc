//! What Levee writes down: the objects of a run's state, and the records in the ledger bucket.
#![allow(missing_docs)]

pub mod state;
