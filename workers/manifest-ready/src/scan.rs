//! Reads every data file of an inventory once, on all cores: checks its size and MD5, decides about its rows, and hands them
//! to whoever wants them.
//!
//! Each file is read by a task of its own. On a runtime with several threads they run at the same time; on one with a single
//! thread, where tests play nights on a paused clock, they take turns in a fixed order.

use std::{future, sync::Arc};

use futures::{StreamExt, stream};
use levee_formats::{
    Md5Pool,
    inventory::{DataFile, DataReader, Manifest, Row, RowError},
};
use levee_ledger::state::Decision;
pub use levee_stage::Body;
use levee_stage::{StageError, joined};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument;

pub use crate::count::Count;
use crate::{decide::Decider, pin::corrupt};

/// Where the data files of an inventory are.
pub trait DataFiles: Send + Sync + 'static {
    /// A data file that is being read.
    type Body: Body;

    /// Opens a data file by its key.
    ///
    /// # Errors
    /// It does not exist, or cannot be read.
    fn open(&self, key: &str) -> impl Future<Output = Result<Self::Body, StageError>> + Send;

    /// A data file as messages name it.
    fn place(&self, key: &str) -> String;
}

/// Takes the rows of all files.
pub trait Rows {
    /// Takes the rows of one file.
    type File: FileRows;

    /// How many data files may be under way: some wait for the network while others are read, and their MD5s are computed side
    /// by side. It bounds the memory that the scan takes.
    const AT_A_TIME: usize = 8;

    /// Takes the rows of the data file with this place in the manifest, from 0. `stop` tells that another file has failed.
    fn file(&self, index: usize, stop: &CancellationToken) -> Self::File;
}

/// Takes the rows of one file.
pub trait FileRows: Sized + Send + 'static {
    /// What comes of it.
    type Done: Send + 'static;

    /// Takes a row.
    ///
    /// # Errors
    /// It cannot be used.
    fn row(&mut self, row: &Row<'_>, decision: Decision) -> Result<(), StageError>;

    /// Called after each piece of the file: what has gathered may be sent on.
    ///
    /// # Errors
    /// It cannot be sent on; the file is given up.
    fn flush(&mut self) -> impl Future<Output = Result<(), StageError>> + Send {
        future::ready(Ok(()))
    }

    /// The file was read to its end and is what the manifest says.
    ///
    /// # Errors
    /// What has gathered cannot be sent on.
    fn finish(self) -> impl Future<Output = Result<Self::Done, StageError>> + Send;

    /// The file is given up: what was sent of it has to go.
    fn abort(self) -> impl Future<Output = ()> + Send {
        future::ready(())
    }
}

/// Counts alone.
pub struct Counting;

impl Rows for Counting {
    type File = Self;

    fn file(&self, _index: usize, _stop: &CancellationToken) -> Self {
        Self
    }
}

impl FileRows for Counting {
    type Done = ();

    fn row(&mut self, _row: &Row<'_>, _decision: Decision) -> Result<(), StageError> {
        Ok(())
    }

    async fn finish(self) -> Result<(), StageError> {
        Ok(())
    }
}

