//! Any pieces are a table, whole or torn.
#![no_main]

use levee_delta_log_fuzz::Table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: levee_delta_log_fuzz::allow_caught_panics(), |data: &[u8]| Table::from_pieces(data).check());
