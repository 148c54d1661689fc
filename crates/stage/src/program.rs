//! The whole of a worker's program.

use std::process::ExitCode;

use levee_clock::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    Aws, CommonSettings, SettingsError, Stage, Worker, init_telemetry, parse_settings, settings::SHARED_VARIABLES,
};

#[derive(clap::Args)]
struct ProgramSettings<A: clap::Args> {
    #[command(flatten)]
    common: CommonSettings,
    #[command(flatten)]
    own: A,
}

/// Runs the program of one worker: settings, logs, AWS clients, signals, and the worker until it is told to stop.
///
/// `about` is the first line of `--help`; `build` makes the stage from the clients, the common settings and the worker's
/// own settings `A` ([`NoSettings`](crate::NoSettings) for none). Exit codes: 0 after a stop by signal, 1 when the worker
/// could not go on, 2 for settings with problems.
pub fn main_of_worker<A: clap::Args, S: Stage>(
    program: &'static str,
    about: &'static str,
    build: impl FnOnce(&Aws, &CommonSettings, &A) -> S,
) -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let settings: ProgramSettings<A> =
        match parse_settings(program, about, arguments, std::env::vars_os(), SHARED_VARIABLES) {
            Ok(settings) => settings,
            Err(SettingsError::Help(text)) => {
                print!("{text}");
                return ExitCode::SUCCESS;
            }
            Err(error) => {
                eprintln!("{program}: {error}\n`{program} --help` describes them.");
                return ExitCode::from(2);
            }
        };
    init_telemetry(settings.common.log_format);
    match run(&settings, build) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run<A: clap::Args, S: Stage>(
    settings: &ProgramSettings<A>,
    build: impl FnOnce(&Aws, &CommonSettings, &A) -> S,
) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = shutdown_on_signals()?;
        let aws = Aws::from_env().await;
        let stage = build(&aws, &settings.common, &settings.own);
        let worker = Worker::new(stage, &aws, settings.common.worker_settings(S::NAME), Clock::system());
        worker.run(shutdown).await?;
        Ok(())
    })
}

/// A token that is cancelled by SIGTERM or SIGINT. Call it inside the runtime, once.
///
/// # Errors
/// The operating system refuses a signal handler.
pub fn shutdown_on_signals() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let cancel = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! { biased; _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("told to stop: no more messages are received, running stages may finish");
        cancel.cancel();
    });
    Ok(shutdown)
}
