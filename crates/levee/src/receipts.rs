//! `levee receipts`: checks the receipts of a source, and fetches the key that they are signed with.

mod store;
mod verify;

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use levee_ledger::{Ledger, signature::PublicKey};
use levee_stage::Aws;
pub use store::Store;
pub use verify::{Broken, Verified, verify};

use crate::exit;

/// Check the receipts of runs
#[derive(Debug, Args)]
pub struct ReceiptsCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check the chain of a source's receipts, and name the first break
    Verify(VerifySettings),
    /// Print the public half of a signing key of KMS as PEM, to be kept where nobody of the backup account can write
    PublicKey(PublicKeySettings),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  the chain is whole
  1  it is broken: the first break is named
  2  it could not be checked")]
struct VerifySettings {
    /// The source bucket whose receipts are checked
    #[arg(long, value_name = "BUCKET")]
    source: String,
    /// The ledger bucket to read; the runs' own receipts are compared, too
    #[arg(long, value_name = "BUCKET", required_unless_present = "folder", conflicts_with = "folder")]
    ledger: Option<String>,
    /// A folder to read in its place, as `aws s3 sync s3://LEDGER/receipts DIR` fills it
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Check the lists in the ledger that receipts pin, too
    #[arg(long, requires = "ledger")]
    lists: bool,
    /// The public key that every receipt must be signed with, as PEM
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct PublicKeySettings {
    /// The ARN of the key
    #[arg(long, value_name = "ARN")]
    key_arn: String,
}

impl ReceiptsCommand {
    /// Does what the arguments ask for. Exit codes are those of [`crate::exit`].
    pub async fn run(self) -> ExitCode {
        let outcome = match self.what {
            What::Verify(settings) => run_verify(settings).await,
            What::PublicKey(settings) => print_public_key(&settings.key_arn).await,
        };
        outcome.unwrap_or_else(|error| exit::usage(&error))
    }
}

async fn run_verify(settings: VerifySettings) -> Result<ExitCode> {
    let key = match &settings.public_key {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Some(PublicKey::from_pem(&text).with_context(|| format!("{} is no public key", file.display()))?)
        }
        None => None,
    };
    let store = match (settings.ledger, settings.folder) {
        (Some(bucket), _) => Store::Ledger(Ledger::new(Aws::from_env().await.s3, bucket)),
        (None, Some(folder)) => Store::Folder(folder),
        (None, None) => anyhow::bail!("give --ledger or --folder"),
    };
    let verified = verify(&store, &settings.source, key.as_ref(), settings.lists).await?;
    print(&verified, settings.json)?;
    Ok(if verified.broken.is_none() { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) })
}

async fn print_public_key(key_arn: &str) -> Result<ExitCode> {
    let kms = Aws::from_env().await.kms;
    let answer = kms.get_public_key().key_id(key_arn).send().await;
    let answer = answer.with_context(|| format!("cannot get the public key of {key_arn}"))?;
    let der = answer.public_key.with_context(|| format!("GetPublicKey of {key_arn} answered no key"))?;
    let key = PublicKey::from_der(der.as_ref()).with_context(|| format!("{key_arn} signs no receipts"))?;
    exit::print(&key.to_pem());
    Ok(ExitCode::SUCCESS)
}

fn print(verified: &Verified, json: bool) -> Result<()> {
    if json {
        exit::print(&format!("{}\n", serde_json::to_string_pretty(verified)?));
        return Ok(());
    }
    exit::print(&text(verified));
    Ok(())
}

/// What is found, for a person.
fn text(verified: &Verified) -> String {
    let mut text = String::new();
    let _ = match &verified.broken {
        None => writeln!(
            text,
            "{}: {} receipts, each in its place behind the one before{}",
            verified.source,
            verified.receipts,
            if verified.signatures { ", all signed" } else { "" }
        ),
        Some(broken) => writeln!(
            text,
            "{}: receipt {} is the first break ({}): {}\n{} receipts before it are good",
            verified.source, broken.sequence, broken.key, broken.message, verified.receipts
        ),
    };
    if let Some(last) = &verified.last {
        let _ = writeln!(text, "last good one: {} (SHA-256 {})", last.headline, last.sha256);
    }
    if !verified.unknown.is_empty() {
        let _ = writeln!(text, "not of the chain, and not looked at: {}", verified.unknown.join(", "));
    }
    text
}
