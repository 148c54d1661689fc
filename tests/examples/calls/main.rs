//! Prints every distinct call that roles and services make in whole nights, as JSON lines, for the evaluation of the policies
//! in `infra/tests/least_privilege`.
//!
//! The nights are those that there are: good ones, one per error that a stage can report, retries, redrives, deaths of workers,
//! schedules, events, notifications, restores and drills. Each must end as it is meant to, and every error that `statemachine/README.md` names
//! must be among the ends, or the program fails. A line has `kind`:
//!
//! ```text
//! call       a call: principal, account, needs with the account of each resource and whether its bucket has no policy yet,
//!            facts, outcome, the first night it was seen in
//! policy     the policy of a snapshot bucket, as the worker has written it
//! definition a state machine's name and definition
//! target     the statements by which the policy of a source lets restores in
//! run        the `run` of a schedule's input, with every default written out
//! ```
//!
//! With the argument `run` it reads the input of an execution from the standard input instead, and prints its `run` line.

mod cold;
mod copies;
mod doctor;
mod drills;
mod expected;
mod large;
mod night;
mod notify;
mod restores;
mod shapes;
mod slices;
mod special;
mod table;
mod tables;

use std::{future::Future, io::Read, pin::Pin};

use anyhow::{Context, Result, bail, ensure};
use night::Played;
use shapes::Shapes;

/// A night of its own, on a twin of its own.
type Play = Pin<Box<dyn Future<Output = Result<Played>>>>;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => play_all(),
        Some("run") => {
            let mut input = String::new();
            std::io::stdin().read_to_string(&mut input).context("the input cannot be read")?;
            println!("{}", expected::run(&serde_json::from_str(&input).context("the input is not JSON")?)?);
            Ok(())
        }
        Some(other) => bail!("{other} is not an argument; there is `run`, and none"),
    }
}

/// What the page of the state machine says, the names of all errors among it.
const PAGE: &str = include_str!("../../../statemachine/README.md");
/// Those that the state machine tries again: no execution of these nights ends with them.
const TRIED_AGAIN: [&str; 2] = ["Levee.AwsUnavailable", "Levee.StagePanicked"];

/// The errors that the page names and that no execution has ended with.
fn unplayed() -> Vec<&'static str> {
    let names = PAGE.split(|character: char| character != '.' && !character.is_ascii_alphanumeric());
    let names = names.filter(|name| name.starts_with("Levee.") && !TRIED_AGAIN.contains(name));
    let ends = night::ends();
    names.filter(|name| !ends.contains(*name)).collect()
}

fn play_all() -> Result<()> {
    let began = std::time::Instant::now();
    let mut shapes = Shapes::default();
    let table = table::nights().into_iter().map(|night| (night.name, Box::pin(night::play(night)) as Play));
    let mut nights = 0;
    for (name, play) in table.chain(special::nights()) {
        // The jitter of the workers comes from this thread's generator: the same calls each time.
        fastrand::seed(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
        let played = runtime.block_on(play).with_context(|| format!("the night {name:?}"))?;
        shapes.take_in(name, &played);
        nights += 1;
    }
    let unplayed = unplayed();
    ensure!(unplayed.is_empty(), "no night ends with {}", unplayed.join(", "));
    for line in shapes.lines().chain(expected::lines()?) {
        println!("{line}");
    }
    eprintln!("{nights} nights, {} distinct calls, {:.0} s", shapes.len(), began.elapsed().as_secs_f64());
    Ok(())
}
