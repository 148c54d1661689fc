//! One message, from receipt to its end.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use levee_clock::Clock;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    WorkerSettings, attempt,
    attempt::Outcome,
    queue::{Delivery, Queue},
    token::{Reply, Token},
};
use crate::{Context, Message, Progress, Stage, StageError, Wait};

/// SQS hides a message for at most this long after it was received, however often that is extended.
const MAX_HIDDEN: Duration = Duration::from_secs(12 * 3600);
/// The longest delay of an SQS message.
const MAX_DELAY: Duration = Duration::from_secs(900);
/// How long a message rests when AWS did not take its result.
const REST: Duration = Duration::from_secs(60);

/// What the tasks of one worker share.
pub(super) struct Tasks<S> {
    pub(super) stage: Arc<S>,
    pub(super) sfn: aws_sdk_sfn::Client,
    pub(super) queue: Queue,
    pub(super) settings: WorkerSettings,
    pub(super) clock: Clock,
}

/// How a message ends.
pub(super) enum Ending {
    /// It is done with: delete it.
    Delete,
    /// Somebody has to take it again after the time.
    Release(Duration),
    /// A successor takes its place after the delay.
    PassOn(Box<Message>, Duration),
}

/// How the work on a message ended.
enum Worked {
    Outcome(Outcome),
    /// The token died meanwhile.
    Dead(String),
    /// The process stops.
    Stopped,
    /// SQS will not hide the message much longer.
    HiddenTooLong,
}

impl<S: Stage> Tasks<S> {
    /// Works on one message. `stop` makes it break off and give the message back.
    pub(super) async fn process(&self, delivery: Delivery, stop: CancellationToken) {
        let message = match Message::parse(&delivery.body) {
            Ok(message) => message,
            Err(error) => return self.queue.dead_letter(&delivery, &error.to_string()).await,
        };
        let span = span(S::NAME, &message);
        async {
            let ending = tokio::select! {
                biased;
                ending = self.answer(&delivery, message, &stop) => ending,
                () = stopped_for_long(&stop) => Ending::Release(Duration::ZERO),
            };
            self.settle(&delivery, ending).await;
        }
        .instrument(span)
        .await;
    }

