//! Finds where a row of a result file ends, also when its quotes are malformed.
//!
//! By RFC 4180 a quoted message may hold line ends, so a quote too few makes the rows after it part of the message, and
//! S3 has written quotes that are wrong (a message `"…{""a"":"b", ""c"": "d"}"` is in the User Guide). The rules here
//! keep one bad row from taking others with it, and never let two readings of the same bytes pass as one:
//!
//! 1. A row is read by RFC 4180, except that quotes within an unquoted field stand for themselves.
//! 2. The reading is *malformed* if a closing quote is followed by something else than a comma or a line end, if a
//!    quote is not closed, or if a later line within the row looks like a row of its own: it begins with the row's
//!    bucket or that of the rows before it, has six commas or more and a word for its status.
//! 3. A malformed row ends at the first line end that follows a quote or is followed by such a bucket and a comma.
//!
//! A message that really holds a line like a row is thereby reported as malformed, which fails closed.

use crate::csv::Span;

/// What stands at the beginning of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The row does not end within the bytes, which are not all.
    Incomplete,
    /// A line without a byte.
    Blank(Extent),
    /// A row whose fields are in the spans.
    Row(Extent),
    /// A row whose quotes are malformed.
    Malformed(Extent),
}

/// How long a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Without its line end.
    pub(super) body: usize,
    /// With it.
    pub(super) whole: usize,
}

/// Scans the row at the beginning of `bytes`; `bucket` is that of the rows before it, if there are any.
pub(super) fn scan(bytes: &[u8], at_end: bool, bucket: &[u8], spans: &mut Vec<Span>) -> Scan {
    let strict = strict(bytes, at_end, spans);
    // A name with a line end is none. Taking it for one would make the answer depend on how many bytes are there: such a
    // field is known only once the quote that closes it has come.
    let own = spans.first().map(|first| first.of(bytes)).filter(|own| memchr::memchr(b'\n', own).is_none());
    let own = own.unwrap_or_default().into_owned();
    let buckets = [own.as_slice(), bucket];
    let read = match strict {
        Strict::Row(extent) => bytes.get(..extent.body).unwrap_or(bytes),
        _ => bytes,
    };
    let ambiguous = || later_lines(read).any(|line| looks_like_row(line, &buckets));
    match strict {
        Strict::Row(extent) if extent.body == 0 => Scan::Blank(extent),
        Strict::Row(extent) if !ambiguous() => Scan::Row(extent),
        Strict::Incomplete if !ambiguous() => Scan::Incomplete,
        _ => cut(bytes, at_end, &buckets).map_or(Scan::Incomplete, Scan::Malformed),
    }
}

/// Splits off the first `count` fields of a malformed row; `None` if they are malformed themselves.
///
/// Returns where the rest begins.
pub(super) fn leading_fields(body: &[u8], count: usize, spans: &mut Vec<Span>) -> Option<usize> {
    spans.clear();
    let mut start = 0;
    while spans.len() < count {
        match next_field(body, start, true) {
            Field::Ends { span, at, followed_by: Follower::Comma } => {
                spans.push(span);
                start = at + 1;
            }
            _ => return None,
        }
    }
    Some(start)
}

enum Strict {
    Incomplete,
    Row(Extent),
    Malformed,
}

/// Reads one row by RFC 4180.
fn strict(bytes: &[u8], at_end: bool, spans: &mut Vec<Span>) -> Strict {
    spans.clear();
    let mut start = 0;
    loop {
        match next_field(bytes, start, at_end) {
            Field::Incomplete => return Strict::Incomplete,
            Field::Malformed => return Strict::Malformed,
            Field::Ends { span, at, followed_by } => {
                spans.push(span);
                match followed_by {
                    Follower::Comma => start = at + 1,
                    Follower::LineEnd(length) => return Strict::Row(Extent { body: at, whole: at + length }),
                }
            }
        }
    }
}

enum Field {
    Incomplete,
    Malformed,
    Ends { span: Span, at: usize, followed_by: Follower },
}

enum Follower {
    Comma,
    /// Of so many bytes; 0 at the end of the input.
    LineEnd(usize),
}

