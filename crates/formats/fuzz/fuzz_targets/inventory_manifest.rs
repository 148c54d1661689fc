//! A manifest that parses is written and parsed back to itself.
#![no_main]

use levee_formats::inventory::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Manifest::verify_checksum(data, data);
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(Manifest::parse(&manifest.to_json()).expect("a written manifest parses"), manifest);
    }
});
