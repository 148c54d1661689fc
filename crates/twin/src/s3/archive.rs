//! Objects in archive classes and tiers: they are read and copied only once they have been restored.
//!
//! Sources: "Working with archived objects" and "Understanding archive retrieval options" of the S3 user guide, and
//! RestoreObject of the API reference. A restore takes the longest time that the guide names for its tier. Not documented,
//! and therefore ours: the codes of requests with days too few or too many.

use jiff::{SignedDuration, Timestamp};
use s3s::{S3Error, S3Result, dto, s3_error};
use serde::{Deserialize, Serialize};

use super::{Backend, S3Service, access, access::Target, context::Context, get, store::Object};

const DAY_SECONDS: i64 = 24 * 3600;

/// A tier of `INTELLIGENT_TIERING` whose objects must be restored before they can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArchiveTier {
    /// Archive Access.
    ArchiveAccess,
    /// Deep Archive Access.
    DeepArchiveAccess,
}

/// How fast an object is to be restored, the fastest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Retrieval {
    Expedited,
    Standard,
    Bulk,
}

/// A restore that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    retrieval: Retrieval,
    /// None for an object of `INTELLIGENT_TIERING`, which stays restored.
    days: Option<u32>,
    ready: Timestamp,
    expires: Option<Timestamp>,
}

/// Whether an object can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is in no archive, or has left it for good.
    Readable,
    Archived,
    Restoring,
    /// A restored copy is there until then.
    Restored(Timestamp),
}

impl ArchiveTier {
    /// The tier as `x-amz-archive-status` has it.
    fn name(self) -> &'static str {
        match self {
            Self::ArchiveAccess => "ARCHIVE_ACCESS",
            Self::DeepArchiveAccess => "DEEP_ARCHIVE_ACCESS",
        }
    }
}

impl Retrieval {
    fn parse(name: &str) -> S3Result<Self> {
        match name {
            "Expedited" => Ok(Self::Expedited),
            "Standard" => Ok(Self::Standard),
            "Bulk" => Ok(Self::Bulk),
            _ => Err(s3_error!(MalformedXML, "The retrieval tier {name} is not one of Expedited, Standard and Bulk")),
        }
    }

    /// The longest that a restore takes.
    fn takes(self, deep: bool) -> S3Result<SignedDuration> {
        match (self, deep) {
            (Self::Expedited, false) => Ok(SignedDuration::from_mins(5)),
            (Self::Standard, false) => Ok(SignedDuration::from_hours(5)),
            (Self::Bulk, false) | (Self::Standard, true) => Ok(SignedDuration::from_hours(12)),
            (Self::Bulk, true) => Ok(SignedDuration::from_hours(48)),
            (Self::Expedited, true) => {
                Err(s3_error!(InvalidArgument, "Retrieval option is not supported by this storage class"))
            }
        }
    }
}

impl Object {
    /// Whether the object is in an archive, and if so, whether in a deep one.
    fn archive(&self) -> Option<bool> {
        match (self.storage_class.as_str(), self.archive_tier) {
            ("GLACIER", _) | ("INTELLIGENT_TIERING", Some(ArchiveTier::ArchiveAccess)) => Some(false),
            ("DEEP_ARCHIVE", _) | ("INTELLIGENT_TIERING", Some(ArchiveTier::DeepArchiveAccess)) => Some(true),
            _ => None,
        }
    }

    fn standing(&self, now: Timestamp) -> Standing {
        match (self.archive(), &self.restore) {
            (None, _) => Standing::Readable,
            (Some(_), None) => Standing::Archived,
            (Some(_), Some(restore)) if now < restore.ready => Standing::Restoring,
            (Some(_), Some(Restore { expires: None, .. })) => Standing::Readable,
            (Some(_), Some(Restore { expires: Some(expires), .. })) if now < *expires => Standing::Restored(*expires),
            (Some(_), Some(_)) => Standing::Archived,
        }
    }

