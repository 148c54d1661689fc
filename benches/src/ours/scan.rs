//! manifest-ready's scan, counting alone.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::Result;
use levee_ledger::state::Decision;
use levee_manifest_ready::{
    decide::{Decider, Rules},
    scan::{Count, Counting, scan as scan_files},
};
use serde_json::{Map, Value, json};

use super::{Folder, folder::manifest, wait};
use crate::Outcome;

pub(super) fn scan(folder: &Path, threads: usize) -> Result<Outcome> {
    wait(threads, async {
        let began = Instant::now();
        let (manifest, _) = manifest(folder)?;
        let decider = Decider::new(&Rules::default(), &manifest.schema).map_err(anyhow::Error::msg)?;
        let files = Arc::new(Folder(folder.to_owned()));
        let (count, _) = scan_files(files, &manifest, Arc::new(decider), &Counting).await?;
        let bytes = manifest.files.iter().map(|file| file.size).sum();
        Ok(Outcome::since(began, count.objects, bytes, Value::Object(answer(&count))))
    })
}

fn answer(count: &Count) -> Map<String, Value> {
    let large = count.of(Decision::Large);
    let mut answer = Map::from_iter([
        ("rows".to_owned(), json!(count.objects)),
        ("bytes".to_owned(), json!(count.bytes)),
        ("large".to_owned(), json!({ "rows": large.rows, "bytes": large.bytes })),
        ("archived".to_owned(), json!(count.archived)),
    ]);
    if let Some(groups) = groups(count) {
        answer.extend(groups);
    }
    answer
}

/// `tables` and `classes`: rows and bytes by name, where the count has them.
fn groups(_count: &Count) -> Option<Map<String, Value>> {
    None
}
