//! One page of a listing: prefix, delimiter, where to go on, how much fits.

use std::{collections::BTreeMap, ops::Bound};

/// Which keys a listing is about.
pub(crate) struct Scope<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    after: Option<&'a str>,
    inclusive: bool,
}

/// What one page holds.
pub(crate) struct Page<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) truncated: bool,
    /// The last key or common prefix of the page.
    pub(crate) last: Option<String>,
}

impl<'a> Scope<'a> {
    /// Keys behind `after` that begin with `prefix`, rolled up at the first `delimiter` behind it.
    pub(crate) fn new(prefix: Option<&'a str>, delimiter: Option<&'a str>, after: Option<&'a str>) -> Self {
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        let after = after.filter(|after| !after.is_empty());
        Self { prefix: prefix.unwrap_or_default(), delimiter, after, inclusive: false }
    }

    /// The same keys, and the one that `after` names.
    pub(crate) fn including_marker(self) -> Self {
        Self { inclusive: true, ..self }
    }

    /// The common prefix that `key` is rolled up to.
    fn rolled_up<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter?;
        let rest = key.strip_prefix(self.prefix)?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    }

    /// Walks the keys in order. `entries` makes the entries of a key; an entry and a common prefix count as one each.
    pub(crate) fn page<'m, V, T>(
        &self,
        keys: &'m BTreeMap<String, V>,
        size: usize,
        entries: impl Fn(&'m String, &'m V) -> Vec<T>,
    ) -> Page<T> {
        let mut page = Page { entries: Vec::new(), prefixes: Vec::new(), truncated: false, last: None };
        // A marker that is itself a common prefix stands for all keys below it.
        let done = self.after.filter(|after| self.rolled_up(after) == Some(after));
        for (key, value) in keys.range::<str, _>((self.start(), Bound::Unbounded)) {
            if !key.starts_with(self.prefix) {
                break;
            }
            if done.is_some_and(|done| key.starts_with(done)) {
                continue;
            }
            let made = entries(key, value);
            if made.is_empty() {
                continue;
            }
            if let Some(common) = self.rolled_up(key) {
                if page.prefixes.last().is_some_and(|last| last == common) {
                    continue;
                }
                if page.is_full(size) {
                    return page;
                }
                page.prefixes.push(common.to_owned());
                page.last = Some(common.to_owned());
                continue;
            }
            for entry in made {
                if page.is_full(size) {
                    return page;
                }
                page.entries.push(entry);
                page.last = Some(key.clone());
            }
        }
        page
    }

    fn start(&self) -> Bound<&str> {
        match self.after {
            Some(after) if after >= self.prefix && self.inclusive => Bound::Included(after),
            Some(after) if after >= self.prefix => Bound::Excluded(after),
            _ => Bound::Included(self.prefix),
        }
    }
}

impl<T> Page<T> {
    /// Whether nothing more fits; then there is more. A page of size 0 is not called truncated, as on AWS.
    fn is_full(&mut self, size: usize) -> bool {
        let full = self.entries.len() + self.prefixes.len() >= size;
        self.truncated = full && size > 0;
        full
    }
}
