//! The twin as a whole: what it is built from, and the ways in.

mod builder;
mod wiring;

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::TimeSource,
};
use aws_smithy_runtime_api::client::{http::HttpClient, stalled_stream_protection::StalledStreamProtectionConfig};
use levee_clock::Clock;

pub use self::builder::TwinBuilder;
use crate::{
    connector::Connector,
    events::{AcceptedEvent, EventBridge},
    faults::FaultPlan,
    gate::{CallCount, CallFilter, CallGate, RecordedCall},
    inventory::Inventory,
    router::Router,
    s3::S3Service,
    s3control::S3Control,
    scheduler::Scheduler,
    server::Server,
    service::Principal,
    sqs::Sqs,
};

/// A local AWS. Cheap to clone; it ends, with all its background work, when the last clone, connector and server is gone.
#[derive(Clone)]
pub struct Twin(Arc<Inner>);

struct Inner {
    clock: Clock,
    region: String,
    gate: Arc<CallGate>,
    router: Arc<Router>,
    events: Arc<EventBridge>,
    control: Arc<S3Control>,
    inventory: Inventory,
    queues: Arc<Sqs>,
    scheduler: Arc<Scheduler>,
    s3: S3Service,
}

impl Twin {
    /// A twin to be set up; every setting has a default.
    #[must_use]
    pub fn builder() -> TwinBuilder {
        TwinBuilder::default()
    }

    /// The HTTP client that answers the SDK from this twin, in process.
    #[must_use]
    pub fn connector(&self) -> Connector {
        Connector::new(Arc::clone(&self.0.router))
    }

    /// The configuration of SDK clients that call this twin in process as `principal` of `account`.
    #[must_use]
    pub fn sdk_config(&self, account: &str, principal: &Principal) -> SdkConfig {
        self.sdk_config_on(self.connector(), account, principal)
    }

    /// Like [`Twin::sdk_config`], on a connector of the caller's, for example one that dies ([`Connector::dying_after`]).
    #[must_use]
    pub fn sdk_config_on(&self, connector: Connector, account: &str, principal: &Principal) -> SdkConfig {
        sdk_config(connector, &self.0.clock, &self.0.region, account, principal)
    }

    /// The twin's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The calls made so far, oldest first; at most as many as the record keeps ([`TwinBuilder::record_limit`]).
    #[must_use]
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.0.gate.calls()
    }

    /// Those of [`Twin::calls`] that the filter takes.
    #[must_use]
    pub fn calls_where(&self, filter: &CallFilter) -> Vec<RecordedCall> {
        self.0.gate.calls_where(filter)
    }

    /// How many calls there have been of each kind with each outcome, also of those that the record has forgotten.
    #[must_use]
    pub fn call_counts(&self) -> Vec<CallCount> {
        self.0.gate.call_counts()
    }

    /// The gate: counts of calls, waiting for a call, the plan of faults.
    #[must_use]
    pub fn gate(&self) -> &CallGate {
        &self.0.gate
    }

    /// The plan of faults in force.
    #[must_use]
    pub fn faults(&self) -> FaultPlan {
        self.0.gate.faults()
    }

    /// Puts another plan of faults in force: for calls and messages from the next one on, for inventories from the next
    /// scan, for schedules from the next invocation, for jobs at once. Counts start again.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.0.set_faults(plan);
    }

    /// How often each rule of the plan in force has struck, by its place in the plan (`calls[0]`); rules that have not are
    /// absent.
    #[must_use]
    pub fn struck(&self) -> BTreeMap<String, u64> {
        self.0.gate.struck()
    }

    /// The events that the buses of all accounts accepted, oldest first; at most the last [`crate::events::EVENT_LIMIT`].
    #[must_use]
    pub fn events(&self) -> Vec<AcceptedEvent> {
        self.0.events.events()
    }

    /// The batch jobs.
    #[must_use]
    pub fn jobs(&self) -> &S3Control {
        &self.0.control
    }

    /// The inventory service: reports at once, what was delivered.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.0.inventory
    }

    /// The twin's own S3, for what no S3 call does: objects that are archived with time. It is empty when the twin stands in
    /// front of another S3.
    #[must_use]
    pub fn s3(&self) -> &S3Service {
        &self.0.s3
    }

    /// The queues: their messages can be waited for within the process.
    #[must_use]
    pub fn queues(&self) -> &Sqs {
        &self.0.queues
    }

    /// Serves the twin over TCP on `addr`; port 0 lets the system choose.
    ///
    /// # Errors
    /// The address cannot be listened on, for example because the port is in use; the text says what to do.
    pub async fn serve(&self, addr: SocketAddr) -> io::Result<Server> {
        Server::start(Arc::clone(&self.0.router), addr).await
    }
}

impl Inner {
    fn set_faults(&self, plan: FaultPlan) {
        self.control.set_faults((&plan).into());
        self.inventory.set_faults(plan.inventories.clone());
        self.queues.set_faults(plan.messages.clone());
        self.scheduler.set_faults(plan.schedules.clone());
        self.gate.set_faults(plan);
    }
}

/// The SDK's view of the twin's clock, for signatures.
#[derive(Debug)]
struct SdkTime(Clock);

impl TimeSource for SdkTime {
    fn now(&self) -> std::time::SystemTime {
        self.0.system_time()
    }
}

/// SDK settings for `principal` of `account` on `http`.
pub(crate) fn sdk_config(
    http: impl HttpClient + 'static,
    clock: &Clock,
    region: &str,
    account: &str,
    principal: &Principal,
) -> SdkConfig {
    let token = match principal {
        Principal::Root => None,
        Principal::Role(arn) => Some(format!("role:{arn}")),
        Principal::Service(name) => Some(format!("service:{name}")),
    };
    let credentials = Credentials::new(account, "twin", token, None, "levee-twin");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SdkTime(clock.clone()))
        // Bodies are whole in memory; on a paused clock a reader that thinks for long would look like a stalled stream.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}
