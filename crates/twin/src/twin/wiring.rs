//! What the services of the twin reach of each other.

use std::sync::{Arc, Weak};

use levee_clock::Clock;

use crate::{
    connector::Connector,
    env::Env,
    events::EventBridge,
    router::Router,
    s3::S3Service,
    s3_endpoint::{Front, S3Endpoint, Wire},
    s3control::S3Clients,
    service::{Caller, HttpService, JsonService},
    sfn::{Integrations, StatusChange},
    sns::Sns,
    sqs::Sqs,
};

/// The services that Step Functions calls, and the bus that its status changes go to.
pub(super) struct Wiring {
    pub(super) sqs: Arc<Sqs>,
    pub(super) sns: Arc<Sns>,
    pub(super) events: Arc<EventBridge>,
}

impl Integrations for Wiring {
    fn service(&self, name: &str) -> Option<Arc<dyn JsonService>> {
        match name {
            "sqs" => Some(Arc::clone(&self.sqs) as Arc<dyn JsonService>),
            "sns" => Some(Arc::clone(&self.sns) as Arc<dyn JsonService>),
            "events" => Some(Arc::clone(&self.events) as Arc<dyn JsonService>),
            _ => None,
        }
    }

    fn status_changed(&self, change: StatusChange) {
        self.events.status_changed(change);
    }
}

/// The S3 that callers reach, and the way in which jobs and inventories reach it.
pub(super) struct Storage {
    pub(super) clients: Arc<dyn S3Clients>,
    pub(super) s3: Arc<dyn HttpService>,
}

impl Storage {
    /// The twin's own S3, or the one at `endpoint` with inventory configurations in `own`.
    pub(super) fn new(own: S3Service, env: &Env, router: &Arc<Router>, endpoint: Option<S3Endpoint>) -> Self {
        let clock = env.clock.clone();
        let Some(endpoint) = endpoint else {
            return Self {
                clients: Arc::new(InnerClients { router: Arc::downgrade(router), clock, s3: own.clone() }),
                s3: Arc::new(own),
            };
        };
        let wire = Wire::new(endpoint);
        let clients: Arc<dyn S3Clients> = Arc::new(EndpointClients { wire: wire.clone(), clock, s3: own.clone() });
        let s3 = Arc::new(Front::new(env.clone(), wire, Arc::clone(&clients), own));
        Self { clients, s3 }
    }
}

/// S3 clients for the twin's own services: they come in through the router like everybody else.
struct InnerClients {
    /// Weak, because the router holds the services that hold these clients.
    router: Weak<Router>,
    clock: Clock,
    /// Knows the owners of buckets.
    s3: S3Service,
}

/// S3 clients of an endpoint elsewhere.
struct EndpointClients {
    wire: Wire,
    clock: Clock,
    /// Knows the owners of buckets with inventory configurations.
    s3: S3Service,
}

impl S3Clients for EndpointClients {
    fn client(&self, caller: &Caller) -> aws_sdk_s3::Client {
        let wire = self.wire.clone();
        let config = super::sdk_config(wire, &self.clock, &caller.region, &caller.account, &caller.principal);
        let builder = aws_sdk_s3::config::Builder::from(&config).endpoint_url(self.wire.endpoint().url());
        aws_sdk_s3::Client::from_conf(builder.force_path_style(true).build())
    }

    fn owner(&self, bucket: &str) -> Option<String> {
        self.s3.owner(bucket)
    }
}

impl S3Clients for InnerClients {
    fn client(&self, caller: &Caller) -> aws_sdk_s3::Client {
        let connector = Connector::weak(self.router.clone());
        let config = super::sdk_config(connector, &self.clock, &caller.region, &caller.account, &caller.principal);
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
    }

    fn owner(&self, bucket: &str) -> Option<String> {
        self.s3.owner(bucket)
    }
}
