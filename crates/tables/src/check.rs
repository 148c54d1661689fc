//! Tables that were found, and given verdicts.

use std::{num::NonZero, sync::Arc};

use bytes::Bytes;
use levee_delta_log::{
    AtVersion, CannotCheck, Described, Listing, LiveFile, Need, NeedKind, Options, RestoreFacts, RestoreSummary,
    TableVerdict,
};
use levee_stage::StageError;

use crate::{
    log::{Asking, with_log},
    store::Store,
};

/// The name of the error of a table that could not be checked.
pub const CANNOT_CHECK: &str = "Levee.CannotCheck";

/// An object that a version needs, see [`Need`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needed {
    /// What it is; data comes first, commits last.
    pub kind: NeedKind,
    /// Its key below the table's root.
    pub path: String,
    /// Its bytes; at least, for a file of deletion vectors.
    pub size: Option<u64>,
}

impl From<Need<'_>> for Needed {
    fn from(need: Need<'_>) -> Self {
        Self { kind: need.kind, path: need.path.to_owned(), size: need.size }
    }
}

/// What the keys of a table begin with.
#[must_use]
pub fn prefix(root: &str) -> String {
    if root.is_empty() { String::new() } else { format!("{root}/") }
}

/// The verdict on a table that was listed.
///
/// # Errors
/// The place cannot be read; the log asks for more than is done for one table.
pub(crate) async fn verdict<S: Store>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    options: &Options,
) -> Result<TableVerdict, StageError> {
    let (name, options) = (root.to_owned(), on_all_cores(options));
    replay(store, root, listing, move |listing, log| levee_delta_log::verdict(&name, listing, log, &options)).await
}

/// The verdict on a table of which one of `shards` shares is listed at a time.
///
/// # Errors
/// As [`verdict`].
pub(crate) async fn verdict_by_shards<S: Store>(
    store: &S,
    root: &str,
    shards: u32,
    options: &Options,
) -> Result<TableVerdict, StageError> {
    let (name, options) = (root.to_owned(), on_all_cores(options));
    asking(store, root, move |log| {
        let mut listing_of = |index| log.list(index, shards);
        levee_delta_log::verdict_by_shards(&name, shards, &mut listing_of, log, &options)
    })
    .await
}

/// Whether one version of a table is whole.
///
/// # Errors
/// As [`verdict`].
pub async fn at_version<S: Store>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    options: &Options,
    version: u64,
) -> Result<AtVersion, StageError> {
    let options = on_all_cores(options);
    replay(store, root, listing, move |listing, log| levee_delta_log::at_version(listing, log, &options, version)).await
}

/// The version that a table had at a time, see [`levee_delta_log::version_as_of`].
///
/// # Errors
/// The place cannot be read.
pub async fn version_as_of<S: Store>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    options: &Options,
    at_ms: i64,
) -> Result<Option<u64>, StageError> {
    let options = on_all_cores(options);
    replay(store, root, listing, move |listing, log| levee_delta_log::version_as_of(listing, log, &options, at_ms))
        .await
}

/// What a version says of its table, see [`levee_delta_log::described`].
///
/// # Errors
/// The place cannot be read; the version cannot be loaded, or says what cannot be understood.
pub async fn described<S: Store>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    options: &Options,
    version: u64,
) -> Result<Described, StageError> {
    let options = on_all_cores(options);
    replay(store, root, listing, move |listing, log| levee_delta_log::described(listing, log, &options, version)).await
}

/// Of what a version needs below the table's root, what `keep` keeps, in the order in which it is to be written.
///
/// # Errors
/// As [`verdict`]; the version cannot be loaded.
pub async fn needs<S: Store>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    options: &Options,
    version: u64,
    keep: impl Fn(&Need<'_>) -> bool + Send + 'static,
) -> Result<Vec<Needed>, StageError> {
    let options = on_all_cores(options);
    let mut needed = replay(store, root, listing, move |listing, log| {
        let mut kept = Vec::new();
        let mut take = |need: Need<'_>| {
            if keep(&need) {
                kept.push(Needed::from(need));
            }
            Ok(())
        };
        levee_delta_log::needs(listing, log, &options, version, &mut take).map(|_| kept)
    })
    .await?;
    needed.sort();
    Ok(needed)
}

