//! The objects that a restore of one table copies.

use std::{collections::HashSet, sync::Arc};

use levee_delta_log::{Listing, Need, NeedKind, Options};
use levee_ledger::restore::How;
use levee_stage::StageError;
use levee_tables::{Needed, Store, needs};
use sha2::{Digest, Sha256};

use crate::stores::{InSnapshot, Stores};

/// Keys that a refusal names.
const NAMED: usize = 10;
/// A hint that is written anew at the end, and that every reader may do without.
const HINT: &str = "_delta_log/_last_checkpoint";

/// What is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What is done with the table.
    pub how: How,
    /// The version that is whole afterwards.
    pub version: u64,
    /// Whether objects that are in the way may be replaced.
    pub overwrite: bool,
}

/// An object that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToCopy {
    /// Its key below the table's root.
    pub path: String,
    /// Its bytes in the snapshot.
    pub size: u64,
    /// Whether it is archived there.
    pub archived: bool,
}

/// What is copied, in the order in which it may be written; and how much of what the version needs is there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// What is copied.
    pub copy: Vec<ToCopy>,
    /// Objects that are there.
    pub present: u64,
}

impl Objects {
    /// Bytes that are copied.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.copy.iter().map(|object| object.size).fold(0, u64::saturating_add)
    }

    /// SHA-256 in hexadecimal over a line `<size> <path>` for each object, by path.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut lines: Vec<_> = self.copy.iter().map(|object| (object.path.as_str(), object.size)).collect();
        lines.sort_unstable();
        let mut digest = Sha256::new();
        for (path, size) in lines {
            digest.update(format!("{size} {path}\n"));
        }
        hex::encode(digest.finalize())
    }
}

/// The objects that are copied of a table; in the inner result, why it cannot be restored so, in an operator's words.
///
/// What a new table needs, the log in the snapshot says. In its own place the table's own log says it, so that versions are found
/// that no snapshot has; where it cannot be read, that of the snapshot does.
///
/// # Errors
/// A place cannot be listed or read.
pub async fn objects<S: Store>(
    stores: &Stores<'_, S>,
    wish: Wish,
    options: &Options,
) -> Result<Result<Objects, String>, StageError> {
    let snapshot = stores.in_snapshot().await?;
    match wish.how {
        How::New => new(stores, wish, &snapshot, options).await,
        How::PutBack | How::RollBack { .. } => in_place(stores, wish, &snapshot, options).await,
    }
}

async fn new<S: Store>(
    stores: &Stores<'_, S>,
    wish: Wish,
    snapshot: &InSnapshot,
    options: &Options,
) -> Result<Result<Objects, String>, StageError> {
    let needed = needs(stores.snapshot, stores.path, &snapshot.listing, options, wish.version, |_| true).await?;
    if let Some(refusal) = in_the_way(stores, &needed, wish.overwrite).await? {
        return Ok(Err(refusal));
    }
    Ok(copied(stores, snapshot, needed, 0))
}

/// Why objects at the target do not let a new table be there.
async fn in_the_way<S: Store>(
    stores: &Stores<'_, S>,
    needed: &[Needed],
    overwrite: bool,
) -> Result<Option<String>, StageError> {
    let place = stores.target.place(stores.root);
    if overwrite {
        // Data files that nobody names do no harm; a commit that is not of the plan makes another table of it.
        let planned: HashSet<&str> = needed.iter().map(|need| need.path.as_str()).collect();
        let foreign = |key: &String| key != HINT && !planned.contains(key.as_str());
        let foreign: Vec<_> = stores.log_at_target().await?.into_iter().filter(foreign).collect();
        if foreign.is_empty() {
            return Ok(None);
        }
        return Ok(Some(format!(
            "{:?} is not restored to {place}: its log there has what is not of the plan, and would be a mix of both: {}. Restore to \
             another prefix, or with --in-place",
            stores.path,
            named(&foreign)
        )));
    }
    let mut keys = Vec::new();
    let take = |object: levee_tables::Object<'_>| {
        if keys.len() <= NAMED {
            keys.push(object.key.to_owned());
        }
    };
    stores.target.list(&levee_tables::prefix(stores.root), take).await?;
    if keys.is_empty() {
        return Ok(None);
    }
    keys.sort();
    Ok(Some(format!(
        "{:?} is not restored to {place}: objects are there already: {}. Nothing is overwritten unless --overwrite names the place \
         of --to again; or restore to another prefix, or with --in-place",
        stores.path,
        named(&keys)
    )))
}

