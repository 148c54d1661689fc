//! The data files of a table, opened: the end of each is read, and its footer must parse.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use levee_delta_log::{End, Listing, LiveFile, Options, rows_by_end};
use levee_stage::StageError;
use levee_tables::{BucketStore, live_files, prefix};

/// Files that are opened at a time.
const AT_ONCE: usize = 32;
/// Bytes from the end that are asked for at first: most footers have fewer.
const FIRST: u64 = 64 << 10;
/// Files that a table's problems name.
const NAMED: usize = 3;

/// What was found in the files of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Live data files.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// The rows that their footers tell, less those that deletion vectors take away.
    pub(crate) rows: u64,
    /// What is wrong with the first files that cannot be opened, or do not have what the log says.
    pub(crate) problems: Vec<String>,
    /// Files with a problem.
    pub(crate) bad: u64,
}

/// A file that was opened: its rows, or what is wrong with it.
type Found = (LiveFile, Result<u64, String>);

/// Opens every live data file of a version.
///
/// # Errors
/// The scratch bucket cannot be read; the log there cannot be.
pub(crate) async fn open(
    scratch: &BucketStore,
    root: &str,
    listing: &Arc<Listing>,
    version: u64,
) -> Result<Opened, StageError> {
    let files = live_files(scratch, root, listing, &Options::default(), version).await?;
    let below = prefix(root);
    let below = below.as_str();
    let found = stream::iter(files).map(|file| async move {
        let rows = rows_of(scratch, &format!("{below}{}", file.path), &file).await?;
        Ok::<Found, StageError>((file, rows))
    });
    let mut found = found.buffer_unordered(AT_ONCE);
    let mut opened = Opened::default();
    while let Some(file) = found.try_next().await? {
        opened.add(file);
    }
    opened.problems.sort();
    opened.problems.truncate(NAMED);
    Ok(opened)
}

impl Opened {
    fn add(&mut self, (file, rows): Found) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(file.size);
        match rows.and_then(|rows| live_rows(&file, rows)) {
            Ok(rows) => self.rows = self.rows.saturating_add(rows),
            Err(problem) => {
                self.bad += 1;
                self.problems.push(format!("{:?} {problem}", file.path));
                // The first by name, whatever the order in which they were read.
                if self.problems.len() > 2 * NAMED {
                    self.problems.sort();
                    self.problems.truncate(NAMED);
                }
            }
        }
    }
}

/// The rows that are live of those that the footer tells, if they are as many as the log says.
fn live_rows(file: &LiveFile, rows: u64) -> Result<u64, String> {
    if let Some(records) = file.records.filter(|records| *records != rows) {
        return Err(format!("has {rows} rows by its footer, the log says {records}"));
    }
    rows.checked_sub(file.deleted)
        .ok_or_else(|| format!("has {rows} rows by its footer, and its deletion vector takes {} away", file.deleted))
}

/// The rows of a file by its footer, or what is wrong with it.
async fn rows_of(scratch: &BucketStore, key: &str, file: &LiveFile) -> Result<Result<u64, String>, StageError> {
    let mut most = FIRST;
    // The second time the footer's length is known.
    for _ in 0..2 {
        let Some(end) = scratch.read_end(key, most).await? else {
            return Ok(Err("is not there".to_owned()));
        };
        if end.size != file.size {
            return Ok(Err(format!("has {} bytes, the log says {}", end.size, file.size)));
        }
        match rows_by_end(&end.bytes, end.size) {
            Ok(End::Rows(rows)) => return Ok(Ok(rows)),
            Ok(End::Longer(needed)) => most = needed,
            Err(why) => return Ok(Err(format!("cannot be opened: {why}"))),
        }
    }
    Ok(Err("cannot be opened: its footer changes while it is read".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(records: Option<u64>, deleted: u64) -> LiveFile {
        LiveFile { path: "a.parquet".to_owned(), size: 9, records, deleted }
    }

    #[test]
    fn rows_are_those_of_the_footer_less_the_deleted_ones_and_must_be_those_of_the_log() {
        assert_eq!(live_rows(&file(Some(7), 2), 7), Ok(5));
        assert_eq!(live_rows(&file(None, 0), 7), Ok(7));
        assert!(live_rows(&file(Some(8), 0), 7).is_err_and(|why| why.contains("7 rows by its footer, the log says 8")));
        assert!(live_rows(&file(None, 8), 7).is_err_and(|why| why.contains("takes 8 away")));
    }

    #[test]
    fn problems_that_are_named_are_the_first_by_name_and_all_are_counted() {
        let mut opened = Opened::default();
        for number in (0..20).rev() {
            let named = LiveFile { path: format!("{number:02}"), ..file(None, 0) };
            opened.add((named, Err("is not there".to_owned())));
        }
        opened.problems.sort();
        opened.problems.truncate(NAMED);
        assert_eq!(opened.bad, 20);
        assert_eq!(opened.problems, ["\"00\" is not there", "\"01\" is not there", "\"02\" is not there"]);
    }
}
