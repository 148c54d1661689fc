//! The error of a single row, common to all CSV readers.

use std::fmt;

/// A row that could not be read whole. The reader counts it and goes on with the next one.
///
/// `P` is the reason, `R` what could be read of the row; each format has an alias.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RowError<'a, P, R> {
    /// The file as the caller named it.
    pub file: &'a str,
    /// The line of the uncompressed file on which the row begins, from 1.
    pub line: u64,
    /// Everything that is wrong with the row, never empty.
    pub problems: Vec<P>,
    /// The bytes of the row without its line end.
    pub raw: &'a [u8],
    /// What could be read.
    pub row: Box<R>,
}

/// Bytes of the row that an error message shows at most.
const EXCERPT: usize = 240;

impl<P: fmt::Display, R> fmt::Display for RowError<'_, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}: ", self.file, self.line)?;
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        let shown = self.raw.get(..EXCERPT).unwrap_or(self.raw);
        let more = if shown.len() < self.raw.len() { "…" } else { "" };
        write!(f, " (row: {}{more})", String::from_utf8_lossy(shown).escape_debug())
    }
}

impl<P: fmt::Debug + fmt::Display, R: fmt::Debug> std::error::Error for RowError<'_, P, R> {}
