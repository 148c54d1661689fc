//! The `levee` command.

mod cat;

use std::process::ExitCode;

use clap::Parser;

/// Verified backups of Delta warehouses on Amazon S3.
#[derive(Parser, Debug)]
#[command(name = "levee", version)]
enum Command {
    Inventory(cat::InventoryCommand),
    Report(cat::ReportCommand),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match Command::parse() {
        Command::Inventory(command) => command.run().await,
        Command::Report(command) => command.run().await,
    }
}
