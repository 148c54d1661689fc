//! Tables in memory.

pub mod checkpoints;
pub mod log;
pub mod shred;

use std::{cell::RefCell, collections::BTreeMap};

use bytes::Bytes;
use levee_delta_log::{Listing, LogReader, ReadError};

/// Objects below a table's root.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub objects: BTreeMap<String, Bytes>,
    /// Files of the log that are listed and gone when they are read.
    pub gone: Vec<String>,
    /// What was read, in order.
    pub read: RefCell<Vec<String>>,
}

impl Table {
    pub fn listing(&self) -> Listing {
        let mut listing = Listing::new();
        self.list_into(&mut listing);
        listing
    }

    pub fn list_into(&self, listing: &mut Listing) {
        for (key, bytes) in &self.objects {
            listing.push(key, bytes.len() as u64, None);
        }
    }

    /// The objects of a folder in a tar archive.
    pub fn all_from_tar(
        archive: impl std::io::Read,
        split: impl Fn(&str) -> Option<(&str, &str)>,
    ) -> BTreeMap<String, Self> {
        let mut tables: BTreeMap<String, Self> = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            if let Some((table, key)) = split(&path) {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
                tables.entry(table.to_owned()).or_default().objects.insert(key.to_owned(), bytes.into());
            }
        }
        tables
    }
}

impl LogReader for Table {
    fn read(&self, path: &str) -> Result<Bytes, ReadError> {
        self.read.borrow_mut().push(path.to_owned());
        if self.gone.iter().any(|gone| gone == path) {
            return Err(ReadError::Gone);
        }
        self.objects.get(path).cloned().ok_or(ReadError::Gone)
    }
}
