//! `levee doctor` on guarded deployments on the twin, right ones, wrong ones, and ones that it may not look at; and `levee start`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod doctor {
    mod canary;
    mod healthy;
    mod misconfigured;
    mod refused;
    mod starts;
    mod support;
}
