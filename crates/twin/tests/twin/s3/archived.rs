//! Objects in archives, and their restores.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextRef},
    error::BoxError,
    primitives::ByteStream,
    types::{ArchiveStatus, GlacierJobParameters, RestoreRequest, StorageClass, Tier},
};
use levee_twin::{Twin, s3::ArchiveTier};
use rstest::rstest;

use super::{bucket, code, get, root};
use crate::twin::common::{WAREHOUSE, builder};

/// Expects a status.
#[derive(Debug)]
struct Status(u16);

impl Intercept for Status {
    fn name(&self) -> &'static str {
        "Status"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        assert_eq!(context.response().status().as_u16(), self.0);
        Ok(())
    }
}

async fn lake(class: StorageClass) -> (Twin, Client) {
    let twin = builder().build();
    let client = root(&twin, WAREHOUSE);
    bucket(&client, "lake", false).await;
    let put = client.put_object().bucket("lake").key("a").body(ByteStream::from_static(b"x"));
    put.storage_class(class).send().await.unwrap();
    (twin, client)
}

fn asked(tier: Tier, days: Option<i32>) -> RestoreRequest {
    let tier = GlacierJobParameters::builder().tier(tier).build().unwrap();
    RestoreRequest::builder().glacier_job_parameters(tier).set_days(days).build()
}

/// Asks for a restore; the code of a refusal.
async fn restore(client: &Client, request: RestoreRequest, status: u16) -> Option<String> {
    let call = client.restore_object().bucket("lake").key("a").restore_request(request);
    let answer = call.customize().interceptor(Status(status)).send().await;
    answer.err().map(|error| code::<(), _>(Err(error)))
}

async fn header(client: &Client) -> (Option<String>, Option<ArchiveStatus>) {
    let head = client.head_object().bucket("lake").key("a").send().await.unwrap();
    (head.restore, head.archive_status)
}

async fn readable(client: &Client) -> bool {
    let copy = client.copy_object().bucket("lake").key("copy").copy_source("lake/a").send().await.is_ok();
    let read = client.get_object().bucket("lake").key("a").send().await.is_ok();
    assert_eq!(copy, read);
    read
}

