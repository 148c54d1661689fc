//! Backs real tables up and brings them back, all on the twin, and leaves what came of it in folders for a Delta reader to look at.
//! `tests/conformance/check_restores.py` drives it.
//!
//! ```text
//! bring_back tables WAREHOUSE OUT     every table of the folder: at its newest whole version into OUT/newest, at one older whole
//!                                     version into OUT/older; a line of JSON for each
//! bring_back races WAREHOUSE OUT      one table, rolled back in its place while somebody else commits at a moment of the seed's:
//!                                     every state that a reader could have met, in OUT/<seed>/<number>; a line of JSON for each seed
//! ```

#![allow(clippy::print_stdout, reason = "what came of it goes to standard output")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use jiff::civil::date;
use levee::{
    deploy::Plan,
    restore::{Followed, PlanSettings, follow, make, start},
};
use levee_delta_log::Options;
use levee_formats::KeyCodec;
use levee_ledger::{restore::RestorePlan, state::TableLine};
use levee_tables::{BucketStore, at_version, listing, needs};
use levee_tests::{Rig, RigBuilder};
use serde_json::{Value, json};

const SOURCE: &str = "lake-events";
const SNAPSHOT: &str = "lake-events-31-mar-2026";
/// Versions before the newest whole one that are looked at for an older whole one.
const OLDER: u64 = 200;
/// Races, each with another moment.
const RACES: u64 = 8;

#[derive(Parser)]
enum Command {
    Tables { warehouse: PathBuf, out: PathBuf },
    Races { warehouse: PathBuf, out: PathBuf },
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: PlanSettings,
}

fn main() -> Result<()> {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async {
        match command {
            Command::Tables { warehouse, out } => tables(&warehouse, &out).await,
            Command::Races { warehouse, out } => {
                for seed in 0..RACES {
                    race(&warehouse, &out, seed).await?;
                }
                Ok(())
            }
        }
    })
}

/// The night of a folder of tables.
async fn night(warehouse: &Path) -> Result<(Rig, Vec<TableLine>)> {
    let rig = RigBuilder::new(SOURCE, "2026-04-02T02:00:00Z".parse()?).plan(Plan::with_restores);
    let mut rig = rig.build().await?;
    rig.fill(files(warehouse)?).await?;
    rig.deliver("2026-04-02T01:00:00Z".parse()?).await?;
    let execution = rig.start(date(2026, 3, 31)).await?;
    let ended = rig.until_ended(&execution).await?;
    ensure!(ended.error.is_none(), "the night failed: {ended:?}");
    let list = ended.output.pointer("/tables/list/key").and_then(Value::as_str).context("there are no tables")?;
    let lines = rig.object(&rig.accounts.backup, &rig.plan.ledger_bucket, list).await?.context("the list is gone")?;
    let lines = serde_json::Deserializer::from_slice(&lines).into_iter().collect::<Result<_, _>>()?;
    Ok((rig, lines))
}

fn files(warehouse: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let files = levee::lake::folder(warehouse)?;
    Ok(files.into_iter().map(|file| (file.key, file.bytes.to_vec())).collect())
}

async fn tables(warehouse: &Path, out: &Path) -> Result<()> {
    let (mut rig, lines) = night(warehouse).await?;
    let mut older: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let (mut newest, mut told) = (Vec::new(), BTreeMap::new());
    for line in &lines {
        let path = line.verdict.path.clone();
        let refused = plan(&rig, &path, &["--to", "s3://lake-events/newest"]).await?.err();
        let (mut restored, mut before) = (None, None);
        if refused.is_none()
            && let Some(version) = line.verdict.newest_whole_version
        {
            restored = Some(version);
            newest.push(path.clone());
            before = whole_before(&rig, &path, version).await?;
            if let Some(before) = before {
                older.entry(before).or_default().push(path.clone());
            }
        }
        let said = json!({ "path": path, "newest": restored, "older": before, "refused": refused });
        told.insert(path, said);
    }
    bring(&mut rig, &newest, &["--to", "s3://lake-events/newest"]).await?;
    for (version, paths) in &older {
        bring(&mut rig, paths, &["--to", "s3://lake-events/older", "--at-version", &version.to_string()]).await?;
    }
    for prefix in ["newest/", "older/"] {
        keep(&rig, prefix, &out.join(prefix)).await?;
    }
    for said in told.values() {
        println!("{said}");
    }
    Ok(())
}

