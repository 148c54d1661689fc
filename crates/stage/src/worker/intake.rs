//! Takes messages from the queue, as many as there are places for.
//!
//! A place is taken before a message is asked for, so that no message is held for want of one. One poll waits for messages;
//! while polls come back full there are more of them, because one after the other they bring ten messages in the time of a call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backon::BackoffBuilder;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    queue::{Delivery, LONG_POLL, MAX_BATCH},
    retry::FullJitter,
    task::Tasks,
};
use crate::{ErrorKind, Stage, StageError};

/// The most polls at a time.
const MAX_POLLS: usize = 16;
/// How long polls that run when the shutdown begins may still bring messages, so that they can be given back.
const LAST_POLL: Duration = Duration::from_secs(1);

/// What a poll brought, and the places that were taken for it.
type Polled = (Result<Vec<Delivery>, StageError>, Vec<OwnedSemaphorePermit>);

/// Whether the last poll brought as many messages as it might: then others may wait for a place.
pub(super) type Backlog = Arc<AtomicBool>;

/// The way from the queue to the places.
pub(super) struct Intake<S> {
    tasks: Arc<Tasks<S>>,
    places: Arc<Semaphore>,
    polls: FuturesUnordered<BoxFuture<'static, Polled>>,
    /// How many polls there may be now.
    wanted: usize,
    backlog: Backlog,
    delays: FullJitter,
    /// No poll begins before; after trouble.
    rest: Option<Instant>,
}

/// What the intake waits for.
enum Event {
    Shutdown,
    Polled(Polled),
    Rested,
    Free(Vec<OwnedSemaphorePermit>),
}

impl<S: Stage> Intake<S> {
    pub(super) fn new(tasks: Arc<Tasks<S>>, backlog: Backlog) -> Self {
        let places = Arc::new(Semaphore::new(tasks.settings.concurrency.max(1)));
        let delays = tasks.settings.retry.endless().build();
        Self { tasks, places, polls: FuturesUnordered::new(), wanted: 1, backlog, delays, rest: None }
    }

    /// Receives and starts tasks until the shutdown begins; gives back what polls still bring then.
    pub(super) async fn run(
        mut self,
        running: &mut JoinSet<()>,
        shutdown: &CancellationToken,
        stop: &CancellationToken,
    ) -> Result<(), StageError> {
        loop {
            match self.next(shutdown).await {
                Event::Shutdown => break,
                Event::Rested => self.rest = None,
                Event::Free(places) => self.poll(places),
                Event::Polled((Ok(deliveries), places)) => self.start(deliveries, places, running, stop),
                Event::Polled((Err(error), _)) if error.kind == ErrorKind::Transient => self.pause(&error),
                Event::Polled((Err(error), _)) => return Err(error),
            }
            while running.try_join_next().is_some() {}
        }
        self.give_back().await;
        Ok(())
    }

    async fn next(&mut self, shutdown: &CancellationToken) -> Event {
        let (rest, polling) = (self.rest, self.polls.len());
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Event::Shutdown,
            Some(polled) = self.polls.next() => Event::Polled(polled),
            () = tokio::time::sleep_until(rest.unwrap_or_else(Instant::now)), if rest.is_some() => Event::Rested,
            Some(places) = free_places(&self.places), if rest.is_none() && polling < self.wanted => Event::Free(places),
            // Only when the semaphore is closed, which nobody does.
            else => Event::Shutdown,
        }
    }

    /// Asks for as many messages as there are places. Only the first poll waits for messages; further ones are there for those
    /// that are known to wait.
    fn poll(&mut self, places: Vec<OwnedSemaphorePermit>) {
        let wait = if self.polls.is_empty() { LONG_POLL } else { Duration::ZERO };
        let queue = self.tasks.queue.clone();
        self.polls.push(Box::pin(async move { (queue.receive(places.len(), wait).await, places) }));
    }

    fn start(
        &mut self,
        deliveries: Vec<Delivery>,
        places: Vec<OwnedSemaphorePermit>,
        running: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) {
        self.delays = self.tasks.settings.retry.endless().build();
        self.wanted = if deliveries.len() == MAX_BATCH { (2 * self.wanted).min(MAX_POLLS) } else { 1 };
        self.backlog.store(deliveries.len() == places.len(), Ordering::Relaxed);
        for (delivery, place) in deliveries.into_iter().zip(places) {
            let (tasks, stop) = (Arc::clone(&self.tasks), stop.clone());
            running.spawn(async move {
                tasks.process(delivery, stop).await;
                drop(place);
            });
        }
    }

    fn pause(&mut self, error: &StageError) {
        tracing::warn!(stage = S::NAME, %error, "cannot receive messages for now");
        let delay = self.delays.next().unwrap_or(self.tasks.settings.retry.max_delay);
        self.wanted = 1;
        self.rest = Some(Instant::now() + delay);
    }

    async fn give_back(mut self) {
        let (deadline, mut late) = (Instant::now() + LAST_POLL, Vec::new());
        while let Ok(Some((polled, _))) = tokio::time::timeout_at(deadline, self.polls.next()).await {
            late.extend(polled.unwrap_or_default());
        }
        for delivery in late {
            if let Err(error) = self.tasks.queue.hide(&delivery, Duration::ZERO).await {
                tracing::warn!(%error, "a message could not be given back: the queue gives it out again later");
            }
        }
    }
}

/// Waits for a free place and takes all that are free, up to a batch.
async fn free_places(places: &Arc<Semaphore>) -> Option<Vec<OwnedSemaphorePermit>> {
    let mut taken = vec![Arc::clone(places).acquire_owned().await.ok()?];
    while taken.len() < MAX_BATCH {
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { break };
        taken.push(place);
    }
    Some(taken)
}
