//! Batch jobs and inventories in front of an S3 elsewhere: here that of another twin, reached over TCP.

use std::time::Duration;

use aws_sdk_s3::{
    Client as S3,
    config::{BehaviorVersion, Builder, Credentials, Region},
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{
        InventoryConfiguration, InventoryDestination, InventoryFormat, InventoryFrequency,
        InventoryIncludedObjectVersions, InventoryS3BucketDestination, InventorySchedule,
    },
};
use aws_sdk_s3control::types::{JobDescriptor, JobStatus};
use jiff::Timestamp;
use levee_twin::{Server, Twin, inventory::InventoryError, s3control::ControlOptions, service::Principal};

use super::{
    common::{BACKUP, WAREHOUSE},
    s3control::{MANIFESTS, SOURCE, TARGET, World},
};

/// A store, the endpoint at which it is served, and a twin in front of it.
struct Fronted {
    store: Twin,
    server: Server,
    world: World,
}

/// Sockets know no paused clock, so jobs take no time that they do not need.
fn front(url: &str) -> Twin {
    let now = Duration::ZERO;
    let jobs = ControlOptions {
        new: now,
        preparing: now,
        ready: now,
        closing: now,
        tasks_per_second: 0,
        ..ControlOptions::default()
    };
    Twin::builder().jobs(jobs).s3_endpoint(url.parse().unwrap()).build()
}

impl Fronted {
    async fn new() -> Self {
        let store = Twin::builder().build();
        let server = store.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let world = World::of(front(&server.url())).await;
        Self { store, server, world }
    }

    /// A client of the store itself.
    fn direct(&self, account: &str) -> S3 {
        S3::new(&self.store.sdk_config(account, &Principal::Root))
    }

    async fn configure(&self, client: &S3, bucket: &str) -> Result<(), String> {
        let target = InventoryS3BucketDestination::builder()
            .account_id(BACKUP)
            .bucket(format!("arn:aws:s3:::{MANIFESTS}"))
            .format(InventoryFormat::Csv)
            .build()
            .unwrap();
        let configuration = InventoryConfiguration::builder()
            .id("daily")
            .is_enabled(true)
            .included_object_versions(InventoryIncludedObjectVersions::Current)
            .schedule(InventorySchedule::builder().frequency(InventoryFrequency::Daily).build().unwrap())
            .destination(InventoryDestination::builder().s3_bucket_destination(target).build())
            .build()
            .unwrap();
        let put = client.put_bucket_inventory_configuration().bucket(bucket).id("daily");
        let put = put.inventory_configuration(configuration).send().await;
        put.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
    }

    /// Lets S3 deliver inventories of the source, in the name of its account only.
    async fn allow_delivery(&self) {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"s3.amazonaws.com"}},
              "Action":"s3:PutObject","Resource":"arn:aws:s3:::{MANIFESTS}/*",
              "Condition":{{"ArnLike":{{"aws:SourceArn":"arn:aws:s3:::{SOURCE}"}},
               "StringEquals":{{"aws:SourceAccount":"{WAREHOUSE}"}}}}}}]}}"#
        );
        self.world.backup.put_bucket_policy().bucket(MANIFESTS).policy(policy).send().await.unwrap();
    }
}