    async fn answer(&self, delivery: &Delivery, message: Message, stop: &CancellationToken) -> Ending {
        let token = Token::new(self.sfn.clone(), message.task_token.clone(), self.settings.retry.clone());
        // Before the work: a message may have waited long, or be a second copy, and a dead token must have no effect.
        if let Some(code) = self.beat(&token).await.dead() {
            return fenced(&code);
        }
        let due = message.wait.as_ref().map_or(Timestamp::MIN, |wait| wait.due);
        if self.until(due) > Duration::ZERO {
            return self.pass_on(message, due);
        }
        let context = self.context(delivery, &message);
        let first_received = context.first_received;
        match self.work(context, message.input.clone(), delivery, &token, stop).await {
            Worked::Outcome(Ok(Progress::Done(output))) => self.report(token.succeed(&output).await, "done"),
            Worked::Outcome(Ok(Progress::NotYet { after, memo })) => {
                if let Some(code) = self.beat(&token).await.dead() {
                    return fenced(&code);
                }
                let due =
                    self.clock.now().saturating_add(SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX));
                let due = due.unwrap_or(Timestamp::MAX);
                let count = message.wait.as_ref().map_or(0, |wait| wait.count).saturating_add(1);
                tracing::info!(waits = count, %due, "not yet");
                self.pass_on(
                    Message { wait: Some(Wait { first_received, count, due, memo, begun: true }), ..message },
                    due,
                )
            }
            Worked::Outcome(Err(error)) => {
                tracing::error!(error = error.name, cause = %error.cause, "failed");
                self.report(token.fail(&error).await, "failure reported")
            }
            Worked::Dead(code) => fenced(&code),
            Worked::Stopped => Ending::Release(Duration::ZERO),
            Worked::HiddenTooLong => {
                tracing::warn!("the message is hidden for almost 12 hours: a successor goes on with the work");
                let now = self.clock.now();
                let wait = message.wait.clone().filter(|wait| wait.begun);
                let wait = wait.unwrap_or(Wait { first_received, count: 0, due: now, memo: Value::Null, begun: true });
                self.pass_on(Message { wait: Some(wait), ..message }, now)
            }
        }
    }

    /// Runs the stage, with heartbeats, until it ends or has to be broken off.
    async fn work(
        &self,
        context: Context,
        input: Value,
        delivery: &Delivery,
        token: &Token,
        stop: &CancellationToken,
    ) -> Worked {
        let attempts = attempt::attempts(Arc::clone(&self.stage), context, input, self.settings.retry.clone());
        let mut running = Running(tokio::spawn(attempts.in_current_span()));
        let mut next_beat = self.settings.heartbeat_interval();
        loop {
            tokio::select! {
                biased;
                ended = &mut running.0 => return match ended {
                    Ok(outcome) => Worked::Outcome(outcome),
                    Err(error) if error.is_cancelled() => Worked::Stopped,
                    Err(error) => Worked::Outcome(Err(attempt::crash(S::NAME, error))),
                },
                () = stop.cancelled() => {
                    running.end().await;
                    return Worked::Stopped;
                }
                () = self.clock.sleep(next_beat) => {}
            }
            let beat = self.beat(token).await;
            next_beat = beat.next(self.settings.heartbeat_interval());
            if let Some(code) = beat.dead() {
                running.end().await;
                return Worked::Dead(code);
            }
            if !self.keep_hidden(delivery, next_beat).await {
                running.end().await;
                return Worked::HiddenTooLong;
            }
        }
    }

    pub(super) async fn beat(&self, token: &Token) -> Beat {
        match token.heartbeat().await {
            Ok(Reply::Accepted) => Beat::Alive,
            Ok(Reply::Dead(code)) => Beat::Dead(code),
            Err(error) => {
                tracing::warn!(%error, "a heartbeat did not get through");
                Beat::Missed
            }
        }
    }

    /// Hides the message for longer. False when SQS will not hide it until the beat after the next.
    async fn keep_hidden(&self, delivery: &Delivery, next_beat: Duration) -> bool {
        let hidden = Duration::try_from(self.clock.now().duration_since(delivery.received)).unwrap_or_default();
        let left = MAX_HIDDEN.saturating_sub(hidden);
        if left <= next_beat + REST {
            return false;
        }
        if let Err(error) = self.queue.hide(delivery, self.settings.visibility().min(left)).await {
            tracing::warn!(%error, "the message could not be hidden for longer: another worker may take it too, which does no harm");
        }
        true
    }

    fn report(&self, reply: Result<Reply, StageError>, what: &'static str) -> Ending {
        match reply {
            Ok(Reply::Accepted) => {
                tracing::info!("{what}");
                Ending::Delete
            }
            Ok(Reply::Dead(code)) => fenced(&code),
            Err(error) => {
                tracing::error!(%error, "Step Functions did not take the result: the task is done again");
                Ending::Release(REST)
            }
        }
    }

    fn context(&self, delivery: &Delivery, message: &Message) -> Context {
        let wait = message.wait.as_ref();
        Context {
            execution: message.execution.clone(),
            state: message.state.clone(),
            first_received: wait.filter(|wait| wait.begun).map_or(delivery.first_received, |wait| wait.first_received),
            waits: wait.map_or(0, |wait| wait.count),
            memo: wait.map_or(Value::Null, |wait| wait.memo.clone()),
            clock: self.clock.clone(),
        }
    }

    /// The message itself, to be looked at again on the way to `due`: in steps, so that a heartbeat goes with each.
    pub(super) fn pass_on(&self, message: Message, due: Timestamp) -> Ending {
        let step = self.settings.heartbeat_interval().min(MAX_DELAY);
        Ending::PassOn(Box::new(message), self.until(due).clamp(Duration::from_secs(1), step))
    }

    fn until(&self, due: Timestamp) -> Duration {
        Duration::try_from(due.duration_since(self.clock.now())).unwrap_or_default()
    }

    pub(super) async fn settle(&self, delivery: &Delivery, ending: Ending) {
        let settled = match ending {
            Ending::Delete => self.queue.delete(delivery).await,
            Ending::Release(after) => {
                tracing::info!(after_seconds = after.as_secs(), "the message is released");
                self.queue.hide(delivery, after).await
            }
            // The order matters: a crash in between leaves two messages, not none.
            Ending::PassOn(message, delay) => match self.queue.send(&message, delay).await {
                Ok(()) => self.queue.delete(delivery).await,
                Err(error) => Err(error),
            },
        };
        if let Err(error) = settled {
            tracing::error!(%error, "the message could not be settled: the queue gives it out again");
        }
    }
}

/// What a heartbeat came to.
pub(super) enum Beat {
    Alive,
    Missed,
    Dead(String),
}

impl Beat {
    pub(super) fn dead(self) -> Option<String> {
        match self {
            Self::Dead(code) => Some(code),
            Self::Alive | Self::Missed => None,
        }
    }

    /// When to beat again: soon after one that was missed, so that a third of the limit does not become two.
    fn next(&self, interval: Duration) -> Duration {
        if matches!(self, Self::Missed) { interval / 5 } else { interval }
    }
}

/// A stage at work; it ends with its owner.
struct Running(JoinHandle<Outcome>);

impl Running {
    /// Breaks the stage off and waits until it is gone.
    async fn end(&mut self) {
        self.0.abort();
        let ended = (&mut self.0).await;
        tracing::debug!(cancelled = ended.is_err(), "the stage was broken off");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn fenced(code: &str) -> Ending {
    tracing::warn!(code, "nobody waits for this task any more: the message is dropped");
    Ending::Delete
}

/// Some time after `stop`: for reports that hang while the process stops.
async fn stopped_for_long(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(super::SETTLE_TIME / 2).await;
}

fn span(stage: &'static str, message: &Message) -> tracing::Span {
    let text = |pointers: [&str; 2]| {
        let found = pointers.iter().find_map(|pointer| message.input.pointer(pointer)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    tracing::info_span!(
        "task",
        run = %message.execution.name,
        stage,
        source = text(["/run/source", "/source"]),
        backup_date = text(["/manifest/backup_date", "/run/backup_date"]),
    )
}
