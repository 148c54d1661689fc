//! Listings of single tables.

use std::sync::Arc;

use levee_delta_log::Listing;
use levee_stage::StageError;

use crate::{
    check::prefix,
    store::{Object, Store},
};

/// Lists a table, whatever its size.
///
/// # Errors
/// The place cannot be listed.
pub async fn listing<S: Store>(store: &S, root: &str) -> Result<Arc<Listing>, StageError> {
    match listing_within(store, root, usize::MAX).await? {
        Ok(listing) => Ok(listing),
        Err(objects) => Err(StageError::permanent(
            crate::CANNOT_CHECK,
            format!("{} has {objects} objects, more than can be counted", store.place(root)),
        )),
    }
}

/// Lists a table's log alone.
///
/// # Errors
/// The place cannot be listed.
pub async fn log_listing<S: Store>(store: &S, root: &str) -> Result<Arc<Listing>, StageError> {
    let below = prefix(root);
    filled(store, &format!("{below}_delta_log/"), &below, Listing::new()).await.map(Arc::new)
}

/// Lists a table, and keeps share `index` of `of` of its data and all of its log.
///
/// # Errors
/// The place cannot be listed.
pub async fn share<S: Store>(store: &S, root: &str, index: u32, of: u32) -> Result<Arc<Listing>, StageError> {
    let below = prefix(root);
    filled(store, &below, &below, Listing::for_shard(index, of)).await.map(Arc::new)
}

/// Fills a listing of the table whose keys begin with `below` with what begins with `prefix`.
pub(crate) async fn filled<S: Store>(
    store: &S,
    prefix: &str,
    below: &str,
    mut listing: Listing,
) -> Result<Listing, StageError> {
    let take = |object: Object<'_>| {
        if let Some(key) = object.key.get(below.len()..) {
            listing.push(key, object.size, object.modified_ms);
        }
    };
    store.list(prefix, take).await?;
    Ok(listing)
}

/// A table's listing, or how many objects it has where they are more than `held`.
pub(crate) async fn listing_within<S: Store>(
    store: &S,
    root: &str,
    held: usize,
) -> Result<Result<Arc<Listing>, usize>, StageError> {
    let below = prefix(root);
    let (mut listing, mut objects) = (Listing::new(), 0_usize);
    store
        .list(&below, |object| {
            objects += 1;
            if objects == held.saturating_add(1) {
                listing = Listing::new();
            }
            if let Some(key) = object.key.get(below.len()..).filter(|_| objects <= held) {
                listing.push(key, object.size, object.modified_ms);
            }
        })
        .await?;
    Ok(if objects > held { Err(objects) } else { Ok(Arc::new(listing)) })
}
