//! `levee-bench`: makes data, is a contestant, or runs the whole contest. `just bench` runs it.
#![allow(clippy::print_stdout, reason = "the outcome goes to standard output")]

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use levee_bench::{
    limit::{self, Decoder},
    make::{self, Kind, Size},
    ours::{self, Task},
    run::{self, Settings},
};

/// Measures Levee against its peers and against the limit of the machine.
#[derive(Parser)]
struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make data.
    Make {
        kind: Kind,
        #[command(flatten)]
        size: Size,
        #[command(flatten)]
        place: Place,
    },
    /// Do a task with Levee's own code, and print the outcome.
    Ours {
        task: Task,
        #[command(flatten)]
        place: Place,
        /// The most memory that the process may have.
        #[arg(long)]
        limit_memory_mib: Option<u64>,
    },
    /// Do what any reader has to do, and print the outcome.
    Limit {
        #[command(subcommand)]
        limit: Limit,
    },
    /// Run the whole contest.
    Run(Settings),
}

#[derive(Subcommand)]
enum Limit {
    /// Decompress an inventory.
    Inflate {
        #[arg(long)]
        with: Decoder,
        #[command(flatten)]
        place: Place,
    },
    /// Count the line ends of a report.
    Memchr {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
struct Place {
    /// The folder of the data.
    #[arg(long)]
    folder: PathBuf,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> Result<()> {
    let outcome = match Bench::parse().what {
        What::Make { kind, size, place } => {
            let facts = make::make(kind, size, &place.folder, place.threads)?;
            println!("{}", serde_json::to_string(&facts)?);
            return Ok(());
        }
        What::Run(settings) => return run::run(&settings),
        What::Ours { task, place, limit_memory_mib } => {
            if let Some(mebibytes) = limit_memory_mib {
                ours::limit_memory(mebibytes)?;
            }
            ours::run(task, &place.folder, place.threads)?
        }
        What::Limit { limit: Limit::Inflate { with, place } } => limit::inflate(&place.folder, with, place.threads)?,
        What::Limit { limit: Limit::Memchr { place } } => limit::line_ends(&place.folder, place.threads)?,
    };
    println!("{}", outcome.line()?);
    Ok(())
}
