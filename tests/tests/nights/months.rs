//! Rehearsals: months that can be played again, and that break no promise whatever goes wrong.

use levee::rehearse::{Faults, Month, Outcome, play};
use rstest::rstest;

fn rehearse(seed: u64, faults: Faults) -> Outcome {
    play(Month { seed, days: 4, sources: 2, first_date: "2026-02-26".parse().unwrap(), faults })
}

#[rstest]
#[case::usual(Faults::None)]
#[case::bad(Faults::Random)]
fn same_seed_leaves_the_same_ledger_and_another_seed_another(#[case] faults: Faults) {
    let [first, again, other] = [7, 7, 8].map(|seed| rehearse(seed, faults));
    assert_eq!(first.violations, Vec::<String>::new());
    assert_eq!(first.runs, 8);
    assert!(first.ledger_records > 40, "{first}");
    assert_eq!(first.ledger_sha256, again.ledger_sha256, "\n{first}\n{again}");
    assert_eq!(first.calls, again.calls);
    assert_ne!(first.ledger_sha256, other.ledger_sha256);
}

#[test]
fn usual_nights_succeed_at_once() {
    let outcome = rehearse(1, Faults::None);
    assert_eq!((outcome.runs, outcome.succeeded_at_once, outcome.alarms), (8, 8, 0), "{outcome}");
}

#[rstest]
fn nights_with_random_faults_break_no_promise(#[values(11, 12, 13)] seed: u64) {
    let outcome = rehearse(seed, Faults::Random);
    assert!(outcome.good(), "{outcome}");
}
