//! What the services of the twin reach of each other.

use std::sync::{Arc, Weak};

use levee_clock::Clock;

use crate::{
    connector::Connector,
    events::EventBridge,
    router::Router,
    s3::S3Service,
    s3control::S3Clients,
    service::{Caller, JsonService},
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

/// S3 clients for the twin's own services: they come in through the router like everybody else.
pub(super) struct InnerClients {
    /// Weak, because the router holds the services that hold these clients.
    pub(super) router: Weak<Router>,
    pub(super) clock: Clock,
    /// Knows the owners of buckets.
    pub(super) s3: S3Service,
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
