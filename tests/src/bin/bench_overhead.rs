//! Measures what Levee adds to a night: runs of many sources at the same moment on the twin, a process for each stage. The page
//! docs/scale.md says what the figures mean; CI runs a small one.
//!
//! The figures of the twin's clock are those of a deployment whose calls take the time given by `--call-ms`, on machines that are
//! never busy. Those of the machine's clock hold the work of the whole twin, which shares one thread with every worker.
#![allow(clippy::print_stdout, reason = "the figures go to standard output")]

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use levee_tests::{
    overhead::{Both, Crowd, Figures, Played, QueueFigures, Spread, Stretch},
    peak_memory_kib,
};
use serde_json::{Value, json};

/// Measures what Levee adds to a night.
#[derive(Parser)]
struct Bench {
    /// How many runs there are at once, each of a source of its own; several numbers are measured one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 1000])]
    runs: Vec<usize>,
    /// How long a worker's call takes on the twin's clock, in milliseconds: half to one and a half of it.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 20])]
    call_ms: Vec<u64>,
    /// Tasks that each worker does at a time, in place of what it does by default.
    #[arg(long)]
    places: Option<u16>,
    /// Also writes the figures into this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Fails when a message waited longer for its stage than this at the 99th percentile, by the twin's clock, with calls that
    /// take no time.
    #[arg(long, default_value_t = 1000.0)]
    most_ms: f64,
}

fn main() -> Result<()> {
    let bench = Bench::parse();
    let mut documents = Vec::new();
    for runs in &bench.runs {
        for call in &bench.call_ms {
            let crowd = Crowd { runs: *runs, call: Duration::from_millis(*call), places: bench.places };
            documents.push(measure(crowd, bench.most_ms)?);
        }
    }
    let memory = peak_memory_kib(std::process::id());
    if let Some(kib) = memory {
        println!("At most {} MiB of memory, with the twin and all that it holds.", kib / 1024);
    }
    if let Some(file) = &bench.json {
        let whole = json!({ "peak_memory_kib": memory, "measured": documents });
        fs::write(file, format!("{whole:#}\n")).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn measure(crowd: Crowd, most_ms: f64) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let played = runtime.block_on(crowd.play())?;
    let figures = Figures::of(&played);
    print(&crowd, &played, &figures);
    let starved = figures.starved();
    ensure!(starved.is_empty(), "with {} runs at once: {}", crowd.runs, starved.join("; "));
    let p99 = figures.all.first.clock.p99;
    let quick = !crowd.call.is_zero() || p99 <= most_ms;
    ensure!(quick, "with {} runs at once, messages waited {p99:.0} ms for their stages (p99)", crowd.runs);
    let mut document = figures.to_json();
    if let Some(members) = document.as_object_mut() {
        let settings = [
            ("runs_at_once", json!(crowd.runs)),
            ("call_ms", json!(crowd.call.as_millis())),
            ("places", json!(crowd.places)),
            ("wall_seconds", json!(played.took.as_secs_f64())),
            ("calls", json!(played.calls)),
        ];
        members.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(document)
}

fn print(crowd: &Crowd, played: &Played, figures: &Figures) {
    let places = crowd.places.map_or_else(|| "the default".to_owned(), |places| places.to_string());
    println!(
        "{} runs at once, calls of {} ms, places of a worker: {places}; {:.1} s by the machine, {} calls",
        crowd.runs,
        crowd.call.as_millis(),
        played.took.as_secs_f64(),
        played.calls,
    );
    println!("p50/p99/max in ms: `clock` is the twin's, `wall` the machine's with the whole twin on one thread\n");
    let title = [
        "visible>started clock",
        "wall",
        "after a wait, clock",
        "wall",
        "started>answered clock",
        "wall",
        "place held, clock",
    ];
    println!("{:<17}{:>6}{}  longest wait", "queue", "msgs", title.map(|text| format!("{text:>24}")).concat());
    for (stage, queue) in &figures.queues {
        line(stage, queue);
    }
    line("all", &figures.all);
    println!("\n{:<42}{:>28}{:>28}", "runs, by the twin's clock", "in all", "without the wait asked for");
    stretch("manifest delivered > job created", figures.runs.delivered_to_job);
    stretch("job done > verdicts recorded", figures.runs.job_to_verdicts);
    stretch("job done > run closed", figures.runs.job_to_closed);
    println!(
        "\n{} messages not served, {} received again, {} of tasks tried again, {} dead letters\n",
        figures.all.unserved, figures.all.again, figures.all.retries, figures.dead
    );
}

fn line(stage: &str, queue: &QueueFigures) {
    let two = |both: Both| format!("{:>24}{:>24}", spread(both.clock), spread(both.wall));
    let (first, back, work) = (two(queue.first), two(queue.back), two(queue.work));
    let (place, longest) = (spread(queue.place.clock), queue.longest_wait);
    println!("{stage:<17}{:>6}{first}{back}{work}{place:>24}{longest:>12.0}", queue.messages);
}

fn stretch(name: &str, stretch: Stretch) {
    println!("{name:<42}{:>28}{:>28}", spread(stretch.whole), spread(stretch.added));
}

fn spread(spread: Spread) -> String {
    match spread.count {
        0 => "-".to_owned(),
        _ => format!("{:.0}/{:.0}/{:.0}", spread.p50, spread.p99, spread.max),
    }
}
