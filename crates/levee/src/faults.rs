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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn what_is_wrong_is_named_with_file_line_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.toml");
        std::fs::write(&file, "[[rows]]\nkeys = \"*\"\nclass = \"denied\"\nrate = 7\n").unwrap();
        let error = format!("{:#}", read(&file).unwrap_err());
        for part in [file.to_str().unwrap(), "line 4", "`rate = 7`", "from 0 to 1"] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
        let missing = format!("{:#}", read(&folder.path().join("nowhere.toml")).unwrap_err());
        assert!(missing.contains("nowhere.toml"), "{missing}");
    }
}
