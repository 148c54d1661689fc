//! Lists a bucket through the S3 API, as the account that owns it.

use aws_sdk_s3::{Client, primitives::DateTime};
use jiff::Timestamp;
use levee_formats::inventory::Column;

use super::{InventoryError, Shared, columns, plan::Plan};
use crate::{
    env::Ids,
    s3control::failed_call,
    service::{Caller, Principal},
};

/// One object or version as the scan found it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScannedObject {
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
    pub(crate) is_latest: bool,
    pub(crate) is_delete_marker: bool,
    pub(crate) size: Option<u64>,
    pub(crate) last_modified: Timestamp,
    /// Without quotes.
    pub(crate) etag: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) checksum_algorithms: Vec<String>,
    pub(crate) owner: Option<String>,
    /// The values of the columns that a listing does not give.
    pub(crate) further: Vec<(Column, String)>,
}

/// Everything in the bucket that the plan asks for.
pub(crate) async fn scan(shared: &Shared, plan: &Plan) -> Result<Vec<ScannedObject>, InventoryError> {
    let caller = Caller { account: plan.account.clone(), region: shared.region.clone(), principal: Principal::Root };
    let client = shared.clients.client(&caller);
    let listed = if plan.all_versions { versions(&client, plan).await } else { current(&client, plan).await };
    let unreadable = |why: String| InventoryError::Scan { bucket: plan.bucket.clone(), why };
    let mut rows = listed.map_err(unreadable)?;
    let mut kept = Vec::with_capacity(rows.len());
    for mut row in rows.drain(..) {
        if columns::complete(&client, plan, &mut row).await.map_err(unreadable)? {
            kept.push(row);
        }
    }
    Ok(kept)
}

async fn current(client: &Client, plan: &Plan) -> Result<Vec<ScannedObject>, String> {
    let mut rows = Vec::new();
    let mut token = None;
    loop {
        let request = client
            .list_objects_v2()
            .bucket(&plan.bucket)
            .set_prefix(plan.filter_prefix.clone())
            .fetch_owner(true)
            .set_continuation_token(token);
        let page = request.send().await.map_err(|error| failed_call(&error))?;
        for object in page.contents() {
            rows.push(ScannedObject {
                key: object.key().unwrap_or_default().to_owned(),
                is_latest: true,
                size: object.size().and_then(|size| u64::try_from(size).ok()),
                last_modified: timestamp(object.last_modified()),
                etag: object.e_tag().map(unquoted),
                storage_class: object.storage_class().map(|class| class.as_str().to_owned()),
                checksum_algorithms: object.checksum_algorithm().iter().map(|name| name.as_str().to_owned()).collect(),
                owner: object.owner().and_then(|owner| owner.id()).map(str::to_owned),
                ..ScannedObject::default()
            });
        }
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            return Ok(rows);
        }
    }
}

async fn versions(client: &Client, plan: &Plan) -> Result<Vec<ScannedObject>, String> {
    let mut rows = Vec::new();
    let (mut key_marker, mut version_marker) = (None, None);
    loop {
        let request = client
            .list_object_versions()
            .bucket(&plan.bucket)
            .set_prefix(plan.filter_prefix.clone())
            .set_key_marker(key_marker)
            .set_version_id_marker(version_marker);
        let page = request.send().await.map_err(|error| failed_call(&error))?;
        for version in page.versions() {
            rows.push(ScannedObject {
                key: version.key().unwrap_or_default().to_owned(),
                version_id: version.version_id().map(str::to_owned),
                is_latest: version.is_latest().unwrap_or(false),
                size: version.size().and_then(|size| u64::try_from(size).ok()),
                last_modified: timestamp(version.last_modified()),
                etag: version.e_tag().map(unquoted),
                storage_class: version.storage_class().map(|class| class.as_str().to_owned()),
                checksum_algorithms: version.checksum_algorithm().iter().map(|name| name.as_str().to_owned()).collect(),
                owner: version.owner().and_then(|owner| owner.id()).map(str::to_owned),
                ..ScannedObject::default()
            });
        }
        for marker in page.delete_markers() {
            rows.push(ScannedObject {
                key: marker.key().unwrap_or_default().to_owned(),
                version_id: marker.version_id().map(str::to_owned),
                is_latest: marker.is_latest().unwrap_or(false),
                is_delete_marker: true,
                last_modified: timestamp(marker.last_modified()),
                owner: marker.owner().and_then(|owner| owner.id()).map(str::to_owned),
                ..ScannedObject::default()
            });
        }
        if !page.is_truncated().unwrap_or(false) {
            return Ok(rows);
        }
        key_marker = page.next_key_marker().map(str::to_owned);
        version_marker = page.next_version_id_marker().map(str::to_owned);
        if key_marker.is_none() {
            return Err("a page of versions says that there are more and not where".to_owned());
        }
    }
}

/// Inventories are not sorted: the rows come in an order that only the seed decides.
pub(crate) fn shuffle(rows: &mut [ScannedObject], ids: &Ids) {
    for last in (1..rows.len()).rev() {
        let other = ids.below(u64::try_from(last + 1).unwrap_or(u64::MAX));
        rows.swap(last, usize::try_from(other).unwrap_or(last));
    }
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

/// A time of the SDK; the epoch when it is absent.
pub(crate) fn timestamp(when: Option<&DateTime>) -> Timestamp {
    when.and_then(|when| Timestamp::from_nanosecond(when.as_nanos()).ok()).unwrap_or_default()
}
