//! Any bytes survive encoding and decoding, and any encoded bytes are decoded or refused.
#![no_main]

use levee_formats::KeyCodec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for codec in [KeyCodec::Form, KeyCodec::Percent] {
        let encoded = codec.encode(data);
        assert_eq!(codec.decode(encoded.as_bytes()).as_deref(), Ok(data));
        if let Ok(key) = codec.decode(data) {
            let again = codec.encode(&key);
            assert_eq!(codec.decode(again.as_bytes()).as_deref(), Ok(&*key));
        }
    }
});
