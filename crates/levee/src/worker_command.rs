//! `levee worker`: any set of the workers in one process, on the AWS that the environment names.

use std::{ffi::OsString, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use levee_clock::Clock;
use levee_stage::{Aws, CommonSettings, SettingsError, host, init_telemetry, parse_settings, shutdown_on_signals};

use crate::{
    exit,
    hosts::{Hosted, OwnSettings, StageName},
};

const PROGRAM: &str = "levee worker";
const ABOUT: &str = "\
Runs the workers of some stages, or of all, until it is told to stop.

  levee worker STAGE... [SETTINGS]
  levee worker --all [SETTINGS]

Stages: manifest-ready, bucket-provision, job-submit, job-poll, report-parse, thaw, large-copy, snapshot-check, table-verify,
run-close, restore-plan, drill-plan, drill-close.";

/// The settings of a process without a worker that makes jobs.
#[derive(Debug, Args)]
#[group(id = "host")]
struct Settings {
    #[command(flatten)]
    common: CommonSettings,
    #[command(flatten)]
    bucket_provision: levee_bucket_provision::Settings,
    #[command(flatten)]
    large_copy: levee_large_copy::Settings,
    #[command(flatten)]
    table_verify: levee_table_verify::Settings,
    #[command(flatten)]
    run_close: levee_run_close::Settings,
}

/// The settings of a process with one: those alone have settings that must be given.
#[derive(Debug, Args)]
struct SubmittingSettings {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    job_submit: levee_job_submit::Settings,
}

/// Runs the workers that the arguments name. Exit codes are those of [`crate::exit`].
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let (stages, settings, job_submit) = match parse(arguments, std::env::vars_os()) {
        Ok(parsed) => parsed,
        Err(SettingsError::Help(text)) => return exit::help(&text),
        Err(error) => return exit::usage(&error.into()),
    };
    init_telemetry(settings.common.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(work(stages, settings, job_submit)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failure(&error),
    }
}

fn parse(
    arguments: Vec<OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Vec<StageName>, Settings, levee_job_submit::Settings), SettingsError> {
    let (chosen, arguments) = choose(arguments);
    let stages = chosen.clone().unwrap_or_else(|_| StageName::ALL.to_vec());
    let parsed = if stages.iter().any(|stage| matches!(stage, StageName::JobSubmit | StageName::Thaw)) {
        parse_settings(PROGRAM, ABOUT, arguments, environment, &[])
            .map(|parsed: SubmittingSettings| (stages, parsed.settings, parsed.job_submit))
    } else {
        let others = ["LEVEE_COPY_ROLE_ARN", "LEVEE_RESTORE_ROLE_ARN", "LEVEE_DRILL_ROLE_ARN", "LEVEE_REPORT_BUCKET"];
        let unused = levee_job_submit::Settings {
            copy_role_arn: String::new(),
            restore_role_arn: None,
            drill_role_arn: None,
            report_bucket: String::new(),
        };
        parse_settings(PROGRAM, ABOUT, arguments, environment, &others).map(|settings| (stages, settings, unused))
    };
    match (chosen, parsed) {
        (Ok(_), parsed) => parsed,
        (Err(_), Err(SettingsError::Help(text))) => Err(SettingsError::Help(text)),
        (Err(mut problems), Err(SettingsError::Problems(others))) => {
            problems.extend(others);
            Err(SettingsError::Problems(problems))
        }
        (Err(problems), Ok(_)) => Err(SettingsError::Problems(problems)),
    }
}

/// The stages that the arguments begin with, or all for `--all`, or what is wrong with them; and the other arguments.
fn choose(arguments: Vec<OsString>) -> (Result<Vec<StageName>, Vec<String>>, Vec<OsString>) {
    let count = arguments.len();
    let mut rest: Vec<OsString> = arguments.into_iter().filter(|argument| argument != "--all").collect();
    let all = rest.len() < count;
    let settings = rest.iter().position(|argument| argument.to_string_lossy().starts_with('-')).unwrap_or(rest.len());
    let named: Vec<OsString> = rest.drain(..settings).collect();
    let mut problems = Vec::new();
    let mut stages = Vec::new();
    for name in &named {
        match StageName::from_str(&name.to_string_lossy(), false) {
            Ok(stage) if stages.contains(&stage) => problems.push(format!("the stage {stage:?} is named twice")),
            Ok(stage) => stages.push(stage),
            Err(_) => problems.push(format!("there is no stage {}; --help lists them", name.to_string_lossy())),
        }
    }
    match (all, named.is_empty()) {
        (true, true) => stages = StageName::ALL.to_vec(),
        (true, false) => problems.push("--all and the names of stages exclude each other".to_owned()),
        (false, true) => problems.push("no stage is named; name some, or give --all".to_owned()),
        (false, false) => {}
    }
    (if problems.is_empty() { Ok(stages) } else { Err(problems) }, rest)
}

async fn work(stages: Vec<StageName>, settings: Settings, job_submit: levee_job_submit::Settings) -> Result<()> {
    let shutdown = shutdown_on_signals().context("cannot listen for signals")?;
    let names: Vec<_> =
        stages.iter().filter_map(ValueEnum::to_possible_value).map(|v| v.get_name().to_owned()).collect();
    tracing::info!(stages = names.join(","), "workers start");
    let aws = Aws::from_env().await;
    let Settings { common, bucket_provision, large_copy, table_verify, run_close } = settings;
    let own = OwnSettings { bucket_provision, job_submit, large_copy, table_verify, run_close };
    let hosted = Hosted::new(aws, Clock::system(), common, own);
    Ok(host(hosted.workers(&stages), shutdown).await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use rstest::rstest;

    fn parsed(arguments: &str, environment: &[(&str, &str)]) -> Result<Vec<StageName>, SettingsError> {
        let arguments = arguments.split_whitespace().map(OsString::from).collect();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        parse(arguments, environment).map(|(stages, ..)| stages)
    }

    const COMMON: &str = "--account 222222222222 --ledger-bucket levee-ledger";

    #[rstest]
    #[case::one("job-poll", &[StageName::JobPoll])]
    #[case::two("job-poll report-parse", &[StageName::JobPoll, StageName::ReportParse])]
    fn stages_that_make_no_jobs_need_the_common_settings_only(#[case] stages: &str, #[case] wanted: &[StageName]) {
        assert_eq!(parsed(&format!("{stages} {COMMON}"), &[]).unwrap(), wanted);
    }

    #[rstest]
    fn stages_that_make_jobs_need_settings_of_their_own_and_take_them_from_the_environment(
        #[values("--all", "job-submit", "thaw")] stages: &str,
    ) {
        let missing = parsed(&format!("{stages} {COMMON}"), &[]).unwrap_err().to_string();
        assert!(missing.contains("copy-role-arn") && missing.contains("report-bucket"), "{missing}");
        let role = ("LEVEE_COPY_ROLE_ARN", "arn:aws:iam::222222222222:role/levee-batch-copy");
        let reports = ("LEVEE_REPORT_BUCKET", "levee-reports");
        assert_eq!(parsed(&format!("--all {COMMON}"), &[role, reports]).unwrap(), StageName::ALL);
    }

    #[rstest]
    #[case::no_stage("", "no stage is named")]
    #[case::unknown_stage("job-paint", "job-paint")]
    #[case::twice("job-poll job-poll", "twice")]
    #[case::both("job-poll --all", "exclude each other")]
    #[case::unknown_setting("job-poll --nonsense=1", "nonsense")]
    fn what_is_not_understood_is_refused_by_name(#[case] arguments: &str, #[case] named: &str) {
        let problems = parsed(&format!("{arguments} {COMMON}"), &[]).unwrap_err();
        assert!(matches!(problems, SettingsError::Problems(_)));
        assert!(problems.to_string().contains(named), "{problems}");
    }

    #[test]
    fn problems_with_stages_and_with_settings_are_told_together() {
        let problems = parsed("job-paint", &[]).unwrap_err().to_string();
        assert!(problems.contains("job-paint") && problems.contains("ledger-bucket"), "{problems}");
    }

    #[test]
    fn help_needs_no_stage() {
        assert!(matches!(parsed("--help", &[]), Err(SettingsError::Help(_))));
    }

    #[test]
    fn unknown_variable_is_a_problem() {
        let problem = parsed(&format!("job-poll {COMMON}"), &[("LEVEE_LEDGER_BUKCET", "x")]).unwrap_err().to_string();
        assert!(problem.contains("LEVEE_LEDGER_BUKCET"), "{problem}");
    }
}