/// The greatest whole version before one.
async fn whole_before(rig: &Rig, path: &str, version: u64) -> Result<Option<u64>> {
    let store = BucketStore::new(&rig.accounts.backup.s3, SNAPSHOT, None);
    let (listed, options) = (listing(&store, path).await?, Options::default());
    for before in (version.saturating_sub(OLDER)..version).rev() {
        let Ok(at) = at_version(&store, path, &listed, &options, before).await else { continue };
        if at.whole && at.unsupported.is_empty() {
            return Ok(Some(before));
        }
    }
    Ok(None)
}

async fn plan(rig: &Rig, path: &str, arguments: &[&str]) -> Result<Result<RestorePlan, String>> {
    plan_of(rig, &[path.to_owned()], arguments).await
}

async fn plan_of(rig: &Rig, paths: &[String], arguments: &[&str]) -> Result<Result<RestorePlan, String>> {
    let mut all = vec!["plan", "--ledger", &rig.plan.ledger_bucket, "--source", SOURCE];
    for path in paths {
        all.extend(["--table", path]);
    }
    all.extend(arguments);
    let settings = Arguments::try_parse_from(all)?.settings;
    let made = make(&rig.accounts.backup.s3, &rig.accounts.warehouse.s3, &settings, rig.clock.now()).await?;
    Ok(made.map_err(|refusals| refusals.join("; ")))
}

/// Brings tables back by one plan.
async fn bring(rig: &mut Rig, paths: &[String], arguments: &[&str]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let plan = plan_of(rig, paths, arguments).await?.map_err(anyhow::Error::msg)?;
    let followed = apply(rig, &plan).await?;
    ensure!(followed.succeeded(), "{}", followed.told());
    Ok(())
}

async fn apply(rig: &mut Rig, plan: &RestorePlan) -> Result<Followed> {
    rig.start_workers();
    let started = start(&rig.accounts.backup, plan).await?;
    let [execution] = started.as_slice() else { bail!("{} executions were started", started.len()) };
    follow(&rig.accounts.backup, &execution.execution_arn, &rig.clock, |_| {}).await
}

