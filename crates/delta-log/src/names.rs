//! Names in a Delta log.

use std::collections::BTreeMap;

/// The folder of the log, below a table's root.
pub(crate) const LOG: &str = "_delta_log/";
/// The folder of sidecars.
pub(crate) const SIDECARS: &str = "_delta_log/_sidecars/";
/// The hint at the last checkpoint.
pub(crate) const LAST_CHECKPOINT: &str = "_delta_log/_last_checkpoint";

/// The table of whose log a key is part: `a/b` for `a/b/_delta_log/00000000000000000000.json`, and the empty text for a table at
/// the root of what is looked at.
///
/// Any object below a folder `_delta_log` counts, so that a log of which nothing but scraps are left is still found, and judged
/// torn. The marker of an empty folder (`a/_delta_log/`) is no object of a log. Of two such folders in a key the first counts.
#[must_use]
pub fn root_of(key: &str) -> Option<&str> {
    let (root, name) = match key.strip_prefix(LOG) {
        Some(name) => ("", name),
        None => {
            let at = memchr::memmem::find(key.as_bytes(), b"/_delta_log/")?;
            (key.get(..at)?, key.get(at + 1 + LOG.len()..)?)
        }
    };
    (!name.is_empty()).then_some(root)
}

/// What the listing tells about a file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) size: u64,
    pub(crate) modified_ms: Option<i64>,
}

/// A name in the log, as PROTOCOL.md of delta-io/delta has it ("Delta Log Entries", "Checkpoint Naming Scheme").
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LogName<'a> {
    /// `n.json`
    Commit(u64),
    /// `n.checkpoint.parquet`
    Classic(u64),
    /// `n.checkpoint.o.p.parquet`: part `o` of `p`.
    Part(u64, u32, u32),
    /// `n.checkpoint.u.json` or `n.checkpoint.u.parquet`, with the whole name.
    Uuid(u64, &'a str),
    /// `n.crc`
    Checksum(u64),
    /// `_last_checkpoint`
    Hint,
}

impl<'a> LogName<'a> {
    /// The meaning of a name directly in the log's folder; none for what readers pass over.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        if name == "_last_checkpoint" {
            return Some(Self::Hint);
        }
        let mut pieces = name.split('.');
        let version = digits(pieces.next()?, 20)?;
        if i64::try_from(version).is_err() {
            return None;
        }
        let rest: Vec<&str> = pieces.take(5).collect();
        match rest.as_slice() {
            ["json"] => Some(Self::Commit(version)),
            ["crc"] => Some(Self::Checksum(version)),
            ["checkpoint", "parquet"] => Some(Self::Classic(version)),
            ["checkpoint", uuid, "json" | "parquet"] if uuid.len() == 36 => {
                uuid::Uuid::try_parse(uuid).ok().map(|_| Self::Uuid(version, name))
            }
            ["checkpoint", part, of, "parquet"] => {
                let part = u32::try_from(digits(part, 10)?).ok()?;
                let of = u32::try_from(digits(of, 10)?).ok()?;
                (1..=of).contains(&part).then_some(Self::Part(version, part, of))
            }
            _ => None,
        }
    }
}

fn digits(text: &str, count: usize) -> Option<u64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The path of a commit below the table's root.
pub(crate) fn commit_path(version: u64) -> String {
    format!("{LOG}{version:020}.json")
}

/// A whole checkpoint by name: all of its files but sidecars, which only its content tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) version: u64,
    /// Paths below the table's root, with their sizes.
    pub(crate) files: Vec<(String, LogFile)>,
    /// Whether the name has a UUID, which only checkpoints of the second specification have.
    pub(crate) uuid: bool,
}

/// The checkpoint files of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Files {
    classic: Option<LogFile>,
    parts: BTreeMap<u32, BTreeMap<u32, LogFile>>,
    uuids: BTreeMap<String, LogFile>,
}

/// The names of a log that readers go by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    commits: BTreeMap<u64, LogFile>,
    checkpoints: BTreeMap<u64, Files>,
    hint: Option<LogFile>,
    /// The greatest version that has a file of checksums.
    checksum: Option<u64>,
}

