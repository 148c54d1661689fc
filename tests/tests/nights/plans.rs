//! The plans in `docs/faults` end as their comments say.

use std::{fs, path::PathBuf};

use levee::lake;
use levee_tests::{Ended, RigBuilder};
use levee_twin::FaultPlan;
use rstest::rstest;

use super::support::day;

/// How a night ends, in the words of the plans' comments.
fn end_of(ended: &Ended) -> String {
    let error = ended.error.as_deref().map_or_else(String::new, |error| format!(" {error}"));
    format!("{}{error}", ended.status.as_str())
}

/// What the comment says.
fn stated(text: &str) -> &str {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("# ends: "));
    let stated = lines.next().expect("a plan in docs/faults says how the demo ends with it: `# ends: …`");
    assert_eq!(lines.next(), None, "a night ends once");
    stated.trim()
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn plan_of_the_documentation_ends_as_its_comment_says(#[files("../docs/faults/*.toml")] file: PathBuf) {
    let text = fs::read_to_string(&file).unwrap();
    let plan = FaultPlan::from_toml(&text).unwrap();
    // The demo's night, with a part of its warehouse.
    let mut rig = RigBuilder::new("lake-flights", "2026-03-31T12:00:00Z".parse().unwrap()).build().await.unwrap();
    let files = lake::sample().unwrap().into_iter().step_by(4);
    rig.fill(files.map(|file| (file.key, file.bytes.to_vec()))).await.unwrap();
    rig.sleep_until("2026-04-02T00:00:00Z".parse().unwrap()).await;
    rig.set_faults(plan.clone());
    rig.sleep_until("2026-04-02T20:00:00Z".parse().unwrap()).await;
    let execution = rig.start(day()).await.unwrap();
    let ended = rig.until_ended(&execution).await.unwrap();
    assert_eq!(end_of(&ended), stated(&text), "{:?}", ended.cause);
    let struck = rig.twin.struck();
    for rule in plan.rules() {
        assert!(struck.contains_key(&rule), "{rule} struck nothing: {struck:?}");
    }
}
