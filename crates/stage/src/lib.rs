//! The worker runtime: what every stage of a run has in common.
//!
//! A [`Stage`] is the work behind one Task state and one SQS queue. A [`Worker`] receives the queue's messages, keeps the
//! task token alive with heartbeats while the stage works or waits, tries transient errors again, and reports the result to
//! Step Functions. [`host`] runs several workers in one process; [`main_of_worker`] is the whole of a worker's program.

pub mod aws;
mod body;
mod bus;
mod contract;
mod hosts;
mod joined;
mod message;
mod program;
pub mod settings;
mod telemetry;
mod worker;

pub use aws::{Aws, aws_error};
pub use body::Body;
pub use bus::EventBus;
pub use contract::*;
pub use hosts::{HostedWorker, host};
pub use joined::joined;
pub use message::{Message, MessageError, Wait};
pub use program::{main_of_worker, shutdown_on_signals};
pub use settings::{CommonSettings, NoSettings, SettingsError, parse_settings};
pub use telemetry::{LogFormat, init_telemetry};
pub use worker::{RetrySettings, Worker, WorkerError, WorkerSettings};
