//! All buckets behind one lock, in memory or in a folder.

use std::{
    collections::BTreeMap,
    io,
    ops::{Deref, DerefMut},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{Bucket, BucketData, Log};
use crate::s3::{
    body::Body,
    folder::{self, DataError, Folder, Lives},
};

/// All buckets of all accounts: bucket names are global.
#[derive(Default)]
pub(crate) struct Store {
    state: Mutex<State>,
    folder: Option<Folder>,
}

impl Store {
    /// What the folder `dir` holds, and from now on every change too.
    pub(crate) fn in_folder(dir: &Path) -> Result<(Self, Lives), DataError> {
        let (folder, mut state, lives) = folder::open(dir)?;
        state.log_to(&Log::on());
        Ok((Self { state: Mutex::new(state), folder: Some(folder) }, lives))
    }

    /// The state, locked. Handlers hold it for one call and never across an await. What changed meanwhile is in the journal
    /// of the folder before the lock is free again.
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked { state: self.state.lock().unwrap_or_else(PoisonError::into_inner), folder: self.folder.as_ref() }
    }

    /// Puts bytes where this store has them.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn keep(&self, bytes: Bytes) -> io::Result<Body> {
        match &self.folder {
            Some(folder) => folder.keep(&bytes),
            None => Ok(Body::in_memory(bytes)),
        }
    }

    /// Why nothing more can be kept: then no call may be answered as if it could.
    pub(crate) fn failure(&self) -> Option<String> {
        self.folder.as_ref().and_then(Folder::failure)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Before the bodies go: what the folder holds is there to stay.
        if let Some(folder) = &self.folder {
            folder.close();
        }
    }
}

/// The buckets.
#[derive(Default)]
pub(crate) struct State {
    buckets: BTreeMap<String, Bucket>,
    log: Log,
}

impl State {
    /// The buckets by name.
    pub(crate) fn buckets(&self) -> &BTreeMap<String, Bucket> {
        &self.buckets
    }

    /// A bucket, to be changed.
    pub(crate) fn bucket_mut(&mut self, name: &str) -> Option<&mut Bucket> {
        self.buckets.get_mut(name)
    }

    /// Adds a bucket.
    pub(crate) fn add_bucket(&mut self, data: BucketData) {
        self.log.note_bucket(&data.name);
        self.buckets.insert(data.name.clone(), Bucket::new(data, self.log.clone()));
    }

    /// Takes a bucket away with all that it holds.
    pub(crate) fn remove_bucket(&mut self, name: &str) {
        let Some(removed) = self.buckets.remove(name) else { return };
        removed.uploads.values().flat_map(|upload| upload.parts.values()).for_each(|part| self.log.release(&part.body));
        self.log.note(|| folder::Change::BucketRemoved { bucket: name.to_owned() });
    }

    fn log_to(&mut self, log: &Log) {
        self.log = log.clone();
        self.buckets.values_mut().for_each(|bucket| bucket.log_to(log.clone()));
    }
}

/// The locked state.
pub(crate) struct Locked<'a> {
    state: MutexGuard<'a, State>,
    folder: Option<&'a Folder>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Some(folder) = self.folder {
            let pending = self.state.log.take();
            folder.commit(&self.state, pending);
        }
    }
}
