//! Names, dates, the checks of a run's input, and the records in the ledger bucket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "ledger/dates.rs"]
mod dates;
#[path = "ledger/history.rs"]
mod history;
#[path = "ledger/names.rs"]
mod names;
#[path = "ledger/records.rs"]
mod records;
#[path = "ledger/run.rs"]
mod run;
