//! Putting the twin together.

use std::sync::Arc;

use levee_clock::Clock;

use super::{
    Inner, Twin,
    wiring::{Storage, Wiring},
};
use crate::{
    env::{Env, Gate, Ids},
    events::EventBridge,
    faults::FaultPlan,
    gate::{CallGate, RECORD_LIMIT},
    inventory::{Inventory, InventoryConfigurations, InventoryOptions},
    kms::Kms,
    page::{Page, Sources},
    router::{Router, Services, Sts},
    s3::{S3Data, S3Options, S3Service},
    s3_endpoint::S3Endpoint,
    s3control::{ControlOptions, S3Control},
    scheduler::{Scheduler, TargetServices},
    service::{HttpService, JsonService},
    sfn::StepFunctions,
    sns::Sns,
    sqs::{MessageWatcher, Sqs},
};

/// Spreads the count of twins on a folder over the seed.
const ANOTHER_LIFE: u64 = 0x9E37_79B9_7F4A_7C15;

/// The settings of a twin.
pub struct TwinBuilder {
    clock: Option<Clock>,
    seed: u64,
    region: String,
    default_account: String,
    faults: FaultPlan,
    record_limit: usize,
    control: ControlOptions,
    s3: S3Options,
    data: S3Data,
    inventories: InventoryOptions,
    s3_endpoint: Option<S3Endpoint>,
    message_watcher: Option<Arc<dyn MessageWatcher>>,
}

impl Default for TwinBuilder {
    fn default() -> Self {
        Self {
            clock: None,
            seed: 0,
            region: "us-east-1".to_owned(),
            default_account: "111111111111".to_owned(),
            faults: FaultPlan::default(),
            record_limit: RECORD_LIMIT,
            control: ControlOptions::default(),
            s3: S3Options::default(),
            data: S3Data::in_memory(),
            inventories: InventoryOptions::default(),
            s3_endpoint: None,
            message_watcher: None,
        }
    }
}

impl TwinBuilder {
    /// The clock that all services live by; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The seed of identifiers and of chance; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The Region of calls that name none, and of the in-process clients; `us-east-1` by default.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// The account of callers whose access key id is not a 12-digit account id; `111111111111` by default.
    #[must_use]
    pub fn default_account(mut self, account: impl Into<String>) -> Self {
        self.default_account = account.into();
        self
    }

