//! `levee verify`: what the Delta tables below a folder or a bucket are worth, by their logs. It reads and lists, and writes nothing
//! anywhere.
//!
//! The exit code is 0 when every table is whole, 1 when one is not, and 2 when a table or the place could not be checked, or no
//! table was found.

mod outlook;

use std::{path::PathBuf, process::ExitCode, str::FromStr, sync::Arc};

use anyhow::{Context, Result};
use futures::{StreamExt, stream};
use globset::{GlobBuilder, GlobMatcher};
use levee_delta_log::{Listing, NeedKind, Options};
use levee_stage::StageError;
use levee_tables::{BucketStore, FolderStore, HELD_AT_ONCE, Looked, Store, at_version, listing, look, needs, tables};
use outlook::{Checked, Outlook};

use crate::exit;

/// Names of missing objects that are printed of a table.
const MISSING_NAMED: usize = 10;
/// Tables that are checked at the same time.
const AT_ONCE: usize = 16;

/// The settings of `levee verify`.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifySettings {
    /// Where the tables are: a folder, or s3://BUCKET with or without a prefix
    #[arg(value_name = "DIR|S3-URL")]
    place: Place,

    /// Check only tables whose path below the place this glob matches as a whole: `*` stays within a `/`, `**` does not
    #[arg(long, value_name = "GLOB")]
    table: Vec<String>,

    /// Ask whether this version is whole, in place of the newest one that is
    #[arg(long, value_name = "N")]
    at_version: Option<u64>,

    /// Name at most this many missing objects of a table; with --json, 10,000 without it
    #[arg(long, value_name = "COUNT")]
    missing: Option<usize>,

    /// Name the data files of the newest whole version, or of the one that is asked for; only with --json
    #[arg(long, requires = "json")]
    files: bool,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Bucket { bucket: String, prefix: String },
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else { return Ok(Self::Folder(PathBuf::from(text))) };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err("it names no bucket: s3://BUCKET or s3://BUCKET/PREFIX".to_owned());
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// Checks the tables of a place.
///
/// # Errors
/// Nothing, but for what clap has not refused: the exit code says it.
pub async fn run(settings: &VerifySettings) -> Result<ExitCode> {
    let checked = match &settings.place {
        Place::Folder(folder) if !folder.is_dir() => Err(anyhow::anyhow!("{} is not a folder", folder.display())),
        Place::Folder(folder) => check(&FolderStore::new(folder), settings).await,
        Place::Bucket { bucket, prefix } => {
            let s3 = levee_stage::Aws::from_env().await.s3;
            check(&BucketStore::new(&s3, bucket, None).below(prefix), settings).await
        }
    };
    match checked.and_then(|outlook| outlook.print(settings.json).map(|()| outlook.exit_code())) {
        Ok(code) => Ok(code),
        Err(error) => Ok(exit::usage(&error)),
    }
}

async fn check<S: Store>(store: &S, settings: &VerifySettings) -> Result<Outlook> {
    let wanted = settings.table.iter().map(|glob| matcher(glob)).collect::<Result<Vec<_>>>()?;
    let found = tables(store, HELD_AT_ONCE).await?;
    let (all, is_wanted) =
        (found.len(), |root: &String| wanted.is_empty() || wanted.iter().any(|glob| glob.is_match(root)));
    let tables: Vec<_> = found.into_iter().filter(|(root, _)| is_wanted(root)).collect();
    if tables.is_empty() {
        let why = if all == 0 { "it has no folder _delta_log" } else { "--table matches none of those that there are" };
        return Ok(Outlook::nothing(
            store.place(""),
            format!("no Delta table was found below {}: {why}", store.place("")),
        ));
    }
    let missing = settings.missing.unwrap_or(if settings.json { 10_000 } else { MISSING_NAMED });
    let asked = Asked {
        options: Options::default().with_missing_limit(missing),
        at_version: settings.at_version,
        files: settings.files,
    };
    let mut outlook = Outlook::new(store.place(""), settings.at_version);
    let asked = &asked;
    let checks = tables.into_iter().map(|(root, known)| async move {
        let checked = asked.table(store, &root, known).await;
        (root, checked)
    });
    let mut checks = stream::iter(checks).buffered(AT_ONCE);
    while let Some((root, checked)) = checks.next().await {
        match checked {
            Ok(table) => outlook.take(table),
            Err(error) => outlook.cannot(root, error.cause),
        }
    }
    Ok(outlook)
}

/// What is asked of every table.
struct Asked {
    options: Options,
    at_version: Option<u64>,
    files: bool,
}

impl Asked {
    async fn table<S: Store>(&self, store: &S, root: &str, known: Option<Arc<Listing>>) -> Result<Checked, StageError> {
        let Looked { verdict, listing: held, .. } = look(store, root, known, &self.options).await?;
        let listing = match held {
            Some(listing) => listing,
            None if self.at_version.is_none() && !self.files => {
                return Ok(Checked { verdict, at_version: None, files: None });
            }
            // Of a table as large as this, only the verdict is made of shares.
            None => listing(store, root).await?,
        };
        let at_version = match self.at_version {
            Some(version) => Some(at_version(store, root, &listing, &self.options, version).await?),
            None => None,
        };
        let whole = at_version.as_ref().filter(|at| at.whole).map(|at| at.version);
        let whole = if self.at_version.is_some() { whole } else { verdict.newest_whole_version };
        let files = match whole.filter(|_| self.files) {
            Some(version) => {
                let data =
                    needs(store, root, &listing, &self.options, version, |need| need.kind == NeedKind::Data).await?;
                Some(data.into_iter().map(|need| need.path).collect())
            }
            None => None,
        };
        Ok(Checked { verdict, at_version, files })
    }
}

/// A glob of `--table` over the paths of tables.
pub(crate) fn matcher(glob: &str) -> Result<GlobMatcher> {
    let built = GlobBuilder::new(glob).literal_separator(true).build();
    Ok(built.with_context(|| format!("--table {glob:?} is no glob"))?.compile_matcher())
}
