//! The program, and a twin that it reaches over TCP.

use std::process::{Command, Output};

use levee_twin::{Server, Twin, service::Principal};

pub(crate) const ACCOUNT: &str = "222222222222";

/// The program with these arguments and none of this process's AWS settings.
pub(crate) fn levee(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_levee"));
    command.args(arguments).env_clear();
    command
}

/// A twin on a port of its own.
pub(crate) struct Served {
    pub(crate) twin: Twin,
    server: Server,
}

impl Served {
    pub(crate) async fn new() -> Self {
        let twin = Twin::builder().build();
        let server = twin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { twin, server }
    }

    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.twin.sdk_config(ACCOUNT, &Principal::Root))
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// The program, pointed at the twin as `levee twin` says.
    pub(crate) fn levee(&self, arguments: &[&str]) -> Command {
        let mut command = levee(arguments);
        let url = self.server.url();
        command.env("AWS_ENDPOINT_URL_S3_CONTROL", url.replace("http://", "http://twin@")).env("AWS_ENDPOINT_URL", url);
        command.env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", ACCOUNT).env("AWS_SECRET_ACCESS_KEY", "twin");
        command
    }
}

/// Runs it to its end without standing in the way of the twin.
pub(crate) fn run(mut command: Command) -> Output {
    tokio::task::block_in_place(|| command.output().unwrap())
}
