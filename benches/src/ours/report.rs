//! report-parse's reading of a completion report.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use levee_formats::{
    KeyCodec,
    report::{Manifest, ResultFile},
};
use levee_manifest_ready::scan::DataFiles;
use levee_report_parse::read::{About, Reading, ResultFiles, Step};
use levee_stage::StageError;
use serde_json::json;

use super::{Folder, folder::OpenFile, wait};
use crate::{Outcome, make::SOURCE};

pub(super) fn report(folder: &Path, threads: usize) -> Result<Outcome> {
    wait(threads, async {
        let began = Instant::now();
        let manifest = Manifest::parse(&fs::read(folder.join("manifest.json")).context("there is no report")?)?;
        let sizes = manifest.results.iter().map(|file| fs::metadata(folder.join(&file.key)).map(|file| file.len()));
        let bytes = sizes.sum::<std::io::Result<u64>>()?;
        let about = About { bucket: SOURCE.to_owned(), codec: KeyCodec::Form };
        let mut reading = Reading::new(Arc::new(Folder::new(folder)), manifest.results, about);
        // By status and code.
        let mut codes = BTreeMap::<String, u64>::new();
        let tally = loop {
            match reading.next().await? {
                Step::Failed(rows) => {
                    for row in rows {
                        *codes.entry(format!("failed {}", row.error_code().unwrap_or_default())).or_default() += 1;
                    }
                }
                Step::Missing(key) => bail!("{key} is missing"),
                Step::End(tally) => break tally,
            }
        };
        ensure!(tally.unreadable == 0, "{} rows cannot be read", tally.unreadable);
        codes.insert("succeeded".to_owned(), tally.succeeded);
        let answer = json!({ "rows": tally.rows(), "codes": codes, "keys": tally.keys });
        Ok(Outcome::since(began, tally.rows(), bytes, answer))
    })
}

impl ResultFiles for Folder {
    type Body = OpenFile;

    async fn open(&self, file: &ResultFile) -> Result<Option<OpenFile>, StageError> {
        DataFiles::open(self, &file.key).await.map(Some)
    }

    fn unreconciled(&self, problem: &str) -> StageError {
        StageError::permanent(StageError::INPUT_INVALID, problem.to_owned())
    }
}
