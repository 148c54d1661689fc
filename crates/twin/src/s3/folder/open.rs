//! Opening a folder: its lock, its journal, and the files that the journal names.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, Weak, atomic::AtomicU64},
};

use super::{BODIES, BodyFile, Change, DataError, Folder, Lives, Piece, Sweep, body_path, journal};
use crate::s3::{
    body::Body,
    policy::Policy,
    store::{Bucket, State, UploadedPart, Version, sequence_of},
};

const JOURNAL: &str = "journal";
const LOCK: &str = "lock";
/// What a twin makes before it has a journal.
const EARLY: [&str; 3] = [LOCK, "journal.new", BODIES];
/// A journal is written anew when most of it is history, and it is longer than this.
const SHORT: u64 = 1000;

/// Locks the folder `dir`, which may be new, and reads what it holds.
///
/// # Errors
/// See [`DataError`].
pub(crate) fn open(dir: &Path) -> Result<(Folder, State, Lives), DataError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| DataError::Io { path, error }
    };
    fs::create_dir_all(dir).map_err(failed(dir))?;
    let path = dir.join(JOURNAL);
    let is_new = !path.try_exists().map_err(failed(&path))?;
    if is_new && holds_others(dir).map_err(failed(dir))? {
        return Err(DataError::Foreign { dir: dir.to_owned() });
    }
    let lock = lock(dir)?;
    let mut restored = Restored::new(dir);
    let read = if is_new { None } else { Some(journal::read(dir, &path, |change| restored.apply(change))?) };
    let found = stored_bodies(dir).map_err(failed(&dir.join(BODIES)))?;
    restored.check(&found)?;
    restored.sweep(&found);
    let Restored { state, lives, sweep, .. } = restored;
    let highest = found.keys().next_back().copied().unwrap_or_default().max(lives.body);
    let opened = Lives { before: if is_new { 0 } else { lives.before + 1 }, body: highest, ..lives };
    let journal = match read {
        Some(read) if read.lines <= SHORT + 2 * Change::all(&state).count() as u64 => append(&path, read.whole, opened),
        _ => journal::write(&path, std::iter::once(Change::Opened(opened)).chain(Change::all(&state)))
            .and_then(|()| OpenOptions::new().append(true).open(&path)),
    };
    let journal = journal.map_err(failed(&path))?;
    sweep.start();
    let folder = Folder {
        dir: dir.to_owned(),
        journal: Mutex::new(journal),
        next: AtomicU64::new(highest + 1),
        sweep,
        failed: OnceLock::new(),
        _lock: lock,
    };
    Ok((folder, state, opened))
}

/// Goes on with a journal behind its last whole line.
fn append(path: &Path, whole: u64, opened: Lives) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.set_len(whole)?;
    file.write_all(&journal::line(&[Change::<Body>::Opened(opened)])?)?;
    Ok(file)
}

