//! Keeps tasks alive whose messages wait for a place.
//!
//! The heartbeat limit of a task runs from the moment when its message is sent, and nobody beats for a message that nobody has
//! taken. So a worker whose places are taken looks through its queue as often as it beats for the tasks in its places, beats for
//! every message there, and sends it on as its own successor: hiding it instead would count as a failed receipt, and holding
//! it would keep it from other workers.

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    intake::Backlog,
    queue::{Delivery, MAX_BATCH},
    task::{Tasks, fenced},
    token::Token,
};
use crate::{Message, Stage, Wait};

impl<S: Stage> Tasks<S> {
    /// Makes a round whenever messages may have waited for as long as heartbeats are apart, until it is told to end.
    pub(super) async fn keep_rounds(&self, backlog: Backlog, over: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = over.cancelled() => return,
                () = self.clock.sleep(self.settings.heartbeat_interval()) => {}
            }
            if backlog.load(Ordering::Relaxed) {
                self.round(&over).await;
            }
        }
    }

    /// Looks at every message that can be received. Ends with the batch that has mostly messages of this round.
    async fn round(&self, over: &CancellationToken) {
        let began = self.clock.now();
        let mut kept = 0;
        while !over.is_cancelled() {
            let deliveries = match self.queue.receive(MAX_BATCH, Duration::ZERO).await {
                Ok(deliveries) => deliveries,
                Err(error) => {
                    tracing::warn!(stage = S::NAME, %error, "cannot look at the messages that wait");
                    break;
                }
            };
            let seen = join_all(deliveries.iter().map(|delivery| self.keep_alive(delivery, began))).await;
            let fresh = seen.iter().filter(|fresh| **fresh).count();
            kept += fresh;
            if 2 * fresh <= deliveries.len() {
                break;
            }
        }
        if kept > 0 {
            let places = self.settings.concurrency;
            tracing::warn!(
                stage = S::NAME,
                messages = kept,
                places,
                "messages wait for a place: more workers, or more tasks at a time, would take them earlier"
            );
        }
    }

    /// Whether the message was none that this round has sent.
    async fn keep_alive(&self, delivery: &Delivery, began: Timestamp) -> bool {
        let message = match Message::parse(&delivery.body) {
            Ok(message) => message,
            Err(error) => {
                self.queue.dead_letter(delivery, &error.to_string()).await;
                return true;
            }
        };
        let (due, now) = (message.wait.as_ref().map_or(Timestamp::MIN, |wait| wait.due), self.clock.now());
        let token = Token::new(self.sfn.clone(), message.task_token.clone(), self.settings.retry.clone());
        let ending = match self.beat(&token).await.dead() {
            Some(code) => fenced(&code),
            None => self.pass_on(waiting(message, now), due),
        };
        self.settle(delivery, ending).await;
        !(began..=now).contains(&due)
    }
}

/// The message as one that can be begun from `now` on at the earliest. What its stage knows of its waits stays.
fn waiting(message: Message, now: Timestamp) -> Message {
    let wait =
        message.wait.unwrap_or(Wait { first_received: now, count: 0, due: now, memo: Value::Null, begun: false });
    let due = wait.due.max(now);
    Message { wait: Some(Wait { due, ..wait }), ..message }
}
