//! What the tests of all services share.

use levee_clock::Clock;
use levee_twin::{Twin, TwinBuilder};

/// The warehouse's account.
pub(crate) const WAREHOUSE: &str = "111111111111";
/// The backup account.
pub(crate) const BACKUP: &str = "222222222222";

/// A twin whose clock shows 2 April 2026, 00:00 UTC.
pub(crate) fn twin() -> Twin {
    builder().build()
}

/// The settings of [`twin`], to be added to.
pub(crate) fn builder() -> TwinBuilder {
    Twin::builder().clock(Clock::starting_at("2026-04-02T00:00:00Z".parse().unwrap()))
}
