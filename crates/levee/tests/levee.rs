//! The `levee` program as a process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod levee {
    mod cat;
    mod doctor;
    mod drills;
    mod history;
    mod plan;
    mod samples;
    mod support;
    mod worker;
}
