//! manifest-ready's scan, grouping by table and class.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use levee_formats::{inventory::Row, md5_hex};
use levee_ledger::state::{Amount, Decision};
use levee_manifest_ready::{
    decide::{Decider, Rules},
    scan::{Count, FileRows, Rows, scan as scan_files},
    tables::ByTable,
};
use levee_stage::StageError;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Folder, folder::manifest, wait};
use crate::Outcome;

pub(super) fn scan(folder: &Path, threads: usize) -> Result<Outcome> {
    wait(threads, async {
        let began = Instant::now();
        let (manifest, _) = manifest(folder)?;
        let decider = Decider::new(&Rules::default(), &manifest.schema).map_err(anyhow::Error::msg)?;
        let files = Arc::new(Folder::new(folder));
        let (count, groups): (_, Groups) = scan_files(files, &manifest, Arc::new(decider), &Grouping).await?;
        let bytes = manifest.files.iter().map(|file| file.size).sum();
        Ok(Outcome::since(began, count.objects, bytes, answer(&count, groups)?))
    })
}

/// Groups all rows.
struct Grouping;

/// What the rows come to by table and by class.
#[derive(Default)]
struct Groups {
    tables: ByTable,
    classes: Vec<(String, Amount)>,
}

impl Groups {
    fn class(&mut self, class: &str, amount: Amount) {
        match self.classes.iter_mut().find(|(name, _)| name == class) {
            Some((_, sum)) => sum.add(amount),
            None => self.classes.push((class.to_owned(), amount)),
        }
    }

    fn merge(&mut self, other: Self) {
        self.tables.merge(other.tables);
        other.classes.iter().for_each(|(class, amount)| self.class(class, *amount));
    }
}

impl Extend<Self> for Groups {
    fn extend<I: IntoIterator<Item = Self>>(&mut self, files: I) {
        files.into_iter().for_each(|file| self.merge(file));
    }
}

impl Rows for Grouping {
    type File = Groups;

    fn file(&self, _index: usize, _stop: &CancellationToken) -> Groups {
        Groups::default()
    }
}

impl FileRows for Groups {
    type Done = Self;

    fn row(&mut self, row: &Row<'_>, _decision: Decision) -> Result<(), StageError> {
        let bytes = row.size.unwrap_or(0);
        self.tables.add(&row.key, bytes);
        self.class(row.storage_class.as_deref().unwrap_or_default(), Amount { rows: 1, bytes });
        Ok(())
    }

    async fn finish(self) -> Result<Self, StageError> {
        Ok(self)
    }
}

fn answer(count: &Count, groups: Groups) -> Result<Value> {
    let (mut tables, rest) = groups.tables.largest_first();
    ensure!(rest.rows == 0, "there are too many tables");
    tables.sort_by(|a, b| a.0.cmp(&b.0));
    // There may be thousands: they are compared by a digest, in the order of their names.
    let line = |(name, amount): &(String, Amount)| format!("{name}\t{}\t{}\n", amount.rows, amount.bytes);
    let lines: String = tables.iter().map(line).collect();
    Ok(json!({
        "rows": count.objects,
        "bytes": count.bytes,
        "large": count.of(Decision::Large),
        "archived": count.archived,
        "classes": groups.classes.into_iter().collect::<BTreeMap<_, _>>(),
        "tables": { "number": tables.len(), "md5": md5_hex(lines.as_bytes()) },
    }))
}
