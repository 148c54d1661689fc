//! What a crowd adds up to.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use levee::hosts::StageName;
use serde_json::{Value, json};

use super::{Answer, Life, Milestones, Moment, Played};

/// The spread of some durations, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// How many there are; the others are 0 without any.
    pub count: usize,
    /// Half of them are at most this.
    pub p50: f64,
    /// 99 in 100 of them are at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Two spreads of the same: by the twin's clock, and by the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Both {
    /// By the twin's clock.
    pub clock: Spread,
    /// By the machine's.
    pub wall: Spread,
}

/// What became of the messages of one queue, or of all.
#[derive(Clone, Debug, Default)]
pub struct QueueFigures {
    /// Messages.
    pub messages: usize,
    /// From visible to the stage's beginning, of messages that the state machine sent.
    pub first: Both,
    /// The same of messages that came back because the stage had asked to wait: from the end of the wait on.
    pub back: Both,
    /// From the stage's beginning until its answer is sent.
    pub work: Both,
    /// From the receipt of a message to its deletion: so long it keeps others from its place.
    pub place: Both,
    /// The longest that any message was visible and not yet received, by the twin's clock, in milliseconds.
    pub longest_wait: f64,
    /// Messages that only went on waiting, in steps that keep the heartbeat.
    pub steps: usize,
    /// Messages that were not received, or not deleted.
    pub unserved: usize,
    /// Messages that were received more than once: somebody had kept them for longer than they were hidden.
    pub again: usize,
    /// Messages of tasks that the state machine tried again: a heartbeat was missed, or AWS kept failing.
    pub retries: usize,
}

/// From one event of a run to another, by the twin's clock: in all, and without what is left of a wait that a stage had asked for
/// when the first event came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stretch {
    /// In all.
    pub whole: Spread,
    /// Without the wait.
    pub added: Spread,
}

/// What runs added up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunFigures {
    /// From the delivery of the inventory to the creation of the job.
    pub delivered_to_job: Stretch,
    /// From the end of the job to the answer of table-verify, which has recorded the verdicts.
    pub job_to_verdicts: Stretch,
    /// From the end of the job to the answer of run-close, which has written the receipt.
    pub job_to_closed: Stretch,
}

/// All figures of a crowd.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The queues that had messages, in the order of a night.
    pub queues: Vec<(&'static str, QueueFigures)>,
    /// All of them together.
    pub all: QueueFigures,
    /// The runs.
    pub runs: RunFigures,
    /// Messages in dead-letter queues.
    pub dead: u64,
}

impl Figures {
    /// Works the figures out.
    #[must_use]
    pub fn of(played: &Played) -> Self {
        let queues = StageName::ALL.into_iter().map(StageName::name).filter_map(|stage| {
            let lives: Vec<&Life> = played.lives.iter().filter(|life| life.stage == stage).collect();
            (!lives.is_empty()).then(|| (stage, QueueFigures::of(&lives)))
        });
        let all: Vec<&Life> = played.lives.iter().collect();
        Self { queues: queues.collect(), all: QueueFigures::of(&all), runs: RunFigures::of(played), dead: played.dead }
    }

    /// What starved, by name: messages that nobody took, took twice or gave up, and tasks that were tried again.
    #[must_use]
    pub fn starved(&self) -> Vec<String> {
        let of_queue = |(stage, queue): &(&str, QueueFigures)| {
            let counts = [
                ("messages were not served", queue.unserved),
                ("messages were received again", queue.again),
                ("messages belong to tasks that were tried again", queue.retries),
            ];
            counts.map(|(what, count)| (count > 0).then(|| format!("{stage}: {count} {what}"))).into_iter().flatten()
        };
        let dead = (self.dead > 0).then(|| format!("{} messages are in dead-letter queues", self.dead));
        self.queues.iter().flat_map(of_queue).chain(dead).collect()
    }

    /// As a JSON document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let queues: BTreeMap<&str, Value> =
            self.queues.iter().map(|(stage, queue)| (*stage, queue.to_json())).collect();
        json!({
            "all": self.all.to_json(),
            "queues": queues,
            "runs": {
                "delivered_to_job_created": self.runs.delivered_to_job.to_json(),
                "job_done_to_verdicts": self.runs.job_to_verdicts.to_json(),
                "job_done_to_closed": self.runs.job_to_closed.to_json(),
            },
            "dead_letters": self.dead,
        })
    }
}

