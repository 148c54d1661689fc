//! Reads a completion report: several result files at a time, and hands the failed rows on in the order of the files.
//!
//! Each file is read by a task of its own, so that all cores are used and the MD5s are computed side by side. A file that is
//! ahead of its turn waits once it has found a few failed rows: memory does not grow with them.

use std::{collections::VecDeque, mem, sync::Arc, vec};

use levee_formats::{
    KeyCodec, Md5Pool,
    report::{ResultFile, ResultReader, Row, RowError, TaskStatus},
};
use levee_stage::{Body, StageError, joined};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::tally::check_file;
pub use crate::{row::FailedRow, tally::Tally};

/// Result files that are under way at once.
const AT_A_TIME: usize = 16;
/// Pieces with failed rows that a file has found before its turn.
const AHEAD: usize = 2;

/// Where the result files of a report are.
pub trait ResultFiles: Send + Sync + 'static {
    /// A result file that is being read.
    type Body: Body;

    /// Opens a result file; none when it is not there (yet).
    ///
    /// # Errors
    /// It cannot be read.
    fn open(&self, file: &ResultFile) -> impl Future<Output = Result<Option<Self::Body>, StageError>> + Send;

    /// The error of a report that cannot be trusted, for this reason.
    fn unreconciled(&self, problem: &str) -> StageError;
}

/// What the rows of a report are about.
#[derive(Clone, Debug)]
pub struct About {
    /// The source bucket; rows of another one are counted as [`Tally::strangers`].
    pub bucket: String,
    /// How the job's manifest writes keys.
    pub codec: KeyCodec,
}

/// One reading of all rows of a report.
pub struct Reading<F> {
    files: Arc<F>,
    about: Arc<About>,
    waiting: vec::IntoIter<ResultFile>,
    open: VecDeque<OpenFile>,
    md5s: Md5Pool,
    tally: Tally,
}

/// A file that a task reads.
struct OpenFile {
    key: String,
    failed: mpsc::Receiver<Vec<FailedRow>>,
    task: AbortOnDropHandle<Result<Option<Tally>, StageError>>,
}

/// A step of a reading.
#[derive(Debug)]
pub enum Step {
    /// Failed rows; those of one file come one after the other, and the files in their order.
    Failed(Vec<FailedRow>),
    /// The key of a file that is not there (yet).
    Missing(String),
    /// Every file was read to its end, and is what the manifest says.
    End(Tally),
}

impl<F: ResultFiles> Reading<F> {
    /// A reading from the first row.
    pub fn new(files: Arc<F>, results: Vec<ResultFile>, about: About) -> Self {
        Self {
            files,
            about: Arc::new(about),
            waiting: results.into_iter(),
            open: VecDeque::new(),
            md5s: Md5Pool::new(),
            tally: Tally::default(),
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// A file is not what the manifest says, or cannot be read.
    pub async fn next(&mut self) -> Result<Step, StageError> {
        loop {
            while self.open.len() < AT_A_TIME
                && let Some(file) = self.waiting.next()
            {
                let file = self.begin(file);
                self.open.push_back(file);
            }
            let Some(first) = self.open.front_mut() else { return Ok(Step::End(mem::take(&mut self.tally))) };
            if let Some(failed) = first.failed.recv().await {
                return Ok(Step::Failed(failed));
            }
            let Some(OpenFile { key, task, .. }) = self.open.pop_front() else { continue };
            match joined(task.await)? {
                Some(tally) => self.tally.merge(tally),
                None => return Ok(Step::Missing(key)),
            }
        }
    }

    fn begin(&self, file: ResultFile) -> OpenFile {
        let (sender, failed) = mpsc::channel(AHEAD);
        let key = file.key.clone();
        let (files, about, md5s) = (Arc::clone(&self.files), Arc::clone(&self.about), self.md5s.clone());
        let task = tokio::spawn(read(files, file, about, md5s, sender).in_current_span());
        OpenFile { key, failed, task: AbortOnDropHandle::new(task) }
    }
}

/// Reads one file to its end. Nothing when it is not there.
async fn read<F: ResultFiles>(
    files: Arc<F>,
    file: ResultFile,
    about: Arc<About>,
    md5s: Md5Pool,
    sender: mpsc::Sender<Vec<FailedRow>>,
) -> Result<Option<Tally>, StageError> {
    let Some(mut body) = files.open(&file).await? else { return Ok(None) };
    let damaged = |problem: &dyn std::fmt::Display| files.unreconciled(&problem.to_string());
    let (mut tally, mut failed) = (Tally::default(), Vec::new());
    let mut reader = ResultReader::of(&file, about.codec).without_digest();
    let mut md5 = md5s.file();
    while let Some(piece) = body.next().await? {
        let read = reader.push(&piece, &mut |row| about.row(row, &mut tally, &mut failed));
        read.map_err(|error| damaged(&error))?;
        md5.update(piece);
        hand_on(&sender, &mut failed).await;
        // The files that are under way come along side by side, so that their MD5s can be computed so.
        tokio::task::yield_now().await;
    }
    let totals = reader.finish(&mut |row| about.row(row, &mut tally, &mut failed));
    let totals = totals.map_err(|error| damaged(&error))?;
    let (_, md5) = md5.finish();
    check_file(&file, &md5).map_err(|problem| damaged(&problem))?;
    tally.file(&totals);
    hand_on(&sender, &mut failed).await;
    Ok(Some(tally))
}

/// Nobody takes the rows any more when the reading was given up, and then this task is, too.
async fn hand_on(sender: &mpsc::Sender<Vec<FailedRow>>, failed: &mut Vec<FailedRow>) {
    if !failed.is_empty() {
        let _ = sender.send(mem::take(failed)).await;
    }
}

impl About {
    fn row(&self, row: Result<Row<'_>, RowError<'_>>, tally: &mut Tally, failed: &mut Vec<FailedRow>) {
        // A row is large, and moving it costs as much as reading it.
        let row = match &row {
            Ok(row) => row,
            Err(error) => return tally.unreadable_row(error.to_string()),
        };
        if row.bucket != self.bucket {
            tally.strangers += 1;
            return;
        }
        tally.keys.add(&row.key);
        if row.status == TaskStatus::Failed {
            failed.push(FailedRow::of(row));
        }
    }
}
