//! Queues themselves: creating, finding, setting, tagging, purging, deleting.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Queues, Request, Sqs, input,
    queue::{Queue, QueueKey, after},
    settings::{self, Settings},
    wire,
};
use crate::service::ServiceError;

/// How long a deleted queue's name stays taken, and the least time between two purges, in seconds.
const REST: i64 = 60;

impl Sqs {
    pub(super) fn create(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let key = request.own(checked_name(input::text(request.body, "QueueName")?)?);
        let given = input::text_map(request.body, "Attributes")?;
        let tags = input::text_map(request.body, "tags")?;
        let now = self.env.clock.now();
        let mut queues = self.queues();
        if let Some(queue) = queues.live.get(&key) {
            return match queue.settings.differing(&given)? {
                None => Ok(json!({"QueueUrl": request.url_of(&key)})),
                Some(name) => {
                    let reason =
                        format!("A queue already exists with the same name and a different value for attribute {name}");
                    Err(ServiceError::client("QueueNameExists", reason))
                }
            };
        }
        if queues.deleted.get(&key).is_some_and(|when| now < after(*when, REST)) {
            let reason =
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
            return Err(ServiceError::client("QueueDeletedRecently", reason));
        }
        let settings = queues.changed(&Settings::default(), &given, &key)?;
        let mut queue = Queue::new(key.arn(), settings, now);
        queue.tags.extend(tags);
        queues.deleted.remove(&key);
        let url = request.url_of(&key);
        queues.live.insert(key, queue);
        Ok(json!({"QueueUrl": url}))
    }

    pub(super) fn delete_queue(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let key = request.queue()?;
        let mut queues = self.queues();
        let bell = queues.find(&key, request.caller)?.bell.clone();
        queues.live.remove(&key);
        queues.deleted.insert(key, self.env.clock.now());
        bell.notify_waiters();
        Ok(json!({}))
    }

