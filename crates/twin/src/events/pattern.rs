//! Event patterns, as rules of EventBridge and filter policies of SNS have them.
//!
//! Supported: exact values, `prefix`, `suffix` (both also with `equals-ignore-case`), `anything-but` (values, and one of
//! the text matchers), `numeric`, `exists`, `cidr`, `equals-ignore-case`, `wildcard`, `$or`. Anything else is refused by its name.

mod compile;
mod matcher;

use serde_json::Value;

use self::matcher::Matcher;
use crate::service::ServiceError;

/// A pattern that was understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    fields: Vec<(String, Node)>,
    /// Each is a list of alternatives of which one must match.
    alternatives: Vec<Vec<Pattern>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Object(Pattern),
    Leaf(Vec<Matcher>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `InvalidEventPatternException` with what is wrong; `NotImplemented` for a matcher that the twin does not have.
    pub(crate) fn parse(text: &str) -> Result<Self, ServiceError> {
        let value = serde_json::from_str(text)
            .map_err(|error| compile::invalid(format_args!("the pattern is not JSON: {error}")))?;
        compile::pattern(&value)
    }

    /// Whether `event` has what the pattern asks for. Fields that the pattern does not name do not matter.
    pub(crate) fn matches(&self, event: &Value) -> bool {
        self.fields.iter().all(|(name, node)| node.matches(event.get(name)))
            && self.alternatives.iter().all(|any| any.iter().any(|pattern| pattern.matches(event)))
    }
}

impl Node {
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Object(pattern), Some(Value::Array(items))) => items.iter().any(|item| pattern.matches(item)),
            (Self::Object(pattern), Some(value)) => pattern.matches(value),
            // An absent object can still match what must not exist.
            (Self::Object(pattern), None) => pattern.matches(&Value::Null),
            (Self::Leaf(matchers), value) => matchers.iter().any(|matcher| matcher.matches(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"source": ["levee"]}), true)]
    #[case(json!({"source": ["other", "levee"]}), true)]
    #[case(json!({"source": ["other"]}), false)]
    #[case(json!({"detail-type": [{"prefix": "Run "}]}), true)]
    #[case(json!({"detail-type": [{"prefix": {"equals-ignore-case": "run "}}]}), true)]
    #[case(json!({"detail-type": [{"suffix": "Failed"}]}), false)]
    #[case(json!({"detail-type": [{"equals-ignore-case": "RUN COMPLETED"}]}), true)]
    #[case(json!({"detail": {"failed": [0]}}), true)]
    #[case(json!({"detail": {"failed": [{"numeric": [">", 0]}]}}), false)]
    #[case(json!({"detail": {"objects": [{"numeric": [">", 100, "<=", 1200.0]}]}}), true)]
    #[case(json!({"detail": {"objects": ["1200"]}}), false)]
    #[case(json!({"detail": {"bucket": [{"wildcard": "lake-*-mar-*"}]}}), true)]
    #[case(json!({"detail": {"bucket": [{"wildcard": "lake-*-apr-*"}]}}), false)]
    #[case(json!({"detail": {"star": [{"wildcard": "a\\**c"}]}}), true)]
    #[case(json!({"detail": {"star": [{"wildcard": "a\\*c"}]}}), false)]
    #[case(json!({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}), true)]
    #[case(json!({"detail": {"ip": [{"cidr": "10.0.1.0/24"}]}}), false)]
    #[case(json!({"detail": {"ip": [{"cidr": "::/0"}]}}), false)]
    #[case(json!({"detail": {"ip6": [{"cidr": "2001:db8::/32"}]}}), true)]
    #[case(json!({"detail": {"bucket": [{"cidr": "0.0.0.0/0"}]}}), false)]
    #[case(json!({"detail": {"bucket": [{"anything-but": {"wildcard": "lake-*"}}]}}), false)]
    #[case(json!({"detail": {"bucket": [{"anything-but": ["x", "y"]}]}}), true)]
    #[case(json!({"detail": {"bucket": [{"anything-but": {"prefix": "lake"}}]}}), false)]
    #[case(json!({"detail": {"absent": [{"exists": false}]}}), true)]
    #[case(json!({"detail": {"bucket": [{"exists": false}]}}), false)]
    #[case(json!({"detail": {"absent": {"deeper": [{"exists": false}]}}}), true)]
    #[case(json!({"detail": {"absent": {"deeper": ["x"]}}}), false)]
    #[case(json!({"detail": {"absent": [{"anything-but": "x"}]}}), false)]
    #[case(json!({"detail": {"none": [null]}}), true)]
    #[case(json!({"detail": {"tables": ["b"]}}), true)]
    #[case(json!({"detail": {"parts": {"n": [2]}}}), true)]
    #[case(json!({"detail": {"parts": {"n": [3]}}}), false)]
    #[case(json!({"$or": [{"source": ["x"]}, {"detail": {"failed": [0]}}]}), true)]
    #[case(json!({"$or": [{"source": ["x"]}, {"detail": {"failed": [1]}}]}), false)]
    fn pattern_matches_as_the_guide_says(#[case] pattern: Value, #[case] expected: bool) {
        let event = json!({
            "source": "levee", "detail-type": "Run Completed",
            "detail": {"failed": 0, "objects": 1200, "bucket": "lake-events-31-mar-2026", "none": null, "star": "a*b-c", "ip": "10.0.0.77", "ip6": "2001:db8::7",
                "tables": ["a", "b"], "parts": [{"n": 1}, {"n": 2}]},
        });
        assert_eq!(Pattern::parse(&pattern.to_string()).unwrap().matches(&event), expected);
    }

    #[rstest]
    #[case("[", "InvalidEventPatternException")]
    #[case("{}", "InvalidEventPatternException")]
    #[case(r#"{"source": "levee"}"#, "InvalidEventPatternException")]
    #[case(r#"{"source": []}"#, "InvalidEventPatternException")]
    #[case(r#"{"source": [{"numeric": [">"]}]}"#, "InvalidEventPatternException")]
    #[case(r#"{"source": [{"prefix": 1}]}"#, "InvalidEventPatternException")]
    #[case(r#"{"source": [{"exists": "yes"}]}"#, "InvalidEventPatternException")]
    #[case(r#"{"source": [{"wildcard": "a**"}]}"#, "InvalidEventPatternException")]
    #[case(r#"{"source": [{"wildcard": "a\\b"}]}"#, "InvalidEventPatternException")]
    #[case(r#"{"source": [{"cidr": "10.0.0.0/33"}]}"#, "InvalidEventPatternException")]
    #[case(r#"{"source": [{"shellstyle": "10*"}]}"#, "NotImplemented")]
    fn pattern_that_is_not_understood_is_refused(#[case] pattern: &str, #[case] code: &str) {
        assert_eq!(Pattern::parse(pattern).unwrap_err().code, code);
    }
}
