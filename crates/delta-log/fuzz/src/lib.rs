//! Tables with one file that may hold anything, and what has to hold of every verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use bytes::Bytes;
use levee_delta_log::{
    Listing, LogReader, Need, Options, ReadError, RestoreFacts, Verdict, at_version, described, lacking, needs,
    restore_commit, verdict,
};

/// libFuzzer ends at any panic, be it caught; that the crate `parquet` trips over something and is caught is as it should be. A panic
/// that is not caught ends the run all the same.
pub fn allow_caught_panics() {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
}

/// Objects below a table's root.
#[derive(Clone, Debug, Default)]
pub struct Table(pub BTreeMap<String, Bytes>);

impl LogReader for Table {
    fn read(&self, path: &str) -> Result<Bytes, ReadError> {
        self.0.get(path).cloned().ok_or(ReadError::Gone)
    }
}

const FIRST: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"t","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{}}}
{"add":{"path":"f0","partitionValues":{},"size":10,"modificationTime":1,"dataChange":true}}
"#;

/// The commit of this version.
pub fn commit_key(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}

/// The classic checkpoint of this version.
pub fn checkpoint_key(version: u64) -> String {
    format!("_delta_log/{version:020}.checkpoint.parquet")
}

impl Table {
    /// A table of one version and one file.
    pub fn small() -> Self {
        let mut table = Self::default();
        table.put(&commit_key(0), FIRST.as_bytes().to_vec());
        table.put("f0", vec![0; 10]);
        table
    }

    pub fn put(&mut self, key: &str, bytes: Vec<u8>) {
        self.0.insert(key.to_owned(), bytes.into());
    }

    /// The tables of the tests, without what is expected of them.
    pub fn fixtures() -> Vec<Self> {
        let archive = flate2::read::GzDecoder::new(include_bytes!("../../tests/fixtures/tables.tar.gz").as_slice());
        let mut tables: BTreeMap<String, Self> = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            if let Some((name, key)) = path.split_once("/table/") {
                tables.entry(name.to_owned()).or_default().put(key, bytes);
            }
        }
        tables.into_values().collect()
    }

    /// A table out of anything: pieces of a name's number, a length of two bytes, and so many bytes.
    pub fn from_pieces(mut data: &[u8]) -> Self {
        let mut table = Self::default();
        while let [name, low, high, rest @ ..] = data {
            let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
            let (piece, behind) = rest.split_at(length);
            table.put(&piece_key(*name), piece.to_vec());
            data = behind;
        }
        table
    }

    /// The pieces of a table, as far as there are numbers for its names.
    pub fn to_pieces(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for number in 0..=u8::MAX {
            if let Some(bytes) = self.0.get(&piece_key(number)) {
                let Ok(length) = u16::try_from(bytes.len()) else { continue };
                data.push(number);
                data.extend(length.to_le_bytes());
                data.extend(bytes);
            }
        }
        data
    }

    fn listing(&self) -> Listing {
        let mut listing = Listing::new();
        for (key, bytes) in &self.0 {
            listing.push(key, bytes.len() as u64, None);
        }
        listing
    }

    /// Gives the verdict, and fails when it contradicts itself.
    pub fn check(&self) {
        let listing = self.listing();
        let options = Options::default();
        let answer = verdict("t", &listing, self, &options).expect("a reader that does not fail");
        assert!(answer.newest_whole_version <= answer.latest_loadable_version, "{answer:?}");
        assert!(answer.latest_loadable_version <= answer.latest_version, "{answer:?}");
        assert_eq!(answer.newest_whole.is_some(), answer.newest_whole_version.is_some(), "{answer:?}");
        assert!(!answer.verdict.is_good() || answer.newest_whole_version == answer.latest_version, "{answer:?}");
        assert!(answer.verdict != Verdict::Torn || answer.newest_whole_version.is_none(), "{answer:?}");
        if let Some(version) = answer.newest_whole_version {
            let at = at_version(&listing, self, &options, version).expect("a reader that does not fail");
            assert!(at.whole, "{answer:?} {at:?}");
            assert_eq!(at.facts.map(|facts| facts.files), answer.newest_whole.as_ref().map(|facts| facts.files));
            self.check_lacking(&listing, version);
        }
        let sharded =
            verdict("t", &listing, self, &options.with_shard_objects(7)).expect("a reader that does not fail");
        assert_eq!(answer, sharded);
        if let Some(newest) = answer.latest_version.filter(|newest| answer.latest_loadable_version == Some(*newest)) {
            self.check_rollbacks(&listing, newest);
        }
    }

    /// A whole version lacks nothing, and an empty copy, asked for in shares, all that the version needs.
    fn check_lacking(&self, listing: &Listing, version: u64) {
        let options = Options::default();
        let (mut all, mut found) = (BTreeSet::new(), BTreeSet::new());
        let mut take = |need: Need<'_>| {
            all.insert((need.kind, need.path.to_owned(), need.size));
            Ok(())
        };
        needs(listing, self, &options, version, &mut take).expect("a version that is whole");
        for index in 0..3 {
            let mut take = |need: Need<'_>| {
                found.insert((need.kind, need.path.to_owned(), need.size));
                Ok(())
            };
            let copy = Listing::for_shard(index, 3);
            lacking(listing, &copy, self, &options, version, &mut take).expect("a version that is whole");
        }
        assert_eq!(all, found);
        let mut nothing = |need: Need<'_>| panic!("{} is there", need.path);
        lacking(listing, listing, self, &options, version, &mut nothing).expect("a version that is whole");
    }

    /// Rolls back to the versions before the newest one: there is an error, or a commit that does it.
    fn check_rollbacks(&self, listing: &Listing, newest: u64) {
        let options = Options::default();
        let _ = described(listing, self, &options, newest);
        let facts_of = |table: &Self, version| {
            let at = at_version(&table.listing(), table, &options, version).expect("a reader that does not fail");
            at.facts.map(|facts| (facts.files, facts.bytes, facts.deletion_vectors))
        };
        for to in newest.saturating_sub(3)..newest {
            let facts = RestoreFacts { timestamp_ms: 1, engine_info: "fuzz".to_owned() };
            let mut commit = Vec::new();
            let mut out = |piece: &[u8]| {
                commit.extend_from_slice(piece);
                Ok(())
            };
            let made = restore_commit(listing, self, &options, newest, to, &facts, &mut out);
            let Ok(summary) = made else { continue };
            let mut after = self.clone();
            if let Some(version) = summary.version {
                after.put(&commit_key(version), commit);
            }
            let now = facts_of(&after, summary.version.unwrap_or(newest));
            assert_eq!(now, facts_of(self, to), "rolled back from {newest} to {to}");
        }
    }
}

fn piece_key(number: u8) -> String {
    match number {
        0..=31 => commit_key(u64::from(number)),
        32..=63 => checkpoint_key(u64::from(number - 32)),
        64 => "_delta_log/_last_checkpoint".to_owned(),
        65..=80 => {
            let extension = if number % 2 == 0 { "json" } else { "parquet" };
            format!("_delta_log/{:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.{extension}", number / 2 - 32)
        }
        81..=96 => format!("_delta_log/_sidecars/{number}.parquet"),
        97..=128 => {
            let (part, of) = ((number - 97) % 3 + 1, 3);
            format!("_delta_log/{:020}.checkpoint.{part:010}.{of:010}.parquet", number / 8)
        }
        _ => format!("f{number}"),
    }
}
