//! Archived objects, and a night that restores them.

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ServerSideEncryption, StorageClass},
};
use levee::deploy::definition;
use levee_formats::{
    batch_manifest::ManifestWriter,
    inventory::{Column, DataFile, DataWriter, FileFormat, Manifest, Record, Schema},
};
use levee_twin::s3::ArchiveTier;
use serde_json::{Map, Value, json};

use crate::Rig;

/// Where an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archive {
    /// The class GLACIER.
    Glacier,
    /// The class `DEEP_ARCHIVE`.
    Deep,
    /// The tier Archive Access of `INTELLIGENT_TIERING`.
    Tier,
}

impl Rig {
    /// Puts objects into archives of the source, and has the state machine of nights from now on plan to restore them and stop
    /// when they can be copied. The inventory must have been delivered before, so that it does not have them.
    ///
    /// # Errors
    /// The first call that the twin refuses.
    pub async fn archive(&self, objects: &[(&str, Archive)]) -> Result<()> {
        let (warehouse, source) = (&self.accounts.warehouse.s3, &self.plan.source);
        for (key, archive) in objects {
            let class = match archive {
                Archive::Glacier => StorageClass::Glacier,
                Archive::Deep => StorageClass::DeepArchive,
                Archive::Tier => StorageClass::IntelligentTiering,
            };
            let put = warehouse.put_object().bucket(source).key(*key).body(ByteStream::from_static(b"ice"));
            put.storage_class(class).send().await?;
            if *archive == Archive::Tier {
                let moved = self.twin.s3().archive(source, key, ArchiveTier::ArchiveAccess);
                ensure!(moved, "{key:?} is not in the source");
            }
        }
        let of = |tiered: bool| objects.iter().filter(move |(_, archive)| (*archive == Archive::Tier) == tiered);
        let classes: Vec<&str> = of(false).map(|(key, _)| *key).collect();
        let tiers: Vec<&str> = of(true).map(|(key, _)| *key).collect();
        let mut restore = Map::new();
        restore.insert("rows".to_owned(), json!(objects.len()));
        restore.insert("bytes".to_owned(), json!(3 * objects.len()));
        if !classes.is_empty() {
            restore.insert("restore".to_owned(), self.inventory_of(&classes).await?);
        }
        if !tiers.is_empty() {
            restore.insert("tiered".to_owned(), self.csv_of("tiers", &tiers).await?);
        }
        let all: Vec<&str> = objects.iter().map(|(key, _)| *key).collect();
        restore.insert("copy".to_owned(), self.csv_of("copy", &all).await?);
        let summary = self.put("plan/summary.json", b"{}".to_vec()).await?;
        // The inventory, which has none of the archived objects, is what the first job copies.
        let batch = json!({ "kind": "inventory", "bucket.$": "$.manifest.bucket", "key.$": "$.manifest.key",
            "etag.$": "$.manifest.etag", "version_id.$": "$.manifest.version_id", "rows.$": "$.manifest.objects" });
        let plan = json!({ "summary": summary, "decisions": {}, "batch": batch, "restore": restore });
        self.plan_nights(&plan).await
    }

    /// Has nights follow `plan`, as if ManifestReady had made it, and end once archived objects can be copied.
    async fn plan_nights(&self, plan: &Value) -> Result<()> {
        let mut machine: Value = serde_json::from_str(&definition(&self.deployed.queue_url_prefix))?;
        let planned =
            json!({ "Type": "Pass", "Parameters": plan, "ResultPath": "$.manifest.plan", "Next": "BucketProvision" });
        set(&mut machine, "/States/ManifestReady", "Next", json!("Planned"))?;
        set(&mut machine, "/States/Thaw", "Next", json!("Done"))?;
        set(&mut machine, "/States", "Planned", planned)?;
        let update = self.accounts.backup.sfn.update_state_machine();
        update
            .state_machine_arn(&self.deployed.state_machine_arn)
            .definition(machine.to_string())
            .send()
            .await
            .context("cannot change the state machine")?;
        Ok(())
    }

    /// A list of objects in the form of an inventory, in the ledger.
    async fn inventory_of(&self, keys: &[&str]) -> Result<Value> {
        let schema = Schema::of(&[Column::Bucket, Column::Key])?;
        let mut writer = DataWriter::batch_manifest(Vec::new(), &schema)?;
        for key in keys {
            writer.row(&Record { bucket: &self.plan.source, key: key.as_bytes(), ..Record::default() })?;
        }
        let written = writer.finish()?;
        let file = DataFile { key: "plan/restore/data/1.csv.gz".to_owned(), size: written.size, md5: written.md5 };
        self.put(&file.key, written.writer).await?;
        let manifest = Manifest {
            source_bucket: self.plan.source.clone(),
            destination_bucket: self.plan.ledger_bucket.clone(),
            version: "2016-11-30".to_owned(),
            created: self.clock.now(),
            format: FileFormat::Csv,
            schema,
            files: vec![file],
        };
        let pointer = self.put("plan/restore/manifest.json", manifest.to_json()).await?;
        Ok(list("inventory", pointer, keys.len()))
    }

    /// A list of objects as a CSV manifest, in the ledger.
    async fn csv_of(&self, name: &str, keys: &[&str]) -> Result<Value> {
        let mut writer = ManifestWriter::new(Vec::new(), false);
        for key in keys {
            writer.row(&self.plan.source, key.as_bytes(), None)?;
        }
        let pointer = self.put(&format!("plan/{name}.csv"), writer.finish()?.writer).await?;
        Ok(list("csv", pointer, keys.len()))
    }

    async fn put(&self, key: &str, body: Vec<u8>) -> Result<Value> {
        let bucket = &self.plan.ledger_bucket;
        let put = self.accounts.backup.s3.put_object().bucket(bucket).key(key).body(ByteStream::from(body));
        let put = put.server_side_encryption(ServerSideEncryption::Aes256).send().await?;
        Ok(json!({ "bucket": bucket, "key": key, "etag": put.e_tag().unwrap_or_default().trim_matches('"') }))
    }
}

fn list(kind: &str, mut pointer: Value, rows: usize) -> Value {
    if let Some(members) = pointer.as_object_mut() {
        members.insert("kind".to_owned(), json!(kind));
        members.insert("rows".to_owned(), json!(rows));
    }
    pointer
}

fn set(machine: &mut Value, place: &str, member: &str, value: Value) -> Result<()> {
    let members = machine.pointer_mut(place).and_then(Value::as_object_mut);
    members.with_context(|| format!("the state machine has no {place}"))?.insert(member.to_owned(), value);
    Ok(())
}
