//! HTTP to the endpoint: for the SDK's clients of jobs and inventories, and for requests that are handed on.

use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};

use super::S3Endpoint;
use crate::s3control::with_reasons;

/// Time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time from the request to the first byte of the answer. Stores copy large objects within one call.
const READ_TIMEOUT: Duration = Duration::from_secs(300);

/// Connections to the endpoint, shared by all clones. An endpoint that does not answer is an error that names it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    endpoint: S3Endpoint,
    http: SharedHttpConnector,
}

impl Wire {
    /// Connections are made when they are needed.
    pub(crate) fn new(endpoint: S3Endpoint) -> Self {
        let settings =
            HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let builder = Connector::builder().connector_settings(settings).sleep_impl(TokioSleep::new());
        // TLS reads the system's certificates, which plain HTTP can do without.
        let http = if endpoint.tls {
            SharedHttpConnector::new(builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build())
        } else {
            SharedHttpConnector::new(builder.build_http())
        };
        Self { endpoint, http }
    }

    pub(crate) fn endpoint(&self) -> &S3Endpoint {
        &self.endpoint
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move { wire.http.call(request).await.map_err(|error| wire.named(error)) })
    }
}

impl Wire {
    fn named(&self, error: ConnectorError) -> ConnectorError {
        let timeout = error.is_timeout();
        let text = format!(
            "the S3 endpoint {} does not answer ({}); check that it runs and that the twin was given its address",
            self.endpoint,
            with_reasons(&error)
        );
        if timeout { ConnectorError::timeout(text.into()) } else { ConnectorError::io(text.into()) }
    }
}
