//! The fields of one line of CSV (RFC 4180, fields quoted or not), without allocation.

use std::borrow::Cow;

/// A field within its line: the bytes between the quotes, if it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: usize,
    end: usize,
    /// The field holds doubled quotes.
    doubled: bool,
}

/// A quote where none may be: within an unquoted field, after a closing one, or one that is never closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MisplacedQuote;

/// Splits a line, which must not hold its line end, into fields. An error leaves the fields before it in `spans`.
pub(crate) fn split(line: &[u8], spans: &mut Vec<Span>) -> Result<(), MisplacedQuote> {
    spans.clear();
    fields(line, 0, usize::MAX, spans).map(drop)
}

/// Adds fields from `start` on, where one begins, until there are `most`. Where the next one begins; none at the end of the line.
fn fields(line: &[u8], mut start: usize, most: usize, spans: &mut Vec<Span>) -> Result<Option<usize>, MisplacedQuote> {
    while spans.len() < most {
        let (span, after) = field(line, start)?;
        spans.push(span);
        match line.get(after) {
            None => return Ok(None),
            Some(b',') => start = after + 1,
            Some(_) => return Err(MisplacedQuote),
        }
    }
    Ok(Some(start))
}

/// Splits lines most of which begin and end as the one before them did: an inventory repeats the bucket in front and the
/// columns of few values at the end, and they need not be looked through again.
pub(crate) struct Splitter {
    /// How many fields stand at the beginning of a line in front of those that differ.
    leading: usize,
    /// After how many fields those at its end begin.
    trailing_from: usize,
    head: Repeated,
    tail: Repeated,
}

/// Bytes of a line, and the fields within them.
#[derive(Default)]
struct Repeated {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl Splitter {
    /// A splitter for lines of which the fields from `leading` to before `trailing_from` differ.
    pub(crate) fn new(leading: usize, trailing_from: usize) -> Self {
        let trailing_from = trailing_from.max(leading);
        Self { leading, trailing_from, head: Repeated::default(), tail: Repeated::default() }
    }

    /// [`split`].
    pub(crate) fn split(&mut self, line: &[u8], spans: &mut Vec<Span>) -> Result<(), MisplacedQuote> {
        spans.clear();
        let start = if !self.head.spans.is_empty() && line.starts_with(&self.head.bytes) {
            spans.extend_from_slice(&self.head.spans);
            self.head.bytes.len()
        } else {
            let Some(start) = fields(line, 0, self.leading, spans)? else { return Ok(()) };
            self.head.keep(line.get(..start).unwrap_or_default(), spans.iter().copied());
            start
        };
        let Some(start) = fields(line, start, self.trailing_from, spans)? else { return Ok(()) };
        let rest = line.get(start..).unwrap_or_default();
        if !self.tail.spans.is_empty() && rest == self.tail.bytes {
            spans.extend(self.tail.spans.iter().map(|span| Span {
                start: span.start + start,
                end: span.end + start,
                ..*span
            }));
            return Ok(());
        }
        let before = spans.len();
        fields(line, start, usize::MAX, spans)?;
        let trailing = spans.get(before..).unwrap_or_default().iter();
        self.tail.keep(rest, trailing.map(|span| Span { start: span.start - start, end: span.end - start, ..*span }));
        Ok(())
    }
}

impl Repeated {
    fn keep(&mut self, bytes: &[u8], spans: impl Iterator<Item = Span>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.spans.clear();
        self.spans.extend(spans);
    }
}

/// The field that begins at `start`, and where it ends: at a comma, at the end of the line, or at a byte that is wrong.
fn field(line: &[u8], start: usize) -> Result<(Span, usize), MisplacedQuote> {
    let rest = line.get(start..).unwrap_or_default();
    match rest.first() {
        Some(b'"') => {
            let (length, doubled) = quoted(rest.get(1..).unwrap_or_default()).ok_or(MisplacedQuote)?;
            let span = Span { start: start + 1, end: start + 1 + length, doubled };
            Ok((span, span.end + 1))
        }
        _ => match memchr::memchr2(b',', b'"', rest) {
            Some(at) if rest.get(at) == Some(&b'"') => Err(MisplacedQuote),
            found => {
                let end = start + found.unwrap_or(rest.len());
                Ok((Span { start, end, doubled: false }, end))
            }
        },
    }
}

/// The length up to the closing quote, and whether doubled quotes were passed.
fn quoted(content: &[u8]) -> Option<(usize, bool)> {
    let mut doubled = false;
    let mut from = 0;
    loop {
        let quote = from + memchr::memchr(b'"', content.get(from..)?)?;
        if content.get(quote + 1) != Some(&b'"') {
            return Some((quote, doubled));
        }
        doubled = true;
        from = quote + 2;
    }
}

impl Span {
    /// The bytes from `start` to `end`, which hold doubled quotes or not.
    pub(crate) fn new(start: usize, end: usize, doubled: bool) -> Self {
        Self { start, end, doubled }
    }

    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The field of the line that the span was made from, unless it holds doubled quotes.
    #[inline]
    pub(crate) fn plain<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        if self.doubled { None } else { line.get(self.start..self.end) }
    }

    /// The field of the line that the span was made from.
    pub(crate) fn of<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let bytes = line.get(self.start..self.end).unwrap_or_default();
        if self.doubled { Cow::Owned(unquote(bytes)) } else { Cow::Borrowed(bytes) }
    }
}

/// Halves doubled quotes.
pub(crate) fn unquote(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        plain.push(byte);
        rest = if byte == b'"' { after.strip_prefix(b"\"").unwrap_or(after) } else { after };
    }
    plain
}

/// Appends a field in quotes.
pub(crate) fn push_quoted(field: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    push_doubled(field, out);
    out.push(b'"');
}

/// Appends what stands between the quotes of a field: its quotes are doubled.
pub(crate) fn push_doubled(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    while let Some((before, after)) = memchr::memchr(b'"', rest).and_then(|quote| rest.split_at_checked(quote + 1)) {
        out.extend_from_slice(before);
        out.push(b'"');
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Appends a field, in quotes only where it needs them.
pub(crate) fn push(field: &[u8], out: &mut Vec<u8>) {
    if field.iter().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n')) {
        push_quoted(field, out);
    } else {
        out.extend_from_slice(field);
    }
}

/// Text where the bytes are UTF-8.
pub(crate) fn text(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Cow<'_, [u8]>> {
    match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Cow::Borrowed(bytes)),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|error| Cow::Owned(error.into_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn line_is_split_alike_whatever_lines_were_before_it(
            lines in prop::collection::vec("(a|b|,|\"|\"x\"|,s,t){0,8}", 1..12),
            leading in 0_usize..4,
            trailing in 0_usize..5,
        ) {
            let mut splitter = Splitter::new(leading, trailing);
            for line in lines {
                let (mut alone, mut after_others) = (Vec::new(), Vec::new());
                let expected = split(line.as_bytes(), &mut alone);
                prop_assert_eq!(splitter.split(line.as_bytes(), &mut after_others), expected);
                prop_assert_eq!(after_others, alone);
            }
        }
    }
}
