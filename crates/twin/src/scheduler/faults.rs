//! Planned faults of schedules, for tests and rehearsals.

use serde::{Deserialize, Serialize};

use crate::{
    env::Env,
    faults::{Tally, When, fits},
};

/// One fault, and the invocations that it strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleFault {
    /// What goes wrong.
    pub kind: ScheduleFaultKind,
    /// Which schedules, by name: `*` stands for any run of characters, `?` for one; every schedule without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Which of the invocations of these schedules.
    #[serde(default)]
    pub when: When,
    /// The most invocations that the rule strikes; no limit without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// What goes wrong with an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleFaultKind {
    /// The target is invoked once more so many seconds later, with the same execution id: the Scheduler promises to invoke
    /// at least once, not only once.
    Duplicate {
        /// How long after the first time.
        after_seconds: u64,
    },
    /// The target is invoked so many seconds late.
    Late {
        /// The delay.
        seconds: u64,
    },
    /// The target is never invoked.
    Missed,
}

impl ScheduleFault {
    /// A rule that strikes every invocation of every schedule.
    #[must_use]
    pub fn new(kind: ScheduleFaultKind) -> Self {
        Self { kind, schedule: None, when: When::Always, limit: None }
    }
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Rules(Vec<(ScheduleFault, Tally)>);

impl Rules {
    pub(crate) fn new(rules: Vec<ScheduleFault>) -> Self {
        Self(rules.into_iter().map(|rule| (rule, Tally::default())).collect())
    }

    /// Counts an invocation of the schedule `name` and picks its faults.
    pub(crate) fn strike(&mut self, name: &str, env: &Env) -> Vec<ScheduleFaultKind> {
        let mut kinds = Vec::new();
        for (place, (rule, tally)) in self.0.iter_mut().enumerate() {
            let about = fits(rule.schedule.as_deref(), name);
            if about && tally.meet(rule.when, rule.limit, &env.ids, &format!("schedule {place}")) {
                tally.strike();
                env.gate.struck("schedules", place);
                kinds.push(rule.kind);
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::sync::Arc;

    use levee_clock::Clock;

    use super::*;
    use crate::env::{Ids, OpenGate};

    #[rstest::rstest]
    #[case::always(ScheduleFault::new(ScheduleFaultKind::Missed), 5)]
    #[case::by_pattern(ScheduleFault { schedule: Some("night*".into()), ..ScheduleFault::new(ScheduleFaultKind::Missed) }, 5)]
    #[case::of_another(ScheduleFault { schedule: Some("other".into()), ..ScheduleFault::new(ScheduleFaultKind::Missed) }, 0)]
    #[case::limited(ScheduleFault { limit: Some(2), ..ScheduleFault::new(ScheduleFaultKind::Missed) }, 2)]
    #[case::second(ScheduleFault { when: When::Nth(2), ..ScheduleFault::new(ScheduleFaultKind::Missed) }, 1)]
    fn rules_strike_the_invocations_that_they_name(#[case] rule: ScheduleFault, #[case] expected: usize) {
        let env = Env { clock: Clock::system(), ids: Ids::new(7), gate: Arc::new(OpenGate) };
        let mut rules = Rules::new(vec![rule]);
        assert_eq!((0..5).filter(|_| !rules.strike("nightly", &env).is_empty()).count(), expected);
    }
}
