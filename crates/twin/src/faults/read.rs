//! Plans as TOML.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{
    FaultPlan,
    operations::{self, Unknown},
};

/// Why a text is not a plan of faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", place.as_ref().map(ToString::to_string).unwrap_or_default())]
pub struct PlanError {
    /// Where in the text it is; unknown for what the text lacks as a whole.
    pub place: Option<Place>,
    /// What is wrong.
    pub reason: String,
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The line itself, which has the key.
    pub text: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}, `{}`: ", self.line, self.column, self.text.trim())
    }
}

impl FaultPlan {
    /// Reads a plan from TOML. Nothing is guessed: unknown keys, wrong types, rates outside of 0 to 1, and services and
    /// operations that the twin does not have are errors.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn from_toml(text: &str) -> Result<Self, PlanError> {
        let plan = toml::from_str(text).map_err(|error| PlanError::at(text, error.span(), error.message()))?;
        // A second reading, for the places of the names in the text.
        let Located { calls } =
            toml::from_str(text).map_err(|error| PlanError::at(text, error.span(), error.message()))?;
        for call in &calls {
            let name = |spanned: &Option<Spanned<String>>| spanned.as_ref().map(|name| name.as_ref().clone());
            let unknown = operations::unknown(name(&call.service).as_deref(), name(&call.operation).as_deref());
            let (spanned, reason) = match unknown {
                None => continue,
                Some(Unknown::Service(reason)) => (&call.service, reason),
                Some(Unknown::Operation(reason)) => (&call.operation, reason),
            };
            return Err(PlanError::at(text, spanned.as_ref().map(Spanned::span), &reason));
        }
        Ok(plan)
    }

    /// The plan as TOML, which [`FaultPlan::from_toml`] reads back.
    ///
    /// # Errors
    /// A number that TOML has no place for: its integers end at 2^63 - 1.
    pub fn to_toml(&self) -> Result<String, PlanError> {
        toml::to_string(self).map_err(|error| PlanError { place: None, reason: error.to_string() })
    }
}

/// The names in a plan that are checked after its form.
#[derive(Deserialize)]
struct Located {
    #[serde(default)]
    calls: Vec<LocatedCall>,
}

#[derive(Deserialize)]
struct LocatedCall {
    service: Option<Spanned<String>>,
    operation: Option<Spanned<String>>,
}

impl PlanError {
    fn at(text: &str, span: Option<Range<usize>>, reason: &str) -> Self {
        let place = span.and_then(|span| Place::of(text, span.start));
        Self { place, reason: reason.trim_end().replace('\n', ", ") }
    }
}

impl Place {
    fn of(text: &str, offset: usize) -> Option<Self> {
        let before = text.get(..offset)?;
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let line = text.get(begin..)?.lines().next().unwrap_or_default();
        Some(Self {
            line: before.matches('\n').count() + 1,
            column: text.get(begin..offset)?.chars().count() + 1,
            text: line.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[rstest::rstest]
    #[case::unknown_list("[[call]]\n", 1, "call", "unknown field `call`")]
    #[case::unknown_key(
        "[[rows]]\nkeys = \"*\"\nclass = \"denied\"\nrat = 0.5\n",
        4,
        "rat = 0.5",
        "unknown field `rat`"
    )]
    #[case::rate_too_high("[[rows]]\nkeys = \"*\"\nclass = \"denied\"\nrate = 1.5\n", 4, "rate = 1.5", "from 0 to 1")]
    #[case::rate_of_when("[[calls]]\nanswer = \"death\"\nwhen = { rate = -0.1 }\n", 3, "rate = -0.1", "from 0 to 1")]
    #[case::zeroth("[[jobs]]\nkind = \"stalls\"\nwhen = { nth = 0 }\n", 3, "nth = 0", "from 1")]
    #[case::wrong_type("[[jobs]]\nkind = \"stalls\"\nafter_tasks = \"three\"\n", 3, "after_tasks", "invalid type")]
    #[case::unknown_kind("[[jobs]]\nkind = \"sleeps\"\n", 2, "kind", "unknown variant `sleeps`")]
    #[case::unknown_member(
        "[[reports]]\nkind = { late = { minutes = 3 } }\n",
        2,
        "minutes",
        "unexpected keys in table: minutes"
    )]
    #[case::missing("[[objects]]\nkeys = \"*\"\n", 1, "[[objects]]", "missing field `kind`")]
    #[case::unknown_service("[[calls]]\nservice = \"s4\"\nanswer = \"throttled\"\n", 2, "service", "no service \"s4\"")]
    #[case::unknown_operation(
        "[[calls]]\nservice = \"s3\"\n\noperation = \"PutObjekt\"\nanswer = \"throttled\"\n",
        4,
        "operation",
        "did you mean PutObject"
    )]
    #[case::operation_of_another(
        "[[calls]]\nservice = \"sqs\"\noperation = \"CreateJob\"\nanswer = \"death\"\n",
        3,
        "CreateJob",
        "sqs"
    )]
    #[case::status_of_no_error(
        "[[calls]]\nanswer = { error = { code = \"X\", status = 200 } }\n",
        2,
        "status",
        "400 to 599"
    )]
    #[case::no_toml("[[calls]\n", 1, "[[calls]", "")]
    fn what_is_wrong_is_named_with_its_place(
        #[case] text: &str,
        #[case] line: usize,
        #[case] shown: &str,
        #[case] reason: &str,
    ) {
        let error = FaultPlan::from_toml(text).unwrap_err();
        let place = error.place.clone().unwrap();
        assert_eq!(place.line, line, "{error}");
        assert!(place.text.contains(shown), "{error}");
        assert!(error.reason.contains(reason), "{error}");
    }

    #[test]
    fn an_empty_text_is_a_plan_without_faults() {
        assert_eq!(FaultPlan::from_toml("# nothing\n").unwrap(), FaultPlan::default());
    }
}
