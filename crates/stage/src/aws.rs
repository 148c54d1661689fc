//! The AWS clients that stages and the runtime share.

mod errors;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3control::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use aws_smithy_async::rt::sleep::TokioSleep;

pub use errors::{aws_error, error_code, http_status, is_taken, is_transient};

/// Attempts that the SDK makes by itself for one call, the first included. Small, because the runtime tries whole stages
/// again with its own backoff: two layers of long retries would multiply.
const SDK_ATTEMPTS: u32 = 3;
/// Time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time from the request to the first byte of the answer. Above the 20 s of a long poll.
const READ_TIMEOUT: Duration = Duration::from_secs(40);

/// The clients of the services that Levee calls. Cheap to clone; clones share connections and credentials.
#[derive(Clone, Debug)]
pub struct Aws {
    /// Amazon S3. Path-style addresses when an endpoint URL is configured.
    pub s3: aws_sdk_s3::Client,
    /// Amazon S3 Control (Batch Operations). With an endpoint URL the account stays out of the host name.
    pub s3control: aws_sdk_s3control::Client,
    /// Amazon SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// AWS Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// Amazon EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// AWS Key Management Service.
    pub kms: aws_sdk_kms::Client,
}

impl Aws {
    /// Clients from the SDK's own configuration: Region, credentials and endpoints as it says. Time-outs and retries that
    /// it leaves open get values that fit the runtime.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = with_defaults(config);
        Self {
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&config)
                    .force_path_style(endpoint_of(&config, "S3").is_some())
                    .build(),
            ),
            s3control: s3control(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            sfn: aws_sdk_sfn::Client::new(&config),
            events: aws_sdk_eventbridge::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
        }
    }

    /// Clients from the environment: the SDK's default chain of Region, credentials and endpoint settings.
    pub async fn from_env() -> Self {
        Self::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
    }
}

/// The configuration with values for the time-outs and retries that it leaves open; for clients of other services.
#[must_use]
pub fn with_defaults(config: &SdkConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let timeouts = match config.timeout_config() {
        Some(configured) => configured.to_builder().take_unset_from(timeouts.to_builder()).build(),
        None => timeouts,
    };
    let mut builder = config.clone().into_builder();
    if config.retry_config().is_none() {
        builder = builder.retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS));
    }
    if config.sleep_impl().is_none() {
        builder = builder.sleep_impl(TokioSleep::new());
    }
    builder.timeout_config(timeouts).build()
}

fn s3control(config: &SdkConfig) -> aws_sdk_s3control::Client {
    let builder = aws_sdk_s3control::config::Builder::from(config);
    let builder = match endpoint_of(config, "S3 Control") {
        Some(url) => builder.endpoint_resolver(FixedEndpoint(url)),
        None => builder,
    };
    aws_sdk_s3control::Client::from_conf(builder.build())
}

/// The endpoint URL that is configured for a service (by its service id), or for all of them.
fn endpoint_of(config: &SdkConfig, service: &str) -> Option<String> {
    let variable = format!("AWS_ENDPOINT_URL_{}", service.replace(' ', "_").to_uppercase());
    let own = std::env::var(variable).ok().filter(|url| !url.is_empty());
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Sends every call to one URL. The service's own rules put the account in front of the host, which no local endpoint
/// resolves; the account is in the `x-amz-account-id` header of every call anyway.
#[derive(Debug)]
struct FixedEndpoint(String);

impl ResolveEndpoint for FixedEndpoint {
    fn resolve_endpoint<'a>(&'a self, _params: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).build()))
    }
}
