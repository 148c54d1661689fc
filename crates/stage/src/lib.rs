//! The worker runtime: what every stage of a run has in common.
//!
//! A stage is a [`Stage`]; [`Worker`](crate) hosts one on its SQS queue.
#![allow(missing_docs)]

mod contract;
pub use contract::*;