fn holds_others(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        if !EARLY.iter().any(|name| entry.as_ref().is_ok_and(|entry| entry.file_name() == **name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lock(dir: &Path) -> Result<File, DataError> {
    let path = dir.join(LOCK);
    let failed = |error| DataError::Io { path: path.clone(), error };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The lengths of the files of bytes, by their ids.
fn stored_bodies(dir: &Path) -> io::Result<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    let folders = match fs::read_dir(dir.join(BODIES)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        folders => folders?,
    };
    for folder in folders {
        for file in fs::read_dir(folder?.path())? {
            let file = file?;
            let id = file.file_name().to_str().and_then(|name| u64::from_str_radix(name, 16).ok());
            if let Some(id) = id.filter(|id| body_path(dir, *id) == file.path()) {
                found.insert(id, file.metadata()?.len());
            }
        }
    }
    Ok(found)
}

/// What the journal has told so far.
struct Restored {
    dir: PathBuf,
    state: State,
    lives: Lives,
    files: BTreeMap<u64, Weak<BodyFile>>,
    sweep: Sweep,
}

impl Restored {
    fn new(dir: &Path) -> Self {
        let (state, lives) = Default::default();
        Self { dir: dir.to_owned(), state, lives, files: BTreeMap::new(), sweep: Sweep::default() }
    }

    fn apply(&mut self, change: Change<Vec<Piece>>) -> Result<(), String> {
        match change {
            Change::Opened(lives) => {
                self.lives.before = lives.before;
                self.lives.sequence = self.lives.sequence.max(lives.sequence);
                self.lives.body = self.lives.body.max(lives.body);
            }
            Change::Bucket { mut bucket, policy } => {
                let parse = |text: String| Policy::parse(&text, &bucket.name);
                bucket.settings.policy = policy.map(parse).transpose()?;
                match self.state.bucket_mut(&bucket.name) {
                    Some(there) => {
                        there.set_versioning(bucket.versioning);
                        *there.settings_mut() = bucket.settings;
                    }
                    None => self.state.add_bucket(*bucket),
                }
            }
            Change::BucketRemoved { bucket } => self.state.remove_bucket(&bucket),
            Change::Added { bucket, key, mut version, body } => {
                self.lives.sequence = self.lives.sequence.max(sequence_of(&version.id).unwrap_or_default());
                let body = self.body(&body);
                if let Some(object) = version.object_mut() {
                    object.body = body;
                }
                self.bucket(&bucket)?.add(&key, *version);
            }
            Change::Altered { bucket, key, version } => self.alter(&bucket, &key, *version)?,
            Change::Removed { bucket, key, id } => drop(self.bucket(&bucket)?.remove(&key, &id)),
            Change::UploadStarted { bucket, id, upload } => self.bucket(&bucket)?.start_upload(id, *upload),
            Change::PartKept { bucket, upload, number, part, body } => {
                let part = UploadedPart { body: self.body(&body), ..part };
                self.bucket(&bucket)?.keep_part(&upload, number, part);
            }
            Change::UploadEnded { bucket, id } => self.bucket(&bucket)?.end_upload(&id),
        }
        Ok(())
    }

    fn alter(&mut self, bucket: &str, key: &str, version: Version) -> Result<(), String> {
        let id = version.id.clone();
        let object = version.into_object().ok_or("a delete marker has nothing that could change")?;
        self.bucket(bucket)?.change_object(key, Some(&id), |there| {
            let body = std::mem::take(&mut there.body);
            *there = object;
            there.body = body;
        });
        Ok(())
    }

    fn bucket(&mut self, name: &str) -> Result<&mut Bucket, String> {
        self.state.bucket_mut(name).ok_or_else(|| format!("there is no bucket {name}"))
    }

    fn body(&mut self, pieces: &[Piece]) -> Body {
        let bodies: Vec<_> = pieces
            .iter()
            .map(|piece| {
                let range = piece.offset..piece.offset.saturating_add(piece.length);
                piece
                    .file
                    .map_or_else(|| Body::sparse(range.clone()), |file| Body::in_file(self.file(file), range.clone()))
            })
            .collect();
        Body::join(&bodies)
    }

    /// The file of this id; one and the same for all that share it.
    fn file(&mut self, id: u64) -> Arc<BodyFile> {
        if let Some(file) = self.files.get(&id).and_then(Weak::upgrade) {
            return file;
        }
        let file = Arc::new(BodyFile { id, path: body_path(&self.dir, id), sweep: self.sweep.clone() });
        self.files.insert(id, Arc::downgrade(&file));
        file
    }

    /// Whether every file that is needed is there, as long as it has to be.
    fn check(&self, found: &BTreeMap<u64, u64>) -> Result<(), DataError> {
        for bucket in self.state.buckets().values() {
            let objects = bucket.objects.iter().flat_map(|(key, versions)| {
                versions.iter().filter_map(move |version| Some((key, &version.object()?.body)))
            });
            let parts =
                bucket.uploads.values().flat_map(|upload| upload.parts.values().map(|part| (&upload.key, &part.body)));
            for (key, body) in objects.chain(parts) {
                if let Some((id, end)) = body.files().find(|(id, end)| found.get(id).is_none_or(|length| length < end))
                {
                    return Err(DataError::Damaged {
                        file: body_path(&self.dir, id),
                        reason: format!("it should have {end} bytes or more, of {key:?} in {}", bucket.name),
                    });
                }
            }
        }
        Ok(())
    }

    /// Removes the files that nothing needs: those of calls that were never answered, and of versions that are gone.
    fn sweep(&self, found: &BTreeMap<u64, u64>) {
        let needed = |id: &u64| self.files.get(id).is_some_and(|file| file.strong_count() > 0);
        for id in found.keys().filter(|id| !needed(id)) {
            let path = body_path(&self.dir, *id);
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "cannot remove a file that nothing needs");
            }
        }
    }
}
