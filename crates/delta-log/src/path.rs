//! Paths in a log: URIs, relative to the table's root or absolute.
//!
//! PROTOCOL.md of delta-io/delta, "Add File and Remove File": a path is a URI of RFC 2396 that has to be decoded. Decoding is of
//! percent sequences alone, once; `+` is a plus sign. What is compared is the decoded key.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};
use percent_encoding::percent_decode_str;

/// Where a path of the log leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Located<'a> {
    /// The key below the table's root, decoded.
    Relative(Cow<'a, [u8]>),
    /// Somewhere that only the whole path tells, as the log has it.
    Absolute(&'a str),
}

/// Decodes a path of an `add`, a `remove` or a sidecar.
///
/// Absolute is what has a scheme, begins with a slash, or has a segment `..`; segments `.` are dropped. A percent sign that no two
/// hexadecimal digits follow stands for itself.
pub(crate) fn locate(raw: &str) -> Located<'_> {
    if has_scheme(raw) {
        return Located::Absolute(raw);
    }
    let decoded = match memchr(b'%', raw.as_bytes()) {
        None => Cow::Borrowed(raw.as_bytes()),
        Some(_) => percent_decode_str(raw).into(),
    };
    if decoded.starts_with(b"/") {
        return Located::Absolute(raw);
    }
    if !decoded.starts_with(b".") && !memchr_iter(b'/', &decoded).any(|slash| decoded.get(slash + 1) == Some(&b'.')) {
        return Located::Relative(decoded);
    }
    let segments = || decoded.split(|&byte| byte == b'/');
    if segments().any(|segment| segment == b"..") {
        return Located::Absolute(raw);
    }
    if !segments().any(|segment| segment == b".") {
        return Located::Relative(decoded);
    }
    let kept: Vec<&[u8]> = segments().filter(|segment| *segment != b".").collect();
    Located::Relative(Cow::Owned(kept.join(&b'/')))
}

/// Whether a URI begins with a scheme: RFC 2396, 3.1.
fn has_scheme(raw: &str) -> bool {
    let scheme = memchr(b':', raw.as_bytes()).and_then(|colon| raw.get(..colon));
    let Some(scheme) = scheme else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// What tells an absolute path from others: it is decoded, and a path without a scheme is one of the scheme `file`, whose empty
/// authority may be left out (`DeltaLog.canonicalizePath` of delta-io/delta qualifies paths so before it compares them).
pub(crate) fn canonical(raw: &str) -> Vec<u8> {
    let decoded: Cow<'_, [u8]> = percent_decode_str(raw).into();
    match decoded.strip_prefix(b"file:") {
        Some(path) if path.starts_with(b"///") => [b"file:", path.get(2..).unwrap_or_default()].concat(),
        None if decoded.starts_with(b"/") => [b"file:", decoded.as_ref()].concat(),
        _ => decoded.into_owned(),
    }
}

/// The place of an absolute path: the scheme, the authority and at most two folders.
pub(crate) fn place(raw: &str) -> String {
    let (head, rest) = match raw.split_once("://") {
        Some((_, rest)) => {
            let authority = rest.find('/').unwrap_or(rest.len());
            raw.split_at(raw.len() - rest.len() + authority)
        }
        None => raw.split_at(raw.find('/').unwrap_or(0)),
    };
    let folders = rest.trim_start_matches('/').rsplit_once('/').map_or("", |(folders, _)| folders);
    let first: Vec<&str> = folders.split('/').filter(|folder| !folder.is_empty()).take(2).collect();
    if first.is_empty() { head.to_owned() } else { format!("{head}/{}", first.join("/")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("part-0.c000.snappy.parquet", "part-0.c000.snappy.parquet")]
    #[case::percent_once("ts=12%253A00/p", "ts=12%3A00/p")]
    #[case::plus_is_literal("a+b%2Bc", "a+b+c")]
    #[case::space("a%20b c", "a b c")]
    #[case::unicode("%C3%A4/\u{e4}", "\u{e4}/\u{e4}")]
    #[case::not_a_sequence("50%/x%zz", "50%/x%zz")]
    #[case::dots("./a/./b/.", "a/b")]
    #[case::encoded_dot("%2E/a", "a")]
    #[case::hidden(".hidden/.x", ".hidden/.x")]
    #[case::double_slash("a//b", "a//b")]
    #[case::colon_behind_an_equals_sign("t=1:2/p", "t=1:2/p")]
    #[case::encoded_colon("a%3Ab/p", "a:b/p")]
    fn relative_paths_are_decoded_once(#[case] raw: &str, #[case] key: &str) {
        assert_eq!(locate(raw), Located::Relative(key.as_bytes().into()));
    }

    #[rstest]
    #[case("s3://bucket/a/b/c/p.parquet", "s3://bucket/a/b")]
    #[case("abfss://c@account.dfs/p.parquet", "abfss://c@account.dfs")]
    #[case("file:/some/unqualified/path/p", "file:/some/unqualified")]
    #[case("/mnt/lake/t/p", "/mnt/lake")]
    #[case("../other/p", "../other")]
    #[case("%2Fmnt/lake/p", "%2Fmnt/lake")]
    #[case("a/%2E%2E/b/p", "a/%2E%2E/b")]
    fn absolute_paths_have_a_place(#[case] raw: &str, #[case] expected: &str) {
        assert_eq!(locate(raw), Located::Absolute(raw));
        assert_eq!(place(raw), expected);
    }

    #[rstest]
    #[case("/mnt/a%20b", "file:/mnt/a b")]
    #[case("file:///mnt/a b", "file:/mnt/a b")]
    #[case("file:/mnt/a b", "file:/mnt/a b")]
    #[case("file://host/mnt", "file://host/mnt")]
    #[case("s3://b/k%2Bk", "s3://b/k+k")]
    fn spellings_of_an_absolute_path_are_one(#[case] raw: &str, #[case] expected: &str) {
        assert_eq!(canonical(raw), expected.as_bytes());
    }

    proptest! {
        #[test]
        fn any_key_comes_back_from_its_encoding(key in "[^/.\u{0}][^\u{0}]{0,40}") {
            prop_assume!(!key.split('/').any(|segment| segment == "." || segment == ".."));
            let encoded = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(locate(&encoded), Located::Relative(key.as_bytes().into()));
        }

        #[test]
        fn any_text_has_a_place(raw in "\\PC{0,60}") {
            let _ = place(&raw);
            let _ = locate(&raw);
        }
    }
}
