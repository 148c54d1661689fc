//! What the rows of an inventory add up to.

use std::collections::BTreeMap;

use levee_formats::{
    KeySum,
    inventory::{Manifest, Row, RowError},
};
use levee_ledger::state::{Amount, Decision};
use levee_stage::StageError;
use serde::{Deserialize, Serialize};

use crate::{
    decide::{is_archived, is_large},
    pin::{corrupt, unsupported},
};

/// Bad rows that the cause names; all are counted.
const BAD_ROWS_NAMED: usize = 5;

/// What the rows of an inventory add up to. As JSON, that of rows which were all understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// All rows that could be read.
    pub objects: u64,
    /// Their bytes, as far as the inventory says them.
    pub bytes: u64,
    /// Objects above the limit of a batch copy, whatever is done with them.
    pub too_large: u64,
    /// Objects in an archive class or tier, whatever is done with them.
    pub archived: u64,
    /// The keys of all rows.
    pub keys: KeySum,
    /// Those of the rows that copy jobs are given at once.
    pub batch_keys: KeySum,
    /// Objects and bytes by what is done with them; in the order of [`DECISIONS`].
    #[serde(rename = "decisions", with = "crate::by_decision")]
    decided: [Amount; DECISIONS.len()],
    /// Objects whose access tier the rules need and the inventory does not say.
    #[serde(skip)]
    without_tier: u64,
    #[serde(skip)]
    bad_rows: u64,
    #[serde(skip)]
    first_bad_rows: Vec<String>,
}

pub(crate) const DECISIONS: [Decision; 6] = [
    Decision::Batch,
    Decision::Large,
    Decision::Restore,
    Decision::SkippedArchived,
    Decision::Unsupported,
    Decision::Excluded,
];

impl Count {
    pub(crate) fn row(&mut self, row: &Row<'_>, decision: Decision, lacks_tier: bool) {
        let size = row.size.unwrap_or(0);
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(size);
        self.too_large += u64::from(is_large(row));
        self.archived += u64::from(is_archived(row));
        self.without_tier += u64::from(lacks_tier);
        let key = KeySum::of(&row.key);
        self.keys.merge(key);
        if decision == Decision::Batch {
            self.batch_keys.merge(key);
        }
        let place = DECISIONS.iter().position(|known| *known == decision);
        if let Some(amount) = place.and_then(|place| self.decided.get_mut(place)) {
            amount.add(Amount { rows: 1, bytes: size });
        }
    }

    pub(crate) fn bad_row(&mut self, error: &RowError<'_>) {
        self.bad_rows += 1;
        if self.first_bad_rows.len() < BAD_ROWS_NAMED {
            self.first_bad_rows.push(error.to_string());
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.too_large += other.too_large;
        self.archived += other.archived;
        self.without_tier += other.without_tier;
        self.keys.merge(other.keys);
        self.batch_keys.merge(other.batch_keys);
        for (sum, amount) in self.decided.iter_mut().zip(other.decided) {
            sum.add(amount);
        }
        self.bad_rows += other.bad_rows;
        let room = BAD_ROWS_NAMED.saturating_sub(self.first_bad_rows.len());
        self.first_bad_rows.extend(other.first_bad_rows.into_iter().take(room));
    }

    /// Objects and bytes of a decision.
    #[must_use]
    pub fn of(&self, decision: Decision) -> Amount {
        let place = DECISIONS.iter().position(|known| *known == decision);
        place.and_then(|place| self.decided.get(place)).copied().unwrap_or_default()
    }

    /// Objects and bytes by decision; those without objects are absent.
    #[must_use]
    pub fn decisions(&self) -> BTreeMap<Decision, Amount> {
        DECISIONS.into_iter().map(|decision| (decision, self.of(decision))).filter(|(_, of)| of.rows > 0).collect()
    }

    /// Whether one copy job does with all objects what is to be done.
    #[must_use]
    pub fn is_all_batch(&self) -> bool {
        self.of(Decision::Batch).rows == self.objects
    }

    /// Whether there are objects, and none of them is selected.
    #[must_use]
    pub fn is_nothing_selected(&self) -> bool {
        self.objects > 0 && self.of(Decision::Excluded).rows == self.objects
    }

    /// Whether every row was understood.
    pub(crate) fn check(&self, manifest: &Manifest) -> Result<(), StageError> {
        let place = format!("of {} in s3://{}", manifest.source_bucket, manifest.destination_bucket);
        if self.bad_rows > 0 {
            let problem = format!(
                "{} of its {} rows cannot be read, the first ones: {}",
                self.bad_rows,
                self.bad_rows + self.objects,
                self.first_bad_rows.join(" | ")
            );
            return Err(corrupt(&place, &problem));
        }
        if self.without_tier > 0 {
            let problem = format!(
                "{} of its objects are in INTELLIGENT_TIERING, and whether they are in an archive tier, for which \
                 `run.archived` says what to do, it does not tell: add IntelligentTieringAccessTier to its optional fields",
                self.without_tier
            );
            return Err(unsupported(&place, &problem));
        }
        Ok(())
    }
}
