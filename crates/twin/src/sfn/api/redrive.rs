//! `RedriveExecution`: goes on from where an execution ended without success.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::executions::named;
use super::{Answer, Request};
use crate::service::ServiceError;
use crate::sfn::execution::Status;
use crate::sfn::history::epoch;
use crate::sfn::run::Run;

/// How long a client token is remembered.
const TOKEN_PERIOD: SignedDuration = SignedDuration::from_mins(15);

pub(super) fn redrive(request: &Request<'_>) -> Answer {
    let execution = named(request)?;
    let token = request.limited("clientToken", 64)?;
    let now = request.shared.env.clock.now();
    let machine_exists = request.shared.store().is_there(&execution.machine.arn);
    let (number, resumed_at) = {
        let mut live = execution.live();
        live.redrive_tokens.retain(|_, then| now.duration_since(*then) < TOKEN_PERIOD);
        if let Some(then) = token.as_ref().and_then(|token| live.redrive_tokens.get(token)) {
            return Ok(json!({ "redriveDate": epoch(*then) }));
        }
        if let Some(reason) = execution.not_redrivable(&live, machine_exists, now) {
            return Err(ServiceError::client("ExecutionNotRedrivable", reason));
        }
        if let Some(token) = token {
            live.redrive_tokens.insert(token, now);
        }
        live.status = Status::Running;
        live.redrives += 1;
        live.redriven = Some(now);
        live.stopped = None;
        (live.error, live.cause) = (None, None);
        live.cancel = CancellationToken::new();
        let last = u64::try_from(live.history.len()).unwrap_or(u64::MAX);
        let number = live.redrives;
        (number, live.push(now, "ExecutionRedriven", last, json!({ "redriveCount": number })))
    };
    request.shared.status_changed(&execution);
    Run { shared: Arc::clone(request.shared), execution, number, resumed_at }.spawn();
    Ok(json!({ "redriveDate": epoch(now) }))
}
