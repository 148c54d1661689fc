//! Standard output for documents, standard error for problems.

use std::{
    fmt::Display,
    io::{self, BufWriter, StdoutLock, Write},
    process::ExitCode,
};

use serde::Serialize;

/// Where the command writes to.
pub(super) struct Console {
    out: BufWriter<StdoutLock<'static>>,
    problems: u64,
    /// The reader of the output went away, as `head` does.
    closed: bool,
    failed: Option<io::Error>,
}

impl Console {
    pub(super) fn new() -> Self {
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        Self { out, problems: 0, closed: false, failed: None }
    }

    /// Prints a document on a line of its own.
    pub(super) fn print(&mut self, document: &impl Serialize) {
        if self.is_closed() {
            return;
        }
        let written = serde_json::to_writer(&mut self.out, document).map_err(io::Error::from);
        let written = written.and_then(|()| self.out.write_all(b"\n"));
        self.note(written);
    }

    /// Reports something that makes the exit code 1.
    pub(super) fn problem(&mut self, problem: impl Display) {
        self.problems += 1;
        // Nobody is left to be told if standard error cannot be written.
        let _ = writeln!(io::stderr(), "problem: {problem}");
    }

    /// The number of problems so far.
    pub(super) fn problems(&self) -> u64 {
        self.problems
    }

    /// Whether nothing more can be printed, so that reading on is of no use.
    pub(super) fn is_closed(&self) -> bool {
        self.closed || self.failed.is_some()
    }

    /// Flushes the output and gives the exit code.
    pub(super) fn finish(mut self) -> anyhow::Result<ExitCode> {
        let flushed = if self.is_closed() { Ok(()) } else { self.out.flush() };
        self.note(flushed);
        if let Some(error) = self.failed.take() {
            return Err(anyhow::Error::new(error).context("standard output could not be written"));
        }
        if self.problems == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let plural = if self.problems == 1 { "" } else { "s" };
        let _ = writeln!(io::stderr(), "{} problem{plural}", self.problems);
        Ok(ExitCode::FAILURE)
    }

    fn note(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.closed = true,
            Err(error) => self.failed = Some(error),
        }
    }
}
