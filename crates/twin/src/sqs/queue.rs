//! One queue: its messages and what happens to them as time passes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::{faults::Fate, message::Message, settings::Settings, wire};
use crate::{env::Ids, service::ServiceError};

/// The most messages in flight in one queue.
const IN_FLIGHT_LIMIT: usize = 120_000;
/// The longest that a message can be hidden after one receive, in seconds.
const VISIBILITY_LIMIT: i64 = 43_200;

/// Where a queue is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueueKey {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) name: String,
}

/// A queue with its messages.
pub(crate) struct Queue {
    pub(crate) arn: String,
    pub(crate) settings: Settings,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) purged: Option<Timestamp>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Rings when a waiting receiver should look again.
    pub(crate) bell: Arc<Notify>,
    messages: BTreeMap<u64, Message>,
    /// What can be received now, oldest first.
    ready: BTreeSet<u64>,
    /// What becomes ready later: delayed messages and those in flight.
    hidden: BTreeMap<u64, Timestamp>,
    wakes: BTreeSet<(Timestamp, u64)>,
    /// Hidden messages that are held back, and behind how many others each still has to go.
    held: BTreeMap<u64, u32>,
    /// The earliest time sent of all messages.
    oldest: Option<Timestamp>,
    next: u64,
}

/// How many messages a queue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) ready: usize,
    pub(crate) in_flight: usize,
    pub(crate) delayed: usize,
}

/// What a receive took out.
#[derive(Default)]
pub(crate) struct Taken {
    /// In flight now, each with its receipt handle.
    pub(crate) received: Vec<Message>,
    /// Received too often: no longer in this queue, to be moved to the dead-letter queue.
    pub(crate) dead: Vec<Message>,
}

impl QueueKey {
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:sqs:{}:{}:{}", self.region, self.account, self.name)
    }

    /// The queue that `arn` names.
    pub(crate) fn from_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.strip_prefix("arn:aws:sqs:")?.splitn(3, ':').map(str::to_owned);
        Some(Self { region: parts.next()?, account: parts.next()?, name: parts.next()? })
    }
}

impl Queue {
    pub(crate) fn new(arn: String, settings: Settings, now: Timestamp) -> Self {
        Self {
            arn,
            settings,
            created: now,
            modified: now,
            purged: None,
            tags: BTreeMap::new(),
            bell: Arc::new(Notify::new()),
            messages: BTreeMap::new(),
            ready: BTreeSet::new(),
            hidden: BTreeMap::new(),
            wakes: BTreeSet::new(),
            held: BTreeMap::new(),
            oldest: None,
            next: 0,
        }
    }

    /// Takes a message in, to be ready after `delay` seconds.
    pub(crate) fn put(&mut self, message: Message, delay: i64, now: Timestamp) {
        self.put_with(message, delay, &Fate::default(), now);
    }

    /// Takes a message in that is to be ready after `delay` seconds but for its fate.
    pub(crate) fn put_with(&mut self, message: Message, delay: i64, fate: &Fate, now: Timestamp) {
        let delay = delay.saturating_add(fate.delay);
        let until = after(now, delay);
        match fate.held {
            Some((behind, limit)) if behind > 0 && limit > 0 => {
                let place = self.insert(message.clone(), after(until, limit), now);
                self.let_go(until, now);
                self.held.insert(place, behind);
            }
            _ => {
                self.insert(message.clone(), until, now);
                self.let_go(until, now);
            }
        }
        for further in &fate.copies {
            self.insert(message.clone(), after(until, *further), now);
        }
        // Receivers that wait must also learn of a delayed message: it may be the next to wake for.
        self.bell.notify_waiters();
    }

    fn insert(&mut self, message: Message, until: Timestamp, now: Timestamp) -> u64 {
        let place = self.next;
        self.next += 1;
        self.oldest = Some(self.oldest.map_or(message.sent, |oldest| oldest.min(message.sent)));
        self.messages.insert(place, message);
        if until > now {
            self.hide(place, until);
        } else {
            self.ready.insert(place);
        }
        place
    }

    /// Counts a new message, ready at `ready`, for those that are held back. Who has waited for enough of them goes behind
    /// this one; nobody waits longer for it than to his own limit.
    fn let_go(&mut self, ready: Timestamp, now: Timestamp) {
        let mut free = Vec::new();
        for (place, left) in &mut self.held {
            *left -= 1;
            if *left == 0 {
                free.push(*place);
            }
        }
        for place in free {
            self.held.remove(&place);
            let limit = self.hidden.get(&place).copied().unwrap_or(now);
            self.unhide(place);
            if let Some(message) = self.messages.remove(&place) {
                self.insert(message, ready.min(limit), now);
            }
        }
    }

    /// Receives up to `limit` messages and hides them for `visibility` seconds. Messages that were received
    /// `max_receives` times already are taken out instead.
    pub(crate) fn take(
        &mut self,
        limit: usize,
        visibility: i64,
        max_receives: Option<u32>,
        now: Timestamp,
        ids: &Ids,
    ) -> Result<Taken, ServiceError> {
        self.settle(now);
        if self.hidden.len() >= IN_FLIGHT_LIMIT && self.counts(now).in_flight >= IN_FLIGHT_LIMIT {
            let reason = format!("{} has {IN_FLIGHT_LIMIT} messages in flight: delete some first", self.arn);
            return Err(ServiceError { status: 403, ..ServiceError::client("OverLimit", reason) });
        }
        let mut taken = Taken::default();
        while taken.received.len() < limit {
            let Some(place) = self.ready.pop_first() else { break };
            let Some(message) = self.messages.get_mut(&place) else { continue };
            if max_receives.is_some_and(|most| message.receive_count >= most) {
                taken.dead.extend(self.messages.remove(&place));
                continue;
            }
            message.receive_count += 1;
            message.first_received.get_or_insert(now);
            message.last_received = Some(now);
            message.handle = Some(URL_SAFE_NO_PAD.encode(format!("{}|{place}|{}", self.arn, ids.hex(32))));
            taken.received.push(message.clone());
            self.hide(place, after(now, visibility));
        }
        Ok(taken)
    }

