//! Plans of faults as files.

use std::path::Path;

use anyhow::{Context, Result};
use levee_twin::FaultPlan;

/// Reads a plan of faults from a TOML file; `docs/faults.md` describes it.
///
/// # Errors
/// The file cannot be read, or is no plan: the text names the file, the line and the key.
pub fn read(file: &Path) -> Result<FaultPlan> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read the plan of faults {}", file.display()))?;
    let plan = FaultPlan::from_toml(&text);
    plan.with_context(|| format!("{} is not a plan of faults; docs/faults.md describes one", file.display()))
}
