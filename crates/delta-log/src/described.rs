//! What a version says of its table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    actions::Unusable,
    assess::ending_at,
    at_version::{not_loadable, stopped},
    head::Head,
    ids::Shard,
    listing::Listing,
    presence::Presence,
    reader::{CannotCheck, LogReader, Options},
    replay::Replay,
    schema::StructType,
    whole::read_whole,
};

/// What a version says of its table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// The version.
    pub version: u64,
    /// The table's id.
    pub id: Option<String>,
    /// The table's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its author says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its columns.
    pub schema: StructType,
    /// The names of the columns by which its files are partitioned, in their order.
    pub partition_columns: Vec<String>,
    /// Its properties. One without a value says nothing and is left out.
    pub configuration: BTreeMap<String, String>,
    /// What readers and writers must be able to do.
    pub protocol: TableProtocol,
}

/// What readers and writers of a version must be able to do: PROTOCOL.md, "Protocol Evolution" and "Table Features".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableProtocol {
    /// The version of the protocol for readers; 3 asks for the features in the list.
    pub min_reader_version: u64,
    /// The version of the protocol for writers; 7 asks for the features in the list.
    pub min_writer_version: u64,
    /// The features that readers must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    /// The features that writers must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

impl TableProtocol {
    /// Whether readers or writers must know a feature, by its name in a list.
    #[must_use]
    pub fn lists(&self, feature: &str) -> bool {
        let features = self.reader_features.iter().chain(&self.writer_features).flatten();
        features.into_iter().any(|name| name == feature)
    }
}

impl Described {
    /// Whether columns have other names in data files than people see (`delta.columnMapping.mode`).
    #[must_use]
    pub fn maps_columns(&self) -> bool {
        self.configuration.get("delta.columnMapping.mode").is_some_and(|mode| mode != "none")
    }
}

/// What a version says of its table. Whether its files are there is not looked at: the listing may be of the log alone,
/// `_sidecars` included. The log is read twice from the newest checkpoint that leads to the version, and no live files are kept.
///
/// # Errors
/// [`CannotCheck`] when the log cannot be read or changes meanwhile, when the version cannot be loaded, and when its metadata, the
/// schema above all, cannot be understood.
pub fn described(
    listing: &Listing,
    reader: &dyn LogReader,
    options: &Options,
    version: u64,
) -> Result<Described, CannotCheck> {
    let mut replay = Replay::new(listing.names(), reader, options);
    // Hardly any file is of so small a shard: which version is loadable does not depend on files.
    let presence = Presence { listing, shard: Shard::new(0, u32::MAX) };
    let found = ending_at(&mut replay, version, presence).map_err(stopped)?;
    let (segment, _) = found.ok_or_else(|| not_loadable(version, &replay))?;
    let mut head = Head::default();
    read_whole(&replay, &segment, &mut head)?;
    of_head(&head, version).map_err(|Unusable(why)| CannotCheck::Metadata { version, why })
}

/// What the last metadata and protocol say.
pub(crate) fn of_head(head: &Head, version: u64) -> Result<Described, Unusable> {
    let missing = |what: &str| Unusable::new(format!("it has no {what}"));
    let metadata = head.metadata.as_ref().ok_or_else(|| missing("metaData"))?;
    let protocol = head.protocol.as_ref().ok_or_else(|| missing("protocol"))?;
    let schema: String = metadata.read("schemaString")?.ok_or_else(|| missing("schemaString"))?;
    Ok(Described {
        version,
        id: metadata.read("id")?,
        name: metadata.read("name")?,
        description: metadata.read("description")?,
        schema: StructType::parse(&schema).map_err(|why| Unusable::new(format!("the schema: {why}")))?,
        partition_columns: metadata.read("partitionColumns")?.unwrap_or_default(),
        configuration: head.configuration()?,
        protocol: TableProtocol {
            min_reader_version: protocol.read("minReaderVersion")?.ok_or_else(|| missing("minReaderVersion"))?,
            min_writer_version: protocol.read("minWriterVersion")?.ok_or_else(|| missing("minWriterVersion"))?,
            reader_features: protocol.read("readerFeatures")?,
            writer_features: protocol.read("writerFeatures")?,
        },
    })
}