    /// Deletes the message of a receipt handle, and answers its id. An outdated handle deletes nothing and is no error, as on AWS.
    pub(crate) fn delete(&mut self, handle: &str) -> Result<Option<String>, ServiceError> {
        let place = self.place(handle)?;
        let message = self.messages.get(&place).filter(|message| message.handle.as_deref() == Some(handle));
        let Some(id) = message.map(|message| message.id.clone()) else { return Ok(None) };
        self.remove(place);
        // Those who wait for an idle queue must learn of it.
        self.bell.notify_waiters();
        Ok(Some(id))
    }

    /// Hides the message of a receipt handle for `seconds` from now.
    pub(crate) fn change_visibility(&mut self, handle: &str, seconds: i64, now: Timestamp) -> Result<(), ServiceError> {
        self.settle(now);
        let place = self.place(handle)?;
        let message = self.messages.get(&place).filter(|message| message.handle.as_deref() == Some(handle));
        let Some(message) = message else {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            let text = format!("Value {handle} for parameter ReceiptHandle is invalid. Reason: {reason}");
            return Err(wire::invalid_value(text));
        };
        if !self.hidden.contains_key(&place) {
            let reason = "The specified message isn't in flight.";
            return Err(ServiceError::client("MessageNotInflight", reason));
        }
        let until = after(now, seconds);
        if message.last_received.is_some_and(|received| until > after(received, VISIBILITY_LIMIT)) {
            let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
            let text = format!("Value {seconds} for parameter VisibilityTimeout is invalid. Reason: {reason}.");
            return Err(wire::invalid_value(text));
        }
        self.unhide(place);
        self.hide(place, until);
        self.settle(now);
        self.bell.notify_waiters();
        Ok(())
    }

    /// Deletes every message.
    pub(crate) fn purge(&mut self) {
        self.messages.clear();
        self.ready.clear();
        self.hidden.clear();
        self.wakes.clear();
        self.held.clear();
        self.oldest = None;
        self.bell.notify_waiters();
    }

    /// Takes out every message that can be received, without receiving it.
    pub(crate) fn drain_ready(&mut self, now: Timestamp) -> Vec<Message> {
        self.settle(now);
        let places = std::mem::take(&mut self.ready);
        places.iter().filter_map(|place| self.messages.remove(place)).collect()
    }

    /// When the next hidden message becomes ready.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.first().map(|(when, _)| *when)
    }

    pub(crate) fn counts(&mut self, now: Timestamp) -> Counts {
        self.settle(now);
        let received = |place: &&u64| self.messages.get(place).is_some_and(|message| message.handle.is_some());
        let in_flight = self.hidden.keys().filter(received).count();
        Counts { ready: self.ready.len(), in_flight, delayed: self.hidden.len() - in_flight }
    }

    /// Makes ready what has waited long enough, and drops what is older than the retention period.
    fn settle(&mut self, now: Timestamp) {
        while let Some((when, place)) = self.wakes.first().copied()
            && when <= now
        {
            self.unhide(place);
            self.held.remove(&place);
            self.ready.insert(place);
        }
        let retention = self.settings.retention();
        let expired = |sent: Timestamp| Duration::try_from(now.duration_since(sent)).is_ok_and(|age| age >= retention);
        if self.oldest.is_some_and(expired) {
            let old: Vec<u64> =
                self.messages.iter().filter(|(_, message)| expired(message.sent)).map(|(place, _)| *place).collect();
            for place in old {
                self.remove(place);
            }
            self.oldest = self.messages.values().map(|message| message.sent).min();
        }
    }

    fn hide(&mut self, place: u64, until: Timestamp) {
        self.ready.remove(&place);
        self.hidden.insert(place, until);
        self.wakes.insert((until, place));
    }

    fn unhide(&mut self, place: u64) {
        if let Some(until) = self.hidden.remove(&place) {
            self.wakes.remove(&(until, place));
        }
    }

    fn remove(&mut self, place: u64) {
        self.unhide(place);
        self.held.remove(&place);
        self.ready.remove(&place);
        self.messages.remove(&place);
    }

    /// The place that a receipt handle of this queue names; the message may be gone.
    fn place(&self, handle: &str) -> Result<u64, ServiceError> {
        let text = URL_SAFE_NO_PAD.decode(handle).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let place = text.as_deref().and_then(|text| {
            let (arn, rest) = text.split_once('|')?;
            let (place, _) = rest.split_once('|')?;
            if arn == self.arn { place.parse().ok() } else { None }
        });
        place.ok_or_else(|| {
            let reason = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
            ServiceError { status: 404, ..ServiceError::client("ReceiptHandleIsInvalid", reason) }
        })
    }
}

/// `seconds` after `time`.
pub(crate) fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
