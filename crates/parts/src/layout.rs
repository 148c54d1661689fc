//! Into which parts an object is copied.
//!
//! The limits are those of "Amazon S3 multipart upload limits" in the S3 User Guide: 10,000 parts of 5 MiB to 5 GiB, the last
//! one as small as it likes; 48.8 TiB are the product.

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;
const SMALLEST_PART: u64 = 5 * MIB;
const LARGEST_PART: u64 = 5 * 1024 * MIB;
const MOST_PARTS: u64 = 10_000;
/// The least part of a layout of our own: enough parts of a large object to keep the pool busy, and few requests.
const OWN_PART: u64 = 64 * MIB;

/// The parts of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    /// Parts of one size, and the rest as the last.
    Even {
        /// Bytes of the object.
        size: u64,
        /// Bytes of each part but the last.
        part: u64,
    },
    /// The size of each part.
    Listed(Vec<u64>),
}

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 1 on.
    pub(crate) number: i32,
    /// Where it begins in the object.
    pub(crate) first: u64,
    /// Bytes.
    pub(crate) size: u64,
}

impl Part {
    /// Its range in the form of `x-amz-copy-source-range`; none of an empty part.
    pub(crate) fn range(&self) -> Option<String> {
        let last = self.first.saturating_add(self.size).checked_sub(1)?;
        (self.size > 0).then(|| format!("bytes={}-{last}", self.first))
    }
}

impl Layout {
    /// A layout for an object of `size` bytes that has none of its own: the least number of whole mebibytes, 64 at least, of
    /// which 10,000 parts are enough. None when parts of 5 GiB are too small for that.
    pub(crate) fn computed(size: u64) -> Option<Self> {
        let part = size.div_ceil(MOST_PARTS).div_ceil(MIB).saturating_mul(MIB).max(OWN_PART);
        (part <= LARGEST_PART).then_some(Self::Even { size, part })
    }

    /// The layout of an object that was uploaded in parts of these sizes. None when an upload cannot have it.
    pub(crate) fn of_parts(sizes: Vec<u64>) -> Option<Self> {
        let (last, others) = sizes.split_last()?;
        let count = u64::try_from(sizes.len()).ok()?;
        let fits = others.iter().all(|size| (SMALLEST_PART..=LARGEST_PART).contains(size));
        if count > MOST_PARTS || !fits || *last > LARGEST_PART || (*last == 0 && !others.is_empty()) {
            return None;
        }
        let size = sizes.iter().try_fold(0_u64, |sum, part| sum.checked_add(*part))?;
        let part = others.first().copied().unwrap_or(*last).max(1);
        if others.iter().all(|other| *other == part) && *last <= part {
            return Some(Self::Even { size, part });
        }
        Some(Self::Listed(sizes))
    }

