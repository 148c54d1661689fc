//! Pages of runs, as a reader of HTML sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod page {
    mod escaping;
    mod parsed;
    mod samples;
    mod shown;
}
