//! A scan that keeps every key.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::Result;
use levee_formats::inventory::Row;
use levee_ledger::state::Decision;
use levee_manifest_ready::{
    decide::{Decider, Rules},
    scan::{FileRows, Rows, scan},
};
use levee_stage::StageError;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Folder, folder::manifest, wait};
use crate::Outcome;

struct Hoarding;

#[derive(Default)]
struct Keys(Vec<String>);

impl Rows for Hoarding {
    type File = Keys;

    fn file(&self, _index: usize, _stop: &CancellationToken) -> Keys {
        Keys::default()
    }
}

impl FileRows for Keys {
    type Done = Vec<String>;

    fn row(&mut self, row: &Row<'_>, _decision: Decision) -> Result<(), StageError> {
        self.0.push(row.key.to_string());
        Ok(())
    }

    async fn finish(self) -> Result<Vec<String>, StageError> {
        Ok(self.0)
    }
}

pub(super) fn hoard(folder: &Path, threads: usize) -> Result<Outcome> {
    wait(threads, async {
        let began = Instant::now();
        let (manifest, _) = manifest(folder)?;
        let decider = Decider::new(&Rules::default(), &manifest.schema).map_err(anyhow::Error::msg)?;
        let files = Arc::new(Folder::new(folder));
        let (count, keys): (_, Vec<_>) = scan(files, &manifest, Arc::new(decider), &Hoarding).await?;
        let bytes = manifest.files.iter().map(|file| file.size).sum();
        let kept: usize = keys.iter().map(Vec::len).sum();
        Ok(Outcome::since(began, count.objects, bytes, json!({ "rows": count.objects, "kept": kept })))
    })
}
