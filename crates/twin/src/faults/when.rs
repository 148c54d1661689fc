//! Which of the things that a rule is about it strikes.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::env::Ids;

/// Which of the things that a rule is about are struck: calls, messages, reports or jobs, numbered from 1 for each rule in
/// the order in which they come after the plan was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All of them.
    #[default]
    Always,
    /// Only the one with this number.
    Nth(#[serde(deserialize_with = "counted")] u64),
    /// Those up to this number.
    First(#[serde(deserialize_with = "counted")] u64),
    /// Those whose number is a multiple of this.
    Every(#[serde(deserialize_with = "counted")] u64),
    /// Each with this probability (0 to 1), drawn from the twin's seed, the rule and the number.
    Rate(#[serde(deserialize_with = "probability")] f64),
}

/// What one rule has met and struck since the plan was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    met: u64,
    struck: u64,
}

impl When {
    /// Whether the thing with that number, counted from 1, is struck. `rule` names the rule in draws.
    pub(crate) fn strikes(self, number: u64, ids: &Ids, rule: &str) -> bool {
        match self {
            Self::Always => true,
            Self::Nth(wanted) => number == wanted,
            Self::First(count) => number <= count,
            Self::Every(step) => step > 0 && number.is_multiple_of(step),
            Self::Rate(rate) => ids.share(&format!("{rule} {number}")) < rate,
        }
    }
}

impl Tally {
    /// Counts one more thing that the rule is about. Whether the rule would strike it.
    pub(crate) fn meet(&mut self, when: When, limit: Option<u64>, ids: &Ids, rule: &str) -> bool {
        self.met += 1;
        limit.is_none_or(|limit| self.struck < limit) && when.strikes(self.met, ids, rule)
    }

    /// Counts that it did.
    pub(crate) fn strike(&mut self) {
        self.struck += 1;
    }
}

/// A probability that may be absent.
///
/// # Errors
/// It is not between 0 and 1.
pub(crate) fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    probability(deserializer).map(Some)
}

fn probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(D::Error::custom(format_args!("a rate is a probability, from 0 to 1, and not {rate}")))
    }
}

fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        0 => Err(D::Error::custom("numbers are counted from 1; 0 would strike nothing")),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn struck(when: When, limit: Option<u64>, seed: u64) -> Vec<u64> {
        let (mut tally, ids) = (Tally::default(), Ids::new(seed));
        let mut numbers = Vec::new();
        for number in 1..=200 {
            if tally.meet(when, limit, &ids, "rule") {
                tally.strike();
                numbers.push(number);
            }
        }
        numbers
    }

    #[rstest::rstest]
    #[case::always(When::Always, Some(3), &[1, 2, 3])]
    #[case::nth(When::Nth(2), None, &[2])]
    #[case::first(When::First(2), None, &[1, 2])]
    #[case::every(When::Every(90), None, &[90, 180])]
    #[case::every_limited(When::Every(90), Some(1), &[90])]
    #[case::never(When::Rate(0.0), None, &[])]
    #[case::surely(When::Rate(1.0), Some(2), &[1, 2])]
    fn rules_strike_the_things_that_they_number(
        #[case] when: When,
        #[case] limit: Option<u64>,
        #[case] expected: &[u64],
    ) {
        assert_eq!(struck(when, limit, 7), expected);
    }

    #[test]
    fn a_rate_strikes_about_as_often_as_it_says_and_the_same_ones_for_the_same_seed() {
        let some = struck(When::Rate(0.5), None, 7);
        assert!((70..130).contains(&some.len()), "{}", some.len());
        assert_eq!(some, struck(When::Rate(0.5), None, 7));
        assert_ne!(some, struck(When::Rate(0.5), None, 8));
    }
}
