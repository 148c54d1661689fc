//! Verdicts on tables of every shape, whole and torn.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

mod delta_log {
    mod conformance;
    mod describing;
    mod fixtures;
    mod models;
    mod opening;
    mod reading;
    mod registering;
    mod restoring;
    mod shapes;
    mod support;
}
