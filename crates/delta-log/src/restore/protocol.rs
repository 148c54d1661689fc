//! What the protocol allows a writer that knows no more than this crate.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Version, refused, rows};
use crate::{
    described::{Described, TableProtocol},
    features::{is_catalog, is_known},
    reader::CannotCheck,
};

/// The writer version that lists features by name; also the greatest that there is.
const BY_NAME: u64 = 7;
/// The reader version that lists features by name; also the greatest that there is.
const READERS_BY_NAME: u64 = 3;

/// Features of writers alone that a rollback respects: PROTOCOL.md of delta-io/delta, "Valid Feature Names in Table Features".
/// It writes no data file and no new row, so that what asks something of rows is met by the rows that come back, under the metadata
/// that they were written under. Not here, so that tables with them are refused: Iceberg compatibility and materialized partition
/// columns, which ask something of files that older ones may not have, commits by a coordinator, redirection.
const SAFE: &[&str] = &[
    "allowColumnDefaults",
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "checkpointProtection",
    "clustering",
    "domainMetadata",
    "generatedColumns",
    "identityColumns",
    "inCommitTimestamp",
    "invariants",
    "rowTracking",
];

/// Features of versions of the protocol that do not list them: "Writer Version Requirements".
const BY_VERSION: &[(u64, &str)] = &[
    (2, "appendOnly"),
    (2, "invariants"),
    (3, "checkConstraints"),
    (4, "changeDataFeed"),
    (4, "generatedColumns"),
    (5, "columnMapping"),
    (6, "identityColumns"),
];

/// Whether the table may be written to, and taken back to that version.
pub(super) fn check(old: &Described, new: &Described) -> Result<(), CannotCheck> {
    for described in [old, new] {
        let (version, protocol) = (described.version, &described.protocol);
        if listed(protocol).any(is_catalog) {
            return Err(refused(
                "a catalog decides about its commits; roll it back by the engine that the catalog belongs to",
            ));
        }
        let unknown = unknown(protocol);
        if !unknown.is_empty() {
            return Err(refused(format!(
                "version {version} has features that are not known here to be safe to write with: {}; roll it back by an \
                 engine that knows them",
                unknown.join(", ")
            )));
        }
        if flag(described, "delta.rowTrackingSuspended") {
            return Err(refused(format!(
                "its row tracking is suspended at version {version}; resume it, then list its log again"
            )));
        }
    }
    if flag(old, "delta.appendOnly") {
        return Err(refused(
            "it is append-only (delta.appendOnly), and a rollback would remove data; set that property to false if it is meant",
        ));
    }
    if new.protocol.lists(rows::FEATURE) && !old.protocol.lists(rows::FEATURE) {
        return Err(refused("row tracking was dropped since; roll it back by an engine that can give it new row ids"));
    }
    Ok(())
}

/// The features that a protocol lists.
fn listed(protocol: &TableProtocol) -> impl Iterator<Item = &str> {
    protocol.reader_features.iter().chain(&protocol.writer_features).flatten().map(String::as_str)
}

/// What of a protocol is not known to be safe, by name.
fn unknown(protocol: &TableProtocol) -> Vec<String> {
    let mut unknown = BTreeSet::new();
    let (reader, writer) = (protocol.min_reader_version, protocol.min_writer_version);
    if reader > READERS_BY_NAME {
        unknown.insert(format!("minReaderVersion {reader}"));
    }
    if writer > BY_NAME {
        unknown.insert(format!("minWriterVersion {writer}"));
    }
    if writer >= BY_NAME && protocol.writer_features.is_none() {
        unknown.insert("writerFeatures (missing)".to_owned());
    }
    if reader >= READERS_BY_NAME && protocol.reader_features.is_none() {
        unknown.insert("readerFeatures (missing)".to_owned());
    }
    unknown.extend(listed(protocol).filter(|name| !is_known(name) && !SAFE.contains(name)).map(str::to_owned));
    unknown.into_iter().collect()
}

/// Whether a property is `true`.
pub(super) fn flag(described: &Described, property: &str) -> bool {
    described.configuration.get(property).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// The protocol that has what both versions need; none when that is the one of the newest version.
///
/// `Protocol.merge` of delta-io/delta, but of a protocol without lists only the features that the older version uses are asked for:
/// features that nothing needs keep writers out.
pub(super) fn raised(old: &Version, new: &Version) -> Option<Value> {
    let old = &old.described.protocol;
    let has = features(old);
    let missing: Vec<String> = needed(new).into_iter().filter(|name| !has.contains(name)).collect();
    if missing.is_empty() {
        return None;
    }
    let all: BTreeSet<String> = has.into_iter().chain(missing).collect();
    let readers: Vec<&String> = all.iter().filter(|name| is_known(name)).collect();
    let by_name = readers.iter().any(|name| *name != "columnMapping") || old.min_reader_version >= READERS_BY_NAME;
    if by_name {
        return Some(
            json!({"minReaderVersion": READERS_BY_NAME, "minWriterVersion": BY_NAME, "readerFeatures": readers,
            "writerFeatures": all}),
        );
    }
    let reader = old.min_reader_version.max(if readers.is_empty() { 1 } else { 2 });
    Some(json!({"minReaderVersion": reader, "minWriterVersion": BY_NAME, "writerFeatures": all}))
}

/// The features that a protocol has, listed or not.
fn features(protocol: &TableProtocol) -> BTreeSet<String> {
    if protocol.min_writer_version >= BY_NAME {
        return listed(protocol).map(str::to_owned).collect();
    }
    let by_version = BY_VERSION.iter().filter(|(version, _)| *version <= protocol.min_writer_version);
    by_version.map(|(_, name)| (*name).to_owned()).collect()
}

/// The features that a version cannot do without.
fn needed(version: &Version) -> BTreeSet<String> {
    let all = features(&version.described.protocol);
    if version.described.protocol.min_writer_version >= BY_NAME {
        return all;
    }
    all.into_iter().filter(|name| uses(version, name)).collect()
}

/// Whether a version makes use of a feature that a protocol has without listing it.
fn uses(version: &Version, feature: &str) -> bool {
    let described = &version.described;
    match feature {
        "appendOnly" => flag(described, "delta.appendOnly"),
        "checkConstraints" => described.configuration.keys().any(|key| key.starts_with("delta.constraints.")),
        "changeDataFeed" => flag(described, "delta.enableChangeDataFeed"),
        "columnMapping" => described.maps_columns(),
        "invariants" => version.schema.contains("delta.invariants"),
        "generatedColumns" => version.schema.contains("delta.generationExpression"),
        _ => version.schema.contains("delta.identity."),
    }
}