/// Reads all data files. What they add up to, and what came of each, gathered in the order of the manifest: in a `Vec`, or in
/// what adds it up at once, so that memory does not grow with the files.
///
/// # Errors
/// A data file is missing, has another size or MD5, is not gzip, or has rows that cannot be read, or whose tier the rules
/// need and the inventory does not say; `rows` gave an error. It is that of the first such file in the order of the manifest.
pub async fn scan<F: DataFiles, R: Rows, G: Default + Extend<<R::File as FileRows>::Done>>(
    files: Arc<F>,
    manifest: &Manifest,
    decider: Arc<Decider>,
    rows: &R,
) -> Result<(Count, G), StageError> {
    let at_a_time = Handle::current().metrics().num_workers().saturating_add(1).max(R::AT_A_TIME);
    let md5s = Md5Pool::new();
    let stop = CancellationToken::new();
    let inventory = Arc::new(Manifest { files: Vec::new(), ..manifest.clone() });
    let begin = |(index, file): (usize, &DataFile)| {
        let (file, rows) = (file.clone(), rows.file(index, &stop));
        let reading = Reading {
            files: Arc::clone(&files),
            inventory: Arc::clone(&inventory),
            decider: Arc::clone(&decider),
            md5s: md5s.clone(),
        };
        let task = tokio::spawn(reading.read(file, rows, stop.clone()).in_current_span());
        AbortOnDropHandle::new(task)
    };
    let mut results = stream::iter(manifest.files.iter().enumerate()).map(begin).buffered(at_a_time);
    let (mut total, mut gathered, mut failed) = (Count::default(), G::default(), None);
    while let Some(result) = results.next().await {
        // After an error the rest is not read: these tasks only clear up.
        match joined(result) {
            Ok((count, file)) => {
                total.add(count);
                gathered.extend([file]);
            }
            Err(error) => {
                stop.cancel();
                failed.get_or_insert(error);
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => total.check(manifest).map(|()| (total, gathered)),
    }
}

/// What the tasks share.
struct Reading<F> {
    files: Arc<F>,
    /// The manifest without its files.
    inventory: Arc<Manifest>,
    decider: Arc<Decider>,
    md5s: Md5Pool,
}

impl<F: DataFiles> Reading<F> {
    async fn read<R: FileRows>(
        self,
        file: DataFile,
        mut rows: R,
        stop: CancellationToken,
    ) -> Result<(Count, R::Done), StageError> {
        match self.rows_of(&file, &mut rows, &stop).await {
            Ok(count) => rows.finish().await.map(|done| (count, done)),
            Err(error) => {
                rows.abort().await;
                Err(error)
            }
        }
    }

    async fn rows_of<R: FileRows>(
        &self,
        file: &DataFile,
        rows: &mut R,
        stop: &CancellationToken,
    ) -> Result<Count, StageError> {
        if stop.is_cancelled() {
            return Err(stopped());
        }
        let place = self.files.place(&file.key);
        let broken = |problem: String| corrupt(&place, &problem);
        let mut body = self.files.open(&file.key).await?;
        let reader = DataReader::new(&file.key, &self.inventory.schema, &self.inventory.source_bucket);
        let mut reader = reader.map_err(|error| broken(error.to_string()))?.without_digest();
        let (mut count, mut refused, mut md5) = (Count::default(), None, self.md5s.file());
        while let Some(piece) = body.next().await? {
            let read = reader.push(&piece, &mut |row| self.row(row, &mut count, rows, &mut refused));
            read.map_err(|error| broken(error.to_string()))?;
            refused.take().map_or(Ok(()), Err)?;
            md5.update(piece);
            rows.flush().await?;
            if stop.is_cancelled() {
                return Err(stopped());
            }
            // The files that are under way come along side by side, so that their MD5s can be computed so.
            tokio::task::yield_now().await;
        }
        let totals = reader.finish(&mut |row| self.row(row, &mut count, rows, &mut refused));
        totals.map_err(|error| broken(error.to_string()))?;
        refused.map_or(Ok(()), Err)?;
        let (size, md5) = md5.finish();
        if size != file.size {
            return Err(broken(format!("it has {size} bytes, the manifest says {}", file.size)));
        }
        if md5 != file.md5 {
            return Err(broken(format!("its MD5 is {md5}, the manifest says {}", file.md5)));
        }
        Ok(count)
    }

    fn row<R: FileRows>(
        &self,
        row: Result<Row<'_>, RowError<'_>>,
        count: &mut Count,
        rows: &mut R,
        refused: &mut Option<StageError>,
    ) {
        let row = match row {
            Ok(row) => row,
            Err(error) => return count.bad_row(&error),
        };
        let decision = self.decider.decide(&row);
        count.row(&row, decision, self.decider.lacks_tier(&row));
        if refused.is_none() {
            *refused = rows.row(&row, decision).err();
        }
    }
}

/// The error of a task that stops because another one has failed; nobody sees it.
pub(crate) fn stopped() -> StageError {
    StageError::transient(StageError::AWS_UNAVAILABLE, "another data file of the inventory could not be used")
}
