//! What a check has found, and how it is told.

use std::fmt::Write;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use levee_stage::aws::{error_code, http_status, is_transient};
use serde::Serialize;

use crate::exit;

/// What a check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not as it should be.
    Problem,
    /// Neither is known: a call was refused or failed, or something was not given.
    CouldNotCheck,
}

/// One check and what it has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's id; `docs/doctor.md` has the table.
    pub check: String,
    /// What was checked: the name of a bucket, a queue, a source.
    pub subject: String,
    /// The outcome.
    pub outcome: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do, unless it is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Everything that was found, in a fixed order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The name of the deployment.
    pub deployment: String,
    /// Checks that found everything as it should be.
    pub ok: usize,
    /// Checks that found a problem.
    pub problems: usize,
    /// Checks that could not be made.
    pub could_not_check: usize,
    /// Every check.
    pub checks: Vec<Finding>,
}

/// Why a check does not say that all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Problem { detail: String, remedy: String },
    Unknown { detail: String, remedy: String },
}

/// What a check answers: what it found as it should be, or why not.
pub(super) type Check = Result<String, Fault>;

pub(super) fn problem(detail: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault::Problem { detail: detail.into(), remedy: remedy.into() }
}

pub(super) fn unknown(detail: impl Into<String>, remedy: impl Into<String>) -> Fault {
    Fault::Unknown { detail: detail.into(), remedy: remedy.into() }
}

/// A call that failed, so that nothing is known: `action` is what it needs, `on` the ARN or name that it acted on.
pub(super) fn refused<E>(action: &str, on: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let detail = match (error_code(error), error.as_service_error().and_then(|service| service.meta().message())) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => http_status(error).map_or_else(
            || DisplayErrorContext(error).to_string(),
            |status| format!("HTTP status {status} without an error code"),
        ),
    };
    if is_transient(error) {
        let remedy = "look at the network and at the AWS Health Dashboard, then run the doctor again";
        return unknown(format!("AWS did not answer {action} on {on}: {detail}"), remedy);
    }
    if is_denial(error) {
        let remedy =
            format!("allow the caller {action} on {on}, or run the doctor as the role that Terraform made for it");
        return unknown(format!("{action} on {on} was refused: {detail}"), remedy);
    }
    let remedy = "see to what the message names (credentials, the Region, the endpoint), then run the doctor again";
    unknown(format!("{action} on {on} failed: {detail}"), remedy)
}

/// Whether the caller was not allowed to make the call.
pub(super) fn is_denial<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let denials = ["AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"];
    error_code(error).is_some_and(|code| denials.contains(&code)) || http_status(error) == Some(403)
}

impl Finding {
    pub(super) fn new(check: impl Into<String>, subject: impl Into<String>, found: Check) -> Self {
        let (outcome, detail, remedy) = match found {
            Ok(detail) => (Verdict::Ok, detail, None),
            Err(Fault::Problem { detail, remedy }) => (Verdict::Problem, detail, Some(remedy)),
            Err(Fault::Unknown { detail, remedy }) => (Verdict::CouldNotCheck, detail, Some(remedy)),
        };
        Self { check: check.into(), subject: subject.into(), outcome, detail, remedy }
    }
}

impl Outcome {
    pub(super) fn new(deployment: &str, checks: Vec<Finding>) -> Self {
        let count = |verdict| checks.iter().filter(|finding| finding.outcome == verdict).count();
        Self {
            deployment: deployment.to_owned(),
            ok: count(Verdict::Ok),
            problems: count(Verdict::Problem),
            could_not_check: count(Verdict::CouldNotCheck),
            checks,
        }
    }

    /// The exit code: 0 when every check was made and found nothing, 1 for problems, 2 when there are none but some check
    /// could not be made.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.problems, self.could_not_check) {
            (0, 0) => 0,
            (0, _) => exit::USAGE,
            _ => exit::FAILED,
        }
    }

    /// One line for each check, its remedy below it, and the sum.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for finding in &self.checks {
            let word = match finding.outcome {
                Verdict::Ok => "ok",
                Verdict::Problem => "PROBLEM",
                Verdict::CouldNotCheck => "could not check",
            };
            // Writing to a String does not fail.
            let _ = writeln!(text, "{word:<16}{}  {}: {}", finding.check, finding.subject, finding.detail);
            if let Some(remedy) = &finding.remedy {
                let _ = writeln!(text, "{:<16}  -> {remedy}", "");
            }
        }
        let (ok, problems, unknown) = (self.ok, self.problems, self.could_not_check);
        let _ = writeln!(text, "{ok} ok, {problems} problem(s), {unknown} could not be checked");
        text
    }
}
