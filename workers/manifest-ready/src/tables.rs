//! The objects of an inventory by table, as far as their keys tell.

use std::collections::HashMap;

use levee_ledger::state::Amount;

/// Tables that are told apart; the objects of further ones are counted together.
const MOST: usize = 10_000;

/// The folder of a key that is a table if it belongs to one: without the folders of partitions (`date=2026-03-31`), and those
/// whose name begins with an underscore (`_delta_log`, `_change_data`), and all below them. Whether it is a table, the key
/// alone does not tell.
#[must_use]
pub fn table_of(key: &str) -> &str {
    let bytes = key.as_bytes();
    let folder = memchr::memrchr(b'/', bytes).and_then(|end| bytes.get(..end)).unwrap_or_default();
    let before = |at: usize| folder.get(..at).and_then(|part| memchr::memrchr(b'/', part)).unwrap_or(0);
    let begins_name = |at: usize| at == 0 || folder.get(at - 1) == Some(&b'/');
    let end = memchr::memchr2_iter(b'=', b'_', folder).find_map(|at| match folder.get(at) {
        Some(b'=') => Some(before(at)),
        _ => begins_name(at).then(|| at.saturating_sub(1)),
    });
    // Slashes are characters of their own, so that this cuts none.
    key.get(..end.unwrap_or(folder.len())).unwrap_or_default()
}

/// Objects and bytes by table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByTable {
    tables: HashMap<String, Amount>,
    /// The table of the last row, which mostly is that of the next one, too; not in `tables` yet.
    last: (String, Amount),
    rest: Amount,
}

impl ByTable {
    /// Counts an object.
    pub fn add(&mut self, key: &str, bytes: u64) {
        let (table, one) = (table_of(key), Amount { rows: 1, bytes });
        if self.last.0 == table {
            return self.last.1.add(one);
        }
        self.settle();
        self.last.0.clear();
        self.last.0.push_str(table);
        self.last.1 = one;
    }

    /// Counts those of another file too.
    pub fn merge(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        self.rest.add(other.rest);
        for (table, amount) in other.tables {
            self.put(&table, amount);
        }
    }

    /// The tables with the most bytes first, and what belongs to tables that were not told apart.
    #[must_use]
    pub fn largest_first(mut self) -> (Vec<(String, Amount)>, Amount) {
        self.settle();
        let mut tables: Vec<_> = self.tables.into_iter().collect();
        tables.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then_with(|| a.0.cmp(&b.0)));
        (tables, self.rest)
    }

    fn settle(&mut self) {
        if self.last.1.rows > 0 {
            let (table, amount) = std::mem::take(&mut self.last);
            self.put(&table, amount);
            self.last.0 = table;
        }
    }

    fn put(&mut self, table: &str, amount: Amount) {
        if let Some(sum) = self.tables.get_mut(table) {
            sum.add(amount);
        } else if self.tables.len() < MOST {
            self.tables.insert(table.to_owned(), amount);
        } else {
            self.rest.add(amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::data_file("sales/orders/part-0.parquet", "sales/orders")]
    #[case::partitions("sales/orders/date=2026-03-31/hour=4/part-0.parquet", "sales/orders")]
    #[case::log("sales/orders/_delta_log/00000000000000000000.json", "sales/orders")]
    #[case::change_data("sales/orders/_change_data/date=1/cdc-0.parquet", "sales/orders")]
    #[case::underscore_within_a_name("sales/my_orders/part_0.parquet", "sales/my_orders")]
    #[case::equals_in_the_file_name("sales/orders/a=b.parquet", "sales/orders")]
    #[case::table_in_the_root("_delta_log/0.json", "")]
    #[case::partition_in_the_root("date=1/a", "")]
    #[case::object_in_the_root("a", "")]
    #[case::folder_of_no_name("/a", "")]
    #[case::letters_of_several_bytes("größe/ß_ä=1/ü=2/a", "größe")]
    #[case::partition_column_with_underscores("t/event_date=1/a", "t")]
    fn table_is_the_folder_above_partitions_and_logs(#[case] key: &str, #[case] table: &str) {
        assert_eq!(table_of(key), table);
    }

    #[test]
    fn objects_are_counted_by_table_over_all_files_and_beyond_the_most_together() {
        let (mut one, mut other) = (ByTable::default(), ByTable::default());
        for key in ["a/1", "b/1", "a/2", "a/3"] {
            one.add(key, 10);
        }
        for table in 0..MOST {
            other.add(&format!("t{table:05}/1"), 1);
        }
        other.add("a/4", 5);
        one.merge(other);
        let (tables, rest) = one.largest_first();
        assert_eq!((tables.len(), tables.first()), (MOST, Some(&("a".to_owned(), Amount { rows: 3, bytes: 30 }))));
        let rows: u64 = tables.iter().map(|(_, amount)| amount.rows).sum();
        assert_eq!(rows + rest.rows, 4 + 10_000 + 1);
    }
}