impl QueueFigures {
    fn of(lives: &[&Life]) -> Self {
        let count = |what: &dyn Fn(&Life) -> bool| lives.iter().filter(|life| what(life)).count();
        let both =
            |ends: &dyn Fn(&Life) -> Option<(Moment, Moment)>| Both::of(lives.iter().filter_map(|life| ends(life)));
        let waited = lives.iter().filter_map(|life| Some(millis(life.ready, life.received?.clock)));
        Self {
            messages: lives.len(),
            first: both(&|life| Some((life.visible().filter(|_| !life.came_back())?, life.started?))),
            back: both(&|life| Some((life.visible().filter(|_| life.came_back())?, life.started?))),
            work: both(&|life| Some((life.started?, life.answered?.0))),
            place: both(&|life| Some((life.received?, life.deleted?))),
            longest_wait: waited.fold(0.0, f64::max),
            steps: count(&|life| life.deleted.is_some() && life.started.is_none()),
            unserved: count(&|life| life.deleted.is_none()),
            again: count(&|life| life.times > 1),
            retries: count(&|life| life.retries > 0),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "messages": self.messages,
            "visible_to_started": self.first.to_json(),
            "visible_to_started_after_a_wait": self.back.to_json(),
            "started_to_answered": self.work.to_json(),
            "received_to_deleted": self.place.to_json(),
            "longest_wait_ms": self.longest_wait,
            "steps_of_waits": self.steps,
            "not_served": self.unserved,
            "received_again": self.again,
            "tried_again": self.retries,
        })
    }
}

impl RunFigures {
    fn of(played: &Played) -> Self {
        let mut of_run: HashMap<&str, Vec<&Life>> = HashMap::new();
        for life in &played.lives {
            of_run.entry(&life.run).or_default().push(life);
        }
        let runs: Vec<_> = played.runs.iter().filter_map(|run| Some((run, of_run.get(run.run.as_str())?))).collect();
        let stretch = |from: &dyn Fn(&Milestones) -> Timestamp,
                       waits: &str,
                       to: &dyn Fn(&Milestones, &[&Life]) -> Option<Timestamp>| {
            Stretch::of(runs.iter().filter_map(|(run, lives)| {
                let (from, to) = (from(run), to(run, lives)?);
                Some((from, woken(lives, waits, from), to))
            }))
        };
        let done = |lives: &[&Life], stage: &str| {
            let found = lives.iter().filter(|life| life.stage == stage).find_map(|life| life.answered);
            found.filter(|(_, answer)| *answer == Answer::Done).map(|(when, _)| when.clock)
        };
        Self {
            delivered_to_job: stretch(&|run| run.delivered, "manifest-ready", &|run, _| Some(run.job_created)),
            job_to_verdicts: stretch(&|run| run.job_done, "job-poll", &|_, lives| done(lives, "table-verify")),
            job_to_closed: stretch(&|run| run.job_done, "job-poll", &|_, lives| done(lives, "run-close")),
        }
    }
}

/// When the first message of the stage could be received that was not being worked on when the event came.
fn woken(lives: &[&Life], stage: &str, event: Timestamp) -> Timestamp {
    let of_stage = lives.iter().filter(|life| life.stage == stage && life.ready >= event);
    of_stage.map(|life| life.ready).min().unwrap_or(event)
}

impl Stretch {
    /// Of events, of the ends of waits after them, and of later events.
    fn of(stretches: impl Iterator<Item = (Timestamp, Timestamp, Timestamp)>) -> Self {
        let (whole, added) = stretches.map(|(from, woken, to)| (millis(from, to), millis(woken.min(to), to))).unzip();
        Self { whole: Spread::of(whole), added: Spread::of(added) }
    }

    fn to_json(self) -> Value {
        json!({ "whole": self.whole.to_json(), "without_the_wait": self.added.to_json() })
    }
}

impl Both {
    fn of(stretches: impl Iterator<Item = (Moment, Moment)>) -> Self {
        let wall = |from: Moment, to: Moment| to.wall.saturating_duration_since(from.wall).as_secs_f64() * 1000.0;
        let (by_clock, by_wall) = stretches.map(|(from, to)| (millis(from.clock, to.clock), wall(from, to))).unzip();
        Self { clock: Spread::of(by_clock), wall: Spread::of(by_wall) }
    }

    fn to_json(self) -> Value {
        json!({ "clock": self.clock.to_json(), "wall": self.wall.to_json() })
    }
}

impl Spread {
    fn of(mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        let count = millis.len();
        // The nearest rank: the smallest value that so many in 100 do not exceed.
        let rank =
            |percent: usize| millis.get((count * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0.0);
        Self { count, p50: rank(50), p99: rank(99), max: rank(100) }
    }

    fn to_json(self) -> Value {
        json!({ "count": self.count, "p50_ms": self.p50, "p99_ms": self.p99, "max_ms": self.max })
    }
}

fn millis(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}
