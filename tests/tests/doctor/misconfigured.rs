//! Deployments with one thing wrong: found by one check, with the remedy for it.

mod buckets;
mod machine;
mod notifications;
mod queues;
mod schedules;
mod sources;

use levee::doctor::{Clients, Options, Verdict, Warehouse, examine};
use levee_clock::Clock;
use levee_twin::service::Principal;
use rstest::rstest;

use super::support::{BACKUP, WAREHOUSE, Ward, with};

/// Asserts that the doctor finds one problem, by `check`, and that its remedy names `remedy`.
pub(crate) async fn assert_found(ward: &Ward, check: &str, remedy: &str) {
    let outcome = ward.examined().await;
    assert_eq!(outcome.exit_code(), 1, "{}", outcome.to_text());
    let problems = with(&outcome, Verdict::Problem);
    let [problem] = problems.as_slice() else { panic!("one problem is expected: {problems:#?}") };
    assert_eq!(problem.check, check, "{problem:?}");
    assert!(problem.remedy.as_deref().unwrap().contains(remedy), "{remedy:?} is not in the remedy of {problem:#?}");
    assert_eq!(with(&outcome, Verdict::CouldNotCheck), Vec::<&levee::doctor::Finding>::new());
}

#[rstest]
#[case::account(WAREHOUSE, "us-east-1", "credentials/account", "levee-doctor")]
#[case::region(BACKUP, "eu-west-1", "credentials/region", "AWS_REGION=eu-west-1")]
#[tokio::test(start_paused = true)]
async fn in_another_account_or_region_nothing_else_is_checked(
    #[case] account: &str,
    #[case] region: &str,
    #[case] check: &str,
    #[case] remedy: &str,
) {
    let mut ward = Ward::new().await;
    ward.deployment.region = region.to_owned();
    let caller = Clients::new(&ward.rig.twin.sdk_config(account, &Principal::Root));
    let options = Options::default();
    let outcome =
        examine(&ward.deployment, &caller, &Warehouse::NotGiven, &options, &Clock::system(), &|_| {}).await.unwrap();
    assert_eq!((outcome.exit_code(), outcome.checks.len()), (1, 2), "{}", outcome.to_text());
    let problems = with(&outcome, Verdict::Problem);
    assert_eq!(problems[0].check, check);
    assert!(problems[0].remedy.as_deref().unwrap().contains(remedy), "{:?}", problems[0]);
}

#[tokio::test(start_paused = true)]
async fn account_that_is_nearly_full_of_buckets_is_found() {
    let mut ward = Ward::new().await;
    ward.options.bucket_limit = 33;
    assert_found(&ward, "quota/buckets", "Service Quotas").await;
    ward.options.bucket_limit = 34;
    assert_eq!(ward.examined().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn names_that_do_not_fit_or_collide_are_found() {
    let mut ward = Ward::new().await;
    let mut long = ward.deployment.sources[0].clone();
    long.name = "a".repeat(58);
    long.schedule = format!("levee-{}", "a".repeat(59));
    let mut same = long.clone();
    same.name.push_str("-b");
    same.schedule = "levee-b".to_owned();
    ward.deployment.sources.extend([long, same]);
    let outcome = ward.examined().await;
    let found = |check: &str, subject: &str| {
        let mut findings = with(&outcome, Verdict::Problem).into_iter();
        findings.any(|finding| finding.check == check && finding.subject == subject)
    };
    let (long, same) = (&ward.deployment.sources[1].name, &ward.deployment.sources[2].name);
    for (check, subject) in [
        ("names/snapshot-bucket", long),
        ("names/snapshot-bucket", same),
        ("names/schedule", long),
        ("names/unique", long),
        ("names/unique", same),
    ] {
        assert!(found(check, subject), "{check} {subject}: {}", outcome.to_text());
    }
    assert!(!found("names/schedule", same) && !found("names/unique", &ward.deployment.sources[0].name));
}

#[tokio::test(start_paused = true)]
async fn source_that_is_not_deployed_is_refused() {
    let ward = Ward::new().await;
    let options = Options { sources: vec!["lake-evnets".to_owned()], ..Options::default() };
    let refused = examine(&ward.deployment, &ward.backup, &Warehouse::NotGiven, &options, &ward.clock, &|_| {}).await;
    assert!(refused.unwrap_err().to_string().contains("it has lake-events"));
}
