//! The state machine.

use levee::{deploy::definition, doctor::Verdict};

use super::assert_found;
use crate::doctor::support::{Ward, with};

#[tokio::test(start_paused = true)]
async fn definition_of_another_version_is_found_with_the_first_difference() {
    let ward = Ward::new().await;
    let other = definition(&ward.rig.deployed.queue_url_prefix)
        .replace("\"HeartbeatSeconds\": 900", "\"HeartbeatSeconds\": 901");
    let update = ward.backup.aws.sfn.update_state_machine().state_machine_arn(&ward.deployment.state_machine_arn);
    update.definition(other).send().await.unwrap();
    assert_found(&ward, "state-machine/definition", "terraform apply").await;
    let outcome = ward.examined().await;
    let detail = &with(&outcome, Verdict::Problem)[0].detail;
    assert!(detail.ends_with("/States/ManifestReady/HeartbeatSeconds"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn definition_in_another_notation_is_the_same() {
    let ward = Ward::new().await;
    let value: serde_json::Value = serde_json::from_str(&definition(&ward.rig.deployed.queue_url_prefix)).unwrap();
    let update = ward.backup.aws.sfn.update_state_machine().state_machine_arn(&ward.deployment.state_machine_arn);
    update.definition(value.to_string()).send().await.unwrap();
    assert_eq!(ward.examined().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn role_of_somebody_else_is_found() {
    let ward = Ward::new().await;
    let update = ward.backup.aws.sfn.update_state_machine().state_machine_arn(&ward.deployment.state_machine_arn);
    update.role_arn("arn:aws:iam::222222222222:role/admin").send().await.unwrap();
    assert_found(&ward, "state-machine/role", "backup module").await;
}

#[tokio::test(start_paused = true)]
async fn state_machine_that_is_not_there_is_found() {
    let mut ward = Ward::new().await;
    ward.deployment.state_machine_arn.push_str("-of-others");
    let outcome = ward.examined().await;
    let problems = with(&outcome, Verdict::Problem);
    let ids: Vec<&str> = problems.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(ids, ["state-machine/exists", "schedule/target"]);
}
