//! The way into the twin without a network: an HTTP client for the AWS SDK that hands each request to the router in process.
//!
//! Nothing here touches a socket, a thread or the system clock, so that SDK clients on this connector work on a paused
//! tokio runtime.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::Response,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;

use crate::router::Router;

/// An HTTP client for the AWS SDK that answers from the twin in this process. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    router: Link,
    life: Option<Arc<Life>>,
}

/// A client outside the twin keeps it alive; the twin's own clients (of batch jobs, of inventories) must not.
#[derive(Clone)]
enum Link {
    Strong(Arc<Router>),
    Weak(Weak<Router>),
}

struct Life {
    left: AtomicU64,
    ended: CancellationToken,
}

impl Connector {
    /// A connector that keeps `router` alive.
    pub(crate) fn new(router: Arc<Router>) -> Self {
        Self { router: Link::Strong(router), life: None }
    }

    /// A connector that fails once the twin is gone; for clients that the twin's own services hold.
    pub(crate) fn weak(router: Weak<Router>) -> Self {
        Self { router: Link::Weak(router), life: None }
    }

    /// The same connector for a client that dies after `calls` calls: these are answered, every later one neither reaches
    /// the twin nor returns. The token is cancelled when the first such call is made, so that a test can drop the client
    /// as if its process had been killed there. SDK retries count as calls.
    #[must_use]
    pub fn dying_after(&self, calls: u64) -> (Self, CancellationToken) {
        let ended = CancellationToken::new();
        let life = Life { left: AtomicU64::new(calls), ended: ended.clone() };
        (Self { router: self.router.clone(), life: Some(Arc::new(life)) }, ended)
    }
}

impl Life {
    /// Takes one call from what is left; never returns when nothing is.
    async fn spend(&self) {
        let spent = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if spent.is_err() {
            self.ended.cancel();
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move {
            if let Some(life) = &connector.life {
                life.spend().await;
            }
            let router = match &connector.router {
                Link::Strong(router) => Arc::clone(router),
                Link::Weak(router) => {
                    router.upgrade().ok_or_else(|| ConnectorError::io("the twin has been dropped".into()))?
                }
            };
            exchange(&router, request).await
        })
    }
}

async fn exchange(router: &Router, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
    let response = router.handle(http::Request::from_parts(parts, body)).await;
    Response::try_from(response.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
}
