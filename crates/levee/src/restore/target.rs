//! Where tables are restored to.

use std::str::FromStr;

use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use levee_ledger::state::Bucket;

/// A bucket and a prefix, without slashes at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The prefix.
    pub prefix: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| format!("{text:?} is not s3://BUCKET/PREFIX"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        if bucket.is_empty() || prefix.starts_with('/') || prefix.split('/').any(|part| part == "_delta_log") {
            return Err(format!("{text:?} names no bucket, or no prefix that a table can have"));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl Place {
    /// The bucket, if `account` owns it.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub(super) async fn bucket(&self, s3: &Client, account: &str, region: &str) -> Result<Bucket> {
        let head = s3.head_bucket().bucket(&self.bucket).expected_bucket_owner(account).send().await;
        let head = head.with_context(|| {
            format!(
                "s3://{} cannot be looked at; see that the bucket exists, that you may list it, and that account {account} owns it \
                 (--to-account names another one)",
                self.bucket
            )
        })?;
        let region = head.bucket_region.unwrap_or_else(|| region.to_owned());
        Ok(Bucket { name: self.bucket.clone(), account: account.to_owned(), region })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("b/back")]
    #[case("s3:///back")]
    #[case("s3://b//back")]
    #[case("s3://b/orders/_delta_log")]
    fn what_is_no_place_is_refused(#[case] place: &str) {
        assert!(place.parse::<Place>().is_err());
    }
}