#[rstest]
#[case::glacier_expedited(StorageClass::Glacier, Tier::Expedited, 5)]
#[case::glacier_standard(StorageClass::Glacier, Tier::Standard, 5 * 60)]
#[case::glacier_bulk(StorageClass::Glacier, Tier::Bulk, 12 * 60)]
#[case::deep_standard(StorageClass::DeepArchive, Tier::Standard, 12 * 60)]
#[case::deep_bulk(StorageClass::DeepArchive, Tier::Bulk, 48 * 60)]
#[tokio::test(start_paused = true)]
async fn archived_object_can_be_read_once_it_is_restored(
    #[case] class: StorageClass,
    #[case] tier: Tier,
    #[case] minutes: u64,
) {
    let (_twin, client) = lake(class).await;
    assert!(!readable(&client).await);
    assert_eq!(header(&client).await, (None, None));
    assert_eq!(restore(&client, asked(tier, Some(2)), 202).await, None);
    tokio::time::sleep(Duration::from_secs(minutes * 60 - 1)).await;
    assert_eq!(header(&client).await.0.as_deref(), Some(r#"ongoing-request="true""#));
    assert!(!readable(&client).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(header(&client).await.0.unwrap().starts_with(r#"ongoing-request="false", expiry-date=""#));
    assert!(readable(&client).await);
    assert_eq!(get(&client, "lake", "copy").await, b"x");
    tokio::time::sleep(Duration::from_secs(3 * 24 * 3600)).await;
    assert!(!readable(&client).await);
    assert_eq!(header(&client).await, (None, None));
}

#[tokio::test(start_paused = true)]
async fn restored_copy_goes_at_the_midnight_after_its_days_and_a_further_request_makes_them_anew() {
    let (twin, client) = lake(StorageClass::Glacier).await;
    restore(&client, asked(Tier::Standard, Some(3)), 202).await;
    tokio::time::sleep(Duration::from_secs(5 * 3600)).await;
    let expiry = |days: i64| {
        let end = twin.clock().now().as_second() + days * 24 * 3600;
        let midnight = jiff::Timestamp::from_second((end / 86_400 + 1) * 86_400).unwrap();
        let date = midnight.strftime("%a, %d %b %Y 00:00:00 GMT");
        format!(r#"ongoing-request="false", expiry-date="{date}""#)
    };
    assert_eq!(header(&client).await.0.unwrap(), expiry(3));
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(restore(&client, asked(Tier::Standard, Some(5)), 200).await, None);
    assert_eq!(header(&client).await.0.unwrap(), expiry(5));
}

#[rstest]
#[case::same(Tier::Standard, 2, Some("RestoreAlreadyInProgress"))]
#[case::slower(Tier::Bulk, 2, Some("RestoreAlreadyInProgress"))]
#[case::faster_for_other_days(Tier::Expedited, 3, Some("RestoreAlreadyInProgress"))]
#[case::faster(Tier::Expedited, 2, None)]
#[tokio::test(start_paused = true)]
async fn restore_under_way_can_only_be_made_faster(
    #[case] tier: Tier,
    #[case] days: i32,
    #[case] refused: Option<&str>,
) {
    let (_twin, client) = lake(StorageClass::Glacier).await;
    restore(&client, asked(Tier::Standard, Some(2)), 202).await;
    let status = if refused.is_some() { 409 } else { 202 };
    assert_eq!(restore(&client, asked(tier, Some(days)), status).await.as_deref(), refused);
    tokio::time::sleep(Duration::from_secs(5 * 60)).await;
    assert_eq!(readable(&client).await, refused.is_none());
}

#[rstest]
#[case::not_archived(StorageClass::Standard, Tier::Standard, Some(1), 403, "InvalidObjectState")]
#[case::instant(StorageClass::GlacierIr, Tier::Standard, Some(1), 403, "InvalidObjectState")]
#[case::without_days(StorageClass::Glacier, Tier::Standard, None, 400, "MalformedXML")]
#[case::no_days(StorageClass::Glacier, Tier::Standard, Some(0), 400, "MalformedXML")]
#[case::deep_and_expedited(StorageClass::DeepArchive, Tier::Expedited, Some(1), 400, "InvalidArgument")]
#[case::tier_without_archive(StorageClass::IntelligentTiering, Tier::Bulk, None, 403, "InvalidObjectState")]
#[tokio::test(start_paused = true)]
async fn restores_that_cannot_be_are_refused(
    #[case] class: StorageClass,
    #[case] tier: Tier,
    #[case] days: Option<i32>,
    #[case] status: u16,
    #[case] refused: &str,
) {
    let (_twin, client) = lake(class).await;
    assert_eq!(restore(&client, asked(tier, days), status).await.as_deref(), Some(refused));
}

#[rstest]
#[case::archive(ArchiveTier::ArchiveAccess, ArchiveStatus::ArchiveAccess, 12)]
#[case::deep(ArchiveTier::DeepArchiveAccess, ArchiveStatus::DeepArchiveAccess, 48)]
#[tokio::test(start_paused = true)]
async fn object_in_an_archive_tier_comes_back_for_good_and_knows_no_days(
    #[case] tier: ArchiveTier,
    #[case] status: ArchiveStatus,
    #[case] hours: u64,
) {
    let (twin, client) = lake(StorageClass::IntelligentTiering).await;
    assert!(readable(&client).await);
    assert!(twin.s3().archive("lake", "a", tier));
    assert!(!readable(&client).await);
    assert_eq!(header(&client).await, (None, Some(status)));
    assert_eq!(restore(&client, asked(Tier::Bulk, Some(1)), 400).await.as_deref(), Some("InvalidArgument"));
    assert_eq!(restore(&client, asked(Tier::Bulk, None), 202).await, None);
    tokio::time::sleep(Duration::from_secs(hours * 3600)).await;
    assert_eq!(header(&client).await, (None, None));
    tokio::time::sleep(Duration::from_secs(365 * 24 * 3600)).await;
    assert!(readable(&client).await);
    assert!(!twin.s3().archive("lake", "none", tier));
}
