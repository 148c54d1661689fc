//! The night by stage, on one scale of time.

use jiff::Timestamp;
use levee_ledger::receipt::Receipt;

use crate::{
    plot::{percent, share},
    text::{counted, duration, moment, seconds_between, visible},
};

/// Distances of the scale's marks, in seconds.
const STEPS: [u64; 12] = [60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];
/// As many marks as a phone's width has room for.
const MARKS: u64 = 4;

/// The timeline.
pub(crate) struct Night {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) total: String,
    pub(crate) marks: Vec<Mark>,
    pub(crate) lanes: Vec<Lane>,
}

/// A line of the scale.
pub(crate) struct Mark {
    pub(crate) x: String,
    pub(crate) label: String,
}

/// A state and the times that it was in.
pub(crate) struct Lane {
    pub(crate) state: String,
    /// Said when it was more than once.
    pub(crate) passes: Option<String>,
    pub(crate) duration: String,
    pub(crate) bars: Vec<Bar>,
}

/// One time in a state.
pub(crate) struct Bar {
    pub(crate) x: String,
    pub(crate) width: String,
    pub(crate) said: String,
}

impl Night {
    pub(crate) fn new(receipt: &Receipt) -> Self {
        let run = &receipt.run;
        let ends = receipt.stages.iter().map(|stage| stage.left.unwrap_or(run.closed));
        let begins = receipt.stages.iter().map(|stage| stage.entered);
        let from = begins.min().map_or(run.started, |first| first.min(run.started));
        let to = ends.max().map_or(run.closed, |last| last.max(run.closed));
        let total = seconds_between(from, to);
        let mut passes: Vec<(Timestamp, Timestamp, &str)> = receipt
            .stages
            .iter()
            .map(|stage| (stage.entered, stage.left.unwrap_or(run.closed), stage.state.as_str()))
            .collect();
        passes.sort();
        let mut states: Vec<&str> = Vec::new();
        for (_, _, state) in &passes {
            if !states.contains(state) {
                states.push(state);
            }
        }
        let lane = |state: &&str| lane(state, from, total, passes.iter().filter(|(_, _, name)| name == state));
        Self {
            from: moment(from),
            to: moment(to),
            total: duration(total),
            marks: marks(total),
            lanes: states.iter().map(lane).collect(),
        }
    }
}

fn lane<'a>(
    state: &str,
    from: Timestamp,
    total: u64,
    passes: impl Iterator<Item = &'a (Timestamp, Timestamp, &'a str)>,
) -> Lane {
    let (mut bars, mut seconds) = (Vec::new(), 0_u64);
    for (entered, left, _) in passes {
        let long = seconds_between(*entered, *left);
        seconds = seconds.saturating_add(long);
        bars.push(Bar {
            x: percent(share(seconds_between(from, *entered), total)),
            width: percent(share(long, total)),
            said: format!("{} for {}", moment(*entered), duration(long)),
        });
    }
    let number = u64::try_from(bars.len()).unwrap_or(u64::MAX);
    Lane {
        state: visible(state).into_owned(),
        passes: (number > 1).then(|| counted(number, "time", "times")),
        duration: duration(seconds),
        bars,
    }
}

fn marks(total: u64) -> Vec<Mark> {
    let Some(step) = STEPS.into_iter().find(|step| total / step <= MARKS) else { return Vec::new() };
    // A mark at the very end would stand beside the end's own label.
    let times = (1..=total / step).map(|number| number * step).filter(|at| *at < total);
    times.map(|at| Mark { x: percent(share(at, total)), label: rounded(at) }).collect()
}

/// A distance of the scale in one unit, as all of them have it.
fn rounded(seconds: u64) -> String {
    match seconds {
        small if small < 3600 => format!("{} min", small / 60),
        hours if hours < 172_800 && hours.is_multiple_of(3600) => format!("{} h", hours / 3600),
        days if days.is_multiple_of(86_400) => format!("{} d", days / 86_400),
        other => duration(other),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::instant(0, &[])]
    #[case::minutes(250, &["1 min", "2 min", "3 min", "4 min"])]
    #[case::halves(2 * 3600, &["30 min", "1 h", "1 h 30 min"])]
    #[case::hours(4 * 3600 - 1, &["1 h", "2 h", "3 h"])]
    #[case::days(9 * 86_400, &["2 d", "4 d", "6 d", "8 d"])]
    #[case::years(u64::MAX, &[])]
    fn marks_are_few_and_round(#[case] total: u64, #[case] labels: &[&str]) {
        let marks: Vec<_> = marks(total).into_iter().map(|mark| mark.label).collect();
        assert_eq!(marks, labels);
    }
}