/// Writes what is below a prefix of the source into a folder.
async fn keep(rig: &Rig, prefix: &str, folder: &Path) -> Result<()> {
    for (key, bytes) in below(rig, prefix).await? {
        let path = folder.join(key);
        fs::create_dir_all(path.parent().context("a key has no folder")?)?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

async fn below(rig: &Rig, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut pages = rig.accounts.warehouse.s3.list_objects_v2().bucket(SOURCE).prefix(prefix).into_paginator().send();
    let mut objects = BTreeMap::new();
    while let Some(page) = pages.next().await {
        for key in page?.contents().iter().filter_map(|object| object.key()) {
            let bytes = rig.object(&rig.accounts.warehouse, SOURCE, key).await?.context("an object is gone")?;
            objects.insert(key.get(prefix.len()..).unwrap_or_default().to_owned(), bytes);
        }
    }
    Ok(objects)
}

/// Rolls a table back while somebody else commits.
async fn race(warehouse: &Path, out: &Path, seed: u64) -> Result<()> {
    let (mut rig, lines) = night(warehouse).await?;
    let with_history = |line: &&TableLine| line.verdict.newest_whole_version.is_some_and(|version| version > 8);
    let line = lines.iter().find(with_history).context("no table has a history")?;
    let (path, latest) = (line.verdict.path.clone(), line.verdict.newest_whole_version.unwrap_or_default());
    let to = (latest / 2).to_string();
    vacuum(&rig, &path, latest).await?;
    let plan = plan(&rig, &path, &["--in-place", "--at-version", &to]).await?.map_err(anyhow::Error::msg)?;
    // A restore with a copy job takes some minutes of the twin's clock; every other race is in its first half.
    let moment = fastrand::Rng::with_seed(seed).u64(0..120) + (seed % 2) * 600;
    let started = start(&rig.accounts.backup, &plan).await?;
    let execution = started.first().context("nothing was started")?.execution_arn.clone();
    rig.start_workers();
    let (prefix, mut states, mut committed) = (format!("{path}/"), 0_u32, None);
    let mut last = BTreeMap::new();
    for second in 0_u64.. {
        if second == moment {
            committed = Some(commit(&rig, &path, latest, seed).await?);
        }
        let now = below(&rig, &prefix).await?;
        if now != last {
            keep(&rig, &prefix, &out.join(format!("{seed}/{states}"))).await?;
            (states, last) = (states + 1, now);
        }
        let seen = rig.accounts.backup.sfn.describe_execution().execution_arn(&execution).send().await?;
        if seen.status().as_str() != "RUNNING" && committed.is_some() {
            let said = json!({ "seed": seed, "path": path, "from": latest, "to": plan.tables.first().map(|table| table.version),
                "status": seen.status().as_str(), "error": seen.error(), "committed": committed, "states": states });
            println!("{said}");
            return Ok(());
        }
        rig.clock.sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Deletes the data files that the newest version does not need.
async fn vacuum(rig: &Rig, path: &str, latest: u64) -> Result<()> {
    let store = BucketStore::new(&rig.accounts.warehouse.s3, SOURCE, None);
    let (listed, options) = (listing(&store, path).await?, Options::default());
    let needed = needs(&store, path, &listed, &options, latest, |_| true).await?;
    let needed: BTreeSet<_> = needed.into_iter().map(|need| need.path).collect();
    for key in below(rig, &format!("{path}/")).await?.into_keys() {
        if !key.starts_with("_delta_log/") && !needed.contains(&key) {
            rig.accounts.warehouse.s3.delete_object().bucket(SOURCE).key(format!("{path}/{key}")).send().await?;
        }
    }
    Ok(())
}

/// Appends as another writer does: the first file of the newest commit with one once more, under another name. The version.
async fn commit(rig: &Rig, path: &str, latest: u64, seed: u64) -> Result<u64> {
    let (s3, log) = (&rig.accounts.warehouse.s3, |version: u64| format!("{path}/_delta_log/{version:020}.json"));
    let mut found = None;
    'commits: for version in (0..=latest).rev() {
        let commit = rig.object(&rig.accounts.warehouse, SOURCE, &log(version)).await?.unwrap_or_default();
        for line in String::from_utf8(commit)?.lines() {
            let add: Value = serde_json::from_str(line)?;
            let Some(name) = add.pointer("/add/path").and_then(Value::as_str).map(str::to_owned) else { continue };
            let key = format!("{path}/{}", decoded(&name)?);
            if let Some(bytes) = rig.object(&rig.accounts.warehouse, SOURCE, &key).await? {
                found = Some((add, name, bytes));
                break 'commits;
            }
        }
    }
    let (mut add, name, bytes) = found.context("no commit has a file that is there")?;
    let copy = format!("{name}.{seed}.parquet");
    s3.put_object().bucket(SOURCE).key(format!("{path}/{}", decoded(&copy)?)).body(bytes.into()).send().await?;
    *add.pointer_mut("/add/path").context("a file has no name")? = json!(copy);
    let info = json!({ "commitInfo": { "operation": "WRITE", "timestamp": 1_775_000_000_000_u64, "operationParameters": {} } });
    let body = format!("{info}\n{add}\n");
    for version in latest + 1..latest + 10 {
        let put =
            s3.put_object().bucket(SOURCE).key(log(version)).if_none_match("*").body(body.clone().into_bytes().into());
        if put.send().await.is_ok() {
            return Ok(version);
        }
    }
    bail!("no version is free")
}

/// The key of a path as logs have it.
fn decoded(path: &str) -> Result<String> {
    Ok(String::from_utf8(KeyCodec::Percent.decode(path.as_bytes())?.into_owned())?)
}
