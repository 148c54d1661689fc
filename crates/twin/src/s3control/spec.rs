//! What a job was asked to do, after validation.

use jiff::Timestamp;
use levee_formats::batch_manifest::Fields;

use super::xml::Element;

/// The two manifest formats that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ManifestFormat {
    /// `S3BatchOperations_CSV_20180820` with its columns.
    Csv(Fields),
    /// `S3InventoryReport_CSV_20161130`: the location is an inventory's `manifest.json`.
    Inventory,
}

/// Where the manifest is and how to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestSpec {
    pub(crate) format: ManifestFormat,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
    /// Without quotes.
    pub(crate) etag: String,
}

/// What is copied where and how: the members of `S3PutObjectCopy` that are modelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopySpec {
    pub(crate) target_bucket: String,
    pub(crate) target_key_prefix: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) checksum_algorithm: Option<String>,
    pub(crate) canned_acl: Option<String>,
    pub(crate) modified_since: Option<Timestamp>,
    pub(crate) unmodified_since: Option<Timestamp>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) bucket_key_enabled: Option<bool>,
    pub(crate) requester_pays: bool,
    /// `None` keeps the source's tags; an empty list takes them away.
    pub(crate) new_tags: Option<Vec<(String, String)>>,
    pub(crate) lock_mode: Option<String>,
    pub(crate) lock_until: Option<Timestamp>,
    pub(crate) legal_hold: Option<String>,
}

/// How archived objects are restored: the members of `S3InitiateRestoreObject`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RestoreSpec {
    pub(crate) days: Option<i32>,
    /// `STANDARD` or `BULK`; S3 takes the standard tier without one.
    pub(crate) tier: Option<String>,
}

/// What a job does with each object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Copy(Box<CopySpec>),
    Restore(RestoreSpec),
}

impl Work {
    /// The name of the operation.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Copy(_) => "S3PutObjectCopy",
            Self::Restore(_) => "S3InitiateRestoreObject",
        }
    }

    /// The bucket that the job copies into; empty for a job that copies nothing.
    pub(crate) fn target_bucket(&self) -> &str {
        match self {
            Self::Copy(copy) => &copy.target_bucket,
            Self::Restore(_) => "",
        }
    }
}

/// Where the completion report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportSpec {
    pub(crate) bucket: String,
    pub(crate) prefix: Option<String>,
    pub(crate) failed_tasks_only: bool,
    pub(crate) expected_bucket_owner: Option<String>,
}

/// A valid CreateJob request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobSpec {
    pub(crate) token: String,
    pub(crate) confirmation_required: bool,
    pub(crate) description: Option<String>,
    pub(crate) priority: i32,
    pub(crate) role_arn: String,
    pub(crate) work: Work,
    pub(crate) manifest: ManifestSpec,
    pub(crate) report: Option<ReportSpec>,
    pub(crate) tags: Vec<(String, String)>,
    /// The elements that DescribeJob echoes: `Manifest`, `Operation`, `Report`.
    pub(crate) echo: Vec<Element>,
}
