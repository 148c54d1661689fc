//! Planned faults of schedules, for tests and rehearsals.

use serde::{Deserialize, Serialize};

use crate::env::Ids;

/// Everything that is to go wrong with schedules. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleFaults {
    /// The faults; an invocation has all that strike it.
    pub schedules: Vec<ScheduleFault>,
}

/// One fault, and the invocations that it strikes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleFault {
    /// What goes wrong.
    pub kind: ScheduleFaultKind,
    /// Only invocations of schedules with this name; of every one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The probability (0 to 1) that a fitting invocation is struck, drawn from the twin's seed.
    #[serde(default = "always")]
    pub rate: f64,
    /// The most invocations that are struck since the plan was set; no limit without one.
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

fn always() -> f64 {
    1.0
}

impl ScheduleFault {
    /// A fault that strikes every invocation of every schedule.
    #[must_use]
    pub fn always(kind: ScheduleFaultKind) -> Self {
        Self { kind, schedule: None, rate: 1.0, limit: None }
    }
}

/// The faults in force, and how often each has struck.
pub(crate) struct Play {
    plan: ScheduleFaults,
    struck: Vec<u64>,
    ids: Ids,
}

impl Play {
    /// `ids` is a stream of the faults' own, so that a plan does not change the identifiers.
    pub(crate) fn new(plan: ScheduleFaults, ids: Ids) -> Self {
        Self { struck: vec![0; plan.schedules.len()], plan, ids }
    }

    /// Puts another plan in force; counts start again.
    pub(crate) fn set(&mut self, plan: ScheduleFaults) {
        self.struck = vec![0; plan.schedules.len()];
        self.plan = plan;
    }

    /// The faults of one invocation of the schedule `name`.
    pub(crate) fn strike(&mut self, name: &str) -> Vec<ScheduleFaultKind> {
        let mut kinds = Vec::new();
        for (fault, struck) in self.plan.schedules.iter().zip(&mut self.struck) {
            let fits = fault.schedule.as_deref().is_none_or(|wanted| wanted == name);
            if fits && fault.limit.is_none_or(|limit| *struck < limit) && self.ids.chance(fault.rate) {
                *struck += 1;
                kinds.push(fault.kind);
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn struck(text: &str, times: usize) -> usize {
        let mut play = Play::new(serde_json::from_str(text).unwrap(), Ids::new(7));
        (0..times).filter(|_| !play.strike("nightly").is_empty()).count()
    }

    #[test]
    fn faults_strike_by_name_rate_and_limit() {
        assert_eq!(struck(r#"{"schedules":[{"kind":"missed"}]}"#, 5), 5);
        assert_eq!(struck(r#"{"schedules":[{"kind":"missed","schedule":"other"}]}"#, 5), 0);
        assert_eq!(struck(r#"{"schedules":[{"kind":{"late":{"seconds":5}},"limit":2}]}"#, 5), 2);
        let some = struck(r#"{"schedules":[{"kind":{"duplicate":{"after_seconds":5}},"rate":0.5}]}"#, 200);
        assert!((60..140).contains(&some), "{some}");
        assert_eq!(struck(r#"{"schedules":[{"kind":"missed","rate":0.0}]}"#, 50), 0);
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<ScheduleFaults>(r#"{"schedules":[{"kind":"missed","often":1}]}"#).is_err());
    }
}
