//! What makes an execution a restore.

use serde::{Deserialize, Serialize};

use super::{Bucket, ObjectPointer};

/// `$.run.restore`: the tables of a plan that one snapshot bucket, which is `$.run.source`, has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    /// Which restore it is: see [`RestorePlan::executions`](crate::restore::RestorePlan::executions).
    pub id: String,
    /// The source bucket that the snapshot is of.
    pub of: String,
    /// The plan, in the ledger.
    pub plan: ObjectPointer,
    /// Where to.
    pub target: Bucket,
    /// What keys get in front there, without a slash at the end; empty for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Whether it is a drill, into the scratch bucket and by the role for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
}
