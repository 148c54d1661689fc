//! Whatever the hint says, it changes no version.
#![no_main]

use levee_delta_log_fuzz::Table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut table = Table::small();
    table.put("_delta_log/_last_checkpoint", data.to_vec());
    table.check();
});
