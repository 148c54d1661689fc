//! The metadata that a rollback gives a table.

use serde_json::{Map, Value};

use super::{RestoreFacts, Version, identity, protocol::flag, refused, rows};
use crate::{
    actions::{CommitInfo, Unusable},
    reader::CannotCheck,
    replay::Replay,
    whole::Object,
};

const MAPPING_MODE: &str = "delta.columnMapping.mode";
const IN_COMMIT_TIMESTAMPS: &str = "delta.enableInCommitTimestamps";
const ENABLED_AT_VERSION: &str = "delta.inCommitTimestampEnablementVersion";
const ENABLED_AT_TIME: &str = "delta.inCommitTimestampEnablementTimestamp";
const ROW_TRACKING: &str = "delta.enableRowTracking";
/// The columns that row tracking keeps ids in, whose names stay those that data files have been written with.
const ROW_TRACKING_COLUMNS: [&str; 2] =
    ["delta.rowTracking.materializedRowIdColumnName", "delta.rowTracking.materializedRowCommitVersionColumnName"];
/// Numbers that only ever grow.
const NEVER_LOWERED: [&str; 2] = ["delta.columnMapping.maxColumnId", "delta.requireCheckpointProtectionBeforeVersion"];

/// What becomes of the metadata.
pub(super) struct NewMetadata {
    /// None when it stays as it is.
    pub(super) metadata: Option<Object>,
    /// None when the table does not go by in-commit timestamps.
    pub(super) in_commit_timestamp: Option<i64>,
}

/// The metadata of the older version, with what must not be taken back.
pub(super) fn plan(
    replay: &Replay<'_>,
    old: &Version,
    new: &Version,
    facts: &RestoreFacts,
) -> Result<NewMetadata, CannotCheck> {
    check_mapping(old, new)?;
    let in_commit_timestamp = in_commit_timestamp(replay, old, new, facts)?;
    let unreadable = |Unusable(why)| CannotCheck::Metadata { version: new.described.version, why };
    let mut metadata = new.head.metadata.clone().unwrap_or_default();
    let mut configuration: Map<String, Value> = metadata.read("configuration").map_err(unreadable)?.unwrap_or_default();
    for key in NEVER_LOWERED {
        if let Some(number) = greater(old, new, key) {
            configuration.insert(key.to_owned(), number.to_string().into());
        }
    }
    keep_row_tracking(old, new, &mut configuration)?;
    if let Some(time) = in_commit_timestamp.filter(|_| flag(&new.described, IN_COMMIT_TIMESTAMPS)) {
        let was_enabled = flag(&old.described, IN_COMMIT_TIMESTAMPS);
        let since =
            [(ENABLED_AT_VERSION, (old.described.version + 1).to_string()), (ENABLED_AT_TIME, time.to_string())];
        for (key, now) in since {
            let value = if was_enabled { old.property(key).map(str::to_owned) } else { Some(now) };
            set(&mut configuration, key, value);
        }
    }
    metadata.put("configuration", &configuration).map_err(unreadable)?;
    if let Some(schema) = identity::carried_on(&old.schema, &new.schema).map_err(unreadable)? {
        metadata.put("schemaString", &schema).map_err(unreadable)?;
    }
    let before = old.head.metadata.clone().unwrap_or_default();
    let is_same = plain(&before).map_err(unreadable)? == plain(&metadata).map_err(unreadable)?;
    Ok(NewMetadata { metadata: (!is_same).then_some(metadata), in_commit_timestamp })
}

fn set(configuration: &mut Map<String, Value>, key: &str, value: Option<String>) {
    match value {
        Some(value) => configuration.insert(key.to_owned(), value.into()),
        None => configuration.shift_remove(key),
    };
}

/// Data files of the two versions name their columns differently, or may do so. `DeltaColumnMapping.verifyAndUpdateMetadataChange`
/// of delta-io/delta refuses a way back to no mapping; nobody goes the other way without rewriting files.
fn check_mapping(old: &Version, new: &Version) -> Result<(), CannotCheck> {
    let mode = |version: &Version| version.property(MAPPING_MODE).unwrap_or("none").to_owned();
    let (old_mode, new_mode) = (mode(old), mode(new));
    if old_mode == new_mode {
        return Ok(());
    }
    Err(refused(format!(
        "{MAPPING_MODE} is {new_mode} at version {} and {old_mode} at version {}; choose a version with the same mode",
        new.described.version, old.described.version
    )))
}

/// The greater one of the numbers that the versions have for a property.
fn greater(old: &Version, new: &Version, key: &str) -> Option<u64> {
    let number = |version: &Version| version.property(key).and_then(|value| value.trim().parse::<u64>().ok());
    number(old).max(number(new))
}

fn keep_row_tracking(old: &Version, new: &Version, configuration: &mut Map<String, Value>) -> Result<(), CannotCheck> {
    if !old.described.protocol.lists(rows::FEATURE) {
        return Ok(());
    }
    for key in ROW_TRACKING_COLUMNS {
        if let Some(name) = old.property(key) {
            configuration.insert(key.to_owned(), name.into());
        }
        if flag(&new.described, ROW_TRACKING) && !configuration.contains_key(key) {
            return Err(refused(format!("row tracking is on at version {}, without {key}", new.described.version)));
        }
    }
    Ok(())
}

/// The time of the commit, when the table goes by in-commit timestamps before it or behind it: later than that of the last commit,
/// or, where the commit turns them on, than the object of the last commit (PROTOCOL.md, "In-Commit Timestamps").
fn in_commit_timestamp(
    replay: &Replay<'_>,
    old: &Version,
    new: &Version,
    facts: &RestoreFacts,
) -> Result<Option<i64>, CannotCheck> {
    let was_enabled = flag(&old.described, IN_COMMIT_TIMESTAMPS);
    if !was_enabled && !flag(&new.described, IN_COMMIT_TIMESTAMPS) {
        return Ok(None);
    }
    let from = old.described.version;
    let info = replay.commit_info(from)?.unwrap_or_default();
    let modified = replay.names.commits().get(&from).and_then(|file| file.modified_ms);
    let before = match info {
        CommitInfo { in_commit_timestamp: Some(time), .. } => Some(time),
        CommitInfo { timestamp, .. } if !was_enabled => timestamp.max(modified),
        _ => {
            return Err(refused(format!(
                "it has in-commit timestamps, and commit {from} has none that could be read; put it back"
            )));
        }
    };
    let next = before.map(|time| time.saturating_add(1));
    Ok(Some(next.map_or(facts.timestamp_ms, |next| next.max(facts.timestamp_ms))))
}

/// Metadata without what is null, for a comparison in which the order of members does not count.
fn plain(metadata: &Object) -> Result<Value, Unusable> {
    let value = serde_json::to_value(metadata).map_err(|error| Unusable::new(error.to_string()))?;
    let Value::Object(mut members) = value else { return Ok(value) };
    if let Some(Value::Object(configuration)) = members.get_mut("configuration") {
        configuration.retain(|_, value| !value.is_null());
    }
    let no_options = || Value::Object(Map::new());
    if let Some(Value::Object(format)) = members.get_mut("format") {
        format.retain(|_, value| !value.is_null());
        format.entry("options").or_insert_with(no_options);
    }
    members.retain(|_, value| !value.is_null());
    Ok(Value::Object(members))
}