    pub(super) fn purge(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        self.on_queue(request, |queue, now| {
            if queue.purged.is_some_and(|when| now < after(when, REST)) {
                let reason = format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.arn);
                return Err(ServiceError { status: 403, ..ServiceError::client("PurgeQueueInProgress", reason) });
            }
            queue.purge();
            queue.purged = Some(now);
            Ok(json!({}))
        })
    }

    pub(super) fn url(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let mut key = request.own(input::text(request.body, "QueueName")?);
        if let Some(owner) = input::optional_text(request.body, "QueueOwnerAWSAccountId")? {
            key.account = owner.to_owned();
        }
        self.queues().find(&key, request.caller)?;
        Ok(json!({"QueueUrl": request.url_of(&key)}))
    }

    pub(super) fn list(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let prefix = input::optional_text(request.body, "QueueNamePrefix")?.unwrap_or_default();
        let own = request.own("");
        let queues = self.queues();
        let keys = queues.live.keys().filter(|key| key.account == own.account && key.region == own.region);
        page(request, "QueueUrls", keys.filter(|key| key.name.starts_with(prefix)))
    }

    pub(super) fn dead_letter_sources(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let key = request.queue()?;
        let mut queues = self.queues();
        let arn = queues.find(&key, request.caller)?.arn.clone();
        let is_source = |queue: &Queue| queue.settings.redrive.as_ref().is_some_and(|it| it.target_arn == arn);
        page(request, "queueUrls", queues.live.iter().filter(|(_, queue)| is_source(queue)).map(|(key, _)| key))
    }

    pub(super) fn attributes(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let wanted = input::texts(request.body, "AttributeNames")?;
        self.on_queue(request, |queue, now| {
            let counts = queue.counts(now);
            let mut all = queue.settings.texts();
            let mut put = |name: &str, value: String| all.insert(name.to_owned(), value);
            put("ApproximateNumberOfMessages", counts.ready.to_string());
            put("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string());
            put("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string());
            put("CreatedTimestamp", queue.created.as_second().to_string());
            put("LastModifiedTimestamp", queue.modified.as_second().to_string());
            put("QueueArn", queue.arn.clone());
            let chosen = choose(all, &wanted)?;
            Ok(if chosen.is_empty() { json!({}) } else { json!({"Attributes": chosen}) })
        })
    }

    pub(super) fn set_attributes(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let key = request.queue()?;
        let given = input::text_map(request.body, "Attributes")?;
        let now = self.env.clock.now();
        let mut queues = self.queues();
        let old = queues.find(&key, request.caller)?.settings.clone();
        let settings = queues.changed(&old, &given, &key)?;
        let queue = queues.find(&key, request.caller)?;
        queue.settings = settings;
        queue.modified = now;
        Ok(json!({}))
    }

    pub(super) fn tag(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let tags = input::text_map(request.body, "Tags")?;
        self.on_queue(request, |queue, _| {
            queue.tags.extend(tags);
            Ok(json!({}))
        })
    }

    pub(super) fn untag(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        let names = input::texts(request.body, "TagKeys")?;
        self.on_queue(request, |queue, _| {
            queue.tags.retain(|name, _| !names.contains(name));
            Ok(json!({}))
        })
    }

    pub(super) fn tags(&self, request: &Request<'_>) -> Result<Value, ServiceError> {
        self.on_queue(request, |queue, _| {
            Ok(if queue.tags.is_empty() { json!({}) } else { json!({"Tags": queue.tags}) })
        })
    }
}

impl Queues {
    /// The settings `old` with the attributes `given`; a dead-letter queue among them must be there and willing.
    fn changed(&self, old: &Settings, given: &[(String, String)], key: &QueueKey) -> Result<Settings, ServiceError> {
        let mut settings = old.clone();
        for (name, value) in given {
            settings.set(name, value)?;
        }
        if let Some(redrive) = settings.redrive.as_ref().filter(|_| settings.redrive != old.redrive) {
            let wrong = |reason: &str| Err(settings::invalid("RedrivePolicy", reason));
            let target = QueueKey::from_arn(&redrive.target_arn);
            match target.as_ref().and_then(|target| Some((target, self.live.get(target)?))) {
                None => return wrong("Dead letter target does not exist"),
                Some((target, _)) if (&target.account, &target.region) != (&key.account, &key.region) => {
                    return wrong("Dead letter target must be in the same account and Region");
                }
                Some((_, queue)) if !queue.settings.allows_source(&key.arn()) => {
                    return wrong("Dead letter target does not allow this source queue (RedriveAllowPolicy)");
                }
                Some(_) => {}
            }
        }
        Ok(settings)
    }
}

/// One page of queue URLs; the token is the last name of the page before.
fn page<'a>(
    request: &Request<'_>,
    member: &str,
    keys: impl Iterator<Item = &'a QueueKey>,
) -> Result<Value, ServiceError> {
    let asked = input::number(request.body, "MaxResults", 1..=1000)?;
    let limit = asked.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1000);
    let token = input::optional_text(request.body, "NextToken")?.unwrap_or_default();
    let rest: Vec<_> = keys.filter(|key| key.name.as_str() > token).collect();
    let urls: Vec<String> = rest.iter().take(limit).map(|key| request.url_of(key)).collect();
    let mut answer = Map::new();
    // Without MaxResults AWS cuts the list at 1,000 and gives no token.
    if let Some(last) = rest.get(limit.saturating_sub(1)).filter(|_| asked.is_some() && rest.len() > limit) {
        answer.insert("NextToken".to_owned(), json!(last.name));
    }
    answer.insert(member.to_owned(), json!(urls));
    Ok(Value::Object(answer))
}

fn choose(all: BTreeMap<String, String>, wanted: &[String]) -> Result<BTreeMap<String, String>, ServiceError> {
    const OPTIONAL: [&str; 5] =
        ["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy"];
    const FIFO: [&str; 4] = ["ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit"];
    if wanted.iter().any(|name| name == "All") {
        return Ok(all);
    }
    let known = |name: &str| all.contains_key(name) || OPTIONAL.contains(&name) || FIFO.contains(&name);
    if let Some(name) = wanted.iter().find(|name| !known(name) && *name != "SqsManagedSseEnabled") {
        return Err(ServiceError::client("InvalidAttributeName", format!("Unknown Attribute {name}.")));
    }
    Ok(all.into_iter().filter(|(name, _)| wanted.contains(name)).collect())
}

fn checked_name(name: &str) -> Result<&str, ServiceError> {
    if name.ends_with(".fifo") {
        return Err(ServiceError::not_modelled(format_args!("FIFO queues (queue {name})")));
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if name.is_empty() || name.len() > 80 || !plain {
        let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return Err(wire::invalid_value(reason));
    }
    Ok(name)
}
