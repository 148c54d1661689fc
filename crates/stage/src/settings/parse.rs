//! Reads settings and collects every problem, where clap alone stops at the first.

use std::ffi::OsString;

/// Why there are no settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Help or version was asked for; the text goes to standard output and the program ends with success.
    #[error("{0}")]
    Help(String),
    /// Everything that is wrong, one entry each.
    #[error("the settings have {} problem(s):\n{}", .0.len(), list(.0))]
    Problems(Vec<String>),
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n")
}

/// Reads the settings `A` of `program` from arguments (without the program's name) and the environment.
///
/// Arguments win over the environment. Variables that begin with `LEVEE_` and belong neither to `A` nor to `also_known`
/// are problems, because a mistyped variable would otherwise be ignored in silence.
///
/// # Errors
/// See [`SettingsError`]; all problems at once.
pub fn parse_settings<A: clap::Args>(
    program: &'static str,
    about: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    also_known: &[&str],
) -> Result<A, SettingsError> {
    let _ = (program, about, arguments.into_iter().count(), environment.into_iter().count(), also_known);
    todo!()
}
