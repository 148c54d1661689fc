//! Rolls the table in a folder back to an older version by a commit, and prints what the commit does as a line of JSON.
//!
//! ```text
//! roll_back FOLDER VERSION
//! ```
//!
//! The commit is made in memory and written only when it does not exist. Nothing is written when the two versions have the same
//! state. The exit code is 3 when the table must not be rolled back, 1 when it cannot be for another reason.
//! `tests/conformance/check_rollbacks.py` drives it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what was done goes to standard output")]

use std::{
    error::Error,
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use levee_delta_log::{CannotCheck, Listing, LogReader, Options, ReadError, RestoreFacts, restore_commit};

/// A folder that is read like a bucket.
struct Folder(PathBuf);

impl LogReader for Folder {
    fn read(&self, path: &str) -> Result<Bytes, ReadError> {
        match fs::read(self.0.join(path)) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ReadError::Gone),
            Err(error) => Err(ReadError::Failed(error.to_string())),
        }
    }
}

fn list(root: &Path, folder: &Path, listing: &mut Listing) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            list(root, &entry.path(), listing)?;
        } else {
            let path = entry.path();
            let key = path.strip_prefix(root)?.to_str().ok_or("a name is no UTF-8")?;
            let modified = metadata.modified()?.duration_since(UNIX_EPOCH)?.as_millis();
            listing.push(key, metadata.len(), i64::try_from(modified).ok());
        }
    }
    Ok(())
}

/// The newest version that the log names.
fn newest(root: &Path) -> Result<u64, Box<dyn Error>> {
    let mut newest = None;
    for entry in fs::read_dir(root.join("_delta_log"))? {
        let name = entry?.file_name().into_string().map_err(|_| "a name is no UTF-8")?;
        let version =
            name.split('.').next().filter(|version| version.len() == 20).and_then(|version| version.parse().ok());
        newest = newest.max(version.filter(|_| name.ends_with(".json") || name.contains(".checkpoint.")));
    }
    newest.ok_or_else(|| "the folder has no log".into())
}

fn roll_back(root: PathBuf, to: u64) -> Result<(), Box<dyn Error>> {
    let mut listing = Listing::new();
    list(&root, &root, &mut listing)?;
    let from = newest(&root)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let engine_info = format!("Levee/{}", env!("CARGO_PKG_VERSION"));
    let facts = RestoreFacts { timestamp_ms: i64::try_from(now)?, engine_info };
    let mut commit = Vec::new();
    let mut out = |piece: &[u8]| {
        commit.extend_from_slice(piece);
        Ok(())
    };
    let reader = Folder(root);
    let summary = restore_commit(&listing, &reader, &Options::default(), from, to, &facts, &mut out)?;
    if let Some(version) = summary.version {
        let path = reader.0.join(format!("_delta_log/{version:020}.json"));
        fs::File::create_new(path)?.write_all(&commit)?;
    }
    println!("{}", serde_json::to_string(&summary)?);
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, version] = arguments.as_slice() else {
        eprintln!("roll_back FOLDER VERSION");
        return ExitCode::from(2);
    };
    let Ok(version) = version.parse() else {
        eprintln!("{version} is no version");
        return ExitCode::from(2);
    };
    match roll_back(PathBuf::from(folder), version) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let refused = matches!(error.downcast_ref(), Some(CannotCheck::Refused { .. }));
            ExitCode::from(if refused { 3 } else { 1 })
        }
    }
}
