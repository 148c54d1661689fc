//! `levee twin`: the local AWS on a TCP port.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use levee_stage::{LogFormat, init_telemetry};
use levee_twin::{FaultPlan, S3Endpoint, Twin, inventory::InventoryOptions, s3::S3Data, s3control::ControlOptions};

use crate::{exit, faults};

/// The settings of `levee twin`.
#[derive(Clone, Debug, clap::Args)]
pub struct TwinSettings {
    /// The TCP port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 4566)]
    pub port: u16,

    /// The address to listen on. The twin checks no signatures: anybody who reaches it can use it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// Region of calls that name none
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub region: String,

    /// Account of callers whose access key id is not a 12-digit account id
    #[arg(long, value_name = "ACCOUNT", default_value = "222222222222", value_parser = account)]
    pub account: String,

    /// Seed of identifiers
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,

    /// Keep what S3 holds in this folder, so that it is there again when the twin is started on it once more: buckets with
    /// their settings, all versions of objects, unfinished uploads. Everything else is gone when the twin ends: queues and
    /// their messages, state machines and executions, batch jobs, topics, rules and events. Without it all is in memory
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Seconds between the inventories of a bucket; the first comes at once. AWS makes them daily or weekly
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(60..))]
    pub inventory_every: u32,

    /// Let inventories and batch jobs take the time that they take on AWS
    #[arg(long, conflicts_with = "inventory_every")]
    pub aws_pace: bool,

    /// Hold the buckets in the S3 at this URL, in place of the twin's own. Batch jobs and inventories work there; inventory
    /// configurations stay with the twin, and all other S3 calls are handed on to it. It must take 12-digit access key ids
    /// for accounts, or at least not refuse them
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub s3_endpoint: Option<S3Endpoint>,

    /// Play the faults of this TOML file from the start on; docs/faults.md describes it
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

impl TwinSettings {
    /// On the machine's clock nobody waits a day for an inventory, so rehearsals are quicker than AWS unless asked.
    fn pace(&self) -> (InventoryOptions, ControlOptions) {
        if self.aws_pace {
            return Default::default();
        }
        let inventories = InventoryOptions {
            scan_every: Some(Duration::from_secs(u64::from(self.inventory_every))),
            delivery_lag: Duration::from_secs(1),
            ..InventoryOptions::default()
        };
        let second = Duration::from_secs(1);
        let jobs = ControlOptions {
            new: second,
            preparing: second,
            ready: second,
            closing: second,
            ..ControlOptions::default()
        };
        (inventories, jobs)
    }
}

/// Serves until Ctrl-C or SIGTERM. Exit codes are those of [`crate::exit`].
pub fn run(settings: &TwinSettings) -> ExitCode {
    init_telemetry(LogFormat::Auto);
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(serve(settings)),
        Err(error) => exit::failure(&error.into()),
    }
}

async fn serve(settings: &TwinSettings) -> ExitCode {
    let plan = settings.faults.as_deref().map_or_else(|| Ok(FaultPlan::default()), faults::read);
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => return exit::usage(&error),
    };
    let (inventories, jobs) = settings.pace();
    let data = match settings.data.as_deref().map_or_else(|| Ok(S3Data::in_memory()), S3Data::in_folder) {
        Ok(data) => data,
        Err(error) => return exit::usage(&anyhow::Error::new(error).context("the twin is not served")),
    };
    let mut builder = Twin::builder()
        .seed(settings.seed)
        .region(&settings.region)
        .default_account(&settings.account)
        .inventories(inventories)
        .jobs(jobs)
        .s3_data(data)
        .faults(plan);
    if let Some(endpoint) = &settings.s3_endpoint {
        builder = builder.s3_endpoint(endpoint.clone());
    }
    let twin = builder.build();
    let address = SocketAddr::new(settings.host, settings.port);
    let server = match twin.serve(address).await {
        Ok(server) => server,
        Err(error) => {
            return exit::usage(&anyhow::Error::new(error).context("the twin is not served"));
        }
    };
    let outcome = match announce(server.addr(), settings) {
        Ok(()) => until_told().await,
        Err(error) => Err(error),
    };
    server.shutdown().await;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failure(&error),
    }
}

async fn until_told() -> Result<()> {
    let shutdown = levee_stage::shutdown_on_signals().context("cannot listen for signals")?;
    shutdown.cancelled().await;
    Ok(())
}

/// Prints the variables for an AWS client. Nothing else goes to standard output, so that it can be evaluated by a shell.
fn announce(address: SocketAddr, settings: &TwinSettings) -> Result<()> {
    let mut out = std::io::stdout().lock();
    write!(out, "{}", variables(address, settings))?;
    Ok(out.flush()?)
}

/// What points an AWS client at the twin.
///
/// S3 Control clients put the account in front of the endpoint: `222222222222.127.0.0.1` is nowhere. With a user name in
/// the endpoint they put it in front of that, `222222222222.twin@127.0.0.1`, and reach the host.
fn variables(address: SocketAddr, settings: &TwinSettings) -> String {
    let reachable = if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port())
    } else {
        address
    };
    let afterwards = match &settings.data {
        Some(dir) => format!("what S3 holds stays in {}", dir.display()),
        None => "all it holds is gone".to_owned(),
    };
    format!(
        "# The twin listens on {address}. Access key ids are account ids; Ctrl-C ends it, and {afterwards}.\n\
         export AWS_ENDPOINT_URL=http://{reachable}\n\
         export AWS_ENDPOINT_URL_S3_CONTROL=http://twin@{reachable}\n\
         export AWS_REGION={region}\n\
         export AWS_DEFAULT_REGION={region}\n\
         export AWS_ACCESS_KEY_ID={account}\n\
         export AWS_SECRET_ACCESS_KEY=twin\n",
        region = settings.region,
        account = settings.account,
    )
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account id has 12 digits".to_owned())
    }
}
