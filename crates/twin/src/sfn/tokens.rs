//! Task tokens: each attempt of a `.waitForTaskToken` task has one of its own, which dies with the attempt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::service::ServiceError;

/// What a worker says about a task.
#[derive(Debug)]
pub(super) enum Report {
    Heartbeat,
    /// The output, JSON text.
    Success(String),
    Failure {
        error: Option<String>,
        cause: Option<String>,
    },
}

/// All tokens that were ever given out.
#[derive(Clone, Default)]
pub(super) struct Tokens(Arc<Mutex<HashMap<String, Slot>>>);

enum Slot {
    Open {
        account: String,
        reports: UnboundedSender<Report>,
        /// Cancelled when the execution's run is over, which may be before its task has noticed.
        over: CancellationToken,
    },
    Closed,
}

/// The waiting end of a token; dropping it kills the token.
pub(super) struct Ticket {
    token: String,
    tokens: Tokens,
    reports: UnboundedReceiver<Report>,
}

impl Tokens {
    /// Opens `token` for workers of `account`, until the run is `over` at the latest.
    pub(super) fn open(&self, token: String, account: &str, over: CancellationToken) -> Ticket {
        let (sender, reports) = unbounded_channel();
        self.slots().insert(token.clone(), Slot::Open { account: account.to_owned(), reports: sender, over });
        Ticket { token, tokens: self.clone(), reports }
    }

    /// Hands a report to the task that waits on `token`. A success or a failure ends the token.
    ///
    /// # Errors
    /// `InvalidToken` for one that was never given out, or not to that account; `TaskTimedOut` for one whose attempt has
    /// ended, whether by an answer, a timeout or the end of the execution.
    pub(super) fn report(&self, token: &str, account: &str, report: Report) -> Result<(), ServiceError> {
        let mut slots = self.slots();
        let ended = || ServiceError::client("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'");
        let slot = match slots.get_mut(token) {
            Some(slot @ Slot::Open { .. }) => slot,
            Some(Slot::Closed) => return Err(ended()),
            None => return Err(ServiceError::client("InvalidToken", "Invalid Token: 'Invalid token'")),
        };
        let last = !matches!(report, Report::Heartbeat);
        if let Slot::Open { account: owner, reports, over } = slot {
            if owner != account {
                return Err(ServiceError::client("InvalidToken", "Invalid Token: 'Invalid token'"));
            }
            if over.is_cancelled() {
                return Err(ended());
            }
            reports.send(report).map_err(|_| ended())?;
        }
        if last {
            *slot = Slot::Closed;
        }
        Ok(())
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The token itself.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The next report; waits forever when there can be none any more.
    pub(super) async fn next(&mut self) -> Report {
        match self.reports.recv().await {
            Some(report) => report,
            None => std::future::pending().await,
        }
    }

    /// Kills the token; the report that came just before, if one did.
    pub(super) fn close(&mut self) -> Option<Report> {
        self.tokens.slots().insert(self.token.clone(), Slot::Closed);
        self.reports.try_recv().ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tokens.slots().insert(self.token.clone(), Slot::Closed);
    }
}
