//! The lists of a plan, which all data files of the inventory add to: in the order of the files, so that the same inventory
//! gives the same bytes.

use std::sync::Arc;

use levee_ledger::{
    Ledger,
    state::{Amount, PlannedList},
};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::write::{JSON_LINES, PlannedFile, Reading, Writer, place};

/// What a file gathers before it waits for its turn.
const PENDING: usize = 16 * 1024 * 1024;

/// The pieces that it is gathered in, and the line that goes beyond one.
const PIECE: usize = 256 * 1024;
const LINE: usize = 4 * 1024;

/// The lists, shared by the files.
pub(crate) struct Lists {
    large: Mutex<List>,
    skipped: Mutex<List>,
    /// The file whose lines come next.
    turn: watch::Sender<usize>,
}

struct List {
    writer: Writer,
    amount: Amount,
}

/// Finished lists; none without lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FinishedLists {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) large: Option<PlannedList>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<PlannedList>,
    pub(crate) files: Vec<PlannedFile>,
}

impl FinishedLists {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn file(&self, list: &PlannedList) -> Option<&PlannedFile> {
        self.files.iter().find(|file| file.key == list.pointer.key)
    }
}

impl Lists {
    pub(crate) fn new(ledger: &Ledger, prefix: &str) -> Self {
        let list = |name: &str| {
            let writer = Writer::new(ledger, format!("{prefix}{name}.jsonl"), JSON_LINES);
            Mutex::new(List { writer, amount: Amount::default() })
        };
        Self { large: list("large"), skipped: list("skipped"), turn: watch::Sender::new(0) }
    }

    /// Makes the lists appear.
    pub(crate) async fn finish(self) -> Result<FinishedLists, StageError> {
        let mut files = Vec::new();
        let large = self.large.into_inner().finish(&mut files).await?;
        let skipped = self.skipped.into_inner().finish(&mut files).await?;
        Ok(FinishedLists { large, skipped, files })
    }

    /// Adds the lines of other lists, which are in the ledger.
    pub(crate) async fn append(&self, ledger: &Ledger, part: &FinishedLists) -> Result<(), StageError> {
        for (list, added) in [(&self.large, &part.large), (&self.skipped, &part.skipped)] {
            let Some(added) = added else { continue };
            let file = part.file(added).ok_or_else(|| other_part(&place(ledger, &added.pointer.key)))?;
            list.lock().await.append(ledger, file, added.amount).await?;
        }
        Ok(())
    }

    pub(crate) async fn abort(self) {
        self.large.into_inner().writer.abort().await;
        self.skipped.into_inner().writer.abort().await;
    }
}

impl List {
    /// Sends on what arrives of a list that is in the ledger.
    async fn append(&mut self, ledger: &Ledger, part: &PlannedFile, amount: Amount) -> Result<(), StageError> {
        let place = || place(ledger, &part.key);
        let reading = Reading::open(ledger, &part.key).await?;
        let mut reading = reading.ok_or_else(|| other_part(&place()))?;
        while let Some(piece) = reading.next().await? {
            self.writer.write(&piece).await?;
        }
        if reading.end() != (part.size, part.md5.clone()) {
            return Err(other_part(&place()));
        }
        self.amount.add(amount);
        Ok(())
    }

    async fn finish(self, files: &mut Vec<PlannedFile>) -> Result<Option<PlannedList>, StageError> {
        if self.amount.rows == 0 {
            return Ok(None);
        }
        let (file, pointer) = self.writer.finish(self.amount.rows).await?;
        files.push(file);
        Ok(Some(PlannedList { pointer, amount: self.amount }))
    }
}

fn other_part(place: &str) -> StageError {
    let cause = format!(
        "{place} is not what the worker has written that read the slice. The ledger is never overwritten: look at who writes there \
         besides Levee, remove the plan's folder with the rights of the break-glass principal, and start a new execution."
    );
    StageError::permanent("Levee.LedgerCorrupt", cause)
}

/// The lines of one file.
pub(crate) struct Lines {
    lists: Arc<Lists>,
    index: usize,
    stop: CancellationToken,
    large: Pending,
    skipped: Pending,
}

/// Lines that wait, in pieces: one that grows would have to be copied, and leaves holes in the memory behind.
#[derive(Default)]
struct Pending {
    pieces: Vec<Vec<u8>>,
    /// The bytes of all pieces.
    bytes: usize,
    amount: Amount,
}

impl Lines {
    pub(crate) fn new(lists: &Arc<Lists>, index: usize, stop: &CancellationToken) -> Self {
        let (large, skipped) = (Pending::default(), Pending::default());
        Self { lists: Arc::clone(lists), index, stop: stop.clone(), large, skipped }
    }

    pub(crate) fn large(&mut self, row: &impl Serialize, bytes: u64) -> Result<(), StageError> {
        self.large.add(row, bytes)
    }

    pub(crate) fn skipped(&mut self, row: &impl Serialize, bytes: u64) -> Result<(), StageError> {
        self.skipped.add(row, bytes)
    }

    /// Adds what has gathered once it is much.
    pub(crate) async fn flush(&mut self) -> Result<(), StageError> {
        if self.large.bytes.saturating_add(self.skipped.bytes) < PENDING {
            return Ok(());
        }
        self.wait_for_turn().await?;
        self.write().await
    }

    /// Adds the rest, and gives the turn to the next file.
    pub(crate) async fn finish(mut self) -> Result<(), StageError> {
        self.wait_for_turn().await?;
        self.write().await?;
        self.lists.turn.send_replace(self.index.saturating_add(1));
        Ok(())
    }

    async fn write(&mut self) -> Result<(), StageError> {
        self.large.write(&self.lists.large).await?;
        self.skipped.write(&self.lists.skipped).await
    }

    async fn wait_for_turn(&self) -> Result<(), StageError> {
        let mut turn = self.lists.turn.subscribe();
        tokio::select! {
            biased;
            // The sender is in `lists`, so that this ends with a turn.
            turn = turn.wait_for(|turn| *turn == self.index) => turn.map(drop).map_err(|_| crate::scan::stopped()),
            () = self.stop.cancelled() => Err(crate::scan::stopped()),
        }
    }
}

impl Pending {
    fn add(&mut self, row: &impl Serialize, bytes: u64) -> Result<(), StageError> {
        let begun = self.pieces.pop_if(|piece| piece.len() < PIECE);
        let mut piece = begun.unwrap_or_else(|| Vec::with_capacity(PIECE + LINE));
        let before = piece.len();
        serde_json::to_writer(&mut piece, row).map_err(|error| {
            StageError::permanent(StageError::OUTPUT_INVALID, format!("a row of the inventory is no JSON: {error}"))
        })?;
        piece.push(b'\n');
        self.bytes = self.bytes.saturating_add(piece.len() - before);
        self.pieces.push(piece);
        self.amount.add(Amount { rows: 1, bytes });
        Ok(())
    }

    async fn write(&mut self, list: &Mutex<List>) -> Result<(), StageError> {
        if self.amount.rows == 0 {
            return Ok(());
        }
        let pending = std::mem::take(self);
        let mut list = list.lock().await;
        list.amount.add(pending.amount);
        for piece in pending.pieces {
            list.writer.write(&piece).await?;
        }
        Ok(())
    }
}
