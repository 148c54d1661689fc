//! Clustering, the one metadata domain that a rollback changes.

use serde_json::{Value, json};

use super::Version;
use crate::actions::Unusable;

/// The domain of clustering columns.
const DOMAIN: &str = "delta.clustering";
/// What it has when there are none.
const NO_COLUMNS: &str = r#"{"clusteringColumns":[],"domainName":"delta.clustering"}"#;

/// The `domainMetadata` that gives the table its old clustering columns, or none; nothing when it has them already.
///
/// `DomainMetadataUtils.handleDomainMetadataForRestoreTable` of delta-io/delta: where the newest version has the domain, it gets
/// the columns of the older one; all other domains stay as they are.
pub(super) fn clustering(old: &Version, new: &Version) -> Result<Option<Value>, Unusable> {
    let Some(current) = old.head.domains.get(DOMAIN) else { return Ok(None) };
    let wanted = new.head.domains.get(DOMAIN).filter(|_| new.described.protocol.lists("clustering"));
    let wanted = match wanted {
        Some(domain) => domain.read::<String>("configuration")?,
        None => None,
    };
    let wanted = wanted.unwrap_or_else(|| NO_COLUMNS.to_owned());
    if current.read::<String>("configuration")?.is_some_and(|current| same_columns(&current, &wanted)) {
        return Ok(None);
    }
    Ok(Some(json!({"domain": DOMAIN, "configuration": wanted, "removed": false})))
}

fn same_columns(one: &str, other: &str) -> bool {
    let columns =
        |text: &str| -> Option<Value> { serde_json::from_str::<Value>(text).ok()?.get("clusteringColumns").cloned() };
    one == other || columns(one).is_some_and(|one| columns(other) == Some(one))
}
