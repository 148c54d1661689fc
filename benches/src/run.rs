//! Runs the whole contest: makes the data, measures every contestant in turns, compares their answers, and writes the tables.

mod contest;
mod flat;
mod machine;
mod markdown;
mod measure;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use contest::Contest;
use serde::Serialize;

use crate::make::{Kind, Size, make};

/// How the contest is run.
#[derive(Clone, Debug, Args, Serialize)]
pub struct Settings {
    /// A small one, that everything works: 200,000 rows, once, and nothing large.
    #[arg(long)]
    pub small: bool,
    /// Rows of the inventory and of the report.
    #[arg(long, default_value_t = 10_000_000)]
    pub rows: u64,
    /// Rows of those that show whether time and memory grow as they should; 0 for none.
    #[arg(long, default_value_t = 100_000_000)]
    pub large: u64,
    /// Files of the table. A tenth of them shows how time and memory grow.
    #[arg(long, default_value_t = 1_000_000)]
    pub files: u64,
    /// How often each contestant is measured.
    #[arg(long, default_value_t = 5)]
    pub times: usize,
    /// How often at the large size.
    #[arg(long, default_value_t = 3)]
    pub large_times: usize,
    /// Threads of each contestant.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// The seed of all data.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Only these tasks.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<TaskName>,
    /// Where the data is, and stays.
    #[arg(long, default_value = "target/bench")]
    pub folder: PathBuf,
    /// The Python that has the peers; without it there are none.
    #[arg(long)]
    pub python: Option<PathBuf>,
    /// The folder of the peers' scripts.
    #[arg(long, default_value = "benches/peers")]
    pub peers: PathBuf,
    /// Where the figures go as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Where the tables go as Markdown.
    #[arg(long)]
    pub markdown: Option<PathBuf>,
    /// A file in which the tables replace what is between the comments `bench` and `/bench`.
    #[arg(long)]
    pub readme: Option<PathBuf>,
}

/// A task of the contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum TaskName {
    /// The scan of an inventory.
    Scan,
    /// The reading of a report.
    Report,
    /// The scan with the writing of the plan.
    Plan,
    /// The verdict on a table.
    Verdict,
}

impl TaskName {
    /// All, in the order of the tables.
    const ALL: [Self; 4] = [Self::Scan, Self::Report, Self::Plan, Self::Verdict];

    const fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Report => "report",
            Self::Plan => "plan",
            Self::Verdict => "verdict",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Scan | Self::Plan => Kind::Inventory,
            Self::Report => Kind::Report,
            Self::Verdict => Kind::Table,
        }
    }
}

impl Settings {
    fn tasks(&self) -> impl Iterator<Item = TaskName> {
        TaskName::ALL.into_iter().filter(|task| self.only.is_empty() || self.only.contains(task))
    }

    fn size(&self, kind: Kind, large: bool) -> Size {
        let rows = match (kind, large) {
            (Kind::Table, true) => self.files,
            (Kind::Table, false) => self.files / 10,
            (_, true) => self.large,
            (_, false) => self.rows,
        };
        // Several files, so that threads have something to share.
        let rows_per_file = if self.small { rows.div_ceil(4) } else { 0 };
        Size { rows_per_file, ..Size::of(rows, self.seed) }
    }

    /// Where data of this kind and size is.
    fn place(&self, kind: Kind, size: &Size) -> PathBuf {
        let name = match kind {
            Kind::Inventory => "inventory",
            Kind::Report => "report",
            Kind::Table => "table",
        };
        self.folder.join(format!("{name}-{}-{}", size.rows, size.seed))
    }

    /// Makes data, unless it is there.
    fn data(&self, kind: Kind, size: Size) -> Result<PathBuf> {
        let place = self.place(kind, &size);
        eprintln!("making {}, unless it is there", place.display());
        make(kind, size, &place, self.threads)?;
        Ok(place)
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    machine: machine::Machine,
    settings: Settings,
    tasks: Vec<contest::TaskResult>,
    growth: Vec<flat::Growth>,
}

/// Runs the contest.
///
/// # Errors
/// Data cannot be made; a contestant fails; two contestants have different answers.
pub fn run(settings: &Settings) -> Result<()> {
    let settings = &settings.clone().small();
    let mut tasks = Vec::new();
    for task in settings.tasks() {
        // The table of the contest is the larger of the two.
        let size = settings.size(task.kind(), task.kind() == Kind::Table);
        let folder = settings.data(task.kind(), size)?;
        tasks.push(Contest::new(task, size.rows, &folder, settings)?.run(settings.times)?);
    }
    let growth = if settings.large > 0 { flat::measure(settings)? } else { Vec::new() };
    let figures = Figures { machine: machine::Machine::this(settings), settings: settings.clone(), tasks, growth };
    let tables = markdown::tables(&figures);
    if let Some(path) = &settings.json {
        fs::write(path, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &settings.markdown {
        fs::write(path, &tables).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &settings.readme {
        markdown::replace_in(path, &tables)?;
    }
    eprintln!("\n{tables}");
    Ok(())
}

impl Settings {
    /// The small contest, if that is wanted.
    fn small(self) -> Self {
        if !self.small {
            return self;
        }
        Self { rows: 200_000, large: 0, files: 20_000, times: 1, ..self }
    }
}
