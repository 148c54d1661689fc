//! The formats through their public interfaces.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod formats {
    mod batch_manifest;
    mod conformance;
    mod event;
    mod gzip;
    mod inventory;
    mod key;
    mod manifests;
    mod report;
    pub(crate) mod support;
}
