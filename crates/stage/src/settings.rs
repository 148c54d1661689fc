//! Settings of worker programs: flags with environment fallbacks, typed, and all problems reported at once.

mod common;
mod parse;

pub use common::{CommonSettings, NoSettings, SHARED_VARIABLES};
pub use parse::{SettingsError, parse_settings};
