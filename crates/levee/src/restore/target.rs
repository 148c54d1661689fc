//! Where tables are restored to, and what is there already.

use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use levee_ledger::restore::TableToRestore;

/// Objects in the way that are named.
const NAMED: usize = 10;

/// The bucket and prefix that is restored below.
pub(super) struct Target<'a> {
    s3: &'a Client,
    bucket: &'a str,
    prefix: &'a str,
    overwrite: bool,
}

impl<'a> Target<'a> {
    pub(super) const fn new(s3: &'a Client, bucket: &'a str, prefix: &'a str, overwrite: bool) -> Self {
        Self { s3, bucket, prefix, overwrite }
    }

    /// The root of a table in the target bucket: the prefix itself for a table that is restored alone.
    pub(super) fn root_of(&self, path: &str, alone: bool) -> String {
        let parts = [self.prefix, path].into_iter().filter(|part| !part.is_empty());
        if alone && !self.prefix.is_empty() { self.prefix.to_owned() } else { parts.collect::<Vec<_>>().join("/") }
    }

    /// What is below the table's root already, unless it may be replaced.
    pub(super) async fn in_the_way(&self, table: &TableToRestore) -> Result<Option<String>> {
        let below = levee_tables::prefix(&table.target);
        let call = self.s3.list_objects_v2().bucket(self.bucket).prefix(&below).max_keys(NAMED as i32 + 1);
        let found = call.send().await.with_context(|| {
            format!(
                "s3://{}/{below} cannot be listed; see that the bucket exists and that you may list it",
                self.bucket
            )
        })?;
        let mut keys: Vec<_> =
            found.contents().iter().filter_map(|object| object.key()).map(|key| format!("{key:?}")).collect();
        if keys.is_empty() || self.overwrite {
            return Ok(None);
        }
        if keys.len() > NAMED {
            keys.truncate(NAMED);
            keys.push("and others".to_owned());
        }
        Ok(Some(format!(
            "{:?} is not restored to s3://{}/{below}: objects are there already: {}. Nothing is overwritten unless --overwrite names \
             the place of --to again; or restore to another prefix",
            table.path,
            self.bucket,
            keys.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::alone("back/orders", "sales/orders", true, "back/orders")]
    #[case::one_of_several("back", "sales/orders", false, "back/sales/orders")]
    #[case::into_the_whole_bucket("", "sales/orders", true, "sales/orders")]
    #[case::the_table_at_the_root("back", "", false, "back")]
    fn tables_go_below_the_prefix(#[case] prefix: &str, #[case] path: &str, #[case] alone: bool, #[case] root: &str) {
        let s3 = Client::from_conf(aws_sdk_s3::Config::builder().behavior_version_latest().build());
        assert_eq!(Target::new(&s3, "bucket", prefix, false).root_of(path, alone), root);
    }
}
