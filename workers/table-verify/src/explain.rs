//! Why a copy is not whole, in an operator's words.

use jiff::Timestamp;
use levee_delta_log::{TableVerdict, Verdict};
use levee_ledger::state::Repair;

/// `delta.deletedFileRetentionDuration` where a table does not say: one week (Delta Lake documentation, "Table properties").
const DEFAULT_RETENTION_SECONDS: u64 = 7 * 24 * 3600;

/// Of the run, what explanations need.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances {
    /// The source bucket.
    pub(crate) source: String,
    /// When the inventory's scan began.
    pub(crate) scan_started: Timestamp,
    /// When the tables were looked at.
    pub(crate) now: Timestamp,
}

impl Circumstances {
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
            lacks(source)
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
        Verdict::Behind | Verdict::Torn if told.is_empty() => told.push(lacks(after)),
        _ => {}
    }
    if !after.opens_in_place.yes && after.newest_whole_version.is_some() {
        told.extend(after.opens_in_place.why_not.as_deref().map(|why| why.trim_end_matches('.').to_owned()));
    }
    told.extend(retention(after, circumstances));
    (!told.is_empty()).then(|| format!("{}.", told.join(". ")))
}

fn lacks(table: &TableVerdict) -> String {
    match table.latest_loadable_version {
        Some(version) => format!("version {version} lacks {} objects", table.missing_in_all.objects),
        None => "no version can be loaded from what the log has".to_owned(),
    }
}

fn repaired(before: &TableVerdict, after: &TableVerdict, repair: &Repair, circumstances: &Circumstances) -> String {
    let lacked = lacks(before);
    let now = after.newest_whole_version.map_or_else(|| "still none".to_owned(), |version| version.to_string());
    format!(
        "the copy was {}, since {lacked}: what the inventory of {} did not have yet, or what was gone from the source since, left a \
         gap. {} objects were copied from the source as it is now, and the newest whole version is {now}",
        before.verdict.name(),
        circumstances.scan_started,
        repair.objects
    )
}

/// Where the files of a table that is not self-contained are, and whether they are backed up with it.
fn elsewhere(verdict: &TableVerdict, circumstances: &Circumstances) -> String {
    let Some(absolute) = &verdict.absolute else { return "some of its files are elsewhere".to_owned() };
    let own = ["s3", "s3a", "s3n"].map(|scheme| format!("{scheme}://{}", circumstances.source));
    let is_own = |place: &str| {
        own.iter().any(|own| {
            place == own.as_str() || place.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let told = absolute.places.iter().map(|place| {
        let backed_up = if is_own(place) { "in this backup" } else { "in none of this bucket's backups" };
        format!("{place} ({backed_up})")
    });
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
