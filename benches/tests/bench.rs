//! The data of the benches, and the memory that reading it takes.
#![allow(clippy::unwrap_used)]

mod bench {
    mod lake;
    #[cfg(target_os = "linux")]
    mod memory;
}
