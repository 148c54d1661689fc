//! Somebody within the process who is told what becomes of messages, for measurements that the record of calls is too coarse
//! for: it does not tell messages apart.

use jiff::Timestamp;

/// Is told of every message of every queue, as it happens.
pub trait MessageWatcher: Send + Sync {
    /// Something has happened to the message `id` of the queue with the ARN `queue`. Called while SQS is locked: must neither
    /// block nor call the twin.
    fn happened(&self, queue: &str, id: &str, event: MessageEvent<'_>);
}

/// What can happen to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageEvent<'a> {
    /// It was sent. Copies and delays that the plan of faults makes are not told.
    Sent {
        /// Its body.
        body: &'a str,
        /// From when on it can be received.
        ready: Timestamp,
    },
    /// It was received.
    Received {
        /// How often, with this time.
        times: u32,
    },
    /// It was deleted.
    Deleted,
    /// It was received too often, and is in the dead-letter queue.
    GivenUp,
}
