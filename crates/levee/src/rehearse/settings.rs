//! What a rehearsal can be told.

use jiff::civil::Date;

/// The settings of `levee rehearse`.
#[derive(Clone, Debug, clap::Args)]
pub struct RehearseSettings {
    /// Seed of everything that is drawn by chance: identifiers, jitter, the warehouse's changes, faults. The same seed plays
    /// the same nights and leaves the same ledger, byte for byte
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,

    /// Play this many rehearsals, with the seeds from --seed on
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub seeds: u64,

    /// Backup dates, that is nights of each source
    #[arg(long, value_name = "COUNT", default_value_t = 31, value_parser = clap::value_parser!(u16).range(1..=366))]
    pub days: u16,

    /// Source buckets, each with a schedule of its own
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub sources: u16,

    /// The first backup date
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2026-03-01")]
    pub first_date: Date,

    /// What goes wrong
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Faults::None)]
    pub faults: Faults,

    /// Rehearsals at a time; as many as there are cores by default
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// Print the outcomes as one JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// What goes wrong in a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Faults {
    /// Nothing but what happens every month: inventories that are hours late, jobs that take hours, tables that grow and are
    /// vacuumed between inventory and copy.
    None,
    /// Every day another plan of faults, drawn from the seed.
    Random,
}

impl RehearseSettings {
    /// The rehearsals that are asked for.
    pub(super) fn months(&self) -> Vec<Month> {
        let month = |seed| Month {
            seed,
            days: self.days,
            sources: self.sources,
            first_date: self.first_date,
            faults: self.faults,
        };
        (self.seed..self.seed.saturating_add(self.seeds)).map(month).collect()
    }
}

/// One rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// The seed of everything that is drawn by chance.
    pub seed: u64,
    /// Backup dates.
    pub days: u16,
    /// Source buckets.
    pub sources: u16,
    /// The first backup date.
    pub first_date: Date,
    /// What goes wrong.
    pub faults: Faults,
}

impl Month {
    /// The command that plays it again.
    #[must_use]
    pub fn command(&self) -> String {
        let faults = match self.faults {
            Faults::None => "none",
            Faults::Random => "random",
        };
        format!(
            "levee rehearse --seed {} --days {} --sources {} --first-date {} --faults {faults}",
            self.seed, self.days, self.sources, self.first_date
        )
    }

    /// The day number `index` after the first backup date, counted from 0; the calendar's last day where it ends.
    pub(super) fn day(&self, index: i64) -> Date {
        self.first_date.saturating_add(jiff::Span::new().days(index))
    }
}
