//! S3 through the SDK.

mod access;
mod archived;
mod buckets;
mod copies;
mod folder;
mod keys;
mod listings;
mod locks;
mod multipart;
mod objects;
mod sparse;

use aws_sdk_s3::{Client, error::ProvideErrorMetadata};
use levee_twin::{Twin, service::Principal};

/// A client of the account's root.
pub(crate) fn root(twin: &Twin, account: &str) -> Client {
    client(twin, account, &Principal::Root)
}

pub(crate) fn client(twin: &Twin, account: &str, principal: &Principal) -> Client {
    Client::new(&twin.sdk_config(account, principal))
}

/// The error code of a call that is meant to fail.
pub(crate) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, E>) -> String {
    let error = result.expect_err("the call is refused");
    error.code().unwrap_or_else(|| panic!("no code in {error:?}")).to_owned()
}

/// Makes a bucket and, where asked, turns versioning on.
pub(crate) async fn bucket(client: &Client, name: &str, versioned: bool) {
    use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
    client.create_bucket().bucket(name).send().await.unwrap();
    if versioned {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        client.put_bucket_versioning().bucket(name).versioning_configuration(enabled).send().await.unwrap();
    }
}

/// Puts an object and returns its version id.
pub(crate) async fn put(client: &Client, bucket: &str, key: &str, body: &str) -> Option<String> {
    let body = aws_sdk_s3::primitives::ByteStream::from(body.as_bytes().to_vec());
    client.put_object().bucket(bucket).key(key).body(body).send().await.unwrap().version_id
}

/// Gets an object's bytes.
pub(crate) async fn get(client: &Client, bucket: &str, key: &str) -> Vec<u8> {
    let output = client.get_object().bucket(bucket).key(key).send().await.unwrap();
    output.body.collect().await.unwrap().to_vec()
}
