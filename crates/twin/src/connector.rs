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

use crate::{gate::standing, router::Router};

/// An HTTP client for the AWS SDK that answers from the twin in this process. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    router: Link,
    client: Client,
}

/// Who is behind a connector.
#[derive(Clone)]
enum Client {
    Ordinary,
    Mortal(Arc<Life>),
    Sheltered,
}

/// A client outside the twin keeps it alive; the twin's own clients (of batch jobs, of inventories) must not.
#[derive(Clone)]
enum Link {
    Strong(Arc<Router>),
    Weak(Weak<Router>),
}

struct Life {
    /// How many calls are left; no count for a client that only the plan of faults can kill.
    left: Option<AtomicU64>,
    ended: CancellationToken,
}

impl Connector {
    /// A connector that keeps `router` alive.
    pub(crate) fn new(router: Arc<Router>) -> Self {
        Self { router: Link::Strong(router), client: Client::Ordinary }
    }

    /// A connector that fails once the twin is gone; for clients that the twin's own services hold.
    pub(crate) fn weak(router: Weak<Router>) -> Self {
        Self { router: Link::Weak(router), client: Client::Ordinary }
    }

    /// The same connector for a client that dies after `calls` calls: these are answered, every later one neither reaches
    /// the twin nor returns. The token is cancelled when the first such call is made, so that a test can drop the client
    /// as if its process had been killed there. SDK retries count as calls. The plan of faults can kill it earlier.
    #[must_use]
    pub fn dying_after(&self, calls: u64) -> (Self, CancellationToken) {
        self.living(Some(AtomicU64::new(calls)))
    }

    /// The same connector for a client that the plan of faults can kill ([`crate::faults::FaultAnswer::Death`]). Then the
    /// token is cancelled and no call of the client returns any more, those under way included; whoever hosts the client
    /// drops it, as the end of its process would.
    #[must_use]
    pub fn mortal(&self) -> (Self, CancellationToken) {
        self.living(None)
    }

    /// The same connector for a client that only watches or prepares: no planned fault strikes its calls, and none counts
    /// them.
    #[must_use]
    pub fn sheltered(&self) -> Self {
        Self { router: self.router.clone(), client: Client::Sheltered }
    }

    fn living(&self, left: Option<AtomicU64>) -> (Self, CancellationToken) {
        let ended = CancellationToken::new();
        let life = Life { left, ended: ended.clone() };
        (Self { router: self.router.clone(), client: Client::Mortal(Arc::new(life)) }, ended)
    }
}

impl Life {
    /// Carries out a call unless the client is dead or dies over it: then it never returns.
    async fn spend<T>(&self, call: impl Future<Output = T>) -> T {
        let take = |left: u64| left.checked_sub(1);
        let spent = |left: &AtomicU64| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err();
        if self.left.as_ref().is_some_and(spent) {
            self.ended.cancel();
        }
        tokio::select! {
            biased;
            () = self.ended.cancelled() => {}
            answer = standing::mortal(call) => match answer {
                Some(answer) => return answer,
                None => self.ended.cancel(),
            },
        }
        std::future::pending().await
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
            let router = match &connector.router {
                Link::Strong(router) => Arc::clone(router),
                Link::Weak(router) => {
                    router.upgrade().ok_or_else(|| ConnectorError::io("the twin has been dropped".into()))?
                }
            };
            let call = exchange(&router, request);
            match &connector.client {
                Client::Ordinary => call.await,
                Client::Mortal(life) => life.spend(call).await,
                Client::Sheltered => standing::sheltered(call).await,
            }
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
