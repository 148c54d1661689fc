//! The rows of a CSV manifest and the fields that they have.

use std::{borrow::Cow, fmt};

use crate::key::KeyError;

/// One row of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row<'a> {
    /// The line of the manifest, from 1.
    pub line: u64,
    /// The bucket.
    pub bucket: Cow<'a, str>,
    /// The key, decoded.
    pub key: Cow<'a, str>,
    /// The key as the manifest has it, which a completion report echoes.
    pub raw_key: Cow<'a, [u8]>,
    /// The version as the manifest has it: an id, `null`, or empty, with which S3 fails the task; `None` without the
    /// field.
    pub version_id: Option<Cow<'a, str>>,
}

/// What could be read of a row that is not whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartialRow<'a> {
    /// The bucket.
    pub bucket: Option<Cow<'a, str>>,
    /// The key as far as it decodes: broken escapes are kept, and it may not be UTF-8.
    pub key: Option<Cow<'a, [u8]>>,
    /// The key as the manifest has it.
    pub raw_key: Option<Cow<'a, [u8]>>,
    /// The version as the manifest has it.
    pub version_id: Option<Cow<'a, str>>,
}

/// A row of a manifest that cannot be used.
pub type RowError<'a> = crate::RowError<'a, RowProblem, PartialRow<'a>>;

/// What is wrong with a row of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowProblem {
    /// A quote is where none may be, or is not closed on its line. What follows it is not read.
    Quotes,
    /// The row has more or fewer fields than the job says.
    FieldCount {
        /// The number that the job says.
        expected: usize,
        /// The number in the row.
        found: usize,
    },
    /// The line is blank.
    Blank,
    /// The manifest begins with a byte order mark.
    ByteOrderMark,
    /// The bucket or the key is empty.
    EmptyField {
        /// The field.
        field: Field,
    },
    /// The bucket is not that of the first row.
    OtherBucket {
        /// The bucket of the row.
        bucket: String,
    },
    /// The key has a broken escape.
    KeyEscape(KeyError),
    /// The decoded key is not UTF-8.
    KeyNotUtf8,
    /// The bucket or the version is not UTF-8.
    NotUtf8 {
        /// The field.
        field: Field,
    },
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quotes => write!(f, "a quote is misplaced or not closed"),
            Self::FieldCount { expected, found } => {
                write!(f, "the row has {found} fields where the job expects {expected}")
            }
            Self::Blank => write!(f, "the line is blank"),
            Self::ByteOrderMark => write!(f, "the manifest begins with a byte order mark"),
            Self::EmptyField { field } => write!(f, "{field} is empty"),
            Self::OtherBucket { bucket } => write!(f, "the row is of the bucket {bucket:?}, not of the first row's"),
            Self::KeyEscape(error) => write!(f, "{error}"),
            Self::KeyNotUtf8 => write!(f, "the decoded key is not UTF-8, so it is not a key of S3"),
            Self::NotUtf8 { field } => write!(f, "{field} is not UTF-8"),
        }
    }
}

/// A field of a manifest's rows, as `CreateJob` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The bucket.
    Bucket,
    /// The key.
    Key,
    /// The version.
    VersionId,
    /// A field that the job does not look at.
    Ignore,
}

impl Field {
    /// The name in `Manifest.Spec.Fields`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bucket => "Bucket",
            Self::Key => "Key",
            Self::VersionId => "VersionId",
            Self::Ignore => "Ignore",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The fields of a manifest's rows in their order: `Manifest.Spec.Fields` of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(Vec<Field>);

/// A list of fields that S3 does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldsError {
    /// A name is none of `Bucket`, `Key`, `VersionId` and `Ignore`.
    #[error("manifest field {0:?} is none of Bucket, Key, VersionId and Ignore")]
    Unknown(String),
    /// A field other than `Ignore` is named twice.
    #[error("manifest field {0} is named twice")]
    Duplicate(Field),
    /// `Bucket` or `Key` is absent.
    #[error("manifest field {0} is missing")]
    Missing(Field),
}

impl Fields {
    /// What [`super::ManifestWriter`] writes: `Bucket,Key`, and `VersionId` where versions are wanted.
    pub fn written(with_versions: bool) -> Self {
        let mut fields = vec![Field::Bucket, Field::Key];
        if with_versions {
            fields.push(Field::VersionId);
        }
        Self(fields)
    }

    /// Parses the names of a job's `Manifest.Spec.Fields`.
    pub fn parse<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, FieldsError> {
        let mut fields = Vec::new();
        for name in names {
            let known = [Field::Bucket, Field::Key, Field::VersionId, Field::Ignore];
            let found = known.into_iter().find(|field| field.name() == name);
            let field = found.ok_or_else(|| FieldsError::Unknown(name.to_owned()))?;
            if field != Field::Ignore && fields.contains(&field) {
                return Err(FieldsError::Duplicate(field));
            }
            fields.push(field);
        }
        match [Field::Bucket, Field::Key].into_iter().find(|field| !fields.contains(field)) {
            Some(missing) => Err(FieldsError::Missing(missing)),
            None => Ok(Self(fields)),
        }
    }

    /// The fields in their order.
    pub fn as_slice(&self) -> &[Field] {
        &self.0
    }

    /// Whether the rows have a version.
    pub fn has_versions(&self) -> bool {
        self.0.contains(&Field::VersionId)
    }
}