fn next_field(bytes: &[u8], start: usize, at_end: bool) -> Field {
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(content) = rest.strip_prefix(b"\"") else { return unquoted_field(rest, start, at_end) };
    let mut doubled = false;
    let mut from = 0;
    let length = loop {
        let Some(found) = content.get(from..).and_then(|rest| memchr::memchr(b'"', rest)) else {
            return if at_end { Field::Malformed } else { Field::Incomplete };
        };
        if content.get(from + found + 1) != Some(&b'"') {
            break from + found;
        }
        doubled = true;
        from += found + 2;
    };
    let at = start + length + 2;
    let span = Span::new(start + 1, start + 1 + length, doubled);
    match bytes.get(at..).unwrap_or_default() {
        [b',', ..] => Field::Ends { span, at, followed_by: Follower::Comma },
        [b'\n', ..] => Field::Ends { span, at, followed_by: Follower::LineEnd(1) },
        [b'\r', b'\n', ..] => Field::Ends { span, at, followed_by: Follower::LineEnd(2) },
        [] | [b'\r'] if !at_end => Field::Incomplete,
        [] => Field::Ends { span, at, followed_by: Follower::LineEnd(0) },
        [b'\r'] => Field::Ends { span, at, followed_by: Follower::LineEnd(1) },
        _ => Field::Malformed,
    }
}

fn unquoted_field(rest: &[u8], start: usize, at_end: bool) -> Field {
    let found = memchr::memchr2(b',', b'\n', rest);
    let length = match found {
        Some(found) => found,
        None if at_end => rest.len(),
        None => return Field::Incomplete,
    };
    if rest.get(length) == Some(&b',') {
        return Field::Ends {
            span: Span::new(start, start + length, false),
            at: start + length,
            followed_by: Follower::Comma,
        };
    }
    let field = rest.get(..length).unwrap_or(rest);
    let plain = field.strip_suffix(b"\r").unwrap_or(field);
    let line_end = length - plain.len() + usize::from(found.is_some());
    let at = start + plain.len();
    Field::Ends { span: Span::new(start, at, false), at, followed_by: Follower::LineEnd(line_end) }
}

/// The lines after the first, except one that is not known to be whole.
fn later_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = memchr::memchr_iter(b'\n', bytes).map(|at| at + 1);
    starts.filter_map(|start| bytes.get(start..))
}

/// Whether a row seems to begin here: one of the buckets, six commas on the line and a word in the fourth field.
fn looks_like_row(bytes: &[u8], buckets: &[&[u8]]) -> bool {
    if !begins_with_bucket(bytes, buckets) {
        return false;
    }
    let line = memchr::memchr(b'\n', bytes).and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    let commas = memchr::memchr_iter(b',', line).take(6).count();
    let status = line.split(|&byte| byte == b',').nth(3).unwrap_or_default();
    let status = status.strip_prefix(b"\"").and_then(|status| status.strip_suffix(b"\"")).unwrap_or(status);
    commas == 6 && !status.is_empty() && status.iter().all(u8::is_ascii_alphabetic)
}

fn begins_with_bucket(bytes: &[u8], buckets: &[&[u8]]) -> bool {
    buckets.iter().filter(|bucket| !bucket.is_empty()).any(|bucket| {
        let after = |bytes: &[u8], end: &[u8]| bytes.strip_prefix(*bucket).is_some_and(|rest| rest.starts_with(end));
        after(bytes, b",") || bytes.strip_prefix(b"\"").is_some_and(|quoted| after(quoted, b"\","))
    })
}

/// Where a malformed row ends; `None` if that needs bytes that are not there yet.
fn cut(bytes: &[u8], at_end: bool, buckets: &[&[u8]]) -> Option<Extent> {
    let longest = buckets.iter().map(|bucket| bucket.len()).max().unwrap_or(0);
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = bytes.get(..end).unwrap_or_default();
        let body = line.strip_suffix(b"\r").unwrap_or(line);
        let next = bytes.get(end + 1..).unwrap_or_default();
        // A bucket, its quotes and a comma.
        let decided = at_end || next.len() >= longest + 3 || memchr::memchr(b'\n', next).is_some();
        let extent = Extent { body: body.len(), whole: end + 1 };
        if body.ends_with(b"\"") || begins_with_bucket(next, buckets) {
            return Some(extent);
        }
        if !decided {
            return None;
        }
    }
    at_end.then(|| {
        let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Extent { body: body.strip_suffix(b"\r").unwrap_or(body).len(), whole: bytes.len() }
    })
}
