//! Default retention: what to write so that the bucket is at least as strict as asked, and never less than it was.

use aws_sdk_s3::types::{DefaultRetention, ObjectLockRetentionMode};
use levee_ledger::state::{ObjectLock, ObjectLockMode};

/// Days that S3 counts for a year of retention.
const DAYS_OF_A_YEAR: i32 = 365;

/// The default retention to write, or nothing when `current` is at least as long and as strict as `wanted`.
///
/// Of two modes the stricter one and of two periods the longer one is taken, so that no write ever weakens a bucket.
#[must_use]
pub fn to_write(current: Option<&DefaultRetention>, wanted: ObjectLock) -> Option<DefaultRetention> {
    let found_days = current.map_or(0, days);
    let found_compliance = current.and_then(DefaultRetention::mode) == Some(&ObjectLockRetentionMode::Compliance);
    let found_mode = current.is_some_and(|retention| retention.mode().is_some());
    let wanted_compliance = wanted.mode == ObjectLockMode::Compliance;
    let wanted_days = i32::from(wanted.days);
    if found_mode && found_days >= wanted_days && (found_compliance || !wanted_compliance) {
        return None;
    }
    let mode = if found_compliance || wanted_compliance {
        ObjectLockRetentionMode::Compliance
    } else {
        ObjectLockRetentionMode::Governance
    };
    Some(DefaultRetention::builder().mode(mode).days(found_days.max(wanted_days)).build())
}

/// The period of a retention in days; 0 for none.
fn days(retention: &DefaultRetention) -> i32 {
    let years = retention.years().unwrap_or(0).saturating_mul(DAYS_OF_A_YEAR);
    retention.days().unwrap_or(0).max(years)
}

#[cfg(test)]
mod tests {
    use ObjectLockRetentionMode::{Compliance, Governance};
    use rstest::rstest;

    use super::*;

    fn retention(mode: ObjectLockRetentionMode, days: i32) -> DefaultRetention {
        DefaultRetention::builder().mode(mode).days(days).build()
    }

    #[rstest]
    #[case::none_yet(None, ObjectLockMode::Governance, 30, Some((Governance, 30)))]
    #[case::as_asked(Some((Governance, 30)), ObjectLockMode::Governance, 30, None)]
    #[case::longer_stays(Some((Governance, 90)), ObjectLockMode::Governance, 30, None)]
    #[case::stricter_stays(Some((Compliance, 30)), ObjectLockMode::Governance, 30, None)]
    #[case::shorter_grows(Some((Governance, 7)), ObjectLockMode::Governance, 30, Some((Governance, 30)))]
    #[case::laxer_gets_stricter_but_not_shorter(Some((Governance, 90)), ObjectLockMode::Compliance, 30, Some((Compliance, 90)))]
    #[case::stricter_but_shorter_stays_strict(Some((Compliance, 7)), ObjectLockMode::Governance, 30, Some((Compliance, 30)))]
    fn retention_only_ever_gets_stricter(
        #[case] current: Option<(ObjectLockRetentionMode, i32)>,
        #[case] mode: ObjectLockMode,
        #[case] wanted_days: u16,
        #[case] written: Option<(ObjectLockRetentionMode, i32)>,
    ) {
        let current = current.map(|(mode, days)| retention(mode, days));
        let expected = written.map(|(mode, days)| retention(mode, days));
        assert_eq!(to_write(current.as_ref(), ObjectLock { mode, days: wanted_days }), expected);
    }

    #[test]
    fn years_count_as_365_days() {
        let year = DefaultRetention::builder().mode(Governance).years(1).build();
        assert_eq!(to_write(Some(&year), ObjectLock { mode: ObjectLockMode::Governance, days: 365 }), None);
        let longer = to_write(Some(&year), ObjectLock { mode: ObjectLockMode::Governance, days: 366 });
        assert_eq!(longer, Some(retention(Governance, 366)));
    }
}
