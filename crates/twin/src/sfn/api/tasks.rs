//! What workers say about tasks.

use serde_json::{Value, json};

use super::{Answer, Request, too_long};
use crate::service::ServiceError;
use crate::sfn::interpret::DATA_BYTES;
use crate::sfn::tokens::Report;

/// The longest task token, in characters.
const TOKEN_LIMIT: usize = 2_048;

pub(super) fn success(request: &Request<'_>) -> Answer {
    let output = request.text("output")?;
    if output.len() > DATA_BYTES {
        return Err(too_long("output", DATA_BYTES));
    }
    serde_json::from_str::<Value>(output)
        .map_err(|error| ServiceError::client("InvalidOutput", format!("Invalid Output: '{error}'")))?;
    report(request, Report::Success(output.to_owned()))
}

pub(super) fn failure(request: &Request<'_>) -> Answer {
    let error = request.limited("error", 256)?;
    let cause = request.limited("cause", 32_768)?;
    report(request, Report::Failure { error, cause })
}

pub(super) fn heartbeat(request: &Request<'_>) -> Answer {
    report(request, Report::Heartbeat)
}

fn report(request: &Request<'_>, report: Report) -> Answer {
    let token = request.text("taskToken")?;
    if token.chars().count() > TOKEN_LIMIT {
        return Err(too_long("taskToken", TOKEN_LIMIT));
    }
    request.shared.tokens.report(token, &request.caller.account, report)?;
    Ok(json!({}))
}
