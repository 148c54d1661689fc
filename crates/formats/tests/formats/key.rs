use std::borrow::Cow;

use levee_formats::{KeyCodec, KeyError};
use proptest::prelude::*;
use rstest::rstest;

#[rstest]
#[case::space("a b", "a+b", "a%20b")]
#[case::plus("a+b", "a%2Bb", "a%2Bb")]
#[case::hive_partition("date=2026-11-21/x", "date%3D2026-11-21/x", "date%3D2026-11-21/x")]
#[case::percent("ts=12%3A00", "ts%3D12%253A00", "ts%3D12%253A00")]
#[case::tilde_and_star("~*", "%7E*", "~%2A")]
#[case::unicode("日", "%E6%97%A5", "%E6%97%A5")]
#[case::csv_syntax("a,\"\n", "a%2C%22%0A", "a%2C%22%0A")]
fn a_key_is_written_as_s3_writes_it(#[case] key: &str, #[case] form: &str, #[case] percent: &str) {
    assert_eq!(KeyCodec::Form.encode(key.as_bytes()), form);
    assert_eq!(KeyCodec::Percent.encode(key.as_bytes()), percent);
}

#[rstest]
#[case::plus_is_a_space_in_forms_only(KeyCodec::Form, "a+b", "a b")]
#[case::plus_is_itself_otherwise(KeyCodec::Percent, "a+b", "a+b")]
#[case::small_digits(KeyCodec::Form, "a%2fb%c3%a9", "a/bé")]
#[case::encoded_plus(KeyCodec::Form, "%2B+", "+ ")]
#[case::decoded_once_only(KeyCodec::Percent, "a%2520b", "a%20b")]
fn a_key_is_decoded_by_the_codec_of_its_file(#[case] codec: KeyCodec, #[case] encoded: &str, #[case] key: &str) {
    assert_eq!(codec.decode(encoded.as_bytes()), Ok(Cow::Borrowed(key.as_bytes())));
}

#[rstest]
#[case::cut_off("abc%4", 3)]
#[case::alone("abc%", 3)]
#[case::not_hexadecimal("a%zzb", 1)]
#[case::sign_is_no_digit("a%+1b", 1)]
#[case::after_a_good_one("%41%4", 3)]
fn a_broken_escape_is_an_error_that_says_where(#[case] encoded: &str, #[case] offset: usize) {
    assert_eq!(KeyCodec::Form.decode(encoded.as_bytes()), Err(KeyError { offset }));
    assert_eq!(KeyCodec::Percent.decode(encoded.as_bytes()), Err(KeyError { offset }));
}

#[test]
fn a_key_without_escapes_is_borrowed() {
    assert!(matches!(KeyCodec::Form.decode(b"plain/key.parquet"), Ok(Cow::Borrowed(_))));
}

proptest! {
    #[test]
    fn any_bytes_come_back_from_both_codecs(key: Vec<u8>) {
        for codec in [KeyCodec::Form, KeyCodec::Percent] {
            let encoded = codec.encode(&key);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',' && byte != b'"'));
            let decoded = codec.decode(encoded.as_bytes()).unwrap();
            prop_assert_eq!(&*decoded, &key[..]);
        }
    }

    #[test]
    fn what_percent_writes_a_form_reader_reads_alike(key: Vec<u8>) {
        let encoded = KeyCodec::Percent.encode(&key);
        let decoded = KeyCodec::Form.decode(encoded.as_bytes()).unwrap();
        prop_assert_eq!(&*decoded, &key[..]);
    }
}
