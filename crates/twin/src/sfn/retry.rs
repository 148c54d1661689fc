//! `Retry` and `Catch`.

use std::time::Duration;

use super::definition::Pick;
use super::failure::Failure;
use crate::env::Ids;

/// What a state does about failures.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    pub(super) retry: Vec<Retrier>,
    pub(super) catch: Vec<Catcher>,
}

#[derive(Debug)]
pub(super) struct Retrier {
    pub(super) errors: Vec<String>,
    /// Seconds before the first retry.
    pub(super) interval: u64,
    pub(super) attempts: u64,
    pub(super) rate: f64,
    /// `MaxDelaySeconds`
    pub(super) cap: Option<u64>,
    /// `JitterStrategy: FULL`
    pub(super) jitter: bool,
}

#[derive(Debug)]
pub(super) struct Catcher {
    pub(super) errors: Vec<String>,
    pub(super) next: String,
    pub(super) result: Pick,
}

/// How often each retrier of a state was used since the state was entered or redriven.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    recovery: &'a Recovery,
    used: Vec<u64>,
}

impl Recovery {
    /// The first catcher for a failure.
    pub(super) fn catcher(&self, failure: &Failure) -> Option<&Catcher> {
        self.catch.iter().find(|catcher| catcher.errors.iter().any(|name| failure.matches(name)))
    }
}

impl<'a> Attempts<'a> {
    pub(super) fn new(recovery: &'a Recovery) -> Self {
        Self { recovery, used: vec![0; recovery.retry.len()] }
    }

    /// Retries so far, over all retriers.
    pub(super) fn count(&self) -> u64 {
        self.used.iter().sum()
    }

    /// The wait before the next try, or `None` when the failure is not retried any more.
    pub(super) fn next(&mut self, failure: &Failure, ids: &Ids) -> Option<Duration> {
        let (retrier, used) = self
            .recovery
            .retry
            .iter()
            .zip(&mut self.used)
            .find(|(retrier, _)| retrier.errors.iter().any(|name| failure.matches(name)))?;
        if *used >= retrier.attempts {
            return None;
        }
        let delay = retrier.delay(*used);
        *used += 1;
        Some(if retrier.jitter { jittered(delay, ids) } else { delay })
    }
}

impl Retrier {
    fn delay(&self, used: u64) -> Duration {
        /// The longest wait that is kept apart from any longer one: 99,999,999 seconds, as for timeouts.
        const LONGEST: f64 = 99_999_999.0;
        let interval = Duration::from_secs(self.interval).as_secs_f64();
        let exponent = i32::try_from(used).unwrap_or(i32::MAX);
        let delay = Duration::from_secs_f64((interval * self.rate.powi(exponent)).min(LONGEST));
        self.cap.map_or(delay, |cap| delay.min(Duration::from_secs(cap)))
    }
}

/// Anything from nothing to the whole delay.
fn jittered(delay: Duration, ids: &Ids) -> Duration {
    let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX - 1);
    Duration::from_millis(ids.below(millis + 1))
}
