//! What the listed bytes prove about one table.

use serde::{Deserialize, Serialize};

/// The verdicts, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The newest version in the log is wholly there.
    Whole,
    /// As `whole`, but of a table whose catalog decides what its newest version is: only published commits can be seen.
    CatalogManaged,
    /// An older version than the newest in the log is wholly there.
    Behind,
    /// The newest version that can be loaded has files at absolute paths, which are elsewhere.
    NotSelfContained,
    /// The protocol asks readers for a feature that is not known here, so nothing is proved.
    Unsupported,
    /// Its log asks for more than is done for one table, or changed while it was read, so nothing is proved.
    NotChecked,
    /// No version is wholly there.
    Torn,
}

impl Verdict {
    /// Every verdict, best first.
    pub const ALL: [Self; 7] = [
        Self::Whole,
        Self::CatalogManaged,
        Self::Behind,
        Self::NotSelfContained,
        Self::Unsupported,
        Self::NotChecked,
        Self::Torn,
    ];

    /// The verdict as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::CatalogManaged => "catalog_managed",
            Self::Behind => "behind",
            Self::NotSelfContained => "not_self_contained",
            Self::Unsupported => "unsupported",
            Self::NotChecked => "not_checked",
            Self::Torn => "torn",
        }
    }

    /// Whether everything that the log names is there.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Whole | Self::CatalogManaged)
    }
}

/// The verdict on one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableVerdict {
    /// The table's root: a key prefix, decoded, without a slash at the end; empty for the root of what was looked at.
    pub path: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The greatest version that a commit or a checkpoint in the log names; none when the log names none.
    pub latest_version: Option<u64>,
    /// The greatest version that can be loaded, its files there or not.
    pub latest_loadable_version: Option<u64>,
    /// The greatest version that is wholly there.
    pub newest_whole_version: Option<u64>,
    /// Facts of the newest whole version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_whole: Option<VersionFacts>,
    /// How far the newest whole version is behind the newest one in the log; absent when it is that one, and when none is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Behind>,
    /// What the greatest loadable version lacks: the first ones by key.
    pub missing: Vec<MissingObject>,
    /// Counts of all that it lacks.
    #[serde(default)]
    pub missing_in_all: Missing,
    /// Whether every file of the greatest loadable version is below the table's root.
    pub self_contained: bool,
    /// Where its other files are; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<Absolute>,
    /// The features that readers must know and that are not known here, by name; empty when there are none.
    pub unsupported: Vec<String>,
    /// Whether a reader that is pointed at the root gets the newest whole version.
    pub opens_in_place: OpensInPlace,
    /// The table's id (`metaData.id`) at the greatest loadable version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_id: Option<String>,
    /// The table's name (`metaData.name`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of a file of checksums (`n.crc`) above `latest_version`: its commit was there once. Absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_beyond: Option<u64>,
    /// How long removed files are kept, as `delta.deletedFileRetentionDuration` says, in seconds; absent when the table does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_retention_seconds: Option<u64>,
    /// Whether the log looks as if it mixed two tables, one made at this place after the other was dropped; the notes say why.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspected_incarnations: bool,
    /// What else somebody should know, one sentence each: a suspected second incarnation, a broken checkpoint that was passed
    /// over, commits that do not parse, gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl TableVerdict {
    /// The verdict on a table that could not be checked: nothing is known of it but where it is, and `why`.
    #[must_use]
    pub fn not_checked(root: &str, why: String) -> Self {
        Self {
            path: root.to_owned(),
            verdict: Verdict::NotChecked,
            latest_version: None,
            latest_loadable_version: None,
            newest_whole_version: None,
            newest_whole: None,
            behind: None,
            missing: Vec::new(),
            missing_in_all: Missing::default(),
            self_contained: false,
            absolute: None,
            unsupported: Vec::new(),
            opens_in_place: OpensInPlace { yes: false, why_not: None },
            table_id: None,
            name: None,
            checksum_beyond: None,
            file_retention_seconds: None,
            suspected_incarnations: false,
            notes: vec![why],
        }
    }
}

/// How far an older version is behind the newest one in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// Versions between them, the newest one counted.
    pub versions: u64,
    /// Milliseconds between their commits; absent where the time of one is not known. Negative where the log's times run
    /// backwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<i64>,
}

/// Facts of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionFacts {
    /// When it was committed, in milliseconds since 1970: the in-commit timestamp where the table has them, else
    /// `commitInfo.timestamp`, else the commit object's time of last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// Live data files.
    pub files: u64,
    /// Their bytes, as the log has them.
    pub bytes: u64,
    /// Their rows by statistics, less those that deletion vectors take away; absent where a file has no statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Live deletion vectors in files.
    pub deletion_vectors: u64,
    /// The checkpoint that it was loaded from; none when from commit 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<u64>,
}

/// An object that a version needs and that is not there as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MissingObject {
    /// The object's key relative to the table's root, decoded.
    pub path: String,
    /// What is wrong with it.
    pub why: MissingWhy,
    /// Bytes that it should have, at least for a deletion vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<u64>,
    /// Bytes that it has; absent when it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub have: Option<u64>,
}

/// What is wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingWhy {
    /// A data file that is not there.
    Absent,
    /// A data file of another size.
    Size,
    /// A file of deletion vectors that is not there.
    DvAbsent,
    /// A file of deletion vectors that ends before the vector does.
    DvShort,
}

/// Counts of missing objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Objects.
    pub objects: u64,
    /// Bytes that they should have.
    pub bytes: u64,
}

/// Files at absolute paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absolute {
    /// How many.
    pub files: u64,
    /// The places that they are in, `scheme://authority/first segments`, the first ten by name.
    pub places: Vec<String>,
}

/// Whether a reader that is pointed at the root gets the newest whole version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpensInPlace {
    /// Whether it does.
    pub yes: bool,
    /// What keeps it from that, and what would help; absent when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}
