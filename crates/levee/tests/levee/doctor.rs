//! `levee doctor` as a program, on a twin over TCP.

use std::{fs, path::Path};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use levee::{
    deploy::{Accounts, Guard, Plan, deploy, guard},
    doctor::{Clients, Deployment},
};
use levee_stage::Aws;
use serde_json::Value;

use super::support::{Served, levee, run};

/// The settings of clients of an account that go over TCP, as the program's do: so the URLs of the queues are the same.
fn over_tcp(served: &Served, account: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(served.url())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(account, "twin", None, None, "test")))
        .build()
}

async fn deployed(served: &Served) -> Deployment {
    let plan = Plan::for_source("lake-events");
    let (backup, warehouse) = (over_tcp(served, &plan.backup_account), over_tcp(served, &plan.warehouse_account));
    let accounts = Accounts { warehouse: Aws::new(&warehouse), backup: Aws::new(&backup) };
    let deployed = deploy(&accounts, &plan).await.unwrap();
    let plans = std::slice::from_ref(&plan);
    let deployment = guard(&accounts, &Clients::new(&backup), plans, &deployed, &Guard::default()).await.unwrap();
    let put = accounts.warehouse.s3.put_object().bucket(&plan.source).key("events/one").body(b"bytes".to_vec().into());
    put.send().await.unwrap();
    served.twin.inventory().deliver_now(&plan.source, &plan.inventory_id, served.twin.clock().now()).await.unwrap();
    deployment
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn right_deployment_ends_with_0_also_with_a_source_profile_in_an_environment_with_credentials() {
    let served = Served::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "deployment.json", &serde_json::to_string(&deployed(&served).await).unwrap());
    let profiles = "[lake]\naws_access_key_id = 111111111111\naws_secret_access_key = twin\n";
    let profiles = write(folder.path(), "credentials", profiles);
    let mut command = served.levee(&["doctor", &file, "--source-profile", "lake", "--json"]);
    command.env("AWS_SHARED_CREDENTIALS_FILE", profiles).env("AWS_CONFIG_FILE", folder.path().join("none"));
    let output = run(command);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let outcome: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&outcome["problems"], &outcome["could_not_check"]), (&0.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn problem_ends_with_1_and_what_could_not_be_checked_with_2() {
    let served = Served::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "deployment.json", &serde_json::to_string(&deployed(&served).await).unwrap());
    let output = run(served.levee(&["doctor", &file]));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("could not check source/bucket  lake-events"), "{text}");
    assert!(text.contains("--source-profile PROFILE"), "{text}");
    let output = run(served.levee(&["doctor", &file, "--bucket-limit", "5", "--source", "lake-events"]));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("PROBLEM         quota/buckets  222222222222"), "{text}");
}

#[test]
fn file_that_is_no_description_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for (text, word) in [("{}", "version"), (r#"{"version": 1}"#, "`name` is missing; `region` is missing")] {
        let file = write(folder.path(), "deployment.json", text);
        let output = levee(&["doctor", &file]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{told}");
        assert!(told.contains("deployment.json") && told.contains(word), "{told}");
    }
    let output = levee(&["doctor", "/nowhere/deployment.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
