//! Row ids: PROTOCOL.md, "Row Tracking".

use serde::Deserialize;
use serde_json::{Value, json};

use super::Version;
use crate::{actions::Unusable, whole::Object};

/// The feature.
pub(super) const FEATURE: &str = "rowTracking";
/// The domain of the high-water mark.
const DOMAIN: &str = "delta.rowTracking";

/// Gives row ids to files that have none, as `RowId.assignFreshRowIds` and `DefaultRowCommitVersion.assignIfMissing` of delta-io/delta
/// do: files that were live before the table had row ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowIds {
    /// The greatest id that was given; -1 when none was.
    high_water_mark: i64,
    version: u64,
    gave: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    row_id_high_water_mark: i64,
}

/// Where row ids are at the newest version; none when it has none.
pub(super) fn plan(newest: &Version) -> Result<Option<RowIds>, Unusable> {
    if !newest.described.protocol.lists(FEATURE) {
        return Ok(None);
    }
    let mark = match newest.head.domains.get(DOMAIN) {
        None => -1,
        Some(domain) => {
            let broken = |why: String| Unusable::new(format!("the domain {DOMAIN}: {why}"));
            let text: String = domain.read("configuration")?.ok_or_else(|| broken("it has no configuration".into()))?;
            let mark: Mark = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
            mark.row_id_high_water_mark
        }
    };
    Ok(Some(RowIds { high_water_mark: mark, version: newest.described.version + 1, gave: false }))
}

impl RowIds {
    /// Sets the base row id and the row commit version of an `add` that lacks them.
    pub(super) fn assign(&mut self, add: &mut Object, records: Option<u64>) -> Result<(), Unusable> {
        if add.get("baseRowId").is_none() {
            let records = records.and_then(|records| i64::try_from(records).ok()).ok_or_else(|| {
                Unusable::new("the table has row ids, and an add that gets one does not say how many records it has")
            })?;
            let too_many = || Unusable::new("there are no row ids left");
            let base = self.high_water_mark.checked_add(1).ok_or_else(too_many)?;
            add.put("baseRowId", &base)?;
            self.high_water_mark = self.high_water_mark.checked_add(records).ok_or_else(too_many)?;
            self.gave |= records > 0;
        }
        if add.get("defaultRowCommitVersion").is_none() {
            add.put("defaultRowCommitVersion", &self.version)?;
        }
        Ok(())
    }

    /// The `domainMetadata` of the high-water mark, when it has moved.
    pub(super) fn domain(self) -> Option<Value> {
        self.gave.then(|| {
            let configuration = json!({"rowIdHighWaterMark": self.high_water_mark}).to_string();
            json!({"domain": DOMAIN, "configuration": configuration, "removed": false})
        })
    }
}
