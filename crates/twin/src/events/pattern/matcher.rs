//! The matchers of one field.

use std::net::IpAddr;

use serde_json::Value;

/// What a field may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Matcher {
    Exact(Value),
    Text(Text),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    AnythingBut(Vec<Matcher>),
    /// An address within a network, by the bits that they share.
    Cidr(IpAddr, u32),
}

/// What a text may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text {
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    EqualsIgnoreCase(String),
    /// The literal pieces between the stars.
    Wildcard(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Matcher {
    /// Whether the field's value, or one of its values where it is a list, is what this asks for.
    pub(super) fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // Only leaves exist: an object or an empty list does not count.
            (Self::Exists(wanted), Some(Value::Object(_))) => !wanted,
            (Self::Exists(wanted), Some(Value::Array(items))) => *wanted != items.is_empty(),
            (Self::Exists(wanted), value) => *wanted == value.is_some(),
            (_, Some(Value::Array(items))) => items.iter().any(|item| self.takes(item)),
            (_, Some(value)) => self.takes(value),
            (_, None) => false,
        }
    }

    fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Exact(Value::Number(wanted)) => value.as_f64().is_some_and(|found| wanted.as_f64() == Some(found)),
            Self::Exact(wanted) => wanted == value,
            Self::Text(text) => value.as_str().is_some_and(|found| text.takes(found)),
            Self::Numeric(ranges) => {
                value.as_f64().is_some_and(|found| ranges.iter().all(|(how, bound)| how.holds(found, *bound)))
            }
            Self::AnythingBut(none) => !value.is_object() && none.iter().all(|matcher| !matcher.takes(value)),
            Self::Cidr(network, bits) => {
                value.as_str().and_then(|text| text.parse().ok()).is_some_and(|found| within(found, *network, *bits))
            }
            Self::Exists(_) => false,
        }
    }
}

impl Text {
    fn takes(&self, found: &str) -> bool {
        match self {
            Self::Prefix(wanted) => found.starts_with(wanted.as_str()),
            Self::PrefixIgnoreCase(wanted) => found.to_lowercase().starts_with(&wanted.to_lowercase()),
            Self::Suffix(wanted) => found.ends_with(wanted.as_str()),
            Self::SuffixIgnoreCase(wanted) => found.to_lowercase().ends_with(&wanted.to_lowercase()),
            Self::EqualsIgnoreCase(wanted) => found.to_lowercase() == wanted.to_lowercase(),
            Self::Wildcard(pieces) => wildcard(pieces, found),
        }
    }
}

fn within(found: IpAddr, network: IpAddr, bits: u32) -> bool {
    let differ = match (found, network) {
        (IpAddr::V4(found), IpAddr::V4(network)) => (found.to_bits() ^ network.to_bits()).leading_zeros(),
        (IpAddr::V6(found), IpAddr::V6(network)) => (found.to_bits() ^ network.to_bits()).leading_zeros(),
        _ => return false,
    };
    differ >= bits
}

/// The first piece must begin the text, the last must end it, the others come in between, each as early as it can.
fn wildcard(pieces: &[String], found: &str) -> bool {
    let [first, middle @ .., last] = pieces else {
        return pieces.first().is_some_and(|only| only == found);
    };
    let Some(mut rest) = found.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        match rest.split_once(piece.as_str()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

impl Comparison {
    fn holds(self, found: f64, bound: f64) -> bool {
        match self {
            Self::Less => found < bound,
            Self::LessOrEqual => found <= bound,
            Self::Equal => found.total_cmp(&bound).is_eq(),
            Self::GreaterOrEqual => found >= bound,
            Self::Greater => found > bound,
        }
    }
}
