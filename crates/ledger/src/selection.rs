//! A selection, ready to be asked for each object.

use globset::{Candidate, GlobBuilder, GlobMatcher};

use crate::state::{KeyPattern, Selection};

/// The storage classes that an inventory names (PutObject of the S3 API Reference, without those that only Outposts, Snow
/// devices, directory buckets and file systems have).
pub const STORAGE_CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];
/// The input of an execution has at most 256 KiB, and every pattern costs time for each object.
const MAX_PATTERNS: usize = 100;
/// The longest key.
const MAX_PATTERN_BYTES: usize = 1024;

/// A [`Selection`] with its globs compiled.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    storage_classes: Vec<String>,
}

#[derive(Clone, Debug)]
enum Pattern {
    Prefix(Vec<u8>),
    Glob(Box<GlobMatcher>),
}

impl Selector {
    /// Compiles a selection.
    ///
    /// # Errors
    /// All patterns and classes that it cannot have, each as a sentence about `run.selection`.
    pub fn new(selection: &Selection) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let include = patterns("run.selection.include", &selection.include, &mut problems);
        let exclude = patterns("run.selection.exclude", &selection.exclude, &mut problems);
        for class in selection.storage_classes.iter().filter(|class| !STORAGE_CLASSES.contains(&class.as_str())) {
            problems.push(format!(
                "`run.selection.storage_classes` has {class:?}, they are {}",
                STORAGE_CLASSES.join(", ")
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { include, exclude, storage_classes: selection.storage_classes.clone() })
    }

    /// Whether an object is selected: by its decoded key and its storage class, which must be known where the selection
    /// names classes.
    #[must_use]
    pub fn takes(&self, key: &str, storage_class: Option<&str>) -> bool {
        let included = self.include.is_empty() || self.include.iter().any(|pattern| pattern.matches(key));
        included
            && (self.storage_classes.is_empty()
                || storage_class.is_some_and(|class| self.storage_classes.iter().any(|wanted| wanted == class)))
            && !self.exclude.iter().any(|pattern| pattern.matches(key))
    }

    /// Whether it looks at storage classes.
    #[must_use]
    pub fn asks_for_classes(&self) -> bool {
        !self.storage_classes.is_empty()
    }
}

impl Pattern {
    fn matches(&self, key: &str) -> bool {
        match self {
            Self::Prefix(prefix) => key.as_bytes().starts_with(prefix),
            Self::Glob(glob) => glob.is_match_candidate(&Candidate::from_bytes(key.as_bytes())),
        }
    }
}

fn patterns(field: &str, patterns: &[KeyPattern], problems: &mut Vec<String>) -> Vec<Pattern> {
    if patterns.len() > MAX_PATTERNS {
        problems.push(format!("`{field}` has {} patterns, at most {MAX_PATTERNS} are allowed", patterns.len()));
        return Vec::new();
    }
    let mut compiled = Vec::with_capacity(patterns.len());
    for (index, pattern) in patterns.iter().enumerate() {
        match compile(pattern) {
            Ok(pattern) => compiled.push(pattern),
            Err(problem) => problems.push(format!("`{field}[{index}]` {problem}")),
        }
    }
    compiled
}

fn compile(pattern: &KeyPattern) -> Result<Pattern, String> {
    let (KeyPattern::Prefix(text) | KeyPattern::Glob(text)) = pattern;
    if text.is_empty() {
        return Err("is empty: leave it out, without patterns everything is included".to_owned());
    }
    if text.len() > MAX_PATTERN_BYTES {
        return Err(format!("has {} bytes, a key has at most {MAX_PATTERN_BYTES}", text.len()));
    }
    let KeyPattern::Glob(glob) = pattern else { return Ok(Pattern::Prefix(text.clone().into_bytes())) };
    // The library matches bytes, so that a character class would match parts of a longer character.
    if glob.contains('[') && !glob.is_ascii() {
        return Err(format!("{glob:?} has characters beyond ASCII and a `[`: use {{a,b}} in place of [ab]"));
    }
    // Without `empty_alternates`, `{,a}` would silently match less than it says.
    let built = GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).empty_alternates(true).build();
    let glob = built.map_err(|error| format!("cannot be read: {error}"))?;
    // One matcher for each: a set of them takes short cuts over file names, and a key is no path (`a/..`, `a//b`).
    Ok(Pattern::Glob(Box::new(glob.compile_matcher())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn takes(selection: Value, key: &str, class: Option<&str>) -> bool {
        let selection: Selection = serde_json::from_value(selection).unwrap();
        Selector::new(&selection).unwrap().takes(key, class)
    }

    fn glob(glob: &str) -> Value {
        json!({ "include": [{ "glob": glob }] })
    }

    fn prefix(prefix: &str) -> Value {
        json!({ "include": [{ "prefix": prefix }] })
    }

    #[rstest]
    #[case::everything(json!({}), "any/key", true)]
    #[case::table(prefix("sales/orders/"), "sales/orders/_delta_log/0.json", true)]
    #[case::other_table(prefix("sales/orders/"), "sales/refunds/a", false)]
    #[case::not_within(prefix("orders/"), "sales/orders/a", false)]
    #[case::prefix_is_the_key(prefix("a/b"), "a/b", true)]
    #[case::prefix_of_a_sibling(prefix("a/b"), "a/bc", true)]
    #[case::prefix_with_its_slash(prefix("a/b/"), "a/bc", false)]
    #[case::longer_than_the_key(prefix("a/b/c"), "a/b", false)]
    #[case::case_matters(prefix("Sales/"), "sales/a", false)]
    #[case::stars_are_no_wildcards(prefix("a*"), "ab", false)]
    #[case::stars_are_stars(prefix("a*"), "a*b", true)]
    #[case::space(prefix("a b/"), "a b/c", true)]
    #[case::plus_is_no_space(prefix("a+b/"), "a b/c", false)]
    #[case::plus(prefix("a+b/"), "a+b/c", true)]
    #[case::equals(prefix("t/date=2026-11-20/"), "t/date=2026-11-20/p", true)]
    #[case::encoded_equals(prefix("t/date%3D2026-11-20/"), "t/date=2026-11-20/p", false)]
    #[case::percent(prefix("ts=12%3A00/"), "ts=12%3A00/p", true)]
    #[case::percent_is_not_decoded(prefix("ts=12:00/"), "ts=12%3A00/p", false)]
    #[case::non_ascii(prefix("größe/"), "größe/a", true)]
    #[case::line_feed(prefix("a\n"), "a\nb", true)]
    #[case::any_of_two(json!({ "include": [{ "prefix": "a/" }, { "glob": "b/*" }] }), "b/c", true)]
    #[case::none_of_two(json!({ "include": [{ "prefix": "a/" }, { "glob": "b/*" }] }), "c/b/c", false)]
    fn prefixes_match_the_beginning_of_the_decoded_key(
        #[case] selection: Value,
        #[case] key: &str,
        #[case] taken: bool,
    ) {
        assert_eq!(takes(selection, key, None), taken);
    }

    #[rstest]
    #[case::star("a/*/c", "a/b/c", true)]
    #[case::star_stays_within_a_slash("a/*/c", "a/b/b/c", false)]
    #[case::star_may_be_nothing("a/b*", "a/b", true)]
    #[case::whole_key("a/*", "x/a/b", false)]
    #[case::whole_key_at_the_end("a/*", "a/b/c", false)]
    #[case::two_stars("a/**", "a/b/c/d", true)]
    #[case::two_stars_are_below("a/**", "ab", false)]
    #[case::two_stars_between("a/**/c", "a/b/b/c", true)]
    #[case::two_stars_between_may_be_nothing("a/**/c", "a/c", true)]
    #[case::two_stars_in_front("**/_delta_log/*.json", "sales/orders/_delta_log/0.json", true)]
    #[case::two_stars_in_front_may_be_nothing("**/_delta_log/*.json", "_delta_log/0.json", true)]
    #[case::hidden_files_are_files("*.crc", ".0.crc", true)]
    #[case::question_mark("a?c", "abc", true)]
    #[case::question_mark_is_no_slash("a?c", "a/c", false)]
    #[case::class("part-[0-4]*", "part-3x", true)]
    #[case::negated_class("part-[!0-4]*", "part-3x", false)]
    #[case::either("{orders,refunds}/**", "refunds/a", true)]
    #[case::neither("{orders,refunds}/**", "returns/a", false)]
    #[case::or_nothing("a{,b}", "a", true)]
    #[case::case_matters("*.PARQUET", "a.parquet", false)]
    #[case::escaped_star(r"a\*", "ab", false)]
    #[case::escaped_star_is_a_star(r"a\*", "a*", true)]
    #[case::space("a */x", "a b/x", true)]
    #[case::plus("a+*", "a+b", true)]
    #[case::plus_is_no_space("a+*", "a b", false)]
    #[case::equals("t/date=2026-*/**", "t/date=2026-11-20/p", true)]
    #[case::percent("ts=*%3A*", "ts=12%3A00", true)]
    #[case::non_ascii("*ö*/a", "größe/a", true)]
    #[case::line_feed("a*b", "a\nb", true)]
    #[case::line_feed_below("a/**", "a/b\nc", true)]
    #[case::two_slashes("a//b", "a//b", true)]
    #[case::star_between_slashes("a/*/b", "a//b", true)]
    #[case::dots("**/..", "a/..", true)]
    #[case::slash_at_the_end("a/*", "a/", true)]
    fn globs_match_the_whole_decoded_key(#[case] pattern: &str, #[case] key: &str, #[case] taken: bool) {
        assert_eq!(takes(glob(pattern), key, None), taken);
    }

    #[rstest]
    #[case::excluded_alone(json!({ "exclude": [{ "prefix": "tmp/" }] }), "tmp/a", false)]
    #[case::rest_of_excluded(json!({ "exclude": [{ "prefix": "tmp/" }] }), "a/tmp/", true)]
    #[case::excluded_wins(json!({ "include": [{ "prefix": "a/" }], "exclude": [{ "glob": "**/_tmp/**" }] }), "a/_tmp/b", false)]
    #[case::included_and_not_excluded(json!({ "include": [{ "prefix": "a/" }], "exclude": [{ "glob": "**/_tmp/**" }] }), "a/b", true)]
    #[case::neither(json!({ "include": [{ "prefix": "a/" }], "exclude": [{ "prefix": "b/" }] }), "c", false)]
    #[case::same_pattern_twice(json!({ "include": [{ "prefix": "a/" }], "exclude": [{ "prefix": "a/" }] }), "a/b", false)]
    fn what_is_excluded_is_never_taken(#[case] selection: Value, #[case] key: &str, #[case] taken: bool) {
        assert_eq!(takes(selection, key, None), taken);
    }

    #[rstest]
    #[case::of_the_class(json!({ "storage_classes": ["STANDARD", "GLACIER_IR"] }), Some("GLACIER_IR"), true)]
    #[case::of_another(json!({ "storage_classes": ["STANDARD"] }), Some("STANDARD_IA"), false)]
    #[case::unknown(json!({ "storage_classes": ["STANDARD"] }), None, false)]
    #[case::all_classes(json!({}), None, true)]
    #[case::class_and_prefix(json!({ "storage_classes": ["STANDARD"], "include": [{ "prefix": "b" }] }), Some("STANDARD"), false)]
    #[case::class_and_excluded(json!({ "storage_classes": ["STANDARD"], "exclude": [{ "prefix": "a" }] }), Some("STANDARD"), false)]
    fn classes_select_among_what_patterns_take(
        #[case] selection: Value,
        #[case] class: Option<&str>,
        #[case] taken: bool,
    ) {
        assert_eq!(takes(selection, "a", class), taken);
    }

    #[test]
    fn all_problems_of_a_selection_are_told_at_once() {
        let selection = json!({
            "include": [{ "prefix": "" }, { "glob": "a[b" }, { "glob": "" }, { "prefix": "good" }],
            "exclude": [{ "glob": "{a" }, { "glob": "[äö]" }, { "prefix": "x".repeat(1025) }],
            "storage_classes": ["STANDARD", "standard", "COLD"],
        });
        let problems = Selector::new(&serde_json::from_value(selection).unwrap()).unwrap_err();
        let parts = [
            "include[0]` is empty",
            "include[1]` cannot be read",
            "a[b",
            "include[2]` is empty",
            "exclude[0]` cannot be read",
            "exclude[1]` \"[äö]\"",
            "exclude[2]` has 1025 bytes",
            "\"standard\"",
            "\"COLD\"",
        ];
        for part in parts {
            assert!(problems.iter().any(|problem| problem.contains(part)), "{part:?} is not in {problems:#?}");
        }
        assert_eq!(problems.len(), 8);
    }

    #[test]
    fn too_many_patterns_are_refused() {
        let selection = json!({ "include": vec![json!({ "prefix": "a" }); 101] });
        let problems = Selector::new(&serde_json::from_value(selection).unwrap()).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains("101 patterns")), "{problems:?}");
    }
}
