//! The canary: one object by a real batch job of the twin.

use std::{collections::BTreeSet, time::Duration};

use levee::doctor::{CANARY_LIMIT, Finding, Outcome, Verdict, Warehouse};
use levee_twin::{
    FaultPlan,
    gate::{CallFault, FaultAnswer, When},
    s3control::faults::{JobFault, JobFaultKind, ReportFault, ReportFaultKind},
};
use rstest::rstest;
use serde_json::Value;

use super::support::{DOCTOR, SOURCE, Ward};

async fn with_canary(mut ward: Ward) -> (Ward, Outcome) {
    ward.options.canary = Some(CANARY_LIMIT);
    let outcome = ward.examined_with(&ward.options, &Warehouse::of(ward.warehouse.clone()).await).await;
    (ward, outcome)
}

/// The last check, which must be the canary.
fn canary(outcome: &Outcome) -> &Finding {
    let last = outcome.checks.last().unwrap();
    assert_eq!((last.check.as_str(), last.subject.as_str()), ("canary/copy", SOURCE));
    last
}

fn remedy(finding: &Finding) -> &str {
    finding.remedy.as_deref().unwrap()
}

#[tokio::test(start_paused = true)]
async fn smallest_object_with_bytes_is_copied_by_a_job_and_compared() {
    let (ward, outcome) = with_canary(Ward::new().await).await;
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.to_text());
    let detail = &canary(&outcome).detail;
    assert!(
        detail.contains("s3://lake-events/events/smaller was copied") && detail.contains("its 5 bytes are equal"),
        "{detail}"
    );
    let copies = ward.rig.accounts.backup.s3.list_objects_v2().bucket("levee-canary").send().await.unwrap();
    let keys: Vec<&str> = copies.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(
        keys,
        [
            "canary/2026-04-02T02-00-00Z/lake-events/copy/events/smaller",
            "canary/2026-04-02T02-00-00Z/lake-events/manifest.csv"
        ]
    );
    let own = ward.rig.twin.calls().into_iter().filter(|call| call.principal == DOCTOR);
    let reads = ["Get", "Head", "List", "Describe"];
    let writes: BTreeSet<String> = own
        .filter(|call| !reads.iter().any(|verb| call.operation.starts_with(verb)))
        .map(|call| format!("{} {}", call.operation.as_str(), call.resource.as_str()))
        .collect();
    let writes: Vec<&str> = writes.iter().map(String::as_str).collect();
    let [job, manifest] = writes.as_slice() else { panic!("{writes:?}") };
    assert!(job.starts_with("CreateJob "), "{job}");
    assert_eq!(*manifest, "PutObject arn:aws:s3:::levee-canary/canary/2026-04-02T02-00-00Z/lake-events/manifest.csv");
}

#[tokio::test(start_paused = true)]
async fn second_canary_is_another_one() {
    let (ward, first) = with_canary(Ward::new().await).await;
    let (_, second) = with_canary(ward).await;
    assert_eq!((first.exit_code(), second.exit_code()), (0, 0), "{}", second.to_text());
    assert_ne!(canary(&first).detail, canary(&second).detail);
}

/// The source as somebody left it who forgot the copy role.
async fn without_the_copy_role() -> Ward {
    let ward = Ward::new().await;
    let s3 = &ward.warehouse.aws.s3;
    let found = s3.get_bucket_policy().bucket(SOURCE).send().await.unwrap();
    let mut policy: Value = serde_json::from_str(found.policy().unwrap()).unwrap();
    policy["Statement"]
        .as_array_mut()
        .unwrap()
        .retain(|statement| statement["Sid"].as_str().unwrap().starts_with("Doctor"));
    s3.put_bucket_policy().bucket(SOURCE).policy(policy.to_string()).send().await.unwrap();
    ward
}

#[tokio::test(start_paused = true)]
async fn source_that_the_copy_role_may_not_read_is_found_without_a_source_profile() {
    let mut ward = without_the_copy_role().await;
    ward.options.canary = Some(CANARY_LIMIT);
    let outcome = ward.examined_with(&ward.options, &Warehouse::NotGiven).await;
    assert_eq!((outcome.exit_code(), outcome.problems), (1, 1), "{}", outcome.to_text());
    let found = canary(&outcome);
    assert!(found.detail.contains("AccessDenied"), "{found:?}");
    assert!(remedy(found).contains("source/copy-role") && remedy(found).contains("--source-profile"), "{found:?}");
}

