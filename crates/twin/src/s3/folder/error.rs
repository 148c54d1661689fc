//! Why a folder cannot be used.

use std::{io, path::PathBuf};

/// Why the twin does not start on a folder.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder holds something else.
    #[error("{} holds other files than a twin's: name an empty or a new folder", dir.display())]
    Foreign {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder was written by a version of the twin that keeps its data in another way.
    #[error(
        "{} is a twin's folder of format {found}, and this twin reads format {known}: start it with the version of levee that wrote it, or name a new folder",
        dir.display()
    )]
    Format {
        /// The folder.
        dir: PathBuf,
        /// The format that it says it has.
        found: u64,
        /// The format that this version reads and writes.
        known: u64,
    },
    /// Another twin uses the folder.
    #[error("another twin uses {}: stop it, or name another folder", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder is not as a twin left it.
    #[error("{} is damaged: {reason}. Restore it from a copy, or name a new folder", file.display())]
    Damaged {
        /// The file in which it shows.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The folder cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
}
