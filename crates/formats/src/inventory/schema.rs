//! `fileSchema`: the columns of an inventory.

use std::fmt;

/// The columns of an inventory in the order of its data files.
///
/// For CSV it is a list of column names. ORC and Parquet inventories have another notation, which is kept as text: such
/// a schema has no columns and [`Schema::is_csv`] is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    text: String,
    columns: Vec<Column>,
}

/// A CSV schema that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A name between two commas is empty.
    #[error("fileSchema {schema:?} has a column without a name")]
    EmptyColumn {
        /// The schema.
        schema: String,
    },
    /// A column is named twice, so that a row would have two values for it.
    #[error("fileSchema {schema:?} names the column {column} twice")]
    DuplicateColumn {
        /// The schema.
        schema: String,
        /// The column.
        column: String,
    },
    /// `Bucket` or `Key` is absent, which every inventory has.
    #[error("fileSchema {schema:?} has no column {column}")]
    MissingColumn {
        /// The schema.
        schema: String,
        /// The column.
        column: String,
    },
}

macro_rules! columns {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal, $snake:literal;)+) => {
        /// A column of an inventory.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Column {
            $($(#[$doc])+ $variant,)+
            /// A column that is not in the documentation of November 2026, by its name.
            Other(Box<str>),
        }

        impl Column {
            /// All columns with a name of their own, in the order in which S3 writes them.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)+];

            /// The column of a name as `fileSchema` writes it. Names are matched exactly.
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)+
                    other => Self::Other(other.into()),
                }
            }

            /// The name in the `fileSchema` of a CSV inventory.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name,
                }
            }

            /// The name in snake case, as ORC and Parquet inventories write it; `None` for other columns.
            pub fn snake_case_name(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($snake),)+
                    Self::Other(_) => None,
                }
            }
        }
    };
}

columns! {
    /// The bucket that the inventory describes.
    Bucket = "Bucket", "bucket";
    /// The key, form-encoded.
    Key = "Key", "key";
    /// The version; empty for the null version. Only in inventories of all versions, as the next two.
    VersionId = "VersionId", "version_id";
    /// Whether the version is the current one.
    IsLatest = "IsLatest", "is_latest";
    /// Whether the version is a delete marker.
    IsDeleteMarker = "IsDeleteMarker", "is_delete_marker";
    /// Bytes; empty for a delete marker.
    Size = "Size", "size";
    /// When the version was made.
    LastModifiedDate = "LastModifiedDate", "last_modified_date";
    /// The entity tag without quotes; empty for a delete marker.
    ETag = "ETag", "e_tag";
    /// The storage class.
    StorageClass = "StorageClass", "storage_class";
    /// Whether the object was uploaded in parts; empty for a delete marker.
    IsMultipartUploaded = "IsMultipartUploaded", "is_multipart_uploaded";
    /// The replication status.
    ReplicationStatus = "ReplicationStatus", "replication_status";
    /// The kind of server-side encryption.
    EncryptionStatus = "EncryptionStatus", "encryption_status";
    /// Until when Object Lock retains the version.
    ObjectLockRetainUntilDate = "ObjectLockRetainUntilDate", "object_lock_retain_until_date";
    /// The Object Lock mode.
    ObjectLockMode = "ObjectLockMode", "object_lock_mode";
    /// Whether a legal hold is on.
    ObjectLockLegalHoldStatus = "ObjectLockLegalHoldStatus", "object_lock_legal_hold_status";
    /// The access tier of an Intelligent-Tiering object.
    IntelligentTieringAccessTier = "IntelligentTieringAccessTier", "intelligent_tiering_access_tier";
    /// Whether a bucket key encrypts the object.
    BucketKeyStatus = "BucketKeyStatus", "bucket_key_status";
    /// The checksum algorithms of the object.
    ChecksumAlgorithm = "ChecksumAlgorithm", "checksum_algorithm";
    /// The access control list, base64 of JSON.
    ObjectAccessControlList = "ObjectAccessControlList", "object_access_control_list";
    /// The canonical id of the owner.
    ObjectOwner = "ObjectOwner", "object_owner";
    /// When a lifecycle rule expires the object.
    LifecycleExpirationDate = "LifecycleExpirationDate", "lifecycle_expiration_date";
    /// Whether an event hold is on.
    ObjectLockEventHoldStatus = "ObjectLockEventHoldStatus", "object_lock_event_hold_status";
    /// How long an event hold retains the version after its event.
    ObjectLockEventHoldDuration = "ObjectLockEventHoldDuration", "object_lock_event_hold_duration";
    /// The date from which Intelligent-Tiering counts.
    IntelligentTieringReferenceDate = "IntelligentTieringReferenceDate", "intelligent_tiering_reference_date";
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Schema {
    /// Parses the `fileSchema` of a CSV inventory: names between commas, with `Bucket` and `Key` among them and none
    /// twice. Names that are not known become [`Column::Other`].
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let schema = || text.to_owned();
        let mut columns = Vec::new();
        for name in text.split(',').map(str::trim) {
            let column = Column::from_name(name);
            if name.is_empty() {
                return Err(SchemaError::EmptyColumn { schema: schema() });
            }
            if columns.contains(&column) {
                return Err(SchemaError::DuplicateColumn { schema: schema(), column: name.to_owned() });
            }
            columns.push(column);
        }
        for needed in [Column::Bucket, Column::Key] {
            if !columns.contains(&needed) {
                return Err(SchemaError::MissingColumn { schema: schema(), column: needed.to_string() });
            }
        }
        Ok(Self { text: schema(), columns })
    }

    /// A CSV schema of these columns.
    pub fn of(columns: &[Column]) -> Result<Self, SchemaError> {
        let names: Vec<&str> = columns.iter().map(Column::name).collect();
        Self::parse(&names.join(", "))
    }

    /// Keeps the notation of another file format.
    pub(crate) fn opaque(text: &str) -> Self {
        Self { text: text.to_owned(), columns: Vec::new() }
    }

    /// The columns in the order of the data files.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether the inventory has the column.
    pub fn has(&self, column: &Column) -> bool {
        self.columns.contains(column)
    }

    /// The place of the column in a row.
    pub fn position(&self, column: &Column) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate == column)
    }

    /// Whether the schema is one of CSV data files, which can be read here.
    pub fn is_csv(&self) -> bool {
        !self.columns.is_empty()
    }

    /// `fileSchema` as the manifest has it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
