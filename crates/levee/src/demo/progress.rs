//! How the demo shows where it is: a bar per step on a terminal, a line per step that ends otherwise. On standard error,
//! so that standard output holds the outcome alone.

use std::{io::IsTerminal, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// All steps of a demo.
pub(super) struct Progress {
    bars: Option<MultiProgress>,
}

/// One step.
pub(super) struct Step {
    name: String,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bars = terminal.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20)));
        Self { bars }
    }

    /// A further step, which has `total` parts where that is known.
    pub(super) fn step(&self, name: &str, total: Option<u64>) -> Step {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(total.unwrap_or(1)));
            bar.set_style(style());
            bar.set_prefix(name.to_owned());
            bar.tick();
            bar
        });
        Step { name: name.to_owned(), bar }
    }
}

impl Step {
    /// Shows that `done` of `total` parts are done.
    pub(super) fn set(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total.max(1));
            bar.set_position(done);
        }
    }

    /// Says what the step is at.
    pub(super) fn say(&self, text: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.into());
        }
    }

    /// Ends the step.
    #[expect(clippy::print_stderr, reason = "plain lines are for people who have no terminal")]
    pub(super) fn end(&self, text: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(bar.length().unwrap_or(1));
                bar.finish_with_message(text.to_owned());
            }
            None => eprintln!("{:<17} {text}", self.name),
        }
    }

    /// Ends the step as one that did not get to its end.
    #[expect(clippy::print_stderr, reason = "plain lines are for people who have no terminal")]
    pub(super) fn fail(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.abandon_with_message(text.to_owned()),
            None => eprintln!("{:<17} {text}", self.name),
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:<17} [{bar:24}] {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// `2 h 03 min 07 s`, from the first part that is not zero.
pub(super) fn readable(time: Duration) -> String {
    let whole = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds:02} s"),
        _ => format!("{hours} h {minutes:02} min {seconds:02} s"),
    }
}
