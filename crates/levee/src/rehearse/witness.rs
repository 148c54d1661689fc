//! Watches what was called, and keeps what must not have been.

use levee_twin::{
    Twin,
    gate::{CallFilter, RecordedCall},
};

use crate::deploy::Plan;

/// Calls that can take something away. `PutBucketLifecycleConfiguration` is not here: a stage makes it, for unfinished
/// uploads; that no version has gone is seen in the buckets.
const REMOVING: [&str; 6] = [
    "DeleteObject",
    "DeleteObjects",
    "DeleteBucket",
    "DeleteBucketPolicy",
    "DeleteBucketLifecycle",
    "DeletePublicAccessBlock",
];

/// What was seen so far.
pub(super) struct Witness {
    sources: Vec<String>,
    warehouse: String,
    /// The number of the last call that was looked at.
    calls: u64,
    removals: Vec<String>,
}

impl Witness {
    pub(super) fn new(plans: &[Plan]) -> Self {
        let warehouse = plans.first().map(|plan| plan.warehouse_account.clone()).unwrap_or_default();
        let sources = plans.iter().map(|plan| plan.source.clone()).collect();
        Self { sources, warehouse, calls: 0, removals: Vec::new() }
    }

    /// Takes over what the twin has recorded since the last look.
    pub(super) fn look(&mut self, twin: &Twin) {
        for call in twin.gate().calls_where(&CallFilter { after: self.calls, ..CallFilter::default() }) {
            self.calls = call.number;
            if REMOVING.contains(&call.operation.as_str()) && !self.is_writers_own(&call) {
                let RecordedCall { time, operation, principal, resource, .. } = call;
                self.removals.push(format!("{time} {principal} called {operation} on {resource}"));
            }
        }
    }

    /// How many calls were made.
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// Every call that removes something anywhere but in a source bucket, or that somebody else than the writer of the
    /// warehouse made.
    pub(super) fn removals(&self) -> &[String] {
        &self.removals
    }

    fn is_writers_own(&self, call: &RecordedCall) -> bool {
        let bucket = call.resource.trim_start_matches("arn:aws:s3:::").split('/').next().unwrap_or_default();
        call.account == self.warehouse && self.sources.iter().any(|source| source == bucket)
    }
}
