//! What the keys of many objects come to, whatever their order.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

/// The sum of the hashes (XXH3, 128 bits, modulo 2^128) of keys: two lists of objects with the same sum have the same keys,
/// each as often, but by an accident of one in 2^128. It does not withstand somebody who makes keys up on purpose.
///
/// As text it is 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeySum(u128);

/// A text that is no [`KeySum`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a sum of keys: it has 32 hexadecimal digits")]
pub struct NotAKeySum(String);

impl KeySum {
    /// The sum of one key, not encoded.
    #[inline]
    pub fn of(key: &str) -> Self {
        Self(XxHash3_128::oneshot(key.as_bytes()))
    }

    /// Adds a key, not encoded.
    #[inline]
    pub fn add(&mut self, key: &str) {
        self.merge(Self::of(key));
    }

    /// Adds the keys of another list.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl<'a> FromIterator<&'a str> for KeySum {
    fn from_iter<I: IntoIterator<Item = &'a str>>(keys: I) -> Self {
        let mut sum = Self::default();
        keys.into_iter().for_each(|key| sum.add(key));
        sum
    }
}

impl fmt::Display for KeySum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for KeySum {
    type Err = NotAKeySum;

    fn from_str(text: &str) -> Result<Self, NotAKeySum> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let sum = u128::from_str_radix(text, 16).ok().filter(|_| digits);
        sum.map(Self).ok_or_else(|| NotAKeySum(text.to_owned()))
    }
}

impl From<KeySum> for String {
    fn from(sum: KeySum) -> Self {
        sum.to_string()
    }
}

impl TryFrom<String> for KeySum {
    type Error = NotAKeySum;

    fn try_from(text: String) -> Result<Self, NotAKeySum> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn sum<'a>(keys: impl IntoIterator<Item = &'a str>) -> KeySum {
        keys.into_iter().collect()
    }

    #[rstest]
    #[case::key_missing(&["a"])]
    #[case::key_twice(&["a", "b", "b"])]
    #[case::other_key_twice(&["a", "a"])]
    #[case::both_twice(&["a", "a", "b", "b"])]
    #[case::other_key(&["a", "c"])]
    fn another_list_has_another_sum(#[case] keys: &[&str]) {
        assert_ne!(sum(["a", "b"]), sum(keys.iter().copied()));
    }

    #[rstest]
    #[case::empty("")]
    #[case::sign("+0000000000000000000000000000000")]
    #[case::short("abc")]
    fn other_text_is_refused(#[case] text: &str) {
        assert!(text.parse::<KeySum>().is_err());
    }

    proptest! {
        #[test]
        fn order_and_parts_do_not_matter_and_text_is_read_back(keys in prop::collection::vec(".{0,9}", 0..20), cut in any::<prop::sample::Index>()) {
            let all = sum(keys.iter().map(String::as_str));
            prop_assert_eq!(sum(keys.iter().rev().map(String::as_str)), all);
            let (one, other) = keys.split_at(cut.index(keys.len() + 1));
            let mut parts = sum(one.iter().map(String::as_str));
            parts.merge(sum(other.iter().map(String::as_str)));
            prop_assert_eq!(parts, all);
            prop_assert_eq!(all.to_string().parse(), Ok(all));
        }
    }
}
