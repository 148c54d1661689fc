//! Commits, and checkpoints in JSON: a line for each action.
//!
//! PROTOCOL.md of delta-io/delta, "Delta Log Entries", "Actions". Unknown actions and fields are passed over, as it asks. A file
//! with a line that is no JSON object, or with an action that lacks what is needed of it, is unusable as a whole.

use std::borrow::Cow;

use memchr::memchr_iter;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    actions::{Actions, Add, CommitInfo, Metadata, Protocol, Sidecar, Unusable},
    names::SIDECARS,
    path::{Located, locate},
    stats,
    vector::Vector,
};

/// Text that is not copied unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    add: Option<AddLine<'a>>,
    #[serde(borrow)]
    remove: Option<RemoveLine<'a>>,
    protocol: Option<ProtocolLine>,
    #[serde(rename = "metaData")]
    metadata: Option<MetadataLine>,
    #[serde(borrow)]
    sidecar: Option<SidecarLine<'a>>,
    #[serde(rename = "commitInfo", borrow)]
    commit_info: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct AddLine<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    size: u64,
    #[serde(borrow)]
    stats: Option<&'a RawValue>,
    #[serde(rename = "deletionVector", borrow)]
    vector: Option<VectorLine<'a>>,
}

#[derive(Deserialize)]
struct RemoveLine<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(rename = "deletionVector", borrow)]
    vector: Option<VectorLine<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VectorLine<'a> {
    #[serde(borrow)]
    storage_type: Text<'a>,
    #[serde(borrow)]
    path_or_inline_dv: Text<'a>,
    offset: Option<i64>,
    size_in_bytes: i64,
    cardinality: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProtocolLine {
    min_reader_version: i64,
    reader_features: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct MetadataLine {
    id: Option<String>,
    name: Option<String>,
    configuration: Option<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(rename = "delta.deletedFileRetentionDuration")]
    retention: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SidecarLine<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    size_in_bytes: u64,
}

/// Numbers alone: what else a `commitInfo` holds is its writer's own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitInfoLine<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    in_commit_timestamp: Option<&'a RawValue>,
}

impl AddLine<'_> {
    fn add(&self) -> Add<'_> {
        Add {
            path: &self.path.0,
            size: self.size,
            vector: self.vector.as_ref().map(VectorLine::vector),
            records: self.stats.and_then(stats::num_records_escaped),
        }
    }
}

impl VectorLine<'_> {
    fn vector(&self) -> Vector<'_> {
        Vector {
            storage: &self.storage_type.0,
            path: &self.path_or_inline_dv.0,
            offset: self.offset,
            size_in_bytes: self.size_in_bytes,
            cardinality: self.cardinality,
        }
    }
}

/// Gives the actions of a commit, or of a checkpoint in JSON.
pub(crate) fn read_json(bytes: &[u8], line_limit: usize, actions: &mut dyn Actions) -> Result<(), Unusable> {
    let text = std::str::from_utf8(bytes).map_err(|error| Unusable::new(format!("it is no UTF-8: {error}")))?;
    for (number, line) in lines(text).enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if line.len() > line_limit {
            return Err(Unusable::new(format!("line {} has more than {line_limit} bytes", number + 1)));
        }
        let line: Line<'_> =
            serde_json::from_str(line).map_err(|error| Unusable::new(format!("line {}: {error}", number + 1)))?;
        give(line, actions)?;
    }
    actions.end_of_file();
    Ok(())
}

/// The lines that are not blank.
pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count() as u64
}

/// The lines of a text, without their ends.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    memchr_iter(b'\n', text.as_bytes()).chain([text.len()]).map(move |to| {
        let line = text.get(from..to).unwrap_or_default();
        from = to + 1;
        line
    })
}

/// What is used of an `add` that stands alone.
pub(crate) fn with_add<T>(add: &RawValue, take: impl FnOnce(&Add<'_>) -> T) -> serde_json::Result<T> {
    let add: AddLine<'_> = serde_json::from_str(add.get())?;
    Ok(take(&add.add()))
}

fn give(line: Line<'_>, actions: &mut dyn Actions) -> Result<(), Unusable> {
    if let Some(add) = line.add {
        actions.add(&add.add())?;
    }
    if let Some(remove) = line.remove {
        actions.remove(&remove.path.0, remove.vector.as_ref().map(VectorLine::vector).as_ref())?;
    }
    if let Some(ProtocolLine { min_reader_version, reader_features }) = line.protocol {
        actions.protocol(Protocol { min_reader_version, reader_features });
    }
    if let Some(metadata) = line.metadata {
        let retention = metadata.configuration.and_then(|configuration| configuration.retention);
        actions.metadata(Metadata { id: metadata.id, name: metadata.name, retention });
    }
    if let Some(sidecar) = line.sidecar {
        actions.sidecar(Sidecar { path: sidecar_path(&sidecar.path.0), size: sidecar.size_in_bytes });
    }
    if let Some(info) = line.commit_info {
        actions.commit_info(commit_info(info));
    }
    Ok(())
}

/// Where a sidecar is. PROTOCOL.md, "Sidecar File Information": always in the table's own folder of sidecars, whatever leads to it.
pub(crate) fn sidecar_path(raw: &str) -> String {
    let decoded = match locate(raw) {
        Located::Relative(key) => String::from_utf8_lossy(&key).into_owned(),
        Located::Absolute(path) => percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned(),
    };
    let name = decoded.rsplit('/').next().unwrap_or_default();
    format!("{SIDECARS}{name}")
}

fn commit_info(raw: &RawValue) -> CommitInfo {
    let number = |value: Option<&RawValue>| value.and_then(|value| value.get().parse().ok());
    serde_json::from_str::<CommitInfoLine<'_>>(raw.get()).map_or_else(
        |_| CommitInfo::default(),
        |info| CommitInfo { timestamp: number(info.timestamp), in_commit_timestamp: number(info.in_commit_timestamp) },
    )
}
