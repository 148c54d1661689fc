//! manifest-ready's scan and plan.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::{Context, Result};
use jiff::civil::date;
use levee_formats::inventory::Manifest;
use levee_ledger::{
    Ledger, RunKey,
    state::{Decision, ObjectPointer},
};
use levee_manifest_ready::{
    decide::{Decider, Rules},
    plan::PlanWriter,
    scan::scan,
};
use serde_json::json;

use super::{Folder, discarding, folder::manifest, wait};
use crate::{Outcome, make::SOURCE};

pub(super) fn plan(folder: &Path, threads: usize) -> Result<Outcome> {
    wait(threads, async {
        let ledger = Ledger::new(discarding(), "ledger");
        let began = Instant::now();
        let (manifest, bytes) = manifest(folder)?;
        let rules = Rules {
            selection: serde_json::from_value(json!({ "exclude": [{ "glob": "**/_tmp/**" }] }))?,
            archived: serde_json::from_value(json!("skip"))?,
        };
        let decider = Arc::new(Decider::new(&rules, &manifest.schema).map_err(anyhow::Error::msg)?);
        let (run, pointer) = (run(), pointer());
        let writer = PlanWriter::new(&ledger, &run, (&manifest, &pointer, &Manifest::checksum(&bytes)), &rules)?;
        let (count, files): (_, Vec<_>) = scan(Arc::new(Folder::new(folder)), &manifest, decider, &writer).await?;
        let plan = writer.finish(&count, files).await?.context("there is nothing to plan")?;
        let read = manifest.files.iter().map(|file| file.size).sum();
        let batch = plan.decisions.get(&Decision::Batch).copied().unwrap_or_default();
        let answer = json!({ "batch_rows": batch.rows, "decisions": plan.decisions });
        Ok(Outcome::since(began, count.objects, read, answer))
    })
}

fn run() -> RunKey {
    RunKey {
        source: SOURCE.to_owned(),
        backup_date: date(2026, 3, 31),
        execution_arn: "arn".to_owned(),
        execution_name: "bench".to_owned(),
        restore: None,
    }
}

fn pointer() -> ObjectPointer {
    ObjectPointer {
        bucket: "manifests".to_owned(),
        key: "manifest.json".to_owned(),
        etag: "e".to_owned(),
        version_id: None,
    }
}
