//! A warehouse that lives on while it is backed up: tables that grow, are compacted and vacuumed.

use anyhow::{Context, Result};
use aws_sdk_s3::{
    Client,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use fastrand::Rng;

/// Tables of one source. One has partitions whose keys need encoding.
const TABLES: [&str; 2] = ["sales/orders", "events/züge & flüge"];
/// Data files of a table on its first day.
const FIRST_FILES: usize = 4;
/// Days between two vacuums.
const VACUUM_EVERY: u32 = 5;

/// Who writes one source bucket.
pub(super) struct Writer {
    s3: Client,
    bucket: String,
    random: Rng,
    tables: Vec<Table>,
    nights: u32,
}

struct Table {
    root: &'static str,
    version: u64,
    files: Vec<String>,
}

impl Writer {
    /// A writer with its own stream of chance.
    pub(super) fn new(s3: Client, bucket: &str, seed: u64) -> Self {
        let tables = TABLES.map(|root| Table { root, version: 0, files: Vec::new() }).into();
        Self { s3, bucket: bucket.to_owned(), random: Rng::with_seed(seed), tables, nights: 0 }
    }

    /// Keeps every version of every object, so that the audit can tell what a key held when it was copied.
    pub(super) async fn keep_history(&self) -> Result<()> {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = self.s3.put_bucket_versioning().bucket(&self.bucket).versioning_configuration(enabled);
        put.send().await.with_context(|| format!("cannot turn on the versioning of {}", self.bucket))?;
        Ok(())
    }

    /// The first version of every table.
    pub(super) async fn first_day(&mut self) -> Result<()> {
        for index in 0..self.tables.len() {
            self.append(index, FIRST_FILES).await?;
        }
        Ok(())
    }

    /// A day's work: appends.
    pub(super) async fn day(&mut self) -> Result<()> {
        for index in 0..self.tables.len() {
            let files = self.random.usize(0..3);
            self.append(index, files).await?;
        }
        Ok(())
    }

    /// A night's work: now and then a vacuum.
    pub(super) async fn night(&mut self) -> Result<()> {
        self.nights += 1;
        if self.nights.is_multiple_of(VACUUM_EVERY) {
            for index in 0..self.tables.len() {
                self.vacuum(index).await?;
            }
        }
        Ok(())
    }

    /// Data files first, then the commit, then the hint: the order of every Delta writer.
    async fn append(&mut self, index: usize, files: usize) -> Result<()> {
        let mut puts = Vec::new();
        {
            let Some(table) = self.tables.get_mut(index) else { return Ok(()) };
            for _ in 0..files {
                let (day, part) = (self.random.u8(1..=31), self.random.u64(..));
                let key = format!("{}/day=2026-03-{day:02} {:02}%3A00/part-{part:016x}.parquet", table.root, day % 24);
                puts.push((key.clone(), format!("rows of {key}").repeat(self.random.usize(1..5))));
                table.files.push(key);
            }
            let log = format!("{}/_delta_log", table.root);
            puts.push((format!("{log}/{:020}.json", table.version), format!("{{\"files\":{:?}}}", table.files)));
            puts.push((format!("{log}/_last_checkpoint"), format!("{{\"version\":{}}}", table.version)));
            table.version += 1;
        }
        for (key, body) in puts {
            let put = self.s3.put_object().bucket(&self.bucket).key(&key).body(body.into_bytes().into());
            put.send().await.with_context(|| format!("cannot write {key:?} to {}", self.bucket))?;
        }
        Ok(())
    }

    /// Removes the oldest data files.
    async fn vacuum(&mut self, index: usize) -> Result<()> {
        let Some(table) = self.tables.get_mut(index) else { return Ok(()) };
        let old: Vec<String> = table.files.drain(..table.files.len() / 3).collect();
        for key in old {
            let delete = self.s3.delete_object().bucket(&self.bucket).key(&key);
            delete.send().await.with_context(|| format!("cannot remove {key:?} from {}", self.bucket))?;
        }
        Ok(())
    }
}
