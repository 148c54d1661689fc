//! The tables that a source has now, and those that its runs leave out on purpose.

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use levee_ledger::{Selector, state::Selection};
use levee_tables::{BucketStore, prefix, tables};

/// Objects of the source that are held: none, because the roots of the tables are all that is asked for.
const HELD: usize = 0;

/// The roots of the tables of a bucket, which `account` must own.
///
/// # Errors
/// The bucket cannot be listed: why, and what to do.
pub(super) async fn roots(s3: &Client, source: &str, account: &str) -> Result<BTreeSet<String>, String> {
    let store = BucketStore::new(s3, source, Some(account.to_owned()));
    match tables(&store, HELD).await {
        Ok(found) => Ok(found.into_keys().collect()),
        Err(error) => Err(format!(
            "the source {source} could not be listed: {}. Whoever looks needs s3:ListBucket on it, in the account {account}; \
             without --look the ledger alone is asked",
            error.cause
        )),
    }
}

/// Which tables a selection leaves out.
pub(super) struct LeftOut(Selector);

impl LeftOut {
    /// Storage classes are passed over: a log that only its class leaves out counts as one that should be there.
    ///
    /// # Errors
    /// What is wrong with the selection.
    pub(super) fn new(selection: &Selection) -> Result<Self, String> {
        let by_key = Selection { storage_classes: Vec::new(), ..selection.clone() };
        Selector::new(&by_key).map(Self).map_err(|problems| problems.join("; "))
    }

    /// Whether the commits of the table are left out, without which it is no table.
    pub(super) fn has(&self, root: &str) -> bool {
        !self.0.takes(&format!("{}_delta_log/{:020}.json", prefix(root), 0), None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::everything(json!({}), "sales/orders", false)]
    #[case::excluded(json!({ "exclude": [{ "prefix": "tmp/" }] }), "tmp/scratch", true)]
    #[case::beside_what_is_excluded(json!({ "exclude": [{ "prefix": "tmp/" }] }), "tmp2/scratch", false)]
    #[case::not_included(json!({ "include": [{ "glob": "sales/*/**" }] }), "web/clicks", true)]
    #[case::included(json!({ "include": [{ "glob": "sales/*/**" }] }), "sales/orders", false)]
    #[case::at_the_root(json!({ "exclude": [{ "prefix": "_delta_log/" }] }), "", true)]
    #[case::only_data_is_left_out(json!({ "exclude": [{ "glob": "**/*.parquet" }] }), "sales/orders", false)]
    #[case::classes_alone_leave_nothing_out(json!({ "storage_classes": ["GLACIER"] }), "sales/orders", false)]
    fn table_is_left_out_with_its_commits(#[case] selection: Value, #[case] root: &str, #[case] left_out: bool) {
        let selection: Selection = serde_json::from_value(selection).unwrap();
        assert_eq!(LeftOut::new(&selection).unwrap().has(root), left_out);
    }
}
