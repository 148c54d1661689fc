//! `levee worker`: any set of the workers in one process, on the AWS that the environment names.

use std::{ffi::OsString, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use levee_clock::Clock;
use levee_stage::{Aws, CommonSettings, SettingsError, host, init_telemetry, parse_settings, shutdown_on_signals};

use crate::{
    exit,
    hosts::{Hosted, StageName},
};

const PROGRAM: &str = "levee worker";
const ABOUT: &str = "Runs the workers of some stages, or of all, until it is told to stop";

/// Which workers.
#[derive(Debug, Args)]
struct Chosen {
    /// The stages to work on
    #[arg(value_name = "STAGE", value_enum, required_unless_present = "all", conflicts_with = "all")]
    stages: Vec<StageName>,

    /// Work on all stages
    #[arg(long)]
    all: bool,
}

/// The settings of a process without the job-submit worker.
#[derive(Debug, Args)]
#[group(id = "host")]
struct Settings {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    common: CommonSettings,
    #[command(flatten)]
    bucket_provision: levee_bucket_provision::Settings,
}

/// The settings of a process with it: it alone has settings that must be given.
#[derive(Debug, Args)]
struct SubmittingSettings {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    job_submit: levee_job_submit::Settings,
}

/// Runs the workers that the arguments name. Exit codes are those of [`crate::exit`].
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let (settings, job_submit) = match parse(arguments, std::env::vars_os()) {
        Ok(parsed) => parsed,
        Err(SettingsError::Help(text)) => return exit::help(&text),
        Err(error) => return exit::usage(&error.into()),
    };
    init_telemetry(settings.common.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome =
        runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(work(settings, job_submit)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failure(&error),
    }
}

fn parse(
    arguments: Vec<OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Settings, levee_job_submit::Settings), SettingsError> {
    if submits(&arguments) {
        let parsed: SubmittingSettings = parse_settings(PROGRAM, ABOUT, arguments, environment, &[])?;
        return Ok((parsed.settings, parsed.job_submit));
    }
    let others = ["LEVEE_COPY_ROLE_ARN", "LEVEE_REPORT_BUCKET"];
    let settings = parse_settings(PROGRAM, ABOUT, arguments, environment, &others)?;
    Ok((settings, levee_job_submit::Settings { copy_role_arn: String::new(), report_bucket: String::new() }))
}

/// Whether the job-submit worker is among those asked for. Help shows all settings.
fn submits(arguments: &[OsString]) -> bool {
    let asks = ["--all", "job-submit", "--help", "-h"];
    arguments.is_empty() || arguments.iter().any(|argument| asks.iter().any(|ask| argument == ask))
}

async fn work(settings: Settings, job_submit: levee_job_submit::Settings) -> Result<()> {
    let shutdown = shutdown_on_signals().context("cannot listen for signals")?;
    let stages = if settings.chosen.all { StageName::ALL.to_vec() } else { settings.chosen.stages };
    let names: Vec<_> =
        stages.iter().filter_map(ValueEnum::to_possible_value).map(|v| v.get_name().to_owned()).collect();
    tracing::info!(stages = names.join(","), "workers start");
    let hosted =
        Hosted::new(Aws::from_env().await, Clock::system(), settings.common, settings.bucket_provision, job_submit);
    Ok(host(hosted.workers(&stages), shutdown).await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use rstest::rstest;

    fn parsed(arguments: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let arguments = arguments.split_whitespace().map(OsString::from).collect();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        parse(arguments, environment).map(|(settings, _)| settings)
    }

    const COMMON: &str = "--account 222222222222 --ledger-bucket levee-ledger";

    #[rstest]
    #[case::one("job-poll", &[StageName::JobPoll])]
    #[case::two("job-poll report-parse", &[StageName::JobPoll, StageName::ReportParse])]
    fn stages_without_job_submit_need_the_common_settings_only(#[case] stages: &str, #[case] wanted: &[StageName]) {
        assert_eq!(parsed(&format!("{stages} {COMMON}"), &[]).unwrap().chosen.stages, wanted);
    }

    #[test]
    fn job_submit_needs_its_own_settings_and_takes_them_from_the_environment() {
        let missing = parsed(&format!("--all {COMMON}"), &[]).unwrap_err().to_string();
        assert!(missing.contains("copy-role-arn") && missing.contains("report-bucket"), "{missing}");
        let role = ("LEVEE_COPY_ROLE_ARN", "arn:aws:iam::222222222222:role/levee-batch-copy");
        let reports = ("LEVEE_REPORT_BUCKET", "levee-reports");
        assert!(parsed(&format!("--all {COMMON}"), &[role, reports]).unwrap().chosen.all);
    }

    #[rstest]
    #[case::no_stage("")]
    #[case::unknown_stage("job-paint")]
    #[case::both("job-poll --all")]
    #[case::unknown_setting("job-poll --nonsense 1")]
    fn what_is_not_understood_is_refused(#[case] arguments: &str) {
        assert!(matches!(parsed(&format!("{arguments} {COMMON}"), &[]), Err(SettingsError::Problems(_))));
    }

    #[test]
    fn unknown_variable_is_a_problem() {
        let problem = parsed(&format!("job-poll {COMMON}"), &[("LEVEE_LEDGER_BUKCET", "x")]).unwrap_err().to_string();
        assert!(problem.contains("LEVEE_LEDGER_BUKCET"), "{problem}");
    }
}
