//! A bucket's keys, cut into ranges that are listed side by side.

use std::collections::BTreeSet;

/// The keys of a range, about: ten calls.
const RANGE: u64 = 10_000;

/// Keys above `after` up to `until`, which belongs to it; without them from the first or to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub(crate) after: Option<String>,
    pub(crate) until: Option<String>,
}

impl Range {
    /// Whether the key comes after the last one of the range.
    #[must_use]
    pub fn ends_before(&self, key: &str) -> bool {
        self.until.as_deref().is_some_and(|until| key > until)
    }
}

/// Cuts a bucket of about `keys` keys, of which `sample` is an even sample, into ranges of about the same size. The ranges
/// have every key once, whatever keys there are.
#[must_use]
pub fn ranges(keys: u64, sample: &BTreeSet<String>) -> Vec<Range> {
    let wanted = usize::try_from(keys / RANGE).unwrap_or(usize::MAX);
    cut(None, sample, wanted)
}

/// The keys above `after` in at most `wanted` ranges, with about as many of `points`, which are above it, in each.
pub(crate) fn cut(after: Option<String>, points: &BTreeSet<String>, wanted: usize) -> Vec<Range> {
    let points: Vec<&String> = points.iter().collect();
    let wanted = wanted.clamp(1, points.len().max(1));
    let mut cuts: Vec<String> = (1..wanted)
        .filter_map(|cut| points.get(cut.saturating_mul(points.len()) / wanted))
        .map(|key| (*key).clone())
        .collect();
    cuts.dedup();
    let mut ranges = Vec::new();
    let mut after = after;
    for cut in cuts {
        ranges.push(Range { after: after.replace(cut.clone()), until: Some(cut) });
    }
    ranges.push(Range { after, until: None });
    ranges
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::empty(0, 0)]
    #[case::few_keys(9_999, 256)]
    #[case::many_keys(1_000_000, 256)]
    #[case::billions_of_keys(5_000_000_000, 256)]
    #[case::no_sample(1_000_000, 0)]
    fn ranges_join_without_gap_or_overlap(#[case] keys: u64, #[case] samples: usize) {
        let sample = (0..samples).map(|number| format!("{:08}", number * 7)).collect();
        let ranges = ranges(keys, &sample);
        assert_eq!(ranges.first().map(|range| range.after.clone()), Some(None));
        assert_eq!(ranges.last().map(|range| range.until.clone()), Some(None));
        for pair in ranges.windows(2) {
            let [one, next] = pair else { continue };
            assert_eq!(one.until, next.after);
            assert!(one.after < one.until);
        }
    }

    #[test]
    fn ranges_are_as_many_as_the_keys_need_and_the_sample_allows() {
        let sample: BTreeSet<_> = (0..256).map(|number| format!("{number:03}")).collect();
        assert_eq!(ranges(9_999, &sample).len(), 1);
        assert_eq!(ranges(40_000, &sample).len(), 4);
        assert_eq!(ranges(5_000_000_000, &sample).len(), 256);
    }

    #[test]
    fn ranges_of_the_rest_begin_after_what_was_listed() {
        let points: BTreeSet<_> = ["d", "e", "f"].map(str::to_owned).into();
        let ranges = cut(Some("c".to_owned()), &points, 2);
        let after: Vec<_> = ranges.iter().map(|range| range.after.as_deref()).collect();
        assert_eq!(after, [Some("c"), Some("e")]);
        assert_eq!(ranges.last().and_then(|range| range.until.clone()), None);
    }
}
