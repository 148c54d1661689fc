//! Names, dates and the checks of a run's input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "ledger/dates.rs"]
mod dates;
#[path = "ledger/names.rs"]
mod names;
#[path = "ledger/run.rs"]
mod run;
