//! What somebody should know about a table besides its verdict.

use std::collections::BTreeSet;

/// Sentences, each of them once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    sentences: BTreeSet<String>,
    /// Whether one of them says that the log may be that of two tables.
    suspects_two: bool,
}

/// Sentences that are kept.
const LIMIT: usize = 30;

impl Notes {
    pub(crate) const EMPTY: Self = Self { sentences: BTreeSet::new(), suspects_two: false };

    pub(crate) fn extend(&mut self, other: Self) {
        self.suspects_two |= other.suspects_two;
        for note in other.sentences {
            self.add(note);
        }
    }

    pub(crate) fn add(&mut self, note: String) {
        if self.sentences.len() < LIMIT {
            self.sentences.insert(note);
        } else {
            self.sentences.insert("There is more of this kind; only the first ones are named.".to_owned());
        }
    }

    /// That the log may be that of two tables, one after the other at the same place.
    pub(crate) fn second_incarnation(&mut self, sign: &str) {
        self.suspects_two = true;
        self.add(format!(
            "The log may mix two tables, one made at this place after the other was dropped: {sign}. Compare it with the source."
        ));
    }

    /// Looks at the ids of the metadata of a log.
    pub(crate) fn ids(&mut self, ids: &BTreeSet<String>) {
        if ids.len() > 1 {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            self.second_incarnation(&format!("it has metadata with the ids {}", ids.join(" and ")));
        }
    }

    pub(crate) const fn suspect_two(&self) -> bool {
        self.suspects_two
    }

    pub(crate) fn into_vec(self) -> Vec<String> {
        self.sentences.into_iter().collect()
    }
}
