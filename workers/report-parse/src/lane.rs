//! The retry lane: which rows are copied again without anybody's doing, how often, and after which wait.

use std::time::Duration;

use levee_ledger::state::FailureClass;

/// The waits before the retries; the last one is for all further ones.
const WAITS: [Duration; 3] = [Duration::from_mins(5), Duration::from_mins(15), Duration::from_mins(45)];

/// Where an attempt stands among its retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    /// Which retry the attempt was; 0 for the first attempt, and for that of a redrive.
    pub(crate) retries: u8,
    /// How many there may be (`run.retries`).
    pub(crate) allowed: u8,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing is left.
    Done,
    /// The rows of the retry manifest are copied again after the wait.
    RetryLater(Duration),
    /// Nothing is left to retry, and rows are outstanding: somebody has to mend something.
    Incomplete,
}

impl Lane {
    /// Whether a failed row is copied again by itself.
    pub(crate) fn takes(self, class: FailureClass) -> bool {
        class == FailureClass::Throttled && self.retries < self.allowed
    }

    /// What follows, with so many rows to retry and so many outstanding. Retries go first: what is outstanding then is told
    /// once and as a whole.
    pub(crate) fn decide(self, to_retry: u64, outstanding: u64) -> Decision {
        match (to_retry, outstanding) {
            (0, 0) => Decision::Done,
            (0, _) => Decision::Incomplete,
            _ => Decision::RetryLater(wait_before(self.retries.saturating_add(1))),
        }
    }
}

/// The wait before a retry; the first one is 1.
pub(crate) fn wait_before(retry: u8) -> Duration {
    let index = usize::from(retry.saturating_sub(1));
    let [.., longest] = WAITS;
    WAITS.get(index).copied().unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(1, 5)]
    #[case(2, 15)]
    #[case(3, 45)]
    #[case(4, 45)]
    #[case(10, 45)]
    #[case(u8::MAX, 45)]
    fn waits_grow_from_5_to_45_minutes(#[case] retry: u8, #[case] minutes: u64) {
        assert_eq!(wait_before(retry), Duration::from_mins(minutes));
    }

    #[rstest]
    #[case::first_attempt(FailureClass::Throttled, 0, 3, true)]
    #[case::last_retry_but_one(FailureClass::Throttled, 2, 3, true)]
    #[case::retries_used_up(FailureClass::Throttled, 3, 3, false)]
    #[case::no_retries_wanted(FailureClass::Throttled, 0, 0, false)]
    #[case::denied(FailureClass::Denied, 0, 3, false)]
    #[case::key(FailureClass::Key, 0, 3, false)]
    #[case::archived(FailureClass::Archived, 0, 3, false)]
    #[case::too_large(FailureClass::TooLarge, 0, 3, false)]
    #[case::changed(FailureClass::Changed, 0, 3, false)]
    #[case::vanished(FailureClass::Vanished, 0, 3, false)]
    #[case::other(FailureClass::Other, 0, 3, false)]
    fn rows_that_failed_in_passing_are_retried_as_often_as_is_allowed(
        #[case] class: FailureClass,
        #[case] retries: u8,
        #[case] allowed: u8,
        #[case] taken: bool,
    ) {
        assert_eq!(Lane { retries, allowed }.takes(class), taken);
    }

    #[rstest]
    #[case::nothing_left(0, 0, 0, Decision::Done)]
    #[case::nothing_left_after_retries(3, 0, 0, Decision::Done)]
    #[case::first_retry(0, 2, 0, Decision::RetryLater(Duration::from_mins(5)))]
    #[case::retries_before_others_are_told(0, 2, 7, Decision::RetryLater(Duration::from_mins(5)))]
    #[case::second_retry(1, 2, 7, Decision::RetryLater(Duration::from_mins(15)))]
    #[case::third_retry(2, 1, 0, Decision::RetryLater(Duration::from_mins(45)))]
    #[case::only_others(0, 0, 7, Decision::Incomplete)]
    #[case::others_after_retries(2, 0, 7, Decision::Incomplete)]
    fn decision_of_an_attempt_follows_from_its_rows(
        #[case] retries: u8,
        #[case] to_retry: u64,
        #[case] outstanding: u64,
        #[case] decision: Decision,
    ) {
        assert_eq!(Lane { retries, allowed: 3 }.decide(to_retry, outstanding), decision);
    }
}
