//! The twin through the real AWS SDK clients, one module per service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod twin {
    mod calls;
    mod common;
    mod events;
    mod gate;
    mod inventory;
    mod kms;
    mod notifications;
    mod page;
    mod s3;
    mod s3_endpoint;
    mod s3control;
    mod scheduler;
    mod server;
    mod sfn_common;
    mod sfn_language;
    mod sfn_recordings;
    mod sfn_redrive;
    mod sfn_tasks;
    mod sqs;
}
