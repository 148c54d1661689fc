//! The twin: a local AWS on which Levee's nights run.
//!
//! [`Twin`] puts the services together. AWS clients reach it in two ways: in process, as the HTTP connector of the Rust
//! SDK ([`Twin::connector`], [`Twin::sdk_config`]), where everything works on a paused tokio clock; and as a TCP endpoint.
//! What is not modelled is refused by name, never pretended.

pub mod connector;
pub mod env;
pub mod events;
pub mod facts;
pub mod faults;
pub mod gate;
pub mod inventory;
pub mod kms;
pub mod needs;
mod page;
mod retry;
pub mod router;
pub mod s3;
pub mod s3_endpoint;
pub mod s3control;
pub mod scheduler;
pub mod server;
pub mod service;
pub mod sfn;
pub mod sns;
pub mod sqs;
mod timetable;
pub mod twin;

pub use self::{
    connector::Connector,
    facts::Fact,
    faults::{FaultPlan, When},
    gate::{CallCount, CallFault, CallFilter, FaultAnswer, Outcome, OutcomeFilter, RecordedCall},
    needs::Need,
    s3_endpoint::S3Endpoint,
    server::Server,
    twin::{Twin, TwinBuilder},
};
