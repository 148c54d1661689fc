//! The one source of time.
//!
//! Levee's programs run on the system clock. The twin, the demo and the tests run whole nights on tokio's paused clock:
//! there the time is an anchor plus the time that tokio's timers have passed, so a wait of hours takes no time at all and
//! every timestamp is a function of the anchor.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time and waits. Cheap to clone; clones of an anchored clock share the anchor.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Anchored { anchor: Timestamp, start: Instant },
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that shows `anchor` now and moves with tokio's timers: on a paused runtime it moves only while everything
    /// waits. Must be called inside a tokio runtime.
    #[must_use]
    pub fn starting_at(anchor: Timestamp) -> Self {
        Self(Source::Anchored { anchor, start: Instant::now() })
    }

    /// The time now, UTC.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Anchored { anchor, start } => {
                let passed = SignedDuration::try_from(start.elapsed()).unwrap_or(SignedDuration::MAX);
                anchor.checked_add(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// The time now for interfaces that want the standard library's type.
    #[must_use]
    pub fn system_time(&self) -> SystemTime {
        SystemTime::try_from(self.now()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits until the clock shows `when`; returns at once when that has passed.
    pub async fn sleep_until(&self, when: Timestamp) {
        let left = when.duration_since(self.now());
        if let Ok(left) = Duration::try_from(left) {
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn anchored_clock_moves_with_paused_timers() {
        let anchor: Timestamp = "2026-04-02T00:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Clock::starting_at(anchor);
        assert_eq!(clock.now(), anchor);
        clock.sleep(Duration::from_secs(3 * 3600)).await;
        assert_eq!(clock.now().to_string(), "2026-04-02T03:00:00Z");
        clock.sleep_until(anchor).await;
        assert_eq!(clock.now().to_string(), "2026-04-02T03:00:00Z");
    }
}