impl Names {
    pub(crate) fn insert(&mut self, name: LogName<'_>, file: LogFile) {
        match name {
            LogName::Commit(version) => {
                self.commits.insert(version, file);
            }
            LogName::Classic(version) => self.checkpoints.entry(version).or_default().classic = Some(file),
            LogName::Part(version, part, of) => {
                let parts = self.checkpoints.entry(version).or_default().parts.entry(of).or_default();
                parts.insert(part, file);
            }
            LogName::Uuid(version, name) => {
                self.checkpoints.entry(version).or_default().uuids.insert(name.to_owned(), file);
            }
            LogName::Checksum(version) => self.checksum = self.checksum.max(Some(version)),
            LogName::Hint => self.hint = Some(file),
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.commits.extend(other.commits);
        for (version, files) in other.checkpoints {
            let ours = self.checkpoints.entry(version).or_default();
            ours.classic = files.classic.or(ours.classic);
            ours.uuids.extend(files.uuids);
            for (of, parts) in files.parts {
                ours.parts.entry(of).or_default().extend(parts);
            }
        }
        self.hint = other.hint.or(self.hint);
        self.checksum = self.checksum.max(other.checksum);
    }

    /// The greatest version that a commit or a checkpoint names, complete or not.
    pub(crate) fn latest(&self) -> Option<u64> {
        self.commits.keys().next_back().max(self.checkpoints.keys().next_back()).copied()
    }

    /// The version of a file of checksums that is above every commit and checkpoint.
    pub(crate) fn checksum_beyond(&self) -> Option<u64> {
        self.checksum.filter(|version| self.latest() < Some(*version))
    }

    pub(crate) const fn commits(&self) -> &BTreeMap<u64, LogFile> {
        &self.commits
    }

    pub(crate) const fn hint(&self) -> Option<LogFile> {
        self.hint
    }

    /// The versions that have a checkpoint with all of its parts, descending.
    pub(crate) fn checkpoint_versions(&self) -> impl Iterator<Item = u64> {
        self.checkpoints.keys().rev().copied().filter(|&version| !self.checkpoints_at(version).is_empty())
    }

    /// The checkpoints of a version that have all of their parts, in the order in which Delta readers choose among them: by UUID
    /// before those in parts before the classic one (`CheckpointInstance` of delta-io/delta and delta-kernel-rs).
    pub(crate) fn checkpoints_at(&self, version: u64) -> Vec<Checkpoint> {
        let Some(files) = self.checkpoints.get(&version) else { return Vec::new() };
        let of = |files: Vec<(String, LogFile)>, uuid| Checkpoint { version, files, uuid };
        let mut all = Vec::new();
        for (name, file) in files.uuids.iter().rev() {
            all.push(of(vec![(format!("{LOG}{name}"), *file)], true));
        }
        for (count, parts) in files.parts.iter().rev().filter(|(count, parts)| parts.len() == **count as usize) {
            let path = |part: &u32| format!("{LOG}{version:020}.checkpoint.{part:010}.{count:010}.parquet");
            all.push(of(parts.iter().map(|(part, file)| (path(part), *file)).collect(), false));
        }
        if let Some(file) = files.classic {
            all.push(of(vec![(format!("{LOG}{version:020}.checkpoint.parquet"), file)], false));
        }
        all
    }

    /// Bytes in memory, about.
    pub(crate) fn memory(&self) -> usize {
        let names: usize = self.checkpoints.values().map(|files| 300 + 100 * files.uuids.len()).sum();
        self.commits.len() * 48 + names
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const UUID: &str = "00000000000000000020.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";

    #[rstest]
    #[case("00000000000000000007.json", Some(LogName::Commit(7)))]
    #[case("00000000000000000007.checkpoint.parquet", Some(LogName::Classic(7)))]
    #[case("00000000000000000007.checkpoint.0000000002.0000000003.parquet", Some(LogName::Part(7, 2, 3)))]
    #[case(UUID, Some(LogName::Uuid(20, UUID)))]
    #[case("_last_checkpoint", Some(LogName::Hint))]
    #[case::short("7.json", None)]
    #[case::long("000000000000000000007.json", None)]
    #[case::too_great("99999999999999999999.json", None)]
    #[case::plus("+0000000000000000007.json", None)]
    #[case::part_0("00000000000000000007.checkpoint.0000000000.0000000003.parquet", None)]
    #[case::part_behind_the_last("00000000000000000007.checkpoint.0000000004.0000000003.parquet", None)]
    #[case::not_a_uuid("00000000000000000020.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a1x.json", None)]
    #[case::compacted("00000000000000000001.00000000000000000005.compacted.json", None)]
    #[case::checksum("00000000000000000007.crc", Some(LogName::Checksum(7)))]
    #[case::hidden(".00000000000000000007.json.crc", None)]
    #[case::temporary("00000000000000000007.json.tmp", None)]
    fn names_are_read_as_the_protocol_has_them(#[case] name: &str, #[case] expected: Option<LogName<'_>>) {
        assert_eq!(LogName::parse(name), expected);
    }

    #[rstest]
    #[case("a/b/_delta_log/00000000000000000000.json", Some("a/b"))]
    #[case("_delta_log/_last_checkpoint", Some(""))]
    #[case("t/_delta_log/_sidecars/x.parquet", Some("t"))]
    #[case("t/_delta_log/anything", Some("t"))]
    #[case::nested("t/u/_delta_log/x", Some("t/u"))]
    #[case::the_first_counts("t/_delta_log/u/_delta_log/x", Some("t"))]
    #[case::marker("t/_delta_log/", None)]
    #[case::file_of_that_name("t/_delta_log", None)]
    #[case::other_folder("t/my_delta_log/x", None)]
    #[case::hadoop_marker("t/_delta_log_$folder$", None)]
    fn keys_of_a_log_name_its_table(#[case] key: &str, #[case] root: Option<&str>) {
        assert_eq!(root_of(key), root);
    }
}
