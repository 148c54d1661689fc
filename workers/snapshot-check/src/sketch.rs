//! Finds how two sets differ without holding either: an invertible Bloom lookup table, as in Eppstein, Goodrich, Uyeda and
//! Varghese, "What's the Difference? Efficient Set Reconciliation without Prior Context" (SIGCOMM 2011).
//!
//! One side's ids are added, the other's are taken away; what both have leaves no trace, in whatever order they come. Memory
//! goes with the difference that can be told, not with the sets.

/// Each id is in one cell of each of as many tables. With three, about 0.81 differences a cell can be told apart.
const TABLES: usize = 3;

/// How two sets of ids differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Ids that were added only.
    pub(crate) added: Vec<u128>,
    /// Ids that were taken away only.
    pub(crate) taken: Vec<u128>,
}

/// The difference of two sets.
#[derive(Clone)]
pub(crate) struct Sketch {
    cells: Vec<Cell>,
    table: usize,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    count: i64,
    ids: u128,
    checks: u64,
}

impl Cell {
    fn put(&mut self, id: u128, count: i64) {
        self.count = self.count.wrapping_add(count);
        self.ids ^= id;
        self.checks ^= check(id);
    }

    /// The one id that the cell holds, and 1 or -1; none when there are more, or none.
    fn single(&self) -> Option<(u128, i64)> {
        (self.count.abs() == 1 && self.checks == check(self.ids)).then_some((self.ids, self.count))
    }

    fn is_empty(&self) -> bool {
        self.count == 0 && self.ids == 0 && self.checks == 0
    }
}

impl Sketch {
    /// A sketch of about as many cells, 32 bytes each.
    pub(crate) fn new(cells: usize) -> Self {
        let table = cells.div_ceil(TABLES).max(1);
        Self { cells: vec![Cell::default(); table.saturating_mul(TABLES)], table }
    }

    /// Cells.
    pub(crate) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Adds an id.
    pub(crate) fn add(&mut self, id: u128) {
        self.put(id, 1);
    }

    /// Takes an id away.
    pub(crate) fn take(&mut self, id: u128) {
        self.put(id, -1);
    }

    /// Adds all that another sketch of the same size has been given.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (cell, theirs) in self.cells.iter_mut().zip(&other.cells) {
            cell.count = cell.count.wrapping_add(theirs.count);
            cell.ids ^= theirs.ids;
            cell.checks ^= theirs.checks;
        }
    }

    /// How the two sides differ; none when they differ by more than can be told apart.
    pub(crate) fn difference(mut self) -> Option<Difference> {
        let mut difference = Difference::default();
        let mut waiting: Vec<usize> = (0..self.cells.len()).collect();
        while let Some(index) = waiting.pop() {
            let Some((id, count)) = self.cells.get(index).and_then(Cell::single) else { continue };
            if count > 0 {
                difference.added.push(id)
            } else {
                difference.taken.push(id)
            }
            if difference.added.len() + difference.taken.len() > self.cells.len() {
                return None;
            }
            self.put(id, -count);
            waiting.extend(self.places(id));
        }
        self.cells.iter().all(Cell::is_empty).then_some(difference)
    }

    fn put(&mut self, id: u128, count: i64) {
        for place in self.places(id) {
            if let Some(cell) = self.cells.get_mut(place) {
                cell.put(id, count);
            }
        }
    }

    fn places(&self, id: u128) -> [usize; TABLES] {
        let (low, high) = halves(id);
        let mut place = 0;
        [low, high, mix(low ^ high.rotate_left(32))].map(|hash| {
            let within = usize::try_from(hash % self.table as u64).unwrap_or(0);
            place += self.table;
            place - self.table + within
        })
    }
}

fn halves(id: u128) -> (u64, u64) {
    let bytes = id.to_le_bytes();
    let half = |from: usize| bytes.iter().skip(from).take(8).rev().fold(0, |half, byte| half << 8 | u64::from(*byte));
    (half(0), half(8))
}

/// What tells a cell with one id from one in which several add up to something like an id.
fn check(id: u128) -> u64 {
    let (low, high) = halves(id);
    mix(low.wrapping_add(mix(high)))
}

/// The finaliser of SplitMix64.
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// An id as a hash gives it.
    fn id(number: u64) -> u128 {
        u128::from(mix(number.wrapping_add(1))) << 64 | u128::from(mix(number ^ 0x5555_5555_5555_5555))
    }

    fn sketch(cells: usize, added: impl IntoIterator<Item = u64>, taken: impl IntoIterator<Item = u64>) -> Sketch {
        let mut sketch = Sketch::new(cells);
        added.into_iter().for_each(|number| sketch.add(id(number)));
        taken.into_iter().for_each(|number| sketch.take(id(number)));
        sketch
    }

    fn sorted(difference: Option<Difference>) -> Option<(Vec<u128>, Vec<u128>)> {
        difference.map(|mut difference| {
            difference.added.sort_unstable();
            difference.taken.sort_unstable();
            (difference.added, difference.taken)
        })
    }

    fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<u128> {
        numbers.into_iter().map(id).collect::<BTreeSet<_>>().into_iter().collect()
    }

    proptest! {
        #[test]
        fn what_only_one_side_has_is_told_whatever_both_have(
            both in prop::collection::btree_set(0_u64..1_000_000, 0..2_000),
            added in prop::collection::btree_set(1_000_000_u64..2_000_000, 0..40),
            taken in prop::collection::btree_set(2_000_000_u64..3_000_000, 0..40),
        ) {
            let all = sketch(30_000, both.iter().chain(&added).copied(), both.iter().rev().chain(&taken).copied());
            prop_assert_eq!(sorted(all.difference()), Some((ids(added), ids(taken))));
        }

        #[test]
        fn halves_that_are_merged_tell_what_the_whole_tells(cut in 0_u64..1_000) {
            let mut one = sketch(3_000, 0..cut, 10..1_000);
            one.merge(&sketch(3_000, cut..1_000, []));
            prop_assert_eq!(sorted(one.difference()), Some((ids(0..10), Vec::new())));
        }
    }

    #[test]
    fn more_than_can_be_told_apart_is_no_answer_and_not_a_wrong_one() {
        assert_eq!(sketch(300, 0..10_000, []).difference(), None);
        assert!(sketch(30_000, 0..10_000, []).difference().is_some());
    }

    #[test]
    fn what_is_added_twice_and_taken_once_is_a_difference() {
        let difference = sketch(300, [1, 2, 2, 3], [1, 2, 3]).difference();
        assert_eq!(sorted(difference), Some((ids([2]), Vec::new())));
    }

    #[test]
    fn what_is_added_twice_and_never_taken_is_not_lost() {
        assert_eq!(sketch(30, [1, 2, 2], [1]).difference(), None);
    }
}
