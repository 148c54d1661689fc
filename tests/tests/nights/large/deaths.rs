//! The worker of large-copy dies, again and again and over any call.

use rstest::rstest;

use super::*;

/// Plays a night of two objects, of three parts in all, through `faults`; answers how often they have struck.
async fn night_of_deaths(seed: u64, faults: impl IntoIterator<Item = CallFault>) -> u64 {
    let builder = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse().unwrap());
    let mut rig = builder.twin(move |twin| twin.seed(seed)).build().await.unwrap();
    // A composite checksum, since nothing of the parts may be lost with a worker either.
    upload(&rig, "a", Some((ChecksumAlgorithm::Crc32, ChecksumType::Composite)), &PARTS).await;
    put(&rig, "b", "bytes").await;
    let plans = faults.into_iter().map(FaultPlan::from);
    let execution = rig.start_large("night", day(), &["a", "b"]).await.unwrap();
    rig.set_faults(plans.fold(FaultPlan::default(), FaultPlan::and));
    rig.start_workers();
    let ended = rig.until_ended(&execution).await.unwrap();
    let struck = rig.twin.struck().values().sum();
    rig.set_faults(FaultPlan::default());
    assert_succeeded(&ended);
    assert_eq!((&ended.output["large"]["copied"], &ended.output["large"]["parts"]), (&json!(2), &json!(3)));
    assert_copied(&rig, &["a", "b"]).await;
    assert_eq!(done(&rig, "UploadPartCopy"), 3, "a part was copied twice");
    assert_eq!((versions(&rig, "a").await, versions(&rig, "b").await), (1, 1));
    struck
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn worker_killed_at_ten_random_points_copies_no_part_twice_and_leaves_no_upload(
    #[values(1, 2)] seed: u64,
    #[values(FaultAnswer::Death, FaultAnswer::DeathAfter)] death: FaultAnswer,
) {
    let death = CallFault { service: Some("s3".to_owned()), ..CallFault::new(death) };
    let struck = night_of_deaths(seed, [death.when(When::Rate(0.2)).limit(10)]).await;
    assert_eq!(struck, 10, "the worker did not die ten times");
}

#[rstest]
#[case("CreateMultipartUpload", 2)]
#[case("UploadPartCopy", 3)]
#[case("CompleteMultipartUpload", 2)]
#[case("ListParts", 2)]
#[tokio::test(start_paused = true)]
async fn worker_that_dies_when_a_call_has_had_its_effect_finds_it(#[case] operation: &str, #[case] times: u64) {
    let death = |operation| CallFault::new(FaultAnswer::DeathAfter).of("s3", operation);
    // Without a death there is nothing to list.
    let first = (operation == "ListParts").then(|| death("UploadPartCopy").limit(1));
    let struck = night_of_deaths(1, first.into_iter().chain([death(operation).limit(times)])).await;
    assert!(struck >= 1, "{operation} was never called");
}