/// Looks until the job has ended; the looks let the job go on, so nothing sleeps.
async fn ended(world: &World, id: &str) -> JobDescriptor {
    let look = async {
        loop {
            let job = world.describe(id).await;
            if matches!(job.status(), Some(JobStatus::Complete | JobStatus::Failed)) {
                return job;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("the job ends within a minute")
}

fn scan() -> Timestamp {
    "2026-04-02T01:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn job_copies_objects_of_the_endpoint_and_reports_into_it() {
    let fronted = Fronted::new().await;
    let world = &fronted.world;
    world.put("date=1/a b+c.txt", "one").await;
    world.put("gone", "two").await;
    let etag =
        world.put_manifest("m.csv", format!("{SOURCE},date%3D1/a%20b%2Bc.txt\n{SOURCE},gone\n").as_bytes()).await;
    fronted.direct(WAREHOUSE).delete_object().bucket(SOURCE).key("gone").send().await.unwrap();
    let id = world.create(world.job("m.csv", &etag, false)).await;
    assert_eq!(ended(world, &id).await.status(), Some(&JobStatus::Complete));
    let copied = fronted.direct(BACKUP).get_object().bucket(TARGET).key("date=1/a b+c.txt").send().await.unwrap();
    assert_eq!(copied.body.collect().await.unwrap().to_vec(), b"one");
    let outcomes: Vec<(String, bool, String)> =
        world.report(&id).await.into_iter().map(|row| (row.key, row.succeeded, row.code)).collect();
    let expected =
        [("date=1/a b+c.txt".to_owned(), true, String::new()), ("gone".to_owned(), false, "NoSuchKey".to_owned())];
    assert_eq!(outcomes, expected);
}

#[tokio::test]
async fn job_reads_as_its_role_so_the_policy_of_the_endpoint_decides() {
    let fronted = Fronted::new().await;
    let world = &fronted.world;
    world.put("a", "one").await;
    let etag = world.put_manifest("m.csv", format!("{SOURCE},a\n").as_bytes()).await;
    fronted.direct(WAREHOUSE).delete_bucket_policy().bucket(SOURCE).send().await.unwrap();
    let id = world.create(world.job("m.csv", &etag, false)).await;
    ended(world, &id).await;
    assert_eq!(world.report(&id).await[0].code, "AccessDenied");
}

#[tokio::test]
async fn inventory_is_configured_at_the_twin_and_delivered_into_the_endpoint_as_the_service() {
    let fronted = Fronted::new().await;
    fronted.world.put("a", "one").await;
    fronted.allow_delivery().await;
    fronted.configure(&fronted.world.source, SOURCE).await.unwrap();
    let listed = fronted.world.source.list_bucket_inventory_configurations().bucket(SOURCE).send().await.unwrap();
    assert_eq!(listed.inventory_configuration_list()[0].id(), "daily");
    let unknown = fronted.direct(WAREHOUSE).list_bucket_inventory_configurations().bucket(SOURCE).send().await.unwrap();
    assert!(unknown.inventory_configuration_list().is_empty(), "the store has heard of the configuration");

    let delivery = fronted.world.twin.inventory().deliver_now(SOURCE, "daily", scan()).await.unwrap();
    let (bucket, key) = delivery.result.unwrap();
    let manifest = fronted.direct(BACKUP).get_object().bucket(bucket).key(key).send().await.unwrap();
    let manifest = levee_formats::inventory::Manifest::parse(&manifest.body.collect().await.unwrap().to_vec()).unwrap();
    assert_eq!((manifest.source_bucket.as_str(), manifest.files.len()), (SOURCE, 1));
}

#[tokio::test]
async fn configuration_needs_a_bucket_that_the_endpoint_shows_to_the_caller() {
    let fronted = Fronted::new().await;
    let source = &fronted.world.source;
    assert_eq!(fronted.configure(source, "no-such-lake").await.unwrap_err(), "NoSuchBucket");
    assert_eq!(fronted.configure(&fronted.world.backup, SOURCE).await.unwrap_err(), "AccessDenied");
    let absent = source.get_bucket_inventory_configuration().bucket(SOURCE).id("daily").send().await.unwrap_err();
    assert_eq!(absent.code(), Some("NoSuchConfiguration"));
}

#[tokio::test]
async fn other_requests_reach_the_endpoint_as_they_came() {
    let fronted = Fronted::new().await;
    let server = fronted.world.twin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(BACKUP, "any", None, None, "test"))
        .endpoint_url(server.url())
        .force_path_style(true)
        .build();
    let client = S3::from_conf(config);
    let key = "date=1/ü+ %2B.txt";
    let put = client.put_object().bucket(TARGET).key(key).metadata("origin", "west").tagging("kind=a%20b");
    put.body(ByteStream::from_static(b"hello")).send().await.unwrap();
    let head = client.head_object().bucket(TARGET).key(key).send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.metadata().unwrap()["origin"], "west");
    let part = client.get_object().bucket(TARGET).key(key).range("bytes=1-2").send().await.unwrap();
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"el");
    let again = client.put_object().bucket(TARGET).key(key).if_none_match("*").send().await.unwrap_err();
    assert_eq!(again.code(), Some("PreconditionFailed"));
    let absent = client.get_object().bucket(TARGET).key("nothing").send().await.unwrap_err();
    assert!(absent.into_service_error().is_no_such_key());
    let stored = fronted.direct(BACKUP).get_object_tagging().bucket(TARGET).key(key).send().await.unwrap();
    assert_eq!(stored.tag_set()[0].value(), "a b");
    let recorded = fronted.world.twin.calls();
    let recorded = recorded.iter().find(|call| call.service == "s3" && call.operation == "HEAD").unwrap();
    assert_eq!(recorded.account, BACKUP);
}

#[tokio::test]
async fn endpoint_that_is_gone_is_named_in_failed_jobs_deliveries_and_answers() {
    let fronted = Fronted::new().await;
    let Fronted { server, world, .. } = &fronted;
    fronted.configure(&world.source, SOURCE).await.unwrap();
    let url = server.url();
    let Fronted { server, world, .. } = fronted;
    server.shutdown().await;

    let id = world.create(world.job("m.csv", "00000000000000000000000000000000", false)).await;
    let job = ended(&world, &id).await;
    assert_eq!(job.status(), Some(&JobStatus::Failed));
    let reason = job.failure_reasons()[0].failure_reason().unwrap().to_owned();
    assert!(reason.contains(&url) && reason.contains("does not answer"), "{reason}");

    let error = world.twin.inventory().deliver_now(SOURCE, "daily", scan()).await.unwrap_err();
    assert!(matches!(&error, InventoryError::Scan { why, .. } if why.contains(&url)), "{error}");

    let error = world.source.list_buckets().send().await.unwrap_err();
    assert_eq!(error.code(), Some("ServiceUnavailable"));
    assert!(error.message().unwrap().contains(&url), "{error:?}");
}

#[tokio::test]
async fn endpoint_that_leads_back_to_the_twin_is_refused() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let twin = front(&format!("http://{free}"));
    let _server = twin.serve(free).await.unwrap();
    let error = S3::new(&twin.sdk_config(BACKUP, &Principal::Root)).list_buckets().send().await.unwrap_err();
    assert!(error.message().unwrap().contains("leads back to this twin"), "{error:?}");
}