    /// The header `x-amz-restore`.
    pub(crate) fn restore_header(&self, now: Timestamp) -> Option<String> {
        match self.standing(now) {
            Standing::Readable | Standing::Archived => None,
            Standing::Restoring => Some(r#"ongoing-request="true""#.to_owned()),
            Standing::Restored(expires) => {
                let expires = expires.strftime("%a, %d %b %Y %H:%M:%S GMT");
                Some(format!(r#"ongoing-request="false", expiry-date="{expires}""#))
            }
        }
    }

    /// The header `x-amz-archive-status`, of objects in a tier of `INTELLIGENT_TIERING`.
    pub(crate) fn archive_status(&self, now: Timestamp) -> Option<dto::ArchiveStatus> {
        let tier = self.archive_tier.filter(|_| self.standing(now) != Standing::Readable);
        tier.map(|tier| dto::ArchiveStatus::from_static(tier.name()))
    }

    /// Refuses to read bytes that must be restored before.
    pub(crate) fn check_readable(&self, now: Timestamp) -> S3Result<()> {
        match self.standing(now) {
            Standing::Readable | Standing::Restored(_) => Ok(()),
            Standing::Archived | Standing::Restoring => {
                Err(s3_error!(InvalidObjectState, "The operation is not valid for the object's storage class"))
            }
        }
    }

    /// The restore that a request makes of the object, and whether a restored copy was there already.
    fn restored(&self, retrieval: Retrieval, days: Option<u32>, now: Timestamp) -> S3Result<(Restore, bool)> {
        let Some(deep) = self.archive() else { return Err(not_archived()) };
        match (self.archive_tier.is_some(), days) {
            (true, Some(_)) => {
                return Err(s3_error!(InvalidArgument, "Days must not be given for objects of INTELLIGENT_TIERING"));
            }
            (false, None | Some(0)) => return Err(s3_error!(MalformedXML, "Days must be a number of 1 or more")),
            _ => {}
        }
        let takes = retrieval.takes(deep)?;
        let new = |ready| Restore { retrieval, days, ready, expires: days.map(|days| expiry(ready, days)) };
        match self.standing(now) {
            Standing::Readable => Err(not_archived()),
            Standing::Restored(_) => Ok((new(now), true)),
            // One that is under way may be made faster, and nothing else ("Upgrade the speed of an in-progress restore").
            Standing::Restoring
                if !self.restore.as_ref().is_some_and(|old| retrieval < old.retrieval && days == old.days) =>
            {
                Err(already_in_progress())
            }
            Standing::Archived | Standing::Restoring => Ok((new(later(now, takes)), false)),
        }
    }
}

impl Backend {
    /// Starts a restore, or makes the life of a restored copy longer. The status tells which: 202 or 200.
    pub(crate) fn restore_object(
        &self,
        context: &Context,
        input: dto::RestoreObjectInput,
    ) -> S3Result<(http::StatusCode, dto::RestoreObjectOutput)> {
        let version = input.version_id.as_deref();
        let target = Target::Object(&input.bucket, &input.key);
        let owner = input.expected_bucket_owner.as_deref();
        let mut entered = self.enter(context, "RestoreObject", target, owner, &["s3:RestoreObject"])?;
        let request = input.restore_request.unwrap_or_default();
        if request.type_.is_some() || request.select_parameters.is_some() || request.output_location.is_some() {
            return Err(s3_error!(NotImplemented, "the twin does not model S3 Select of archived objects"));
        }
        let tier = request.glacier_job_parameters.map(|parameters| parameters.tier).or(request.tier);
        let retrieval = tier.map_or(Ok(Retrieval::Standard), |tier| Retrieval::parse(tier.as_str()))?;
        let days = request.days.map(u32::try_from).transpose();
        let days = days.map_err(|_| s3_error!(MalformedXML, "Days must be a number of 1 or more"))?;
        let (_, object) = get::find(entered.bucket()?, context, &input.key, version)?;
        let (restore, there) = object.restored(retrieval, days, self.env.clock.now())?;
        entered.bucket_mut()?.change_object(&input.key, version, |object| object.restore = Some(restore));
        let status = if there { http::StatusCode::OK } else { http::StatusCode::ACCEPTED };
        Ok((status, dto::RestoreObjectOutput::default()))
    }
}

impl S3Service {
    /// Moves the newest version of `key`, an object of `INTELLIGENT_TIERING`, into an archive tier, as AWS does with objects
    /// that nobody has read for long. False when there is no such object.
    #[must_use]
    pub fn archive(&self, bucket: &str, key: &str, tier: ArchiveTier) -> bool {
        let mut state = self.backend.store.lock();
        let Some(bucket) = state.bucket_mut(bucket) else { return false };
        let tiered = bucket.current(key).is_some_and(|(_, object)| object.storage_class == "INTELLIGENT_TIERING");
        if tiered {
            bucket.change_object(key, None, |object| {
                object.archive_tier = Some(tier);
                object.restore = None;
            });
        }
        tiered
    }
}

/// When a restored copy goes: the midnight, in UTC, after its days.
fn expiry(from: Timestamp, days: u32) -> Timestamp {
    let end = from.as_second().saturating_add(i64::from(days).saturating_mul(DAY_SECONDS));
    let midnight = end.div_euclid(DAY_SECONDS).saturating_add(1).saturating_mul(DAY_SECONDS);
    Timestamp::from_second(midnight).unwrap_or(Timestamp::MAX)
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn not_archived() -> S3Error {
    s3_error!(InvalidObjectState, "Restore is not allowed for the object's current storage class")
}

fn already_in_progress() -> S3Error {
    access::custom(
        "RestoreAlreadyInProgress",
        http::StatusCode::CONFLICT,
        "Object restore is already in progress".to_owned(),
    )
}
