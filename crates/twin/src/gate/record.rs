//! The record itself: the last calls in full, and counts of all.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::Timestamp;

use super::{CallCount, Name, Outcome, RecordedCall};
use crate::{env::Call, facts::Fact, needs::Need, service::Principal};

/// The record. It is written on the path of every call: an entry shares the names of its kind.
pub(super) struct Record {
    limit: usize,
    /// The numbers of the kept entries follow each other.
    entries: VecDeque<Entry>,
    made: u64,
    kinds: Vec<Kind>,
    by_names: HashMap<String, usize>,
    /// The key of the kind that is looked up, kept for its allocation.
    key: String,
}

struct Entry {
    number: u64,
    time: Timestamp,
    kind: usize,
    resource: Name,
    needs: Vec<Need>,
    facts: Vec<Fact>,
    outcome: Option<Outcome>,
}

/// Calls that differ in nothing but their time, resource and outcome.
struct Kind {
    service: Name,
    operation: Name,
    account: Name,
    principal: Name,
    made: u64,
    ended: BTreeMap<Outcome, u64>,
}

/// Where a call stands in the record.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) number: u64,
    kind: usize,
}

impl Record {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            entries: VecDeque::new(),
            made: 0,
            kinds: Vec::new(),
            by_names: HashMap::new(),
            key: String::new(),
        }
    }

    /// Adds a call that has no outcome yet.
    pub(super) fn add(&mut self, call: &Call<'_>, time: Timestamp) -> Place {
        let kind = self.kind(call);
        self.made += 1;
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.made += 1;
        }
        let place = Place { number: self.made, kind };
        if self.limit == 0 {
            return place;
        }
        if self.entries.len() >= self.limit {
            self.entries.pop_front();
        }
        let same = call.needs.iter().find(|need| need.resource == call.resource);
        let resource = same.map_or_else(|| call.resource.into(), |need| need.resource.clone());
        let (needs, facts) = (call.needs.to_vec(), call.facts.to_vec());
        self.entries.push_back(Entry { number: self.made, time, kind, resource, needs, facts, outcome: None });
        place
    }

    /// Notes what the caller got.
    pub(super) fn end(&mut self, place: Place, outcome: Outcome) {
        if let Some(kind) = self.kinds.get_mut(place.kind) {
            *kind.ended.entry(outcome.clone()).or_default() += 1;
        }
        if let Some(entry) = self.entry(place) {
            entry.outcome = Some(outcome);
        }
    }

    /// Notes something that the call needs, once.
    pub(super) fn need(&mut self, place: Place, need: Need) {
        if let Some(entry) = self.entry(place)
            && !entry.needs.contains(&need)
        {
            entry.needs.push(need);
        }
    }

    /// The kept calls from the one after `number` on, oldest first.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = RecordedCall> + '_ {
        let first = self.entries.front().map_or(0, |entry| entry.number);
        let skip = usize::try_from(number.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.entries.iter().skip(skip).filter_map(|entry| self.told(entry))
    }

    /// The kept calls that were answered with an error, latest first.
    pub(super) fn failures(&self) -> impl Iterator<Item = RecordedCall> + '_ {
        let failed = |entry: &&Entry| matches!(entry.outcome, Some(Outcome::Error { .. }));
        self.entries.iter().rev().filter(failed).filter_map(|entry| self.told(entry))
    }

    fn told(&self, entry: &Entry) -> Option<RecordedCall> {
        let kind = self.kinds.get(entry.kind)?;
        Some(RecordedCall {
            number: entry.number,
            time: entry.time,
            service: kind.service.clone(),
            operation: kind.operation.clone(),
            account: kind.account.clone(),
            principal: kind.principal.clone(),
            resource: entry.resource.clone(),
            needs: entry.needs.clone(),
            facts: entry.facts.clone(),
            outcome: entry.outcome.clone(),
        })
    }

    /// The counts of all calls, in the order of their names.
    pub(super) fn counts(&self) -> Vec<CallCount> {
        let of_kind = |kind: &Kind| {
            let ended: u64 = kind.ended.values().sum();
            let open = kind.made.saturating_sub(ended);
            let ended = kind.ended.iter().map(|(outcome, count)| (Some(outcome.clone()), *count));
            let rows = ended.chain((open > 0).then_some((None, open)));
            let (service, operation) = (kind.service.clone(), kind.operation.clone());
            let (account, principal) = (kind.account.clone(), kind.principal.clone());
            rows.map(|(outcome, count)| CallCount {
                service: service.clone(),
                operation: operation.clone(),
                account: account.clone(),
                principal: principal.clone(),
                outcome,
                count,
            })
            .collect::<Vec<_>>()
        };
        let mut counts: Vec<CallCount> = self.kinds.iter().flat_map(of_kind).collect();
        counts.sort_by(|a, b| {
            let key = |count: &CallCount| {
                (count.service.clone(), count.operation.clone(), count.account.clone(), count.principal.clone())
            };
            key(a).cmp(&key(b)).then_with(|| a.outcome.cmp(&b.outcome))
        });
        counts
    }

    fn entry(&mut self, place: Place) -> Option<&mut Entry> {
        let first = self.entries.front()?.number;
        let index = usize::try_from(place.number.checked_sub(first)?).ok()?;
        self.entries.get_mut(index)
    }

    fn kind(&mut self, call: &Call<'_>) -> usize {
        let principal = match &call.caller.principal {
            Principal::Root => "root",
            Principal::Role(name) | Principal::Service(name) => name,
        };
        self.key.clear();
        for part in [call.service, call.operation, &call.caller.account, principal] {
            self.key.push_str(part);
            self.key.push('\n');
        }
        if let Some(kind) = self.by_names.get(&self.key) {
            return *kind;
        }
        let kind = self.kinds.len();
        self.kinds.push(Kind {
            service: call.service.into(),
            operation: call.operation.into(),
            account: call.caller.account.as_str().into(),
            principal: principal.into(),
            made: 0,
            ended: BTreeMap::new(),
        });
        self.by_names.insert(self.key.clone(), kind);
        kind
    }
}