async fn in_place<S: Store>(
    stores: &Stores<'_, S>,
    wish: Wish,
    snapshot: &InSnapshot,
    options: &Options,
) -> Result<Result<Objects, String>, StageError> {
    let there = stores.at_target().await?;
    let lacking = match Lacking::by_its_log(stores.target, stores.root, &there, wish.version, options).await {
        Err(error) if error.name == levee_tables::CANNOT_CHECK => {
            let all = |_: &Need<'_>| true;
            let needed = needs(stores.snapshot, stores.path, &snapshot.listing, options, wish.version, all).await?;
            Lacking::of(needed, &there, &stores.target.place(stores.root))
        }
        lacking => lacking?,
    };
    Ok(lacking.and_then(|lacking| copied(stores, snapshot, lacking.needed, lacking.present)))
}

/// What a version needs of a table in its own place, and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    needed: Vec<Needed>,
    /// What it needs and is there.
    present: u64,
}

impl Lacking {
    /// What the table's own log says; in the inner result, what is there and is not what the version needs.
    ///
    /// # Errors
    /// The place cannot be read; the version cannot be loaded there.
    pub async fn by_its_log<S: Store>(
        store: &S,
        root: &str,
        there: &Arc<Listing>,
        version: u64,
        options: &Options,
    ) -> Result<Result<Self, String>, StageError> {
        let needed = needs(store, root, there, options, version, |_| true).await?;
        Ok(Self::of(needed, there, &store.place(root)))
    }

    /// Whether nothing is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.needed.is_empty()
    }

    /// What a snapshot has of it; in the inner result, what it has not.
    ///
    /// # Errors
    /// The snapshot cannot be listed.
    pub async fn supplied<S: Store>(&self, stores: &Stores<'_, S>) -> Result<Result<Objects, String>, StageError> {
        let snapshot = stores.in_snapshot().await?;
        Ok(copied(stores, &snapshot, self.needed.clone(), self.present))
    }

    fn of(needed: Vec<Needed>, there: &Listing, place: &str) -> Result<Self, String> {
        let (mut lacking, mut other) = (Self { needed: Vec::new(), present: 0 }, Vec::new());
        for need in needed {
            match there.size_at(&need.path) {
                None => lacking.needed.push(need),
                Some(size) if fits(&need, size) => lacking.present += 1,
                Some(size) => other.push(format!("{} (it has {size} bytes)", need.path)),
            }
        }
        if other.is_empty() {
            return Ok(lacking);
        }
        Err(format!(
            "{place} is not mended: objects are there that the version needs with another size, and in place nothing is overwritten: \
             {}. Restore it to another prefix",
            named(&other)
        ))
    }
}

/// Whether an object can be what is needed. Files of deletion vectors may be longer than the part that is known to be used.
fn fits(need: &Needed, size: u64) -> bool {
    match (need.kind, need.size) {
        (_, None) => true,
        (NeedKind::DeletionVectors, Some(want)) => size >= want,
        (_, Some(want)) => size == want,
    }
}

/// The objects as the snapshot has them, or what it lacks of them.
fn copied<S: Store>(
    stores: &Stores<'_, S>,
    snapshot: &InSnapshot,
    needed: Vec<Needed>,
    present: u64,
) -> Result<Objects, String> {
    let (mut objects, mut lost) = (Objects { copy: Vec::new(), present }, Vec::new());
    for need in needed {
        match snapshot.listing.size_at(&need.path).filter(|size| fits(&need, *size)) {
            Some(size) => {
                let archived = snapshot.archived.contains(&need.path);
                objects.copy.push(ToCopy { path: need.path, size, archived });
            }
            None => lost.push(need.path),
        }
    }
    if lost.is_empty() {
        return Ok(objects);
    }
    Err(format!(
        "{:?} cannot be made whole from {}, which lacks {} of what the version needs: {}",
        stores.path,
        stores.snapshot.place(stores.path),
        lost.len(),
        named(&lost)
    ))
}

/// The first of them, by name.
fn named(keys: &[String]) -> String {
    let mut named: Vec<_> = keys.iter().take(NAMED).map(|key| format!("{key:?}")).collect();
    if keys.len() > NAMED {
        named.push("and others".to_owned());
    }
    named.join(", ")
}
