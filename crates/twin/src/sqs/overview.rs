//! The queues at a glance.

use serde::Serialize;

use super::{Sqs, queue::Counts};

/// A queue as it is now.
#[derive(Debug, Serialize)]
pub(crate) struct QueueView {
    name: String,
    account: String,
    region: String,
    visible: usize,
    in_flight: usize,
    delayed: usize,
    /// The ARN of its dead-letter queue.
    dead_letter_queue: Option<String>,
    /// Whether it is the dead-letter queue of another one: what it holds was given up.
    is_dead_letter_queue: bool,
}

impl Sqs {
    /// All queues of all accounts, by Region, account and name.
    pub(crate) fn overview(&self) -> Vec<QueueView> {
        let now = self.env.clock.now();
        let mut queues = self.queues();
        let targets: Vec<String> = queues
            .live
            .values()
            .filter_map(|queue| queue.settings.redrive.as_ref())
            .map(|redrive| redrive.target_arn.clone())
            .collect();
        let view = |(key, queue): (&super::QueueKey, &mut super::Queue)| {
            let Counts { ready, in_flight, delayed } = queue.counts(now);
            QueueView {
                name: key.name.clone(),
                account: key.account.clone(),
                region: key.region.clone(),
                visible: ready,
                in_flight,
                delayed,
                dead_letter_queue: queue.settings.redrive.as_ref().map(|redrive| redrive.target_arn.clone()),
                is_dead_letter_queue: targets.contains(&queue.arn),
            }
        };
        queues.live.iter_mut().map(view).collect()
    }
}
