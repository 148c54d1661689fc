//! The `levee` command as a library, so that tests and other programs can use its parts.

pub mod cat;
pub mod cli;
pub mod coverage;
pub mod demo;
pub mod deploy;
pub mod doctor;
pub mod drills;
pub mod exit;
pub mod faults;
pub mod fleet;
pub mod history;
pub mod hosts;
pub mod lake;
pub mod plan;
pub mod receipts;
pub mod rehearse;
pub mod restore;
pub mod runs;
pub mod show;
pub mod start;
pub mod supervised;
pub mod twin_command;
pub mod verify;
pub mod worker_command;
