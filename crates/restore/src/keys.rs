//! Objects below a prefix, or a single one, as they are: in the order of their keys, a page at a time, so that any number of them takes
//! the same memory.

use std::collections::VecDeque;

use aws_sdk_s3::Client;
use levee_stage::{StageError, aws_error};
use levee_tables::Object;
use sha2::{Digest, Sha256};

/// Keys that a refusal names.
const NAMED: usize = 10;

/// What is brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix<'a> {
    /// What keys begin with; the whole key of a single object.
    pub prefix: &'a str,
    /// Whether it is one object.
    pub single: bool,
}

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// Whether it is in GLACIER or `DEEP_ARCHIVE`.
    pub archived: bool,
}

/// The keys of a bucket, in order.
pub struct Keys {
    s3: Client,
    bucket: String,
    owner: String,
    /// What stands in front of the keys there, and is not part of what is answered.
    front: String,
    prefix: String,
    single: bool,
    page: VecDeque<Found>,
    token: Option<String>,
    ended: bool,
}

impl Keys {
    /// The keys in a bucket that `owner` owns, below `front` where that is not empty.
    #[must_use]
    pub fn new(s3: &Client, bucket: &str, owner: &str, front: &str, what: Prefix<'_>) -> Self {
        let front = if front.is_empty() { String::new() } else { format!("{front}/") };
        Self {
            s3: s3.clone(),
            bucket: bucket.to_owned(),
            owner: owner.to_owned(),
            prefix: format!("{front}{}", what.prefix),
            front,
            single: what.single,
            page: VecDeque::new(),
            token: None,
            ended: false,
        }
    }

    /// The next object; none after the last.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn next(&mut self) -> Result<Option<Found>, StageError> {
        loop {
            if let Some(found) = self.page.pop_front() {
                return Ok(Some(found));
            }
            if self.ended {
                return Ok(None);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), StageError> {
        let call = self.s3.list_objects_v2().bucket(&self.bucket).expected_bucket_owner(&self.owner);
        // A single key is the first of those that begin with it.
        let call = call.set_max_keys(self.single.then_some(1)).prefix(&self.prefix);
        let page = call.set_continuation_token(self.token.take()).send().await;
        let page = page.map_err(|error| aws_error(&format!("ListObjectsV2 of s3://{}", self.bucket), error))?;
        self.token = page.next_continuation_token().map(str::to_owned);
        self.ended = self.single || page.is_truncated() != Some(true) || self.token.is_none();
        for object in page.contents().iter().map(Object::of) {
            let own = object.key.strip_prefix(&self.front);
            let Some(own) = own.filter(|_| !self.single || object.key == self.prefix) else { continue };
            self.page.push_back(Found { key: own.to_owned(), size: object.size, archived: object.archived });
        }
        Ok(())
    }
}

/// What a walk through a prefix has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Objects of the snapshot.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal over a line `<size> <key>` for each, in the order of keys.
    pub sha256: String,
    /// The first keys that the target has, too; and of how many.
    pub there: Differing,
    /// The first keys that the target has not, or not with that size; and of how many.
    pub lacking: Differing,
}

/// Keys that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differing {
    /// All of them.
    pub objects: u64,
    /// The first of them.
    pub first: Vec<String>,
}

impl Differing {
    fn take(&mut self, key: &str) {
        self.objects = self.objects.saturating_add(1);
        if self.first.len() < NAMED {
            self.first.push(key.to_owned());
        }
    }

    /// The first of them, in an operator's words.
    #[must_use]
    pub fn named(&self) -> String {
        let mut named: Vec<_> = self.first.iter().map(|key| format!("{key:?}")).collect();
        if self.objects > self.first.len() as u64 {
            named.push("and others".to_owned());
        }
        named.join(", ")
    }
}

/// A walk through the snapshot and the target side by side.
pub struct Walk {
    snapshot: Keys,
    target: Keys,
    there: Option<Found>,
    begun: bool,
    walked: Walked,
    digest: Sha256,
}

impl Walk {
    /// Begins it.
    #[must_use]
    pub fn new(snapshot: Keys, target: Keys) -> Self {
        Self { snapshot, target, there: None, begun: false, walked: Walked::default(), digest: Sha256::new() }
    }

    /// The next object of the snapshot; none after the last.
    ///
    /// # Errors
    /// AWS errors.
    pub async fn next(&mut self) -> Result<Option<Found>, StageError> {
        if !std::mem::replace(&mut self.begun, true) {
            self.there = self.target.next().await?;
        }
        let Some(found) = self.snapshot.next().await? else { return Ok(None) };
        while self.there.as_ref().is_some_and(|there| there.key < found.key) {
            self.there = self.target.next().await?;
        }
        let same = self.there.as_ref().filter(|there| there.key == found.key);
        if same.is_some() {
            self.walked.there.take(&found.key);
        }
        if same.is_none_or(|there| there.size != found.size) {
            self.walked.lacking.take(&found.key);
        }
        self.walked.objects = self.walked.objects.saturating_add(1);
        self.walked.bytes = self.walked.bytes.saturating_add(found.size);
        self.digest.update(format!("{} {}\n", found.size, found.key));
        Ok(Some(found))
    }

    /// What the walk has come to so far.
    #[must_use]
    pub fn end(self) -> Walked {
        Walked { sha256: hex::encode(self.digest.finalize()), ..self.walked }
    }
}
