//! What changed since it was last written down.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::s3::{body::Body, folder::Change};

/// Takes notes of changes; of nothing when the data are in memory only. Clones write into the same notes.
#[derive(Clone, Default)]
pub(crate) struct Log(Option<Arc<Mutex<Pending>>>);

/// Notes that are not in the journal yet.
#[derive(Default)]
pub(crate) struct Pending {
    /// Buckets whose settings changed, or that are new.
    pub(crate) buckets: BTreeSet<String>,
    /// Everything else, in order.
    pub(crate) changes: Vec<Change<Body>>,
    /// Bodies that were let go of. They keep their files until the journal says that these are needed no more.
    pub(crate) released: Vec<Body>,
}

impl Log {
    /// A log that takes notes.
    pub(crate) fn on() -> Self {
        Self(Some(Arc::default()))
    }

    /// Notes a change.
    pub(crate) fn note(&self, change: impl FnOnce() -> Change<Body>) {
        if let Some(mut pending) = self.pending() {
            pending.changes.push(change());
        }
    }

    /// Notes that a bucket is new, or has other settings.
    pub(crate) fn note_bucket(&self, name: &str) {
        if let Some(mut pending) = self.pending() {
            pending.buckets.insert(name.to_owned());
        }
    }

    /// Holds a body that was let go of.
    pub(crate) fn release(&self, body: &Body) {
        if let Some(mut pending) = self.pending() {
            pending.released.push(body.clone());
        }
    }

    /// Hands out the notes and starts anew.
    pub(crate) fn take(&self) -> Pending {
        self.pending().map(|mut pending| std::mem::take(&mut *pending)).unwrap_or_default()
    }

    fn pending(&self) -> Option<MutexGuard<'_, Pending>> {
        self.0.as_ref().map(|pending| pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Pending {
    /// Whether nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.changes.is_empty()
    }
}
