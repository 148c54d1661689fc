//! S3's data in a folder: a journal of every change, and a file for the bytes of every PutObject and UploadPart.
//!
//! A change is in the journal before its call is answered, so the folder survives the end of the process at any point. It
//! survives the end of the machine as far as the system had written: nothing is forced to the disk but a journal that takes
//! the place of another, and the journal at the end of the twin.

mod change;
mod error;
mod journal;
mod open;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;

pub use self::error::DataError;
pub(crate) use self::{
    change::{Change, Lives, Piece},
    open::open,
};
use super::{
    body::Body,
    store::{Pending, State},
};

/// A folder that this process has the lock of.
pub(crate) struct Folder {
    dir: PathBuf,
    journal: Mutex<File>,
    /// The id of the next body.
    next: AtomicU64,
    sweep: Sweep,
    failed: OnceLock<String>,
    /// Held for its lock, which the system lets go of with the process.
    _lock: File,
}

/// Whether files that nothing needs any more are removed. Off while a folder is opened, closed, or cannot be written to:
/// then the journal may still name them.
#[derive(Clone, Default)]
struct Sweep(Arc<AtomicBool>);

/// A file of bytes. It is removed with the last body that has a part of it.
pub(crate) struct BodyFile {
    id: u64,
    path: PathBuf,
    sweep: Sweep,
}

impl Folder {
    /// Writes bytes into a file of their own. It counts once a change in the journal names it; until then it is swept
    /// away when the folder is opened, so a half-written one needs no other name.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn keep(&self, bytes: &Bytes) -> io::Result<Body> {
        if bytes.is_empty() {
            return Ok(Body::default());
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let path = body_path(&self.dir, id);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = BodyFile { id, path, sweep: self.sweep.clone() };
        OpenOptions::new().write(true).create_new(true).open(&file.path)?.write_all(bytes)?;
        Ok(Body::in_file(Arc::new(file), 0..bytes.len() as u64))
    }

    /// Writes down what changed. After a failure the folder stays as it is: see [`Folder::failure`].
    pub(crate) fn commit(&self, state: &State, pending: Pending) {
        if pending.is_empty() || self.failed.get().is_some() {
            return;
        }
        let described = |name: &String| state.buckets().get(name).map(|bucket| Change::bucket(bucket));
        let changes: Vec<_> = pending.buckets.iter().filter_map(described).chain(pending.changes).collect();
        let line = journal::line(&changes);
        let written =
            line.and_then(|line| self.journal.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line));
        if let Err(error) = written {
            self.sweep.stop();
            let reason = format!("the twin cannot write to its folder {}: {error}", self.dir.display());
            tracing::error!("{reason}: every call is refused until the twin is started again on a folder with space");
            let _ = self.failed.set(reason);
        }
    }

    /// Why the folder can no longer be written to.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failed.get().cloned()
    }

    /// Ends the use of the folder: what is let go of from now on stays on the disk.
    pub(crate) fn close(&self) {
        self.sweep.stop();
        if let Err(error) = self.journal.lock().unwrap_or_else(PoisonError::into_inner).sync_all() {
            tracing::warn!(%error, dir = %self.dir.display(), "the last changes may not be on the disk yet");
        }
    }
}

impl Sweep {
    fn start(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn stop(&self) {
        self.0.store(false, Ordering::Release);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl BodyFile {
    /// The number that the journal knows the file by.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An error that names the file.
    pub(crate) fn unreadable(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot read {}: {error}", self.path.display()))
    }
}

impl Drop for BodyFile {
    fn drop(&mut self) {
        if self.sweep.is_on()
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(%error, path = %self.path.display(), "a file stays until the folder is opened again");
        }
    }
}

/// Where the bytes of a body are. Folders of 256 keep listings short.
fn body_path(dir: &Path, id: u64) -> PathBuf {
    dir.join(BODIES).join(format!("{:02x}", id & 0xff)).join(format!("{id:016x}"))
}

const BODIES: &str = "bodies";