#[rstest]
#[case::job_fails(
    JobFault { kind: JobFaultKind::Fails { code: "InternalError".to_owned(), reason: "broken".to_owned() }, after_tasks: 0, target: None, when: When::Always }.into(),
    Verdict::Problem, "broken", "batchoperations.s3.amazonaws.com"
)]
#[case::job_stalls(
    JobFault { kind: JobFaultKind::Stalls, after_tasks: 0, target: None, when: When::Always }.into(),
    Verdict::CouldNotCheck, "still Active", "--canary-limit"
)]
#[case::no_report(
    ReportFault { kind: ReportFaultKind::Missing, target: None, when: When::Always }.into(),
    Verdict::Problem, "there is no s3://levee-reports/canary/", "put objects into levee-reports"
)]
#[case::bad_report(
    ReportFault { kind: ReportFaultKind::BadRow, target: None, when: When::Always }.into(),
    Verdict::Problem, "does not say what became of the object", "report bucket"
)]
#[case::late_report(
    ReportFault { kind: ReportFaultKind::Late { seconds: 600 }, target: None, when: When::Always }.into(),
    Verdict::Ok, "was copied by job", ""
)]
#[tokio::test(start_paused = true)]
async fn canary_that_goes_wrong_says_where_to_look(
    #[case] plan: FaultPlan,
    #[case] outcome: Verdict,
    #[case] detail: &str,
    #[case] advice: &str,
) {
    let ward = Ward::new().await;
    ward.rig.set_faults(plan);
    let (_, found) = with_canary(ward).await;
    let found = canary(&found);
    assert_eq!(found.outcome, outcome, "{found:?}");
    assert!(found.detail.contains(detail), "{found:?}");
    assert!(found.remedy.as_deref().unwrap_or_default().contains(advice), "{found:?}");
}

#[rstest]
#[case("s3", "PutObject", "s3:PutObject")]
#[case("s3control", "CreateJob", "s3:CreateJob and iam:PassRole")]
#[case("s3control", "DescribeJob", "s3:DescribeJob")]
#[tokio::test(start_paused = true)]
async fn canary_that_is_refused_could_not_be_sent(
    #[case] service: &str,
    #[case] operation: &str,
    #[case] action: &str,
) {
    let ward = Ward::new().await;
    let fault = CallFault::new(FaultAnswer::Denied).of(service, operation);
    ward.rig.set_faults(FaultPlan { calls: vec![fault], ..FaultPlan::default() });
    let (_, outcome) = with_canary(ward).await;
    assert_eq!(outcome.exit_code(), 2, "{}", outcome.to_text());
    assert!(remedy(canary(&outcome)).contains(&format!("allow the caller {action}")), "{:?}", canary(&outcome));
}

#[tokio::test(start_paused = true)]
async fn source_without_a_small_object_has_no_canary() {
    let ward = Ward::new().await;
    for key in ["events/small", "events/smaller", "events/empty"] {
        ward.warehouse.aws.s3.delete_object().bucket(SOURCE).key(key).send().await.unwrap();
    }
    let began = ward.rig.clock.now();
    let (ward, outcome) = with_canary(ward).await;
    assert_eq!(outcome.exit_code(), 2, "{}", outcome.to_text());
    assert!(canary(&outcome).detail.contains("none below 1 MiB"), "{:?}", canary(&outcome));
    assert!(ward.rig.clock.now().duration_since(began).unsigned_abs() < Duration::from_secs(60));
    assert_eq!(ward.rig.calls_of("CreateJob"), 0);
}

/// The ids in the table of checks of the guide: `*-bucket` stands for every bucket.
fn documented() -> BTreeSet<String> {
    let rows = include_str!("../../../docs/doctor.md").lines();
    let ids = rows.filter_map(|row| row.strip_prefix("| `")?.split_once('`')).map(|(id, _)| id);
    ids.filter(|id| id.contains('/')).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn every_check_is_documented_and_every_documented_check_is_made() {
    let (_, outcome) = with_canary(Ward::new().await).await;
    let general = |id: &str| match id.split_once("-bucket/") {
        Some((_, check)) if !documented().contains(id) => format!("*-bucket/{check}"),
        _ => id.to_owned(),
    };
    let made: BTreeSet<String> = outcome.checks.iter().map(|finding| general(&finding.check)).collect();
    assert_eq!(made, documented());
}