    /// The plan of faults to begin with; none by default.
    #[must_use]
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = plan;
        self
    }

    /// How many calls the record keeps; [`RECORD_LIMIT`] by default. All calls are counted, whatever it keeps.
    #[must_use]
    pub fn record_limit(mut self, calls: usize) -> Self {
        self.record_limit = calls;
        self
    }

    /// How batch jobs behave.
    #[must_use]
    pub fn jobs(mut self, options: ControlOptions) -> Self {
        self.control = options;
        self
    }

    /// The largest object that S3 copies in one call, in bytes; 5 GiB by default, as on AWS.
    #[must_use]
    pub fn copy_limit_bytes(mut self, bytes: u64) -> Self {
        self.s3.copy_limit_bytes = bytes;
        self
    }

    /// What S3 holds and where: nothing in memory by default. [`S3Data::in_folder`] lets it survive the twin. What the other
    /// services hold is gone with the twin in any case.
    #[must_use]
    pub fn s3_data(mut self, data: S3Data) -> Self {
        self.data = data;
        self
    }

    /// How inventories are made and delivered.
    #[must_use]
    pub fn inventories(mut self, options: InventoryOptions) -> Self {
        self.inventories = options;
        self
    }

    /// Puts batch jobs and inventories in front of an S3 elsewhere, which holds the buckets in place of the twin's own S3; see
    /// [`crate::s3_endpoint`]. Sockets know no paused clock: for twins on the system's clock only.
    #[must_use]
    pub fn s3_endpoint(mut self, endpoint: S3Endpoint) -> Self {
        self.s3_endpoint = Some(endpoint);
        self
    }

    /// Has `watcher` told what becomes of every message of every queue.
    #[must_use]
    pub fn message_watcher(mut self, watcher: Arc<dyn MessageWatcher>) -> Self {
        self.message_watcher = Some(watcher);
        self
    }

    /// Starts the twin. Must be called inside a tokio runtime: timers and jobs run on it.
    #[must_use]
    pub fn build(self) -> Twin {
        let clock = self.clock.unwrap_or_else(Clock::system);
        // A twin that goes on with a folder must not draw the identifiers of the one before.
        let seed = self.seed ^ self.data.lives_before().wrapping_mul(ANOTHER_LIFE);
        let ids = Ids::new(seed);
        let gate = Arc::new(CallGate::new(clock.clone(), Ids::new(seed), self.record_limit));
        let env = Env { clock: clock.clone(), ids: ids.clone(), gate: Arc::clone(&gate) as Arc<dyn Gate> };
        let router = Arc::new(Router::new(self.default_account, self.region.clone(), Ids::new(!seed)));
        let sqs = Arc::new(Sqs::new(env.clone()).watched_by(self.message_watcher));
        let sns = Sns::new(env.clone(), Arc::clone(&sqs));
        let events = EventBridge::new(env.clone(), Arc::clone(&sqs), Arc::clone(&sns));
        let wiring = Wiring { sqs: Arc::clone(&sqs), sns: Arc::clone(&sns), events: Arc::clone(&events) };
        let states = Arc::new(StepFunctions::new(env.clone(), Arc::new(wiring)));
        let kms = Arc::new(Kms::new(env.clone()));
        let own = S3Service::new(env.clone(), self.s3, self.data, Arc::clone(&kms));
        let configurations = Arc::new(own.clone()) as Arc<dyn InventoryConfigurations>;
        // What an S3 elsewhere holds is not the page's to show.
        let s3_itself = own.clone();
        let shown = self.s3_endpoint.is_none().then(|| own.clone());
        let Storage { clients, s3 } = Storage::new(own, &env, &router, self.s3_endpoint);
        let control = Arc::new(S3Control::new(env.clone(), Arc::clone(&clients), self.control));
        let inventory = Inventory::new(env.clone(), clients, configurations, self.region.clone(), self.inventories);
        let executions: Arc<dyn JsonService> = Arc::clone(&states) as Arc<dyn JsonService>;
        events.connect(Arc::downgrade(&executions));
        let services = TargetServices {
            states: executions,
            sqs: Arc::clone(&sqs) as Arc<dyn JsonService>,
            sns: Arc::clone(&sns) as Arc<dyn JsonService>,
            events: Arc::clone(&events) as Arc<dyn JsonService>,
        };
        let scheduler = Arc::new(Scheduler::new(env.clone(), services));
        let page = Page::new(Sources {
            clock: clock.clone(),
            gate: Arc::clone(&gate),
            s3: shown,
            sqs: Arc::clone(&sqs),
            states: Arc::clone(&states),
            control: Arc::clone(&control),
            events: Arc::clone(&events),
            scheduler: Arc::clone(&scheduler),
        });
        router.plug(Services {
            gate: Some(Arc::clone(&env.gate)),
            page: Some(page),
            s3: Some(s3),
            s3control: Some(Arc::clone(&control) as Arc<dyn HttpService>),
            sqs: Some(Arc::clone(&sqs)),
            scheduler: Some(Arc::clone(&scheduler) as Arc<dyn HttpService>),
            states: Some(states),
            events: Some(Arc::clone(&events) as Arc<dyn JsonService>),
            kms: Some(kms),
            sns: Some(sns),
            sts: Some(Arc::new(Sts(env))),
        });
        let inner = Inner {
            clock,
            region: self.region,
            gate,
            router,
            events,
            control,
            inventory,
            queues: sqs,
            scheduler,
            s3: s3_itself,
        };
        inner.set_faults(self.faults);
        Twin(Arc::new(inner))
    }
}