/// Of what a version of a table needs, what a copy of the table lacks, or a share of the copy, in the order in which it is to be
/// written: see [`levee_delta_log::lacking`]. `log` lists at least the table's log.
///
/// # Errors
/// As [`verdict`]; the version cannot be loaded.
pub async fn lacking<S: Store>(
    store: &S,
    root: &str,
    log: &Arc<Listing>,
    copy: &Arc<Listing>,
    options: &Options,
    version: u64,
) -> Result<Vec<Needed>, StageError> {
    let (options, copy) = (on_all_cores(options), Arc::clone(copy));
    let mut needed = replay(store, root, log, move |listing, log| {
        let mut lacks = Vec::new();
        let mut take = |need: Need<'_>| {
            lacks.push(Needed::from(need));
            Ok(())
        };
        levee_delta_log::lacking(listing, &copy, log, &options, version, &mut take).map(|()| lacks)
    })
    .await?;
    needed.sort();
    Ok(needed)
}

/// The live data files of a version, see [`levee_delta_log::live_files`]. Memory holds all of them.
///
/// # Errors
/// As [`verdict`]; the version cannot be loaded, or has files that are elsewhere.
pub async fn live_files<S: Store>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    options: &Options,
    version: u64,
) -> Result<Vec<LiveFile>, StageError> {
    let options = on_all_cores(options);
    replay(store, root, listing, move |listing, log| {
        let mut files = Vec::new();
        let mut take = |file| {
            files.push(file);
            Ok(())
        };
        levee_delta_log::live_files(listing, log, &options, version, &mut take).map(|()| files)
    })
    .await
}

/// The bytes of a `_last_checkpoint` that names the checkpoint of a version; none when there is no such checkpoint.
///
/// # Errors
/// As [`verdict`].
pub async fn last_checkpoint<S: Store>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    version: u64,
) -> Result<Option<Bytes>, StageError> {
    replay(store, root, listing, move |listing, log| levee_delta_log::last_checkpoint_for(listing, log, version)).await
}

/// The commit that gives a table whose newest version is `from` the state of `to`, see [`levee_delta_log::restore_commit`]: its
/// bytes, which are none where the two have the same state, and what it does. Memory holds the commit.
///
/// # Errors
/// As [`verdict`]; the table cannot be rolled back, with the reason.
pub async fn restore_commit<S: Store>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    options: &Options,
    (from, to): (u64, u64),
    facts: RestoreFacts,
) -> Result<(Vec<u8>, RestoreSummary), StageError> {
    let options = on_all_cores(options);
    replay(store, root, listing, move |listing, log| {
        let mut commit = Vec::new();
        let mut write = |bytes: &[u8]| {
            commit.extend_from_slice(bytes);
            Ok(())
        };
        let summary = levee_delta_log::restore_commit(listing, log, &options, from, to, &facts, &mut write)?;
        Ok((commit, summary))
    })
    .await
}

/// These options, with a thread for each core. More than one of them work only where a checkpoint is large or commits are many.
fn on_all_cores(options: &Options) -> Options {
    options.clone().with_threads(std::thread::available_parallelism().map_or(1, NonZero::get))
}

async fn replay<S: Store, T: Send + 'static>(
    store: &S,
    root: &str,
    listing: &Arc<Listing>,
    work: impl FnOnce(&Listing, &Asking) -> Result<T, CannotCheck> + Send + 'static,
) -> Result<T, StageError> {
    let listing = Arc::clone(listing);
    asking(store, root, move |log| work(&listing, log)).await
}

async fn asking<S: Store, T: Send + 'static>(
    store: &S,
    root: &str,
    work: impl FnOnce(&Asking) -> Result<T, CannotCheck> + Send + 'static,
) -> Result<T, StageError> {
    let done = with_log(store, root, work).await?;
    done.map_err(|error| {
        let cause = format!("the table {} could not be checked: {error}", store.place(root));
        StageError::permanent(CANNOT_CHECK, cause)
    })
}
