//! Where receipts are read from.

use std::{io::ErrorKind, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use levee_ledger::{Ledger, chain::prefix};

/// A ledger bucket, or a folder with a copy of its receipts.
#[derive(Clone, Debug)]
pub enum Store {
    /// The bucket.
    Ledger(Ledger),
    /// The folder: what the bucket has at `receipts/<source>/…` is there at `<source>/…`.
    Folder(PathBuf),
}

impl Store {
    /// The names of all files of a source, in order.
    pub(super) async fn names(&self, source: &str) -> Result<Vec<String>> {
        let prefix = prefix(source);
        match self {
            Self::Ledger(ledger) => {
                let keys = ledger.list(&prefix).await?;
                Ok(keys.iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect())
            }
            Self::Folder(folder) => {
                if source.is_empty() || source.contains(['/', '\\']) || source.starts_with('.') {
                    bail!("{source:?} is no bucket's name");
                }
                let folder = folder.join(source);
                let cannot = || format!("cannot read the folder {}", folder.display());
                let mut names = Vec::new();
                for entry in std::fs::read_dir(&folder).with_context(cannot)? {
                    let name = entry.with_context(cannot)?.file_name();
                    names.push(name.into_string().map_err(|name| anyhow!("{} has a file {name:?}", folder.display()))?);
                }
                names.sort();
                Ok(names)
            }
        }
    }

    /// The bytes at a key that begins with `receipts/`, if there are any.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Ledger(ledger) => Ok(ledger.get(key).await?.map(|(bytes, _)| bytes)),
            Self::Folder(folder) => {
                let file = folder.join(key.strip_prefix("receipts/").unwrap_or(key));
                match std::fs::read(&file) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
                }
            }
        }
    }
}