    /// Bytes of the object.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Even { size, .. } => *size,
            Self::Listed(sizes) => sizes.iter().sum(),
        }
    }

    /// The number of parts; at least one, since an upload without parts cannot be completed.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Even { size, part } => size.div_ceil((*part).max(1)).max(1),
            Self::Listed(sizes) => u64::try_from(sizes.len()).unwrap_or(u64::MAX),
        }
    }

    /// The parts in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        let mut first = 0;
        (1_i32..).zip(0..self.count()).map(move |(number, index)| {
            let size = self.size_of(index);
            let part = Part { number, first, size };
            first = first.saturating_add(size);
            part
        })
    }

    fn size_of(&self, index: u64) -> u64 {
        match self {
            Self::Even { size, part } => size.saturating_sub(index.saturating_mul(*part)).min(*part),
            Self::Listed(sizes) => {
                usize::try_from(index).ok().and_then(|index| sizes.get(index)).copied().unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const GIB: u64 = 1024 * MIB;
    const TIB: u64 = 1024 * GIB;
    const TB: u64 = 1_000_000_000_000;
    const LARGEST_OBJECT: u64 = MOST_PARTS * LARGEST_PART;

    /// What every layout must keep: all bytes once, in order, within the limits.
    fn check(layout: &Layout, size: u64) {
        let (mut next, mut count) = (0, 0);
        let parts: Vec<_> = layout.parts().collect();
        for part in &parts {
            count += 1;
            assert_eq!((part.first, part.number), (next, count), "{layout:?}");
            assert!(part.size <= LARGEST_PART, "{layout:?}");
            assert!(part.size >= SMALLEST_PART || usize::try_from(count).unwrap() == parts.len(), "{layout:?}");
            next += part.size;
        }
        assert_eq!((next, layout.size()), (size, size), "{layout:?}");
        assert_eq!(u64::try_from(parts.len()).unwrap(), layout.count());
        assert!((1..=MOST_PARTS).contains(&layout.count()), "{layout:?}");
    }

    #[rstest]
    #[case::nothing(0, 64 * MIB, 1)]
    #[case::one_byte(1, 64 * MIB, 1)]
    #[case::limit_of_a_batch_copy_and_one(5_000_000_001, 64 * MIB, 75)]
    #[case::five_gib_and_one(5 * GIB + 1, 64 * MIB, 81)]
    #[case::most_parts_of_64_mib(640_000 * MIB, 64 * MIB, 10_000)]
    #[case::one_more_byte(640_000 * MIB + 1, 65 * MIB, 9847)]
    #[case::five_tb(5 * TB, 477 * MIB, 9997)]
    #[case::five_tib(5 * TIB, 525 * MIB, 9987)]
    #[case::fifty_tb(50 * TB, 4769 * MIB, 9999)]
    #[case::as_large_as_an_object_can_be(LARGEST_OBJECT, 5 * GIB, 10_000)]
    fn computed_layout_has_parts_of_whole_mebibytes_within_the_limits(
        #[case] size: u64,
        #[case] part: u64,
        #[case] count: u64,
    ) {
        let layout = Layout::computed(size).unwrap();
        assert_eq!((&layout, layout.count()), (&Layout::Even { size, part }, count));
        check(&layout, size);
    }

    #[rstest]
    #[case::one_byte_more_than_an_object_can_have(LARGEST_OBJECT + 1)]
    #[case::fifty_tib(50 * TIB)]
    #[case::no_size_at_all(u64::MAX)]
    fn object_that_no_upload_can_hold_has_no_layout(#[case] size: u64) {
        assert_eq!(Layout::computed(size), None);
    }

    #[rstest]
    #[case::one(vec![7], Some(Layout::Even { size: 7, part: 7 }))]
    #[case::one_empty(vec![0], Some(Layout::Even { size: 0, part: 1 }))]
    #[case::even(vec![8 * MIB, 8 * MIB, 3], Some(Layout::Even { size: 16 * MIB + 3, part: 8 * MIB }))]
    #[case::even_to_the_end(vec![8 * MIB, 8 * MIB], Some(Layout::Even { size: 16 * MIB, part: 8 * MIB }))]
    #[case::last_is_largest(vec![8 * MIB, 9 * MIB], Some(Layout::Listed(vec![8 * MIB, 9 * MIB])))]
    #[case::uneven(vec![8 * MIB, 9 * MIB, 3], Some(Layout::Listed(vec![8 * MIB, 9 * MIB, 3])))]
    #[case::of_the_least_size(vec![5 * MIB, 1], Some(Layout::Even { size: 5 * MIB + 1, part: 5 * MIB }))]
    #[case::too_small(vec![5 * MIB - 1, 1], None)]
    #[case::of_the_largest_size(vec![5 * GIB, 1], Some(Layout::Even { size: 5 * GIB + 1, part: 5 * GIB }))]
    #[case::too_large(vec![5 * GIB + 1, 1], None)]
    #[case::last_too_large(vec![5 * MIB, 5 * GIB + 1], None)]
    #[case::last_empty(vec![5 * MIB, 0], None)]
    #[case::too_many(vec![5 * MIB; 10_001], None)]
    #[case::none(Vec::new(), None)]
    fn own_layout_of_an_object_is_kept_when_an_upload_can_have_it(
        #[case] sizes: Vec<u64>,
        #[case] layout: Option<Layout>,
    ) {
        assert_eq!(Layout::of_parts(sizes.clone()), layout);
        if let Some(layout) = layout {
            check(&layout, sizes.iter().sum());
        }
    }

    #[rstest]
    #[case(Part { number: 1, first: 0, size: 1 }, Some("bytes=0-0"))]
    #[case(Part { number: 2, first: 5, size: 3 }, Some("bytes=5-7"))]
    #[case(Part { number: 1, first: 0, size: 0 }, None)]
    fn range_names_the_first_and_the_last_byte(#[case] part: Part, #[case] range: Option<&str>) {
        assert_eq!(part.range().as_deref(), range);
    }

    proptest! {
        #[test]
        fn any_object_that_can_be_is_covered_once_and_in_order(size in 0..=LARGEST_OBJECT) {
            let layout = Layout::computed(size).unwrap();
            check(&layout, size);
            let Layout::Even { part, .. } = layout else { panic!("{layout:?}") };
            prop_assert_eq!(part % MIB, 0);
            prop_assert!(part >= OWN_PART);
        }

        #[test]
        fn any_parts_are_told_back_as_they_were(
            others in prop::collection::vec(SMALLEST_PART..=LARGEST_PART, 0..40),
            last in 1..=LARGEST_PART,
        ) {
            let sizes: Vec<_> = others.into_iter().chain([last]).collect();
            let layout = Layout::of_parts(sizes.clone()).unwrap();
            check(&layout, sizes.iter().sum());
            prop_assert_eq!(layout.parts().map(|part| part.size).collect::<Vec<_>>(), sizes);
        }
    }
}
