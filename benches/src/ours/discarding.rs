//! An S3 that takes everything and keeps nothing: figures are then those of a worker with an endless network.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};

/// A client of it.
#[must_use]
pub fn discarding() -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "bench")))
        .http_client(Discarding)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

#[derive(Clone, Debug)]
struct Discarding;

impl HttpClient for Discarding {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Discarding {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(async move {
            let query = request.uri().split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
            let answer = match (request.method(), query.contains("uploadId")) {
                ("POST", false) => {
                    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                }
                ("POST", true) => "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
                _ => "",
            };
            let status = StatusCode::try_from(200).map_err(|error| ConnectorError::other(Box::new(error), None))?;
            let mut response = HttpResponse::new(status, answer.into());
            response.headers_mut().insert("etag", "\"e\"");
            Ok(response)
        })
    }
}
