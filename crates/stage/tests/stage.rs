//! The worker runtime on the twin's queues and state machines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "stage/message.rs"]
mod message;
#[path = "stage/messages_of_others.rs"]
mod messages_of_others;
#[path = "stage/places.rs"]
mod places;
#[path = "stage/results.rs"]
mod results;
#[path = "stage/settings.rs"]
mod settings;
#[path = "stage/shutdown.rs"]
mod shutdown;
#[path = "stage/support.rs"]
mod support;
#[path = "stage/waits.rs"]
mod waits;
