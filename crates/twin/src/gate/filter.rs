//! Which calls of the record are asked for.

use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::RecordedCall;

/// A question to the record. The default asks for every call that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Only calls of the service with this signing name.
    pub service: Option<String>,
    /// Only calls of this operation.
    pub operation: Option<String>,
    /// Only calls from this account.
    pub account: Option<String>,
    /// Only calls by this principal: `root`, a role's ARN, or a service's name.
    pub principal: Option<String>,
    /// Only calls whose resource has this text in it.
    pub resource: Option<String>,
    /// Only calls with this outcome.
    pub outcome: Option<OutcomeFilter>,
    /// Only calls made at this time or later.
    pub since: Option<Timestamp>,
    /// Only calls with a higher number than this.
    pub after: u64,
    /// At most so many calls, the oldest of those that match.
    pub limit: Option<usize>,
}

/// Which outcomes are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutcomeFilter {
    /// Calls that did what they should.
    Ok,
    /// Calls that were answered with an error, planned or not.
    Error,
    /// Calls that were answered with a planned fault.
    Planned,
    /// Calls without an outcome yet.
    Open,
    /// Calls that were answered with an error of this code.
    Code(String),
}

impl CallFilter {
    /// Reads the query string of an URL: `service=s3&outcome=error&limit=100`. Values are percent-encoded; `outcome` is
    /// `ok`, `error`, `planned`, `open`, or a code; `since` is an RFC 3339 time.
    ///
    /// # Errors
    /// What is wrong with it, and what is known.
    pub fn from_query(query: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned();
            filter.set(name, value)?;
        }
        Ok(filter)
    }

    /// Whether the call is asked for; the limit is not looked at.
    #[must_use]
    pub fn takes(&self, call: &RecordedCall) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.service, &call.service)
            && is(&self.operation, &call.operation)
            && is(&self.account, &call.account)
            && is(&self.principal, &call.principal)
            && self.resource.as_deref().is_none_or(|part| call.resource.contains(part))
            && self.since.is_none_or(|since| call.time >= since)
            && call.number > self.after
            && self.outcome.as_ref().is_none_or(|wanted| wanted.takes(call))
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        let wrong = |what: &str| format!("{name}={value} is not {what}");
        match name {
            "service" => self.service = Some(value),
            "operation" => self.operation = Some(value),
            "account" => self.account = Some(value),
            "principal" => self.principal = Some(value),
            "resource" => self.resource = Some(value),
            "outcome" => {
                self.outcome = Some(match value.as_str() {
                    "ok" => OutcomeFilter::Ok,
                    "error" => OutcomeFilter::Error,
                    "planned" => OutcomeFilter::Planned,
                    "open" => OutcomeFilter::Open,
                    _ => OutcomeFilter::Code(value),
                });
            }
            "since" => self.since = Some(value.parse().map_err(|_| wrong("a time such as 2026-04-02T01:00:00Z"))?),
            "after" => self.after = value.parse().map_err(|_| wrong("the number of a call"))?,
            "limit" => self.limit = Some(value.parse().map_err(|_| wrong("a number of calls"))?),
            _ => {
                let known = "service, operation, account, principal, resource, outcome, since, after and limit";
                return Err(format!("{name} is not known here; {known} are"));
            }
        }
        Ok(())
    }
}

impl OutcomeFilter {
    fn takes(&self, call: &RecordedCall) -> bool {
        match self {
            Self::Ok => call.is_ok(),
            Self::Error => call.error().is_some(),
            Self::Planned => call.planned_fault().is_some(),
            Self::Open => call.outcome.is_none(),
            Self::Code(code) => call.error() == Some(code),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn query_strings_are_read_and_decoded() {
        let filter = CallFilter::from_query(
            "service=s3&principal=arn%3Aaws%3Aiam%3A%3A2%3Arole%2Fr&outcome=SlowDown&after=7&limit=3&since=2026-04-02T00:00:00Z",
        )
        .unwrap();
        let expected = CallFilter {
            service: Some("s3".to_owned()),
            principal: Some("arn:aws:iam::2:role/r".to_owned()),
            outcome: Some(OutcomeFilter::Code("SlowDown".to_owned())),
            since: Some("2026-04-02T00:00:00Z".parse().unwrap()),
            after: 7,
            limit: Some(3),
            ..CallFilter::default()
        };
        assert_eq!(filter, expected);
        assert_eq!(CallFilter::from_query("").unwrap(), CallFilter::default());
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (query, part) in
            [("bucket=a", "bucket"), ("limit=-1", "limit=-1"), ("since=today", "since=today"), ("after=x", "after=x")]
        {
            let error = CallFilter::from_query(query).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
