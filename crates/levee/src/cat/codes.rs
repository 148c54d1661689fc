//! Failed rows by their error code, in memory that does not grow with the report.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// Codes that are counted each by itself. AWS documents a few dozen; a file of something else may have one a row.
const COUNTED: usize = 1000;
/// Codes that are printed.
const PRINTED: usize = 50;
/// Bytes of a code that are kept.
const LONGEST: usize = 128;

/// Counts by error code. The codes with the most rows are printed each by itself, the rows of all others as one count.
#[derive(Default)]
pub(super) struct ErrorCodes {
    counts: HashMap<String, u64>,
    /// Rows of codes that were first met when there were too many already.
    uncounted: u64,
}

impl ErrorCodes {
    /// Counts a row.
    pub(super) fn add(&mut self, code: &str) {
        let code = code.get(..code.floor_char_boundary(LONGEST)).unwrap_or_default();
        if let Some(count) = self.counts.get_mut(code) {
            *count += 1;
        } else if self.counts.len() < COUNTED {
            self.counts.insert(code.to_owned(), 1);
        } else {
            self.uncounted += 1;
        }
    }
}

impl Serialize for ErrorCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut ranked: Vec<(&String, &u64)> = self.counts.iter().collect();
        ranked.sort_unstable_by_key(|(code, count)| (Reverse(**count), *code));
        let others = ranked.iter().skip(PRINTED).map(|(_, count)| **count).sum::<u64>() + self.uncounted;
        let printed: BTreeMap<_, _> = ranked.into_iter().take(PRINTED).collect();
        let mut members = serializer.serialize_struct("ErrorCodes", 2)?;
        members.serialize_field("failed_by_error_code", &printed)?;
        members.serialize_field("failed_with_other_error_codes", &others)?;
        members.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn printed(codes: &ErrorCodes) -> serde_json::Value {
        serde_json::to_value(codes).unwrap()
    }

    #[test]
    fn few_codes_are_all_counted() {
        let mut codes = ErrorCodes::default();
        ["AccessDenied", "NoSuchKey", "AccessDenied"].iter().for_each(|code| codes.add(code));
        let expected = serde_json::json!({
            "failed_by_error_code": {"AccessDenied": 2, "NoSuchKey": 1}, "failed_with_other_error_codes": 0
        });
        assert_eq!(printed(&codes), expected);
    }

    #[test]
    fn a_code_for_every_row_takes_bounded_memory_and_loses_no_row() {
        let mut codes = ErrorCodes::default();
        for row in 0..5000 {
            codes.add("AccessDenied");
            codes.add(&format!("{row}{}", "ä".repeat(500)));
        }
        assert!(codes.counts.len() <= COUNTED && codes.counts.keys().all(|code| code.len() <= LONGEST));
        let printed = printed(&codes);
        let by_code = printed["failed_by_error_code"].as_object().unwrap();
        assert_eq!((by_code.len(), &by_code["AccessDenied"]), (PRINTED, &5000.into()));
        let sum: u64 = by_code.values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(sum + printed["failed_with_other_error_codes"].as_u64().unwrap(), 10_000);
    }
}
