//! Any bytes are a checkpoint, or count as none.
#![no_main]

use levee_delta_log_fuzz::{Table, checkpoint_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: levee_delta_log_fuzz::allow_caught_panics(), |data: &[u8]| {
    let mut table = Table::small();
    table.put(&checkpoint_key(2), data.to_vec());
    table.check();
});
