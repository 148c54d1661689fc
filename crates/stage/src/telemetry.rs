//! Logs.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line, for a server.
    Json,
    /// Readable lines, for a terminal.
    Text,
    /// `text` when standard error is a terminal, else `json`.
    Auto,
}

/// Sends log lines to standard error, filtered by `RUST_LOG` (without it: `info`). Does nothing when a subscriber is
/// already set.
pub fn init_telemetry(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = format == LogFormat::Json || (format == LogFormat::Auto && !terminal);
    let set = if json {
        lines.json().flatten_event(true).with_span_list(false).try_init()
    } else {
        lines.with_ansi(terminal).with_target(false).try_init()
    };
    if set.is_err() {
        tracing::debug!("logs already have a subscriber");
    }
}
