//! Conditions of policies.

use levee_twin::s3::pattern::{matches, matches_arn};
use serde_json::Value;

use super::{Fact, texts};

/// One operator with one key and its values.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    operator: String,
    if_exists: bool,
    /// Lower case, as keys are compared without it.
    key: String,
    values: Vec<String>,
}

/// How an operator compares, and whether it wants the opposite.
type Comparison = (fn(&str, &str) -> bool, bool);

impl Condition {
    /// Reads the element `Condition`.
    ///
    /// # Errors
    /// What in it is not understood.
    pub(super) fn parse_all(element: Option<&Value>) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        let Some(element) = element else { return Ok(all) };
        let operators = element.as_object().ok_or("the condition is not understood")?;
        for (operator, keys) in operators {
            for (key, values) in keys.as_object().ok_or("the condition is not understood")? {
                let (name, if_exists) = match operator.strip_suffix("IfExists") {
                    Some(name) => (name, true),
                    None => (operator.as_str(), false),
                };
                let (operator, key) = (name.to_owned(), key.to_ascii_lowercase());
                all.push(Self { operator, if_exists, key, values: texts(values)? });
            }
        }
        Ok(all)
    }

    /// Whether the request meets the condition; nothing when that is not known.
    pub(super) fn holds(&self, facts: &[(&str, Fact)]) -> Option<bool> {
        let fact = facts.iter().find(|(key, _)| key.eq_ignore_ascii_case(&self.key)).map(|(_, fact)| fact)?;
        if self.operator == "Null" {
            let absent = matches!(fact, Fact::Absent);
            return Some(self.values.iter().any(|value| (value == "true") == absent));
        }
        let (compare, negated) = self.comparison()?;
        match fact {
            Fact::Absent => Some(negated || self.if_exists),
            Fact::Is(_) if self.values.iter().any(|value| value.contains("${")) => None,
            Fact::Is(actual) => Some(self.values.iter().any(|value| compare(value, actual)) != negated),
        }
    }

    /// The comparison of the operators that the doctor decides; dates, numbers and addresses are not among them, and neither
    /// are the operators for keys with several values.
    fn comparison(&self) -> Option<Comparison> {
        let equal: fn(&str, &str) -> bool = |value, actual| value == actual;
        let equal_folded: fn(&str, &str) -> bool = |value, actual| value.eq_ignore_ascii_case(actual);
        match self.operator.as_str() {
            "StringEquals" => Some((equal, false)),
            "StringNotEquals" => Some((equal, true)),
            "StringEqualsIgnoreCase" | "Bool" => Some((equal_folded, false)),
            "StringNotEqualsIgnoreCase" => Some((equal_folded, true)),
            "StringLike" => Some((matches, false)),
            "StringNotLike" => Some((matches, true)),
            "ArnEquals" | "ArnLike" => Some((matches_arn, false)),
            "ArnNotEquals" | "ArnNotLike" => Some((matches_arn, true)),
            _ => None,
        }
    }

    /// Whether it holds for requests over plain HTTP and no others.
    pub(super) fn is_plain_http(&self) -> bool {
        self.operator == "Bool" && self.key == "aws:securetransport" && self.values == ["false"]
    }

    /// What a denial with this condition lets out beyond AWS services and the principals in `exempt`, if anything.
    pub(super) fn lets_out(&self, exempt: &[String]) -> Option<String> {
        if self.operator == "Bool" && self.key == "aws:principalisawsservice" && self.values == ["false"] {
            return None;
        }
        let by_principal = self.key == "aws:principalarn" && self.comparison().is_some_and(|(_, negated)| negated);
        if !by_principal {
            return Some(format!("it holds only under a condition on {}", self.key));
        }
        let more: Vec<&str> = self.values.iter().filter(|arn| !exempt.contains(arn)).map(String::as_str).collect();
        (!more.is_empty()).then(|| format!("it exempts {}", more.join(", ")))
    }
}
