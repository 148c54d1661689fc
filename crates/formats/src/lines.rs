//! Lines out of a growing buffer: the part that all CSV readers share.

/// Where reading stands in a buffer to which bytes are appended.
///
/// The buffer belongs to the caller, so that a decoder can write straight into it.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Bytes before this place have been given out.
    start: usize,
    /// Bytes before this place hold no line end that has not been given out.
    searched: usize,
    /// Lines given out.
    line: u64,
}

/// A line without its line end (LF or CRLF).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'b> {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) bytes: &'b [u8],
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { start: 0, searched: 0, line: 0 }
    }

    /// The next whole line; at the end of the input the rest without a line end is one too.
    pub(crate) fn next<'b>(&mut self, buffer: &'b [u8], at_end: bool) -> Option<Line<'b>> {
        let unsearched = buffer.get(self.searched..)?;
        let (end, next) = match memchr::memchr(b'\n', unsearched) {
            Some(found) => (self.searched + found, self.searched + found + 1),
            None if at_end && self.start < buffer.len() => (buffer.len(), buffer.len()),
            None => {
                self.searched = buffer.len();
                return None;
            }
        };
        let bytes = buffer.get(self.start..end)?;
        self.start = next;
        self.searched = next;
        self.line += 1;
        Some(Line { number: self.line, bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes) })
    }

    /// The number of the line that is not whole yet.
    pub(crate) fn pending_line(&self) -> u64 {
        self.line + 1
    }

    /// The bytes at the beginning of the buffer that have been given out: the caller takes them from it now.
    pub(crate) fn take_read(&mut self) -> usize {
        self.searched -= self.start;
        std::mem::take(&mut self.start)
    }
}
