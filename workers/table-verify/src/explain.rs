//! Why a copy is not whole, in an operator's words.

use std::collections::BTreeSet;

use jiff::Timestamp;
use levee_delta_log::{TableVerdict, Verdict};
use levee_ledger::{KeySet, state::Repair};
use levee_tables::prefix;

/// `delta.deletedFileRetentionDuration` where a table does not say: one week (Delta Lake documentation, "Table properties").
const DEFAULT_RETENTION_SECONDS: u64 = 7 * 24 * 3600;
/// Commits of a table that are looked for among what has vanished.
const COMMITS: usize = 100_000;

/// Of the run, what explanations need.
#[derive(Debug)]
pub(crate) struct Circumstances {
    /// The source bucket.
    pub(crate) source: String,
    /// When the inventory's scan began.
    pub(crate) scan_started: Timestamp,
    /// When the tables were looked at.
    pub(crate) now: Timestamp,
    /// Objects of the inventory that were gone from the source when they were to be copied; none where they are too many to be
    /// remembered.
    pub(crate) vanished: Option<KeySet>,
    /// The buckets that have runs in the ledger.
    pub(crate) backed_up: BTreeSet<String>,
}

impl Circumstances {
    /// How old a table's newest whole version was when the scan began, in seconds.
    pub(crate) fn age_of(&self, table: &TableVerdict) -> Option<u64> {
        let committed = table.newest_whole.as_ref()?.timestamp_ms?;
        let age = self.scan_started.as_millisecond().saturating_sub(committed).max(0);
        u64::try_from(age / 1000).ok()
    }

    /// Of the missing objects that are named, what the inventory had and what it had not; empty where none is missing.
    fn whereabouts(&self, table: &TableVerdict) -> String {
        let Some(vanished) = &self.vanished else { return String::new() };
        let below = prefix(&table.path);
        let gone = table.missing.iter().filter(|missing| vanished.has(&format!("{below}{}", missing.path))).count();
        let of = match table.missing_in_all.objects > table.missing.len() as u64 {
            true => format!("of the first {} of them ", table.missing.len()),
            false => String::new(),
        };
        match (gone, table.missing.len() - gone) {
            (0, 0) => String::new(),
            (0, _) => format!(
                ": {of}none was gone from the source at the copy: they came after the inventory of {}, have changed since, or were left out",
                self.scan_started
            ),
            (gone, 0) => format!(
                ": {of}all {gone} were in the inventory of {} and gone from the source when they were to be copied, vacuumed or deleted meanwhile",
                self.scan_started
            ),
            (gone, other) => format!(
                ": {of}{gone} were in the inventory of {} and gone from the source when they were to be copied, vacuumed or deleted \
                 meanwhile, and {other} came after it, have changed since, or were left out",
                self.scan_started
            ),
        }
    }

    /// Of the commits that the copy cannot be loaded beyond, or without, those that the inventory had and the source had not any more;
    /// empty where there is none.
    fn cleaned_up(&self, table: &TableVerdict) -> String {
        let (Some(vanished), Some(latest)) = (&self.vanished, table.latest_version) else { return String::new() };
        let first = table.latest_loadable_version.map_or(0, |version| version + 1);
        let below = prefix(&table.path);
        let is_gone = |version: &u64| vanished.has(&format!("{below}_delta_log/{version:020}.json"));
        let mut gone = (first..=latest).take(COMMITS).filter(is_gone);
        let Some(first) = gone.next() else { return String::new() };
        format!(
            ": {} commits from {first} on were in the inventory of {} and gone from the source when they were to be copied, since its log \
             was cleaned up meanwhile (delta.logRetentionDuration)",
            1 + gone.count(),
            self.scan_started
        )
    }

    /// Whether a place of absolute paths is backed up.
    fn backup_of(&self, place: &str) -> String {
        let bucket = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| place.strip_prefix(scheme));
        match bucket.map(|rest| rest.split('/').next().unwrap_or_default()) {
            None => "not a bucket of S3, so in no backup of Levee".to_owned(),
            Some(bucket) if bucket == self.source => "in this backup, unless the selection leaves it out".to_owned(),
            Some(bucket) if self.backed_up.contains(bucket) => format!("bucket {bucket} has backups of its own"),
            Some(bucket) => format!("bucket {bucket} is not backed up"),
        }
    }

    fn age_seconds(&self) -> u64 {
        u64::try_from(self.now.duration_since(self.scan_started).as_secs()).unwrap_or_default()
    }
}

/// Why a copy cannot be mended from what the source has of the table; none when it can.
pub(crate) fn impossible(copy: &TableVerdict, source: &TableVerdict) -> Option<String> {
    let Some(newest) = source.latest_version else {
        return Some(
            "the table was dropped: the source has no log of it any more, so its copy cannot be made better. An earlier backup \
             may have it whole"
                .to_owned(),
        );
    };
    let ids = copy.table_id.as_ref().zip(source.table_id.as_ref());
    if ids.is_some_and(|(copied, now)| copied != now) || copy.latest_version.is_some_and(|copied| copied > newest) {
        return Some(format!(
            "the table was dropped and made again at the same path since the inventory: the source is at version {newest} of \
             another table now. The copy is of the old one, or mixes both, and is left as it is; the next backup has the new one"
        ));
    }
    if source.verdict == Verdict::Unsupported {
        return Some(format!("the source's table asks for {}, which is not known here", source.unsupported.join(", ")));
    }
    if source.newest_whole_version.is_none() {
        return Some(format!(
            "the table is torn at the source as well: {} there. Look at who vacuums or deletes below it; an earlier backup may \
             have it whole",
            what(source)
        ));
    }
    if copy.verdict.is_good() {
        return None;
    }
    let older = source.newest_whole_version.zip(copy.newest_whole_version).is_some_and(|(theirs, ours)| theirs <= ours);
    older.then(|| {
        format!(
            "the source is no better: its newest whole version is {}, and version {newest} is not whole there",
            source.newest_whole_version.unwrap_or_default()
        )
    })
}

