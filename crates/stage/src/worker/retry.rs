//! Exponential backoff with full jitter.

use std::{future::Future, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};

/// How transient errors are tried again: exponential backoff with full jitter, that is each delay is drawn between
/// nothing and a bound that doubles.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// Tries after the first.
    pub times: usize,
    /// The first bound.
    pub min_delay: Duration,
    /// No bound grows above this.
    pub max_delay: Duration,
    /// No further try begins when the bounds would add up to more.
    pub total_delay: Duration,
    /// Makes the jitter repeatable.
    pub seed: Option<u64>,
}

impl Default for RetrySettings {
    /// 6 tries after the first, bounds of 1 s to 30 s, 120 s in all.
    fn default() -> Self {
        Self {
            times: 6,
            min_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
            total_delay: Duration::from_secs(120),
            seed: None,
        }
    }
}

impl RetrySettings {
    /// The same, but trying until something else ends it.
    pub(super) fn endless(&self) -> Self {
        Self { times: usize::MAX, total_delay: Duration::MAX, ..self.clone() }
    }

    /// Tries `action` again while it fails with an error that `transient` accepts and the limits allow it. The runtime does
    /// this with whole stages; a stage that works for hours does it with single calls, so that one that fails in passing does
    /// not break off the rest.
    ///
    /// # Errors
    /// The last error.
    pub async fn run<T, E, F, Fut>(&self, what: &str, action: F, transient: impl Fn(&E) -> bool) -> Result<T, E>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: std::fmt::Display,
    {
        action
            .retry(self.clone())
            .sleep(tokio::time::sleep)
            .when(transient)
            .notify(|error, delay| {
                tracing::warn!(what, %error, delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), "trying again");
            })
            .await
    }
}

impl BackoffBuilder for RetrySettings {
    type Backoff = FullJitter;

    fn build(self) -> FullJitter {
        let bounds = ExponentialBuilder::new()
            .with_min_delay(self.min_delay)
            .with_max_delay(self.max_delay)
            .with_max_times(self.times)
            .with_total_delay((self.total_delay != Duration::MAX).then_some(self.total_delay))
            .build();
        FullJitter { bounds, random: self.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed) }
    }
}

/// Draws each delay between nothing and the bound. `backon`'s own jitter adds to the bound instead, so that callers which
/// failed together would come back together.
#[derive(Debug)]
pub struct FullJitter {
    bounds: <ExponentialBuilder as BackoffBuilder>::Backoff,
    random: fastrand::Rng,
}

impl Iterator for FullJitter {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.bounds.next().map(|bound| bound.mul_f64(self.random.f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_below_doubling_bounds_and_end() {
        let settings = RetrySettings { seed: Some(7), ..RetrySettings::default() };
        let delays: Vec<_> = settings.build().collect();
        let bounds = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0];
        assert_eq!(delays.len(), bounds.len());
        for (delay, bound) in delays.iter().zip(bounds) {
            assert!(delay.as_secs_f64() <= bound, "{delay:?} is above {bound} s");
        }
    }

    #[test]
    fn total_delay_bounds_the_tries() {
        let settings = RetrySettings { total_delay: Duration::from_secs(7), ..RetrySettings::default() };
        assert_eq!(settings.build().count(), 3);
    }
}
