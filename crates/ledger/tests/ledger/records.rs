//! Records, artefacts and claims in the twin's S3.

use std::cell::Cell;

use aws_sdk_s3::{
    Client,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use jiff::{Timestamp, civil::date};
use levee_clock::Clock;
use levee_ledger::{
    Claimed, Ledger, OwnerState, RunKey, Written, canonical_json,
    state::{Amount, LargeRow, ObjectPointer, PlannedList},
};
use levee_stage::{Aws, StageError};
use levee_twin::{Twin, service::Principal};
use rstest::rstest;
use serde_json::{Value, json};

const BUCKET: &str = "backup-ledger";
const NOW: &str = "2026-04-02T00:00:00Z";

/// The twin must outlive the clients.
struct World {
    twin: Twin,
    s3: Client,
    ledger: Ledger,
}

async fn world() -> World {
    let twin = Twin::builder().clock(Clock::starting_at(NOW.parse().unwrap())).build();
    let aws = Aws::new(&twin.sdk_config("222222222222", &Principal::Root));
    aws.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    aws.s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(versioned).send().await.unwrap();
    World { twin, ledger: Ledger::new(aws.s3.clone(), BUCKET), s3: aws.s3 }
}

fn run(name: &str) -> RunKey {
    RunKey {
        source: "lake-events".to_owned(),
        backup_date: date(2026, 3, 31),
        execution_arn: format!("arn:aws:states:us-east-1:222222222222:execution:backup:{name}"),
        execution_name: name.to_owned(),
        restore: None,
    }
}

#[test]
fn equal_values_are_equal_bytes() {
    let (a, b) = (json!({"b": [{"d": 1, "c": 2}], "a": null}), json!({"a": null, "b": [{"c": 2, "d": 1}]}));
    assert_eq!(canonical_json(&a).unwrap(), canonical_json(&b).unwrap());
    assert_eq!(canonical_json(&a).unwrap(), b"{\"a\":null,\"b\":[{\"c\":2,\"d\":1}]}\n");
}

#[tokio::test(start_paused = true)]
async fn record_is_written_once_and_the_stored_one_stays() {
    let world = world().await;
    let key = run("first").record("03-job-submit.json");
    assert_eq!(key, "runs/lake-events/2026-03-31/first/03-job-submit.json");
    assert_eq!(world.ledger.read::<Value>(&key).await.unwrap(), None);
    let written = world.ledger.write_once(&key, &json!({"job": 1})).await.unwrap();
    let Written::Created(pointer) = &written else { panic!("{written:?}") };
    assert!(pointer.version_id.is_some() && !pointer.etag.contains('"'), "{pointer:?}");
    let again = world.ledger.write_once(&key, &json!({"job": 2})).await.unwrap();
    let Written::AlreadyThere(stored) = &again else { panic!("{again:?}") };
    assert_eq!((&stored.value, &stored.pointer), (&json!({"job": 1}), pointer));
    assert_eq!(world.ledger.records(&run("first")).await.unwrap(), [key]);
    assert!(world.ledger.records(&run("fir")).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn record_that_does_not_read_is_an_error_and_stays() {
    let world = world().await;
    world.s3.put_object().bucket(BUCKET).key("k").body(b"{".to_vec().into()).send().await.unwrap();
    let error = world.ledger.write_once("k", &json!(1)).await.unwrap_err();
    assert_eq!(error.name, "Levee.LedgerCorrupt");
    assert!(error.cause.contains("s3://backup-ledger/k"), "{}", error.cause);
}

#[tokio::test(start_paused = true)]
async fn missing_bucket_is_refused_with_its_name() {
    let world = world().await;
    let ledger = Ledger::new(world.s3.clone(), "no-such-ledger");
    let error = ledger.write_once("k", &json!(1)).await.unwrap_err();
    assert_eq!(error.name, StageError::AWS_REFUSED);
    assert!(error.cause.contains("NoSuchBucket") && error.cause.contains("s3://no-such-ledger/k"), "{}", error.cause);
}

#[rstest]
#[case::empty(0)]
#[case::small(1000)]
#[case::one_part(8 * 1024 * 1024)]
#[case::three_parts(17 * 1024 * 1024)]
#[tokio::test(start_paused = true)]
async fn artefact_appears_whole_when_it_is_finished_and_is_never_overwritten(#[case] size: usize) {
    let world = world().await;
    let bytes: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let mut writer = world.ledger.artefact("list.jsonl", "application/x-ndjson");
    for chunk in bytes.chunks(1_000_003) {
        writer.write(chunk).await.unwrap();
    }
    assert!(world.ledger.list("list").await.unwrap().is_empty());
    let made = writer.finish().await.unwrap();
    assert!(made.created);
    let mut other = world.ledger.artefact("list.jsonl", "application/x-ndjson");
    other.write(&vec![7; size.max(1)]).await.unwrap();
    let kept = other.finish().await.unwrap();
    assert_eq!((kept.created, &kept.pointer), (false, &made.pointer));
    let stored = world.s3.get_object().bucket(BUCKET).key("list.jsonl").send().await.unwrap();
    assert!(stored.body.collect().await.unwrap().to_vec() == bytes);
    let left = world.s3.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert!(left.uploads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn aborted_artefact_leaves_nothing() {
    let world = world().await;
    let mut writer = world.ledger.artefact("list.jsonl", "application/x-ndjson");
    writer.write(&vec![1; 9 * 1024 * 1024]).await.unwrap();
    writer.abort().await.unwrap();
    assert!(world.ledger.list("list").await.unwrap().is_empty());
    assert!(world.s3.list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().is_empty());
}

async fn claim(world: &World, name: &str, owner: OwnerState) -> Result<Claimed, StageError> {
    let now: Timestamp = NOW.parse().unwrap();
    world.ledger.claim(&run(name), now, async |_| Ok(owner)).await
}

#[tokio::test(start_paused = true)]
async fn first_execution_claims_and_may_claim_again_without_being_asked() {
    let world = world().await;
    let asked = Cell::new(0);
    for _ in 0..2 {
        let state = async |_| {
            asked.set(asked.get() + 1);
            Ok(OwnerState::Running)
        };
        let claimed = world.ledger.claim(&run("first"), NOW.parse().unwrap(), state).await.unwrap();
        assert_eq!(claimed, Claimed { number: 1, taken_over: false });
    }
    assert_eq!(asked.get(), 0);
    assert_eq!(world.ledger.check_claim(&run("first")).await, Ok(()));
}

#[rstest]
#[case(OwnerState::Running, "Levee.RunAlreadyClaimed")]
#[case(OwnerState::Succeeded, "Levee.RunAlreadyDone")]
#[tokio::test(start_paused = true)]
async fn nobody_takes_over_from_an_execution_that_runs_or_succeeded(#[case] owner: OwnerState, #[case] name: &str) {
    let world = world().await;
    claim(&world, "first", OwnerState::Running).await.unwrap();
    let error = claim(&world, "second", owner).await.unwrap_err();
    assert_eq!(error.name, name);
    assert!(error.cause.contains("first"), "{}", error.cause);
    assert_eq!(world.ledger.check_claim(&run("first")).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn execution_that_was_superseded_must_not_go_on_until_it_takes_over_in_turn() {
    let world = world().await;
    assert_eq!(world.ledger.check_claim(&run("first")).await.unwrap_err().name, "Levee.RunNotClaimed");
    claim(&world, "first", OwnerState::Ended).await.unwrap();
    let second = claim(&world, "second", OwnerState::Ended).await.unwrap();
    assert_eq!(second, Claimed { number: 2, taken_over: true });
    let error = world.ledger.check_claim(&run("first")).await.unwrap_err();
    assert_eq!(error.name, "Levee.RunSuperseded");
    assert!(error.cause.contains("second"), "{}", error.cause);
    assert_eq!(claim(&world, "first", OwnerState::Ended).await.unwrap(), Claimed { number: 3, taken_over: true });
    assert_eq!(world.ledger.check_claim(&run("second")).await.unwrap_err().name, "Levee.RunSuperseded");
}

#[tokio::test(start_paused = true)]
async fn race_for_a_claim_has_one_winner() {
    let world = world().await;
    let (a, b) = tokio::join!(claim(&world, "a", OwnerState::Running), claim(&world, "b", OwnerState::Running));
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{a:?} {b:?}");
}

async fn list_of(world: &World, rows: u64) -> PlannedList {
    let lines: String = (0..rows).map(|n| format!("{}\n", json!({ "key": format!("{n:0>100}"), "size": n }))).collect();
    let put =
        world.s3.put_object().bucket(BUCKET).key("list.jsonl").body(lines.into_bytes().into()).send().await.unwrap();
    let etag = put.e_tag().unwrap().trim_matches('"').to_owned();
    let pointer = ObjectPointer { bucket: BUCKET.to_owned(), key: "list.jsonl".to_owned(), etag, version_id: None };
    PlannedList { pointer, amount: Amount { rows, bytes: 0 } }
}

#[tokio::test(start_paused = true)]
async fn planned_list_is_read_piece_by_piece_and_every_row_comes_once() {
    let world = world().await;
    let list = list_of(&world, 25_000).await;
    let mut rows = world.ledger.planned_rows(&list);
    let mut sizes = Vec::new();
    while let Some(row) = rows.next::<LargeRow>().await.unwrap() {
        sizes.push(row.size);
    }
    assert!(sizes.iter().copied().eq(0..25_000));
    let reads = world.twin.calls().iter().filter(|call| call.operation == "GetObject").count();
    assert!(reads > 2, "the list was read in {reads} piece(s)");
}

#[rstest]
#[case::other_number_of_rows(|list: &mut PlannedList| list.amount.rows += 1, "has 30 rows, the plan of the run says 31")]
#[case::other_object(|list: &mut PlannedList| list.pointer.etag = "0".repeat(32), "PreconditionFailed")]
#[tokio::test(start_paused = true)]
async fn list_that_is_not_the_planned_one_is_refused(#[case] change: fn(&mut PlannedList), #[case] told: &str) {
    let world = world().await;
    let mut list = list_of(&world, 30).await;
    change(&mut list);
    let mut rows = world.ledger.planned_rows(&list);
    let error = loop {
        match rows.next::<LargeRow>().await {
            Ok(row) => assert!(row.is_some(), "the list was taken"),
            Err(error) => break error,
        }
    };
    assert!(error.cause.contains(told), "{error}");
}
