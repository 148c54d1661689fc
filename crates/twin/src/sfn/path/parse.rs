//! Reads the part of a path that follows `$`.

use super::filter::{Compare, Filter, Operand};
use super::{Segment, Selector, filter};

/// The segments of a path.
pub(super) fn segments(text: &str) -> Result<Vec<Segment>, String> {
    let mut reader = Reader { rest: text };
    let segments = reader.segments()?;
    if reader.rest.is_empty() { Ok(segments) } else { Err(format!("unexpected '{}'", reader.rest)) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, prefix: &str) -> bool {
        self.rest.strip_prefix(prefix).inspect(|rest| self.rest = rest).is_some()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        self.skip_space();
        if self.take(token) { Ok(()) } else { Err(format!("expected '{token}' before '{}'", self.rest)) }
    }

    fn split(&mut self, at: usize) -> String {
        let (head, tail) = self.rest.split_at_checked(at).unwrap_or((self.rest, ""));
        self.rest = tail;
        head.to_owned()
    }

    fn segments(&mut self) -> Result<Vec<Segment>, String> {
        let mut segments = Vec::new();
        loop {
            let descend = self.take("..");
            if self.rest.starts_with('[') {
                self.take("[");
                segments.push(Segment { descend, selectors: self.brackets()? });
            } else if descend || self.take(".") {
                let selector = if self.take("*") { Selector::Wildcard } else { Selector::Name(self.name()?) };
                segments.push(Segment { descend, selectors: vec![selector] });
            } else {
                return Ok(segments);
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        let end = self.rest.find(|c: char| c.is_whitespace() || ".[]()'\"*?@,:<>=!&|".contains(c));
        let name = self.split(end.unwrap_or(self.rest.len()));
        if name.is_empty() { Err(format!("expected a name before '{}'", self.rest)) } else { Ok(name) }
    }

    fn brackets(&mut self) -> Result<Vec<Selector>, String> {
        let mut selectors = Vec::new();
        loop {
            self.skip_space();
            selectors.push(self.selector()?);
            self.skip_space();
            if self.take("]") {
                return Ok(selectors);
            }
            self.expect(",")?;
        }
    }

    fn selector(&mut self) -> Result<Selector, String> {
        if self.take("*") {
            return Ok(Selector::Wildcard);
        }
        if self.take("?") {
            self.expect("(")?;
            let filter = self.any()?;
            self.expect(")")?;
            return Ok(Selector::Filter(filter));
        }
        if let Some(name) = self.quoted()? {
            return Ok(Selector::Name(name));
        }
        let first = self.integer();
        self.skip_space();
        if !self.take(":") {
            return first.map(Selector::Index).ok_or_else(|| format!("expected a selector before '{}'", self.rest));
        }
        self.skip_space();
        let end = self.integer();
        self.skip_space();
        let step = if self.take(":") { self.integer() } else { None };
        Ok(Selector::Slice { start: first, end, step: step.unwrap_or(1) })
    }

    fn integer(&mut self) -> Option<i64> {
        let digits = |c: char| c.is_ascii_digit();
        let signed = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let length = self.rest.len() - signed.trim_start_matches(digits).len();
        let number = self.rest.get(..length)?.parse().ok()?;
        self.split(length);
        Some(number)
    }

    fn quoted(&mut self) -> Result<Option<String>, String> {
        let Some(quote) = self.rest.chars().next().filter(|c| *c == '\'' || *c == '"') else { return Ok(None) };
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.push(chars.next().ok_or("an escape without a character")?.1),
                _ if c == quote => {
                    self.split(at + 1);
                    return Ok(Some(text));
                }
                _ => text.push(c),
            }
        }
        Err(format!("no closing {quote}"))
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut left = self.all()?;
        loop {
            self.skip_space();
            if !self.take("||") {
                return Ok(left);
            }
            left = Filter::Any(Box::new(left), Box::new(self.all()?));
        }
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut left = self.test()?;
        loop {
            self.skip_space();
            if !self.take("&&") {
                return Ok(left);
            }
            left = Filter::All(Box::new(left), Box::new(self.test()?));
        }
    }

    fn test(&mut self) -> Result<Filter, String> {
        self.skip_space();
        if self.take("!") {
            return Ok(Filter::Not(Box::new(self.test()?)));
        }
        if self.take("(") {
            let inner = self.any()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let left = self.operand()?;
        self.skip_space();
        for (token, compare) in filter::COMPARISONS {
            if self.take(token) {
                return self.comparison(left, *compare);
            }
        }
        match left {
            Operand::Path { .. } => Ok(Filter::Exists(left)),
            Operand::Literal(_) => Err("a filter tests a path or compares".into()),
        }
    }

    fn comparison(&mut self, left: Operand, compare: Compare) -> Result<Filter, String> {
        self.skip_space();
        Ok(Filter::Compare(left, compare, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        if self.take("@") {
            return Ok(Operand::Path { from_root: false, segments: self.segments()? });
        }
        if self.take("$") {
            return Ok(Operand::Path { from_root: true, segments: self.segments()? });
        }
        if let Some(text) = self.quoted()? {
            return Ok(Operand::Literal(text.into()));
        }
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
        let word = self.split(end.unwrap_or(self.rest.len()));
        serde_json::from_str(&word)
            .map(Operand::Literal)
            .map_err(|_| format!("'{word}' is not a value to compare with"))
    }
}
