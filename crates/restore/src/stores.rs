//! The two places of a table.

use std::{collections::HashSet, sync::Arc};

use levee_delta_log::Listing;
use levee_stage::StageError;
use levee_tables::{Store, prefix};

/// A table in its snapshot, and at its target.
#[derive(Clone, Debug)]
pub struct Stores<'a, S> {
    /// The snapshot.
    pub snapshot: &'a S,
    /// The table's root there.
    pub path: &'a str,
    /// What is restored into.
    pub target: &'a S,
    /// The table's root there.
    pub root: &'a str,
}

/// What the snapshot has of a table.
#[derive(Debug)]
pub(crate) struct InSnapshot {
    pub(crate) listing: Arc<Listing>,
    /// Keys below the root of what is archived.
    pub(crate) archived: HashSet<String>,
}

impl<S: Store> Stores<'_, S> {
    /// Lists the table in the snapshot.
    ///
    /// # Errors
    /// The snapshot cannot be listed.
    pub(crate) async fn in_snapshot(&self) -> Result<InSnapshot, StageError> {
        let below = prefix(self.path);
        let (mut listing, mut archived) = (Listing::new(), HashSet::new());
        let take = |object: levee_tables::Object<'_>| {
            let Some(key) = object.key.get(below.len()..) else { return };
            listing.push(key, object.size, object.modified_ms);
            if object.archived {
                archived.insert(key.to_owned());
            }
        };
        self.snapshot.list(&below, take).await?;
        Ok(InSnapshot { listing: Arc::new(listing), archived })
    }

    /// Lists the table at the target.
    ///
    /// # Errors
    /// The target cannot be listed.
    pub(crate) async fn at_target(&self) -> Result<Arc<Listing>, StageError> {
        levee_tables::listing(self.target, self.root).await
    }

    /// The keys of the target's log, below the root.
    ///
    /// # Errors
    /// The target cannot be listed.
    pub(crate) async fn log_at_target(&self) -> Result<Vec<String>, StageError> {
        let below = prefix(self.root);
        let mut keys = Vec::new();
        let take = |object: levee_tables::Object<'_>| keys.extend(object.key.get(below.len()..).map(str::to_owned));
        self.target.list(&format!("{below}_delta_log/"), take).await?;
        keys.sort();
        Ok(keys)
    }
}
