//! The chain of a source from its first receipt to its last, or to the first break.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use levee_ledger::{
    Ledger,
    chain::{Break, Chain, FileKind, digest, receipt_key, signature_key},
    receipt::Receipt,
    signature::PublicKey,
    state::ObjectPointer,
};
use serde::Serialize;

use super::Store;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The source bucket.
    pub source: String,
    /// Receipts that are good, from the first one on.
    pub receipts: u64,
    /// The last of those.
    pub last: Option<Last>,
    /// Whether signatures were checked.
    pub signatures: bool,
    /// Whether the runs' own receipts were compared.
    pub runs: bool,
    /// Whether the lists in the ledger that receipts pin were checked.
    pub lists: bool,
    /// The first break.
    pub broken: Option<Broken>,
    /// Files that are none of a chain, by name.
    pub unknown: Vec<String>,
}

/// A good receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Last {
    /// Its number.
    pub sequence: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// What it says first.
    pub headline: String,
}

/// The first break of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The number of the receipt that is not good.
    pub sequence: u64,
    /// Its key.
    pub key: String,
    /// What is wrong, for a person.
    pub message: String,
    /// The same, for a program.
    #[serde(flatten)]
    pub fault: Break,
}

/// The numbers that files of a chain have, and the names of other files.
#[derive(Default)]
struct Files {
    receipts: BTreeSet<u64>,
    signatures: BTreeSet<u64>,
    unknown: Vec<String>,
}

/// Checks the receipts of a source, up to the first break.
///
/// # Errors
/// There is nothing to check, or something cannot be read.
pub async fn verify(store: &Store, source: &str, key: Option<&PublicKey>, lists: bool) -> Result<Verified> {
    let files = files(store, source).await?;
    if files.receipts.is_empty() && files.signatures.is_empty() {
        bail!("there are no receipts of {source}: nothing was checked");
    }
    let ledger = match store {
        Store::Ledger(ledger) => Some(ledger),
        Store::Folder(_) => None,
    };
    let mut chain = Chain::new(source, key);
    let mut last = None;
    let mut fault = None;
    for number in &files.receipts {
        let checked = one(store, source, &mut chain, *number).await?;
        let more = match (&checked, ledger) {
            (Ok((receipt, bytes)), Some(ledger)) => beyond(ledger, receipt, bytes, lists).await?,
            _ => None,
        };
        match (checked, more) {
            (Ok((receipt, bytes)), None) => {
                last = Some(Last { sequence: *number, sha256: digest(&bytes), headline: receipt.headline });
            }
            (Ok(_), Some(found)) => fault = Some((*number, found)),
            (Err(found), _) => fault = Some((chain.expected(), found)),
        }
        if fault.is_some() {
            break;
        }
    }
    // The last receipts may be gone without a trace in those before; a signature is one.
    let signed = files.signatures.last().filter(|number| !files.receipts.contains(number));
    let beheaded = signed.filter(|number| fault.is_none() && **number > chain.length());
    let fault = fault.or_else(|| beheaded.map(|number| (chain.expected(), Break::OnlySigned { signed: *number })));
    Ok(Verified {
        source: source.to_owned(),
        receipts: last.as_ref().map_or(0, |last: &Last| last.sequence),
        last,
        signatures: key.is_some(),
        runs: ledger.is_some(),
        lists,
        broken: fault.map(|(sequence, fault)| {
            let (key, message) = (receipt_key(source, sequence), fault.to_string());
            Broken { sequence, key, message, fault }
        }),
        unknown: files.unknown,
    })
}

async fn files(store: &Store, source: &str) -> Result<Files> {
    let mut files = Files::default();
    for name in store.names(source).await? {
        match FileKind::of(&name) {
            Some(FileKind::Receipt(number)) => drop(files.receipts.insert(number)),
            Some(FileKind::Signature(number)) => drop(files.signatures.insert(number)),
            None => files.unknown.push(name),
        }
    }
    Ok(files)
}

/// Checks one receipt against those before it.
async fn one(
    store: &Store,
    source: &str,
    chain: &mut Chain<'_>,
    number: u64,
) -> Result<Result<(Receipt, Vec<u8>), Break>> {
    let key = receipt_key(source, number);
    let Some(bytes) = store.get(&key).await? else { bail!("{key} was listed, but is not there any more: try again") };
    let signature = store.get(&signature_key(source, number)).await?;
    Ok(chain.check(number, &bytes, signature.as_deref()).map(|receipt| (receipt, bytes)))
}

/// Compares a receipt with what else the ledger has: the run's own receipt and, where asked for, the lists.
async fn beyond(ledger: &Ledger, receipt: &Receipt, bytes: &[u8], lists: bool) -> Result<Option<Break>> {
    let run = &receipt.run;
    let key = format!("runs/{}/{}/{}/receipt.json", run.source, run.backup_date, run.execution_name);
    let problem = match ledger.get(&key).await? {
        Some((own, _)) if own == bytes => None,
        Some(_) => Some("has other bytes"),
        None => Some("is missing"),
    };
    if let Some(problem) = problem {
        return Ok(Some(Break::RunDiffers { key, problem: problem.to_owned() }));
    }
    if !lists {
        return Ok(None);
    }
    for (key, pointer) in pinned(ledger, receipt) {
        let problem = match ledger.find(&key).await? {
            Some(found) if found.etag == pointer.etag => continue,
            Some(found) => format!("it has the entity tag {}, the receipt has {}", found.etag, pointer.etag),
            None => "it is missing".to_owned(),
        };
        return Ok(Some(Break::ListDiffers { what: key, problem }));
    }
    tables(ledger, receipt).await
}

/// The lists in the ledger that a receipt points to.
fn pinned(ledger: &Ledger, receipt: &Receipt) -> BTreeMap<String, ObjectPointer> {
    let plan = receipt.inventory.plan.iter().chain(&receipt.objects.lists);
    let all = plan.chain(&receipt.snapshot.findings).chain(&receipt.tables.tables.list);
    let own = all.filter(|pointer| pointer.bucket == ledger.bucket());
    own.map(|pointer| (pointer.key.clone(), pointer.clone())).collect()
}

/// Compares the list of tables by its digest, which says more than an entity tag.
async fn tables(ledger: &Ledger, receipt: &Receipt) -> Result<Option<Break>> {
    let (Some(list), Some(wanted)) = (&receipt.tables.tables.list, &receipt.tables.list_sha256) else {
        return Ok(None);
    };
    let found = ledger.sha256(&list.key).await?;
    if found.as_ref() == Some(wanted) {
        return Ok(None);
    }
    let problem = match found {
        Some(found) => format!("it has the SHA-256 {found}, the receipt has {wanted}"),
        None => "it is missing".to_owned(),
    };
    Ok(Some(Break::ListDiffers { what: list.key.clone(), problem }))
}
