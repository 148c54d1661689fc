//! S3, in memory or in a folder, for any number of accounts.
//!
//! The protocol (routing, XML, headers) is `s3s`; the store, the rules and the answers are ours. Signatures are not
//! checked: who calls is settled before a request gets here. Choices where the documentation is open, or where Regions
//! differ:
//! - Creating a bucket that the caller's account has already answers `BucketAlreadyOwnedByYou` in every Region.
//! - ACLs are disabled, as they are for new buckets: only `private` and `bucket-owner-full-control` are taken.
//! - Of identity policies nothing is known: principals of the bucket's account may do all that the bucket policy does
//!   not deny; everybody else only what it allows.
//! - What is not modelled answers `NotImplemented` with its name.

mod access;
mod archive;
mod attributes;
mod body;
mod bucket;
mod checksum;
mod conditions;
mod context;
mod copy;
mod delete;
mod flight;
mod folder;
mod get;
mod keys;
mod list;
mod lock;
mod multipart;
mod object;
mod operations;
mod overview;
mod policy;
mod settings;
mod store;
mod tags;
mod wire;

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use async_trait::async_trait;
use bytes::Bytes;
use s3s::dto;
use tokio::sync::watch;

pub use self::{archive::ArchiveTier, folder::DataError, policy::pattern};
use self::{flight::Flight, folder::Lives, store::Store};
pub(crate) use self::{overview::BucketView, wire::error_code};
use crate::{
    env::Env,
    inventory::{ConfiguredInventory, InventoryConfigurations},
    kms::Kms,
    service::{Caller, HttpService},
};

/// The operations that are modelled.
pub(crate) fn operation_names() -> Vec<&'static str> {
    operations::INPUTS.iter().map(|name| name.trim_end_matches("Input")).collect()
}

/// Limits of the service.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// The largest object that one CopyObject or one UploadPartCopy copies, in bytes. AWS: 5 GiB.
    pub copy_limit_bytes: u64,
}

impl Default for S3Options {
    fn default() -> Self {
        Self { copy_limit_bytes: 5 * 1024 * 1024 * 1024 }
    }
}

/// What an S3 holds, and where.
#[derive(Default)]
pub struct S3Data {
    store: Store,
    lives: Lives,
}

impl S3Data {
    /// Nothing yet, and in memory only.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// What the folder `dir` holds: buckets with their settings, every version of every object with its attributes, and
    /// unfinished multipart uploads. Every change is in the folder before its call is answered. A folder that does not
    /// exist is made. One process at a time can use it.
    ///
    /// # Errors
    /// The folder is in use, damaged, of another format or not a twin's at all; see [`DataError`].
    pub fn in_folder(dir: &Path) -> Result<Self, DataError> {
        let (store, lives) = Store::in_folder(dir)?;
        Ok(Self { store, lives })
    }

    /// How many twins were started on the data before.
    #[must_use]
    pub fn lives_before(&self) -> u64 {
        self.lives.before
    }
}

/// The S3 service. Cheap to clone; clones share the store.
#[derive(Clone)]
pub struct S3Service {
    backend: Arc<Backend>,
    protocol: s3s::service::S3Service,
}

/// What the operations work on.
pub(crate) struct Backend {
    env: Env,
    options: S3Options,
    store: Store,
    kms: Arc<Kms>,
    /// Numbers versions in the order of their making.
    sequence: AtomicU64,
    inventories: watch::Sender<u64>,
}

impl S3Service {
    /// An S3 with what `data` holds, whose objects may be under the keys of `kms`.
    #[must_use]
    pub fn new(env: Env, options: S3Options, data: S3Data, kms: Arc<Kms>) -> Self {
        let backend = Arc::new(Backend {
            env,
            options,
            store: data.store,
            kms,
            sequence: AtomicU64::new(data.lives.sequence + 1),
            inventories: watch::Sender::new(0),
        });
        let protocol = s3s::service::S3ServiceBuilder::new(operations::Operations(Arc::clone(&backend))).build();
        Self { backend, protocol }
    }

    /// The account that owns a bucket.
    pub(crate) fn owner(&self, bucket: &str) -> Option<String> {
        self.backend.store.lock().buckets().get(bucket).map(|bucket| bucket.account.clone())
    }
}

impl InventoryConfigurations for S3Service {
    fn all(&self) -> Vec<ConfiguredInventory> {
        let state = self.backend.store.lock();
        let of_bucket = |bucket: &store::Bucket| {
            let configured = |configuration: &dto::InventoryConfiguration| ConfiguredInventory {
                account: bucket.account.clone(),
                bucket: bucket.name.clone(),
                configuration: configuration.clone(),
            };
            bucket.settings.inventories.values().map(configured).collect::<Vec<_>>()
        };
        state.buckets().values().flat_map(of_bucket).collect()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.backend.inventories.subscribe()
    }
}

#[async_trait]
impl HttpService for S3Service {
    async fn handle(&self, caller: &Caller, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let ids = &self.backend.env.ids;
        let bodiless = request.method() == http::Method::HEAD;
        let flight = Flight::new(Arc::clone(&self.backend.env.gate));
        let path = request.uri().path().to_owned();
        let attributes = wire::asks_for_attributes(request.uri());
        let response = match wire::prepare(caller, &flight, &self.backend.env.clock, request) {
            Ok(request) => self.protocol.call(request).await,
            Err(error) => answer(error),
        };
        // What could not be kept must not look as if it were.
        let response = match self.backend.store.failure() {
            Some(reason) => answer(s3s::s3_error!(InternalError, "{reason}")),
            None => response,
        };
        let response = wire::noted(&flight, caller, &path, response).await;
        let (id, extended) = (ids.hex(16).to_uppercase(), ids.alphanumeric(56));
        let response = wire::finish(response, bodiless, &id, &extended);
        if attributes { response.map(|body| wire::without_quotes(&body)) } else { response }
    }
}

fn answer(error: s3s::S3Error) -> Result<s3s::HttpResponse, s3s::HttpError> {
    error.to_http_response().map_err(|error| s3s::HttpError::new(Box::new(error)))
}
