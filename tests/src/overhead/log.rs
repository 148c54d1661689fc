//! The lives of messages: when each could be received, was, when its stage began and answered, by two clocks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use jiff::Timestamp;
use levee_clock::Clock;
use levee_stage::Message;
use levee_twin::sqs::{MessageEvent, MessageWatcher};

/// A moment by the twin's clock and by the machine's.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the twin's clock, on which nothing takes time but what waits.
    pub clock: Timestamp,
    /// By the machine's, on which everything takes time and no wait does.
    pub wall: Instant,
}

/// What a stage has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The task's success.
    Done,
    /// The task's failure.
    Failed,
    /// That it wants to look again later.
    NotYet,
}

/// One message of a stage's queue.
#[derive(Clone, Debug)]
pub struct Life {
    /// The stage, by the name in its queue.
    pub stage: String,
    /// The name of the execution.
    pub run: String,
    /// How often the state machine had tried the state before.
    pub retries: u32,
    /// When the stage is due, where the message goes on with a stage that asked to wait.
    pub due: Option<Timestamp>,
    /// When the message could be received, by the twin's clock.
    pub ready: Timestamp,
    /// When the twin's clock got there, by the machine's.
    ready_wall: Arc<OnceLock<Instant>>,
    /// When it was first received.
    pub received: Option<Moment>,
    /// How often it was received.
    pub times: u32,
    /// When its stage began; nothing for one that was only passed on.
    pub started: Option<Moment>,
    /// When the stage's answer was sent, and what it was.
    pub answered: Option<(Moment, Answer)>,
    /// When it was deleted.
    pub deleted: Option<Moment>,
}

impl Life {
    /// When the message could be received; nothing before the clock gets there.
    #[must_use]
    pub fn visible(&self) -> Option<Moment> {
        self.ready_wall.get().map(|wall| Moment { clock: self.ready, wall: *wall })
    }

    /// Whether the message goes on with a stage that asked to wait.
    #[must_use]
    pub fn came_back(&self) -> bool {
        self.due.is_some()
    }
}

/// Watches the queues of a twin and the calls of its workers. Cheap to clone.
#[derive(Clone)]
pub struct MessageLog {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    lives: HashMap<String, Life>,
    /// The message of each token that was received last.
    by_token: HashMap<String, String>,
    /// When the clock will show these times.
    reached: HashMap<Timestamp, Arc<OnceLock<Instant>>>,
    tokens: HashMap<String, String>,
    dead: HashMap<String, u64>,
}

impl MessageLog {
    /// A log by `clock`, which must be that of the twin.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default() }
    }

    /// Every message so far of the queues of stages, in no order.
    #[must_use]
    pub fn lives(&self) -> Vec<Life> {
        self.state().lives.values().cloned().collect()
    }

    /// How many messages have come into the dead-letter queue of each stage; stages without one are absent.
    #[must_use]
    pub fn dead(&self) -> HashMap<String, u64> {
        self.state().dead.clone()
    }

    /// The heartbeat that a worker sends before anything else was taken.
    pub(super) fn beat(&self, token: &str) {
        let now = self.now();
        self.on_current(token, |life| {
            if life.due.is_none_or(|due| due <= now.clock) {
                life.started.get_or_insert(now);
            }
        });
    }

    /// An answer is on its way.
    pub(super) fn answer(&self, token: &str, answer: Answer) {
        let now = self.now();
        self.on_current(token, |life| {
            if life.started.is_some() {
                life.answered.get_or_insert((now, answer));
            }
        });
    }

    fn on_current(&self, token: &str, act: impl FnOnce(&mut Life)) {
        let mut state = self.state();
        let State { lives, by_token, .. } = &mut *state;
        if let Some(life) = by_token.get(token).and_then(|id| lives.get_mut(id)) {
            act(life);
        }
    }

    fn sent(&self, state: &mut State, stage: &str, id: &str, body: &str, ready: Timestamp) {
        let Ok(message) = Message::parse(body) else { return };
        let ready_wall = self.reach(state, ready);
        let life = Life {
            stage: stage.to_owned(),
            run: message.execution.name,
            retries: message.state.retry_count,
            due: message.wait.map(|wait| wait.due),
            ready,
            ready_wall,
            received: None,
            times: 0,
            started: None,
            answered: None,
            deleted: None,
        };
        state.lives.insert(id.to_owned(), life);
        state.tokens.insert(id.to_owned(), message.task_token);
    }

    /// What will hold the machine's time when the clock shows `when`.
    fn reach(&self, state: &mut State, when: Timestamp) -> Arc<OnceLock<Instant>> {
        if when <= self.clock.now() {
            return Arc::new(OnceLock::from(Instant::now()));
        }
        let reached = state.reached.entry(when).or_insert_with(|| {
            let (clock, reached) = (self.clock.clone(), Arc::<OnceLock<Instant>>::default());
            let told = Arc::clone(&reached);
            tokio::spawn(async move {
                clock.sleep_until(when).await;
                told.get_or_init(Instant::now);
            });
            reached
        });
        Arc::clone(reached)
    }

    fn now(&self) -> Moment {
        Moment { clock: self.clock.now(), wall: Instant::now() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MessageWatcher for MessageLog {
    fn happened(&self, queue: &str, id: &str, event: MessageEvent<'_>) {
        let name = queue.rsplit(':').next().unwrap_or_default();
        let stage = name.strip_prefix("levee-").unwrap_or(name);
        let (now, mut state) = (self.now(), self.state());
        if let Some(stage) = stage.strip_suffix("-dlq") {
            if matches!(event, MessageEvent::Sent { .. }) {
                *state.dead.entry(stage.to_owned()).or_default() += 1;
            }
            return;
        }
        match event {
            MessageEvent::Sent { body, ready } => return self.sent(&mut state, stage, id, body, ready),
            MessageEvent::GivenUp => *state.dead.entry(stage.to_owned()).or_default() += 1,
            MessageEvent::Received { .. } => {
                if let Some(token) = state.tokens.get(id).cloned() {
                    state.by_token.insert(token, id.to_owned());
                }
            }
            MessageEvent::Deleted => {}
        }
        let Some(life) = state.lives.get_mut(id) else { return };
        match event {
            MessageEvent::Received { times } => {
                life.received.get_or_insert(now);
                life.times = times;
            }
            MessageEvent::Deleted => life.deleted = Some(now),
            MessageEvent::Sent { .. } | MessageEvent::GivenUp => {}
        }
    }
}