/// Of a source that changes faster than it can be copied.
pub(crate) fn restless() -> String {
    "objects of the table went from the source while they were copied, again and again: somebody vacuums or drops it right now. \
     Redrive the execution when that is over"
        .to_owned()
}

/// Of a table of which the run's selection takes only a part.
pub(crate) fn left_out(key: &str) -> String {
    format!(
        "the run's selection leaves out objects that the table needs, {key:?} for example, so its copies cannot be whole"
    )
}

/// Of a table that needs archived objects.
pub(crate) fn archived() -> String {
    "the table needs objects that are in an archive class or tier at the source, which can be copied only after they are \
     restored: set `archived` of the source to `restore`, or restore them"
        .to_owned()
}

/// What is to be said of a table; none when it is whole, opens where it is, and nothing was done to it.
pub(crate) fn table(
    before: &TableVerdict,
    after: &TableVerdict,
    known: Option<String>,
    repair: Option<&Repair>,
    circumstances: &Circumstances,
) -> Option<String> {
    let mut told: Vec<String> = known.into_iter().collect();
    if let Some(repair) = repair.filter(|repair| repair.objects > 0) {
        told.push(repaired(before, after, repair, circumstances));
    }
    match after.verdict {
        Verdict::NotSelfContained => told.push(elsewhere(after, circumstances)),
        Verdict::Unsupported => told.push(format!(
            "readers must know {}, which is not known here: the objects were copied, but nothing is proved of them",
            after.unsupported.join(", ")
        )),
        Verdict::Behind | Verdict::Torn if told.is_empty() || (repair.is_none() && !after.missing.is_empty()) => {
            told.push(lacks(after, circumstances));
        }
        _ => {}
    }
    if !after.opens_in_place.yes && after.newest_whole_version.is_some() {
        told.extend(after.opens_in_place.why_not.as_deref().map(|why| why.trim_end_matches('.').to_owned()));
    }
    told.extend(retention(after, circumstances));
    (!told.is_empty()).then(|| format!("{}.", told.join(". ")))
}

/// What a copy lacks, and what became of it.
fn lacks(table: &TableVerdict, circumstances: &Circumstances) -> String {
    match what(table) {
        what if table.missing_in_all.objects == 0 => format!("{what}{}", circumstances.cleaned_up(table)),
        what => format!("{what}{}", circumstances.whereabouts(table)),
    }
}

fn what(table: &TableVerdict) -> String {
    match table.latest_loadable_version {
        Some(version) if table.missing_in_all.objects == 0 => format!("no version above {version} can be loaded"),
        Some(version) => format!("version {version} lacks {} objects", table.missing_in_all.objects),
        None => "no version can be loaded from what the log has".to_owned(),
    }
}

fn repaired(before: &TableVerdict, after: &TableVerdict, repair: &Repair, circumstances: &Circumstances) -> String {
    let lacked = match before.checksum_beyond.filter(|_| before.verdict.is_good()) {
        Some(version) => format!("but had nothing of commit {version} than its file of checksums"),
        None => format!("since {}", lacks(before, circumstances)),
    };
    let now = after.newest_whole_version.map_or_else(|| "still none".to_owned(), |version| version.to_string());
    format!(
        "the copy was {}, {lacked}. {} objects were copied from the source as it is now, and the newest whole version is {now}",
        before.verdict.name(),
        repair.objects
    )
}

/// Where the files of a table that is not self-contained are, and whether those places are backed up.
fn elsewhere(verdict: &TableVerdict, circumstances: &Circumstances) -> String {
    let Some(absolute) = &verdict.absolute else { return "some of its files are elsewhere".to_owned() };
    let told = absolute.places.iter().map(|place| format!("{place} ({})", circumstances.backup_of(place)));
    format!(
        "{} of its files are at absolute paths, as a shallow clone's are: {}. A copy of the table needs them where they are",
        absolute.files,
        told.collect::<Vec<_>>().join(", ")
    )
}

/// A warning when files that the table has removed are kept for not much longer than a night takes.
fn retention(verdict: &TableVerdict, circumstances: &Circumstances) -> Option<String> {
    let (kept, age) =
        (verdict.file_retention_seconds.unwrap_or(DEFAULT_RETENTION_SECONDS), circumstances.age_seconds());
    (kept < age.saturating_mul(2)).then(|| {
        format!(
            "removed files of this table are kept for {} hours (delta.deletedFileRetentionDuration), and the copy was made {} \
             hours after the inventory's scan: a vacuum between the two can tear it. Keep them longer, or the settle days \
             shorter",
            kept / 3600,
            age / 3600
        )
    })
}
