//! `levee inventory cat` and `levee report cat`: the rows of an inventory or of a completion report as JSON lines.
//!
//! Rows go to standard output, one JSON document a line; problems go to standard error, one a line, each with the file,
//! the row and the reason. The exit code is 1 if there is a problem, and 0 otherwise, also when the reader of the output
//! goes away.
//!
//! A row with a problem is printed too, as far as it can be read, with a member `problems` (short names) and a member
//! `raw` (the row). A key that is not UTF-8 after decoding, which no key of S3 is, is `null` and stands in the member
//! `key_hex` in hexadecimal; a broken escape in a key is kept as it is. Both are problems.

mod codes;
mod console;
mod inventory;
mod report;
pub(crate) mod source;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};
use levee_formats::KeyCodec;
use serde::ser::SerializeMap;

use console::Console;
use source::{Location, Source};

/// Read S3 Inventory reports.
#[derive(Args, Debug)]
pub struct InventoryCommand {
    #[command(subcommand)]
    action: InventoryAction,
}

#[derive(Subcommand, Debug)]
enum InventoryAction {
    /// Print the rows of an inventory as JSON lines.
    ///
    /// Nothing is printed of an inventory whose manifest.checksum, data file sizes or MD5s do not match.
    Cat(Place),
}

/// Read completion reports of S3 Batch Operations.
#[derive(Args, Debug)]
pub struct ReportCommand {
    #[command(subcommand)]
    action: ReportAction,
}

#[derive(Subcommand, Debug)]
enum ReportAction {
    /// Print the rows of a completion report as JSON lines.
    Cat(ReportCat),
}

/// Where a manifest and its files are, and what to print of them.
#[derive(Args, Debug)]
struct Place {
    /// A manifest.json: a local path or s3://BUCKET/KEY.
    #[arg(value_name = "PATH|S3-URL")]
    manifest: Location,
    /// Look the data files up under this folder, by their keys. Without it, a local manifest's files are looked up
    /// under its folder, under `objects` in that folder, and under the folders above; those of a manifest in S3 in its
    /// bucket.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Print totals, as one JSON document, in place of the rows. Of error codes, the 50 with the most rows are told each by
    /// itself.
    #[arg(long)]
    stats: bool,
}

#[derive(Args, Debug)]
struct ReportCat {
    #[command(flatten)]
    place: Place,
    /// How the keys of the job's manifest are encoded. `form` also reads the manifests that Levee writes.
    #[arg(long, value_enum, default_value_t = Codec::Form)]
    key_codec: Codec,
    /// The number of tasks by the job's progress summary; another number of rows is a problem.
    #[arg(long, value_name = "N")]
    tasks: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Codec {
    /// As S3 Inventory writes keys: + is a space.
    Form,
    /// Percent encoding: + is itself.
    Percent,
}

impl InventoryCommand {
    /// Runs the command on standard output and standard error.
    ///
    /// Gives 1 after problems with the inventory, and an error where the output cannot be written.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let InventoryAction::Cat(place) = self.action;
        let mut console = Console::new();
        let source = Source::new(place.manifest, place.root).await;
        inventory::cat(&source, place.stats, &mut console).await?;
        console.finish()
    }
}

impl ReportCommand {
    /// Runs the command on standard output and standard error.
    ///
    /// Gives 1 after problems with the report, and an error where the output cannot be written.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let ReportAction::Cat(ReportCat { place, key_codec, tasks }) = self.action;
        let codec = match key_codec {
            Codec::Form => KeyCodec::Form,
            Codec::Percent => KeyCodec::Percent,
        };
        let mut console = Console::new();
        let source = Source::new(place.manifest, place.root).await;
        report::cat(&source, &report::Wanted { stats: place.stats, codec, tasks }, &mut console).await?;
        console.finish()
    }
}

/// What every row begins with: the bucket and the key, as text, or `null` and its bytes in hexadecimal.
fn serialize_place<M: SerializeMap>(map: &mut M, bucket: Option<&str>, key: Option<&[u8]>) -> Result<(), M::Error> {
    map.serialize_entry("bucket", &bucket)?;
    let text = key.and_then(|key| str::from_utf8(key).ok());
    map.serialize_entry("key", &text)?;
    match (key, text) {
        (Some(key), None) => map.serialize_entry("key_hex", &hex::encode(key)),
        _ => Ok(()),
    }
}

/// What a row with problems ends with: their short names, and the row as it is.
fn serialize_problems<'p, M: SerializeMap>(
    map: &mut M,
    codes: impl Iterator<Item = &'p str>,
    raw: &[u8],
) -> Result<(), M::Error> {
    let codes: Vec<&str> = codes.collect();
    if codes.is_empty() {
        return Ok(());
    }
    map.serialize_entry("problems", &codes)?;
    map.serialize_entry("raw", &String::from_utf8_lossy(raw))
}
