//! The log of one table: replayed on a thread of its own, which asks for files; they are fetched on the runtime.
//!
//! The replay is synchronous. While it works, the task that serves it waits for its next question on its own thread, as if it
//! replayed itself: so a paused clock stands still meanwhile, and what many replays do comes in the same order every time. While a
//! file is fetched it awaits, so that time-outs and pauses of the S3 client pass.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
};

use bytes::Bytes;
use levee_delta_log::{CannotCheck, Listing, LogReader, ReadError};
use levee_stage::StageError;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::task::AbortOnDropHandle;

use crate::{check::prefix, listings::filled, store::Store};

/// Files that are fetched before they are asked for.
const AHEAD: usize = 8;

const BROKEN_OFF: &str = "the check was broken off";

type Fetched = Result<Option<Bytes>, StageError>;

/// What the replay asks for.
enum Question {
    /// This file, now.
    Read(String),
    /// These files, later and in this order.
    WillRead(Vec<String>),
    /// Share `index` of `of` of what is below the root, now.
    List { index: u32, of: u32 },
}

/// What is answered.
enum Answer {
    File(Result<Bytes, ReadError>),
    Listing(Listing),
}

/// The replay's end: it asks and waits.
pub(crate) struct Asking {
    questions: Sender<Question>,
    answers: Mutex<Receiver<Answer>>,
}

impl Asking {
    /// Lists one of `of` shares of what is below the root.
    ///
    /// # Errors
    /// The check was broken off, as it is when the listing fails.
    pub(crate) fn list(&self, index: u32, of: u32) -> Result<Listing, CannotCheck> {
        match self.ask(Question::List { index, of }) {
            Some(Answer::Listing(listing)) => Ok(listing),
            _ => Err(CannotCheck::Caller(BROKEN_OFF.to_owned())),
        }
    }

    fn ask(&self, question: Question) -> Option<Answer> {
        self.questions.send(question).ok()?;
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }
}

impl LogReader for Asking {
    fn read(&self, path: &str) -> Result<Bytes, ReadError> {
        match self.ask(Question::Read(path.to_owned())) {
            Some(Answer::File(file)) => file,
            _ => Err(ReadError::Failed(BROKEN_OFF.to_owned())),
        }
    }

    fn will_read(&self, paths: &[String]) {
        // Who does not listen any more needs no advice.
        let _ = self.questions.send(Question::WillRead(paths.to_vec()));
    }
}

/// Runs `work`, whose reader has the files of the table `root` of the store.
///
/// # Errors
/// The store's error where a file could not be read; `Levee.StagePanicked` when the work broke off.
pub(crate) async fn with_log<S: Store, T: Send + 'static>(
    store: &S,
    root: &str,
    work: impl FnOnce(&Asking) -> T + Send + 'static,
) -> Result<T, StageError> {
    let (questions, asked) = channel();
    let (answer, answers) = sync_channel(1);
    let asking = Asking { questions, answers: Mutex::new(answers) };
    let thread = std::thread::Builder::new().name("replay".to_owned()).spawn(move || work(&asking));
    let thread = thread.map_err(|error| {
        StageError::transient(StageError::STAGE_PANICKED, format!("no thread can be started for a replay: {error}"))
    })?;
    let asked = Mutex::new(asked);
    let served = serve(&mut Ahead::new(store, root), &asked, &answer).await;
    // The thread has ended, or ends as soon as it asks: nobody answers any more.
    drop((asked, answer));
    let done = wait(|| thread.join());
    served?;
    done.map_err(|_| StageError::transient(StageError::STAGE_PANICKED, "the replay of a log broke off"))
}

/// Answers until the replay has ended; the first error of the store ends it.
async fn serve<S: Store>(
    ahead: &mut Ahead<S>,
    asked: &Mutex<Receiver<Question>>,
    answer: &SyncSender<Answer>,
) -> Result<(), StageError> {
    loop {
        let question = wait(|| asked.lock().unwrap_or_else(PoisonError::into_inner).recv());
        let told = match question {
            Ok(Question::WillRead(paths)) => {
                ahead.tell(paths);
                continue;
            }
            Ok(Question::Read(path)) => Answer::File(ahead.read(&path).await?.ok_or(ReadError::Gone)),
            Ok(Question::List { index, of }) => Answer::Listing(ahead.list(index, of).await?),
            Err(_) => return Ok(()),
        };
        if answer.send(told).is_err() {
            return Ok(());
        }
    }
}

/// Waits on this thread; a runtime of several gives its other tasks to another one meanwhile.
fn wait<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => wait(),
        _ => tokio::task::block_in_place(wait),
    }
}

/// Fetches files, and those that it is told of before they are asked for.
struct Ahead<S> {
    store: S,
    prefix: String,
    /// To be fetched, in the order in which they will be asked for.
    told: VecDeque<String>,
    /// Being fetched, in that order.
    fetches: VecDeque<(String, AbortOnDropHandle<Fetched>)>,
}

impl<S: Store> Ahead<S> {
    fn new(store: &S, root: &str) -> Self {
        Self { store: store.clone(), prefix: prefix(root), told: VecDeque::new(), fetches: VecDeque::new() }
    }

    fn tell(&mut self, paths: Vec<String>) {
        self.fetches.clear();
        self.told = paths.into();
    }

    /// A file that was fetched before where it was foreseen. What was foreseen before it is not asked for any more.
    async fn read(&mut self, path: &str) -> Fetched {
        let place = self.fetches.iter().position(|(name, _)| name == path);
        let begun = place.and_then(|at| self.fetches.drain(..=at).next_back()).map(|(_, fetch)| fetch);
        let fetch = begun.unwrap_or_else(|| self.fetch(path));
        while self.fetches.len() < AHEAD {
            let Some(next) = self.told.pop_front() else { break };
            if next != path {
                let begun = self.fetch(&next);
                self.fetches.push_back((next, begun));
            }
        }
        fetch.await.unwrap_or_else(|error| {
            Err(StageError::transient(StageError::STAGE_PANICKED, format!("the reading of a log broke off: {error}")))
        })
    }

    /// A share of what is below the prefix.
    async fn list(&self, index: u32, of: u32) -> Result<Listing, StageError> {
        filled(&self.store, &self.prefix, &self.prefix, Listing::for_shard(index, of)).await
    }

    fn fetch(&self, path: &str) -> AbortOnDropHandle<Fetched> {
        let (store, key) = (self.store.clone(), format!("{}{path}", self.prefix));
        AbortOnDropHandle::new(tokio::spawn(async move { store.read(&key).await }))
    }
}
