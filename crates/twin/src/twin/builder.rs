//! Putting the twin together.

use std::sync::Arc;

use levee_clock::Clock;

use super::{
    Inner, Twin,
    wiring::{InnerClients, Wiring},
};
use crate::{
    env::{Env, Gate, Ids},
    events::EventBridge,
    gate::{CallGate, FaultPlan},
    inventory::{Inventory, InventoryConfigurations, InventoryOptions},
    router::{Router, Services, Sts},
    s3::{S3Data, S3Options, S3Service},
    s3control::{ControlOptions, S3Clients, S3Control},
    service::{HttpService, JsonService},
    sfn::StepFunctions,
    sns::Sns,
    sqs::Sqs,
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
    control: ControlOptions,
    s3: S3Options,
    data: S3Data,
    inventories: InventoryOptions,
}

impl Default for TwinBuilder {
    fn default() -> Self {
        Self {
            clock: None,
            seed: 0,
            region: "us-east-1".to_owned(),
            default_account: "111111111111".to_owned(),
            faults: FaultPlan::default(),
            control: ControlOptions::default(),
            s3: S3Options::default(),
            data: S3Data::in_memory(),
            inventories: InventoryOptions::default(),
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

    /// How batch jobs behave, with the faults of jobs and of their rows.
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

    /// How inventories are made and delivered, with their faults.
    #[must_use]
    pub fn inventories(mut self, options: InventoryOptions) -> Self {
        self.inventories = options;
        self
    }

    /// Starts the twin. Must be called inside a tokio runtime: timers and jobs run on it.
    #[must_use]
    pub fn build(mut self) -> Twin {
        agree(&mut self.faults.jobs, &mut self.control.faults);
        agree(&mut self.faults.inventories, &mut self.inventories.faults);
        let clock = self.clock.unwrap_or_else(Clock::system);
        // A twin that goes on with a folder must not draw the identifiers of the one before.
        let seed = self.seed ^ self.data.lives_before().wrapping_mul(ANOTHER_LIFE);
        let ids = Ids::new(seed);
        // Faults draw from a stream of their own, so that a plan does not change the identifiers.
        let gate = Arc::new(CallGate::new(clock.clone(), Ids::new(seed ^ 0xFA17), self.faults));
        let env = Env { clock: clock.clone(), ids: ids.clone(), gate: Arc::clone(&gate) as Arc<dyn Gate> };
        let router = Arc::new(Router::new(self.default_account, self.region.clone(), Ids::new(!seed)));
        let sqs = Arc::new(Sqs::new(env.clone()));
        let sns = Arc::new(Sns::new(env.clone(), Arc::clone(&sqs)));
        let events = Arc::new(EventBridge::new(env.clone(), Arc::clone(&sqs), Arc::clone(&sns)));
        let wiring = Wiring { sqs: Arc::clone(&sqs), sns: Arc::clone(&sns), events: Arc::clone(&events) };
        let states = StepFunctions::new(env.clone(), Arc::new(wiring));
        let clients: Arc<dyn S3Clients> =
            Arc::new(InnerClients { router: Arc::downgrade(&router), clock: clock.clone() });
        let control = Arc::new(S3Control::new(env.clone(), Arc::clone(&clients), self.control));
        let s3 = Arc::new(S3Service::new(env.clone(), self.s3, self.data));
        let configurations = Arc::clone(&s3) as Arc<dyn InventoryConfigurations>;
        let inventory = Inventory::new(env.clone(), clients, configurations, self.region.clone(), self.inventories);
        router.plug(Services {
            s3: Some(s3),
            s3control: Some(Arc::clone(&control) as Arc<dyn HttpService>),
            sqs: Some(sqs),
            states: Some(Arc::new(states)),
            events: Some(Arc::clone(&events) as Arc<dyn JsonService>),
            sns: Some(sns),
            sts: Some(Arc::new(Sts(env))),
        });
        Twin(Arc::new(Inner { clock, region: self.region, gate, router, events, control, inventory }))
    }
}

/// Faults can be given in the plan or in a service's own options; the plan comes first.
fn agree<T: Clone + Default + PartialEq>(plan: &mut T, option: &mut T) {
    if *plan == T::default() {
        plan.clone_from(option);
    } else {
        option.clone_from(plan);
    }
}
