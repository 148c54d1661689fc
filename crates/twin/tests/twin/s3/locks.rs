//! Object Lock keeps versions.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    primitives::DateTime,
    types::{
        DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold, ObjectLockLegalHoldStatus,
        ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule,
    },
};
use rstest::rstest;

use super::{code, put, root};
use crate::twin::common::{BACKUP, twin};

async fn vault(client: &Client, mode: ObjectLockRetentionMode) {
    client.create_bucket().bucket("vault").object_lock_enabled_for_bucket(true).send().await.unwrap();
    let retention = DefaultRetention::builder().mode(mode).days(30).build();
    let configuration = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(retention).build())
        .build();
    let put = client.put_object_lock_configuration().bucket("vault");
    put.object_lock_configuration(configuration).send().await.unwrap();
}

#[rstest]
#[case(ObjectLockRetentionMode::Compliance, false)]
#[case(ObjectLockRetentionMode::Governance, true)]
#[tokio::test(start_paused = true)]
async fn a_retained_version_cannot_be_deleted_until_its_time(
    #[case] mode: ObjectLockRetentionMode,
    #[case] bypassed: bool,
) {
    let twin = twin();
    let client = root(&twin, BACKUP);
    vault(&client, mode).await;
    let version = put(&client, "vault", "a", "x").await.unwrap();
    let delete = || client.delete_object().bucket("vault").key("a").version_id(&version);
    assert_eq!(code(delete().send().await), "AccessDenied");
    // A plain delete only hides it.
    assert_eq!(client.delete_object().bucket("vault").key("a").send().await.unwrap().delete_marker(), Some(true));
    if bypassed {
        delete().bypass_governance_retention(true).send().await.unwrap();
    } else {
        assert_eq!(code(delete().bypass_governance_retention(true).send().await), "AccessDenied");
        twin.clock().sleep(Duration::from_secs(30 * 24 * 3600 + 1)).await;
        delete().send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_retention_can_be_made_longer_but_not_shorter() {
    let twin = twin();
    let client = root(&twin, BACKUP);
    vault(&client, ObjectLockRetentionMode::Compliance).await;
    put(&client, "vault", "a", "x").await;
    let until = |days: i64| {
        let until = DateTime::from_secs(1_775_088_000 + days * 24 * 3600);
        let mode = ObjectLockRetentionMode::Compliance;
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(until).build();
        client.put_object_retention().bucket("vault").key("a").retention(retention).send()
    };
    assert_eq!(code(until(10).await), "AccessDenied");
    until(60).await.unwrap();
    let kept = client.get_object_retention().bucket("vault").key("a").send().await.unwrap();
    assert_eq!(kept.retention().unwrap().retain_until_date().unwrap().secs(), 1_775_088_000 + 60 * 24 * 3600);
}

#[tokio::test(start_paused = true)]
async fn a_legal_hold_keeps_a_version_until_it_is_lifted() {
    let twin = twin();
    let client = root(&twin, BACKUP);
    client.create_bucket().bucket("vault").object_lock_enabled_for_bucket(true).send().await.unwrap();
    let version = put(&client, "vault", "a", "x").await.unwrap();
    let hold = |status| {
        let hold = ObjectLockLegalHold::builder().status(status).build();
        client.put_object_legal_hold().bucket("vault").key("a").legal_hold(hold).send()
    };
    hold(ObjectLockLegalHoldStatus::On).await.unwrap();
    let delete = || client.delete_object().bucket("vault").key("a").version_id(&version).send();
    assert_eq!(code(delete().await), "AccessDenied");
    hold(ObjectLockLegalHoldStatus::Off).await.unwrap();
    delete().await.unwrap();
}
