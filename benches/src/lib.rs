//! Measures Levee against its peers and against the limit of the machine: all on the same data, with the same threads, in the
//! same run.
//!
//! ```text
//! make -> run: warm once, then ours, peer, limit, ours, peer, limit… each a process of its own -> compare answers -> tables
//! ```
//!
//! A contestant does one task and prints one line of JSON, an [`Outcome`]. docs/benchmarks.md says what each of them does.

pub mod limit;
pub mod make;
pub mod ours;
mod outcome;
mod parallel;
pub mod run;

pub use outcome::{Outcome, number};
