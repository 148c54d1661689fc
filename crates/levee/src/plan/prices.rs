//! The price table: a file with a date, so that nobody takes an estimate for a bill.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use levee_ledger::state::RestoreTier;
use serde::{Deserialize, Serialize};

/// The table that the command brings along.
const EMBEDDED: &str = include_str!("../../prices/us-east-1.toml");

/// What AWS asks for in one Region. `prices/us-east-1.toml` says what each number is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    region: String,
    currency: String,
    date: Date,
    source: String,
    #[serde(default)]
    unconfirmed: Vec<String>,
    pub(super) batch: Batch,
    pub(super) inventory: Inventory,
    pub(super) transfer: Transfer,
    classes: BTreeMap<String, Class>,
}

/// Where the prices are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The Region that they hold for.
    pub region: String,
    /// Their currency.
    pub currency: String,
    /// The day of the table.
    pub date: Date,
    /// The page of AWS that has the prices of today.
    pub source: String,
    /// What of them could not be confirmed.
    pub unconfirmed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    pub(super) per_job: f64,
    pub(super) per_million_objects: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inventory {
    pub(super) per_million_objects: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transfer {
    pub(super) to_another_region_per_gb: f64,
}

/// The prices of a storage class.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    pub(super) storage_per_gb: f64,
    pub(super) put_per_1000: f64,
    pub(super) get_per_1000: f64,
    #[serde(default)]
    pub(super) retrieval_per_gb: f64,
    #[serde(default)]
    pub(super) monitoring_per_1000_objects: f64,
    #[serde(default)]
    pub(super) minimum_days: u32,
    #[serde(default)]
    pub(super) minimum_bytes: u64,
    #[serde(default)]
    pub(super) overhead_bytes: u64,
    #[serde(default)]
    pub(super) overhead_standard_bytes: u64,
    #[serde(default)]
    restore: BTreeMap<RestoreTier, Restore>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    pub(super) per_1000: f64,
    pub(super) per_gb: f64,
}

impl Prices {
    /// The table of a file, or the one of the command.
    pub(super) fn read(file: Option<&Path>) -> Result<Self> {
        match file {
            None => Self::parse(EMBEDDED).context("the price table of this release"),
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("cannot read the price table {}", path.display()))?;
                Self::parse(&text).with_context(|| format!("the price table {}", path.display()))
            }
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let prices: Self = toml::from_str(text)?;
        for class in
            ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]
        {
            prices.class(class)?;
        }
        Ok(prices)
    }

    /// Where the prices are from.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            region: self.region.clone(),
            currency: self.currency.clone(),
            date: self.date,
            source: self.source.clone(),
            unconfirmed: self.unconfirmed.clone(),
        }
    }

    /// The prices of a storage class.
    pub(super) fn class(&self, name: &str) -> Result<&Class> {
        self.classes.get(name).with_context(|| format!("it has no storage class {name}"))
    }

    /// What a restore from a storage class costs. Intelligent-Tiering asks for nothing (S3 User Guide, "Archive retrieval
    /// options").
    pub(super) fn restore(&self, class: &str, tier: RestoreTier) -> Result<Restore> {
        if class == "INTELLIGENT_TIERING" {
            return Ok(Restore { per_1000: 0.0, per_gb: 0.0 });
        }
        match self.class(class)?.restore.get(&tier) {
            Some(restore) => Ok(restore.clone()),
            None => bail!("it has no restore of {class} by tier {tier:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn table_of_the_release_has_every_class_and_says_when_and_where_it_holds() {
        let prices = Prices::read(None).unwrap();
        assert_eq!((prices.region.as_str(), prices.currency.as_str()), ("us-east-1", "USD"));
        for class in ["GLACIER", "DEEP_ARCHIVE"] {
            for tier in [RestoreTier::Bulk, RestoreTier::Standard] {
                assert!(prices.restore(class, tier).is_ok(), "{class} {tier:?}");
            }
        }
    }

    #[test]
    fn table_without_a_class_or_with_a_word_too_many_is_refused() {
        let without = EMBEDDED.replace("[classes.GLACIER_IR]", "[classes.GLACIER_XX]");
        assert!(format!("{:#}", Prices::parse(&without).unwrap_err()).contains("GLACIER_IR"));
        let misspelt = EMBEDDED.replace("per_job = 0.25", "per_jobs = 0.25");
        assert!(Prices::parse(&misspelt).is_err());
    }
}
