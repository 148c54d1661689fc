//! A configuration in the form in which it is carried out.

use levee_formats::inventory::{Column, Schema};

use super::{ConfiguredInventory, InventoryError, schedule::Frequency};

/// The encryption that a configuration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Whatever the destination bucket does.
    BucketDefault,
    SseS3,
    SseKms(String),
}

/// What to list and where to deliver it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) account: String,
    pub(crate) bucket: String,
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) frequency: Frequency,
    /// Every version and delete marker, not only the current objects.
    pub(crate) all_versions: bool,
    pub(crate) filter_prefix: Option<String>,
    pub(crate) schema: Schema,
    pub(crate) destination: String,
    /// The account that must own the destination, if one is named.
    pub(crate) destination_owner: Option<String>,
    pub(crate) destination_prefix: Option<String>,
    pub(crate) encryption: Encryption,
}

impl Plan {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What it asks for and the twin does not make: another format than CSV, an unknown field or frequency.
    pub(crate) fn of(one: &ConfiguredInventory) -> Result<Self, InventoryError> {
        let configuration = &one.configuration;
        let not_modelled = |what: String| InventoryError::NotModelled {
            bucket: one.bucket.clone(),
            id: configuration.id.clone(),
            what,
        };
        let target = &configuration.destination.s3_bucket_destination;
        if target.format.as_str() != "CSV" {
            return Err(not_modelled(format!("the format {}", target.format.as_str())));
        }
        let frequency = match configuration.schedule.frequency.as_str() {
            "Daily" => Frequency::Daily,
            "Weekly" => Frequency::Weekly,
            other => return Err(not_modelled(format!("the frequency {other:?}"))),
        };
        let all_versions = match configuration.included_object_versions.as_str() {
            "All" => true,
            "Current" => false,
            other => return Err(not_modelled(format!("the object versions {other:?}"))),
        };
        let destination = target.bucket.strip_prefix("arn:").and_then(|rest| rest.split_once(":s3:::"));
        let destination = destination
            .map(|(_, name)| name.to_owned())
            .ok_or_else(|| not_modelled(format!("the destination {:?}, which is not a bucket ARN", target.bucket)))?;
        let encryption = match &target.encryption {
            None => Encryption::BucketDefault,
            Some(encryption) => match &encryption.ssekms {
                Some(kms) => Encryption::SseKms(kms.key_id.clone()),
                None => Encryption::SseS3,
            },
        };
        let fields = configuration.optional_fields.iter().flatten().map(|field| field.as_str());
        let schema = schema(all_versions, fields).map_err(&not_modelled)?;
        Ok(Self {
            account: one.account.clone(),
            bucket: one.bucket.clone(),
            id: configuration.id.clone(),
            enabled: configuration.is_enabled,
            frequency,
            all_versions,
            filter_prefix: configuration.filter.as_ref().map(|filter| filter.prefix.clone()),
            schema,
            destination,
            destination_owner: target.account_id.clone(),
            destination_prefix: target.prefix.clone().filter(|prefix| !prefix.is_empty()),
            encryption,
        })
    }
}

/// The columns in the order in which S3 writes them, whatever the order of the fields in the configuration.
fn schema<'a>(all_versions: bool, fields: impl Iterator<Item = &'a str>) -> Result<Schema, String> {
    let mut columns = vec![Column::Bucket, Column::Key];
    if all_versions {
        columns.extend([Column::VersionId, Column::IsLatest, Column::IsDeleteMarker]);
    }
    let mut wanted = Vec::new();
    for field in fields {
        match Column::from_name(field) {
            Column::Other(name) => return Err(format!("the field {name}")),
            column => wanted.push(column),
        }
    }
    let known = Column::KNOWN.iter().filter(|column| wanted.contains(column) && !columns.contains(column));
    let further: Vec<Column> = known.cloned().collect();
    columns.extend(further);
    Schema::of(&columns).map_err(|error| error.to_string())
}
