//! Settings from flags and environment.

use std::ffi::OsString;

use levee_stage::{CommonSettings, LogFormat, SettingsError, parse_settings};
use rstest::rstest;

fn parse(arguments: &[&str], environment: &[(&str, &str)]) -> Result<CommonSettings, SettingsError> {
    parse_settings(
        "levee-probe",
        "Probes",
        arguments.iter().map(OsString::from),
        environment.iter().map(|(name, value)| (name.into(), value.into())),
        &["LEVEE_ELSEWHERE"],
    )
}

fn problems(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    match parse(arguments, environment) {
        Err(SettingsError::Problems(problems)) => problems,
        other => panic!("no problems but {other:?}"),
    }
}

#[test]
fn arguments_win_over_the_environment_and_defaults_come_last() {
    let environment = [
        ("LEVEE_ACCOUNT", "222222222222"),
        ("LEVEE_LEDGER_BUCKET", "ledger-env"),
        ("LEVEE_CONCURRENCY", "7"),
        ("LEVEE_LOG_FORMAT", "json"),
    ];
    let settings = parse(&["--ledger-bucket", "ledger-flag"], &environment).unwrap();
    assert_eq!(settings.ledger_bucket, "ledger-flag");
    assert_eq!(settings.concurrency, 7);
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(settings.heartbeat_limit_seconds, 900);
    assert_eq!(settings.worker_settings("job-poll").queue, "levee-job-poll");
}

#[test]
fn all_problems_are_reported_at_once() {
    let environment = [("LEVEE_CONCURRENCY", "many"), ("LEVEE_LEGDER_BUCKET", "ledger"), ("LEVEE_ELSEWHERE", "x")];
    let problems =
        problems(&["--heartbeat-limit-seconds=1", "--nonsense", "--queue-prefix=a b", "--wrong=1"], &environment);
    let expected = [
        "'--nonsense'",
        "'--wrong'",
        "--account <12 DIGITS> is missing: give it, or set LEVEE_ACCOUNT",
        "--ledger-bucket <BUCKET> is missing: give it, or set LEVEE_LEDGER_BUCKET",
        "'a b'",
        "(from LEVEE_CONCURRENCY)",
        "1 is not in 30..=43200",
        "LEVEE_LEGDER_BUCKET is no setting of levee-probe",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for part in expected {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part} is not in {problems:#?}");
    }
}

#[rstest]
#[case::empty_variable("LEVEE_LEDGER_BUCKET", "", "missing")]
#[case::bucket("LEVEE_LEDGER_BUCKET", "No_Bucket", "3 to 63 characters")]
#[case::format("LEVEE_LOG_FORMAT", "xml", "'xml'")]
#[case::grace("LEVEE_SHUTDOWN_GRACE_SECONDS", "-1", "-1")]
fn bad_variable_is_a_problem(#[case] name: &str, #[case] value: &str, #[case] part: &str) {
    let mut environment = vec![("LEVEE_ACCOUNT", "222222222222"), ("LEVEE_LEDGER_BUCKET", "ledger")];
    environment.push((name, value));
    let problems = problems(&[], &environment);
    assert!(matches!(problems.as_slice(), [only] if only.contains(part)), "{problems:#?}");
}

#[test]
fn help_describes_flags_and_variables() {
    let Err(SettingsError::Help(help)) = parse(&["--help"], &[]) else { panic!("no help") };
    for part in ["Probes", "--ledger-bucket <BUCKET>", "LEVEE_LEDGER_BUCKET", "[default: 900]"] {
        assert!(help.contains(part), "{part} is not in {help}");
    }
}
