//! Tables of a place, found and looked at in bounded memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use levee_delta_log::{Listing, Options, PlaceListing, TableVerdict, root_of};
use levee_stage::StageError;

use crate::{
    check::{verdict, verdict_by_shards},
    listings::listing_within,
    store::Store,
};

/// Objects of a place that are held at once, about 32 bytes each: 256 MiB.
pub const HELD_AT_ONCE: usize = 8 << 20;

/// A table that was looked at.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What it is worth.
    pub verdict: TableVerdict,
    /// What is below its root; none when that is more than is held at once, so that it was judged by shares.
    pub listing: Option<Arc<Listing>>,
    /// In how many shares it was judged.
    pub shares: u32,
}

/// The tables of a place by their roots: key prefixes without a slash at the end; the place's own root is the empty one.
///
/// The place is listed once. Each table comes with its listing, unless the place has more than `held` objects: then the tables
/// are to be listed one by one, so that the place is listed twice in all.
///
/// # Errors
/// The place cannot be listed.
pub async fn tables<S: Store>(store: &S, held: usize) -> Result<BTreeMap<String, Option<Arc<Listing>>>, StageError> {
    let mut place = PlaceListing::new();
    let mut roots: Option<BTreeSet<String>> = None;
    store
        .list("", |object| {
            if roots.is_none() && place.objects() < held {
                return place.push(object.key, object.size, object.modified_ms);
            }
            let roots = roots.get_or_insert_with(|| std::mem::take(&mut place).into_roots().collect());
            if let Some(root) = root_of(object.key).filter(|root| !roots.contains(*root)) {
                roots.insert(root.to_owned());
            }
        })
        .await?;
    Ok(match roots {
        Some(roots) => roots.into_iter().map(|root| (root, None)).collect(),
        None => place.into_tables().map(|(root, listing)| (root, Some(Arc::new(listing)))).collect(),
    })
}

/// Gives a table its verdict, by the listing where there is one. A table of more objects than `options.shard_objects` is judged
/// by shares, and listed once for each.
///
/// # Errors
/// The place cannot be listed or read; the log asks for more than is done for one table.
pub async fn look<S: Store>(
    store: &S,
    root: &str,
    known: Option<Arc<Listing>>,
    options: &Options,
) -> Result<Looked, StageError> {
    let listed = match known {
        Some(listing) => Ok(listing),
        None => listing_within(store, root, options.shard_objects).await?,
    };
    match listed {
        Ok(listing) => {
            let verdict = verdict(store, root, &listing, options).await?;
            Ok(Looked { verdict, listing: Some(listing), shares: 1 })
        }
        Err(objects) => {
            let shards = u32::try_from(objects.div_ceil(options.shard_objects.max(1))).unwrap_or(u32::MAX);
            let verdict = verdict_by_shards(store, root, shards, options).await?;
            Ok(Looked { verdict, listing: None, shares: shards })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, path::Path};

    use levee_delta_log::Verdict;
    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;
    use crate::FolderStore;

    const FILES: usize = 40;

    fn write(root: &Path, key: &str, bytes: &str) {
        let path = root.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// A whole table, one of which the newest commit names a file that is not there, one within another, and a log of scraps.
    fn place() -> TempDir {
        let place = tempfile::tempdir().unwrap();
        for table in ["a/whole", "a/whole/inner", "behind"] {
            let mut first = vec![
                r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#.to_owned(),
                r#"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{}","partitionColumns":[],"configuration":{}}}"#.to_owned(),
            ];
            for number in 0..FILES {
                write(place.path(), &format!("{table}/part-{number}"), "x");
                first.push(format!(r#"{{"add":{{"path":"part-{number}","partitionValues":{{}},"size":1,"modificationTime":1,"dataChange":true}}}}"#));
            }
            write(place.path(), &format!("{table}/_delta_log/{:020}.json", 0), &first.join("\n"));
        }
        let lost = r#"{"add":{"path":"lost","partitionValues":{},"size":7,"modificationTime":1,"dataChange":true}}"#;
        write(place.path(), &format!("behind/_delta_log/{:020}.json", 1), lost);
        write(place.path(), "scraps/_delta_log/x.crc", "x");
        write(place.path(), "no table/file", "x");
        place
    }

    async fn verdicts(store: &FolderStore, held: usize, options: &Options) -> Vec<(TableVerdict, bool)> {
        let mut verdicts = Vec::new();
        for (root, known) in tables(store, held).await.unwrap() {
            let looked = look(store, &root, known, options).await.unwrap();
            verdicts.push((looked.verdict, looked.listing.is_some()));
        }
        verdicts
    }

    #[tokio::test]
    async fn tables_of_a_place_are_found_with_their_verdicts() {
        let place = place();
        let found = verdicts(&FolderStore::new(place.path()), usize::MAX, &Options::default()).await;
        let found: Vec<_> = found.iter().map(|(verdict, _)| (verdict.path.as_str(), verdict.verdict)).collect();
        let expected = [
            ("a/whole", Verdict::Whole),
            ("a/whole/inner", Verdict::Whole),
            ("behind", Verdict::Behind),
            ("scraps", Verdict::Torn),
        ];
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::nothing_of_the_place_is_held(0, usize::MAX, true)]
    #[case::a_part_of_the_place_is_held(50, usize::MAX, true)]
    #[case::not_even_a_table_is_held(0, 7, false)]
    #[tokio::test]
    async fn verdicts_are_the_same_however_little_is_held_at_once(
        #[case] held: usize,
        #[case] shard_objects: usize,
        #[case] listed: bool,
    ) {
        let place = place();
        let store = FolderStore::new(place.path());
        let whole = verdicts(&store, usize::MAX, &Options::default()).await;
        let bounded = verdicts(&store, held, &Options::default().with_shard_objects(shard_objects)).await;
        for ((expected, _), (found, has_listing)) in whole.iter().zip(&bounded) {
            assert_eq!(found, expected);
            assert_eq!(*has_listing, listed || expected.path == "scraps", "{}", expected.path);
        }
        assert_eq!(whole.len(), bounded.len());
    }
}
