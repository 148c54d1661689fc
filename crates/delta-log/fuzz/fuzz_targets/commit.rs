//! Any bytes are a commit, or count as none.
#![no_main]

use levee_delta_log_fuzz::{Table, commit_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut table = Table::small();
    table.put(&commit_key(1), data.to_vec());
    table.check();
});
