//! Rehearsals: nights that can be played again, and that break no promise whatever goes wrong. Short ones here; whole months
//! are played on a release build by `.ci/rehearse`.

use levee::rehearse::{Faults, Month, Outcome, play};

fn rehearse(seed: u64, (days, sources): (u16, u16), faults: Faults) -> Outcome {
    play(Month { seed, days, sources, first_date: "2026-02-27".parse().unwrap(), faults })
}

#[test]
fn same_seed_leaves_the_same_ledger_and_another_seed_another() {
    let [first, again, other] = [7, 7, 8].map(|seed| rehearse(seed, (2, 2), Faults::None));
    for outcome in [&first, &other] {
        assert_eq!((outcome.runs, outcome.succeeded_at_once, outcome.alarms), (4, 4, 0), "{outcome}");
        assert!(outcome.good() && outcome.ledger_records == 48, "{outcome}");
    }
    assert_eq!((&first.ledger_sha256, first.calls), (&again.ledger_sha256, again.calls), "\n{first}\n{again}");
    assert_ne!(first.ledger_sha256, other.ledger_sha256);
}

#[test]
fn nights_with_random_faults_break_no_promise_and_can_be_played_again() {
    let [first, again] = [11, 11].map(|seed| rehearse(seed, (3, 1), Faults::Random));
    assert!(first.good() && first.runs == 3, "{first}");
    assert_eq!((&first.ledger_sha256, first.calls), (&again.ledger_sha256, again.calls), "\n{first}\n{again}");
}
