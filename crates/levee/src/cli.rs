//! The command line.

use std::{ffi::OsString, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{
    cat, coverage, demo, doctor, drills, exit, plan, receipts, rehearse, restore, runs, show, start, twin_command,
    verify, worker_command,
};

/// Verified backups of Delta warehouses on S3.
#[derive(Debug, Parser)]
#[command(name = "levee", version, about, after_help = AFTER_HELP, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  what was asked for is done
  1  it was tried and is not good: a failed night, a snapshot that differs, a file that does not add up
  2  it was not tried: unknown or impossible settings, an empty or unreadable folder, a port in use";

#[derive(Debug, Subcommand)]
enum Command {
    /// Back up a warehouse for one night, on a local AWS in this process
    Demo(demo::DemoSettings),
    /// Play months of nights on local AWSs in this process, with faults, and audit them
    Rehearse(rehearse::RehearseSettings),
    /// Serve the local AWS on a TCP port
    Twin(twin_command::TwinSettings),
    /// Run the workers of some stages, or of all
    #[command(disable_help_flag = true)]
    Worker {
        /// Stages and settings; `levee worker --help` lists them
        #[arg(value_name = "STAGE… | --all", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Check a deployment, before its first night and any time after
    Doctor(doctor::DoctorSettings),
    /// Start a run by hand, with the settings of its source's schedule
    Start(start::StartSettings),
    /// Show what a run would do with the objects of an inventory, and what it would cost, without doing anything
    Plan(plan::PlanSettings),
    /// Check the Delta tables of a folder or a bucket by their logs, without changing anything
    Verify(verify::VerifySettings),
    /// List the runs that the ledger knows, newest first
    Runs(runs::RunsSettings),
    /// Show what the ledger knows of one run
    Show(show::ShowSettings),
    /// Say what of the warehouse could be brought back today, by the ledger
    Coverage(coverage::CoverageSettings),
    /// Find the way back for tables
    Restore(restore::RestoreCommand),
    /// List the last drills, with what they took
    Drills(drills::DrillsSettings),
    /// Read S3 Inventory reports
    Inventory(cat::InventoryCommand),
    /// Read completion reports of S3 Batch Operations
    Report(cat::ReportCommand),
    /// Check the receipts of runs
    Receipts(receipts::ReceiptsCommand),
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(settings) => demo::run(&settings),
        Command::Rehearse(settings) => rehearse::run(&settings),
        Command::Twin(settings) => twin_command::run(&settings),
        Command::Worker { arguments } => worker_command::run(arguments),
        Command::Doctor(settings) => doctor::run(&settings),
        Command::Start(settings) => wait_for(start::run(&settings)),
        Command::Plan(settings) => wait_for(plan::run(&settings)),
        Command::Verify(settings) => wait_for(verify::run(&settings)),
        Command::Runs(settings) => wait_for(runs::run(&settings)),
        Command::Show(settings) => wait_for(show::run(&settings)),
        Command::Coverage(settings) => wait_for(coverage::run(&settings)),
        Command::Restore(command) => wait_for(command.run()),
        Command::Drills(settings) => wait_for(drills::run(&settings)),
        Command::Inventory(command) => wait_for(command.run()),
        Command::Report(command) => wait_for(command.run()),
        Command::Receipts(command) => wait_for(async { Ok(command.run().await) }),
    }
}

fn wait_for(work: impl Future<Output = Result<ExitCode>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(work));
    outcome.unwrap_or_else(|error| exit::failure(&error))
}
