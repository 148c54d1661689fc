//! Watching a queue from within the process: for hosts that run workers only while there is work.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Sqs,
    queue::{Counts, QueueKey},
    wire,
};
use crate::service::ServiceError;

impl Sqs {
    /// Waits until the queue `arn` has a message that can be received. No call is recorded.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, at once or when the queue is deleted.
    pub async fn until_ready(&self, arn: &str) -> Result<(), ServiceError> {
        self.until(arn, |counts| counts.ready > 0).await
    }

    /// Waits until the queue `arn` has neither a message that can be received nor one in flight; delayed ones do not
    /// count. No call is recorded.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, at once or when the queue is deleted.
    pub async fn until_idle(&self, arn: &str) -> Result<(), ServiceError> {
        self.until(arn, |counts| counts.ready == 0 && counts.in_flight == 0).await
    }

    async fn until(&self, arn: &str, reached: impl Fn(Counts) -> bool) -> Result<(), ServiceError> {
        let key = QueueKey::from_arn(arn).ok_or_else(wire::no_queue)?;
        loop {
            let bell = Arc::clone(&self.queues().live.get(&key).ok_or_else(wire::no_queue)?.bell);
            // Listens before it looks, so that what comes in between rings too.
            let mut rung = std::pin::pin!(bell.notified());
            rung.as_mut().enable();
            let (counts, wake) = self.look_at(&key)?;
            if reached(counts) {
                return Ok(());
            }
            let timer = async {
                match wake {
                    Some(wake) => self.env.clock.sleep_until(wake).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut rung => {}
                () = timer => {}
            }
        }
    }

    fn look_at(&self, key: &QueueKey) -> Result<(Counts, Option<Timestamp>), ServiceError> {
        let now = self.env.clock.now();
        let mut queues = self.queues();
        let queue = queues.live.get_mut(key).ok_or_else(wire::no_queue)?;
        Ok((queue.counts(now), queue.next_wake()))
    }
}
