//! A message is parsed or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = levee_formats::event::parse(data);
});
