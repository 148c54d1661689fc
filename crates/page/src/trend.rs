//! The last runs of the source as plots.

use jiff::civil::Date;
use levee_ledger::receipt::Outcome;

use crate::{
    TREND_RUNS, TrendPoint,
    plot::{percent, pixels, share},
    text::{count, day, duration, size},
};

/// The height that a plot's bars have, in pixels.
pub(crate) const HEIGHT: f64 = 88.0;
/// The longest span in which each day has a place of its own; above it each run has.
const MOST_DAYS: i32 = 62;
/// The room between bars, as a part of a place.
const GAP: f64 = 0.22;

/// The plots, and the same as a table.
pub(crate) struct Trend {
    pub(crate) plots: Vec<Plot>,
    pub(crate) rows: Vec<TrendRow>,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) runs: String,
    /// Days within the span that have no run; absent where places are not days.
    pub(crate) empty_days: Option<String>,
    pub(crate) degraded: bool,
}

/// One plot.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) latest: String,
    pub(crate) top: String,
    pub(crate) bars: Vec<PlotBar>,
}

/// A run in a plot.
pub(crate) struct PlotBar {
    pub(crate) x: String,
    /// The middle.
    pub(crate) middle: String,
    pub(crate) width: String,
    pub(crate) y: String,
    pub(crate) height: String,
    /// The top of what a part is compared with.
    pub(crate) whole: Option<(String, String)>,
    pub(crate) degraded: bool,
    pub(crate) said: String,
}

/// A run in the table.
pub(crate) struct TrendRow {
    pub(crate) date: String,
    pub(crate) outcome: &'static str,
    pub(crate) objects: String,
    pub(crate) bytes: String,
    pub(crate) duration: String,
    pub(crate) tables: String,
}

/// The trend, unless this run is the only one.
pub(crate) fn trend(points: &[TrendPoint]) -> Option<Trend> {
    let points = points.get(points.len().saturating_sub(TREND_RUNS)..)?;
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 2 {
        return None;
    }
    let places = Places::new(points, first.backup_date, last.backup_date);
    let days = places.days.then(|| places.number.saturating_sub(u64::try_from(points.len()).unwrap_or(u64::MAX)));
    Some(Trend {
        plots: plots(points, &places),
        rows: points.iter().rev().map(TrendRow::new).collect(),
        first: day(first.backup_date),
        last: day(last.backup_date),
        runs: count(u64::try_from(points.len()).unwrap_or(u64::MAX)),
        empty_days: days
            .filter(|days| *days > 0)
            .map(|days| crate::text::counted(days, "day without a bar has", "days without a bar have")),
        degraded: points.iter().any(|point| point.outcome == Outcome::Degraded),
    })
}

/// Where runs stand: each day has a place, or each run where days would be too many or are not in order.
struct Places {
    days: bool,
    first: Date,
    number: u64,
}

impl Places {
    fn new(points: &[TrendPoint], first: Date, last: Date) -> Self {
        let span = last.since(first).map_or(i32::MAX, |span| span.get_days());
        let ordered = points.is_sorted_by(|a, b| a.backup_date < b.backup_date);
        if ordered && (0..MOST_DAYS).contains(&span) {
            return Self { days: true, first, number: u64::from(span.unsigned_abs()).saturating_add(1) };
        }
        Self { days: false, first, number: u64::try_from(points.len()).unwrap_or(u64::MAX) }
    }

    fn of(&self, index: usize, date: Date) -> u64 {
        let day = date.since(self.first).map_or(0, |span| span.get_days());
        if self.days { u64::from(day.unsigned_abs()) } else { u64::try_from(index).unwrap_or(u64::MAX) }
    }
}

/// What a plot shows of a run.
type Value = fn(&TrendPoint) -> u64;

fn plots(points: &[TrendPoint], places: &Places) -> Vec<Plot> {
    let tables = |point: &TrendPoint| format!("{} of {}", count(point.tables_good), count(point.tables));
    vec![
        plot("Bytes in the snapshot", points, places, |point| point.bytes, None, |point| size(point.bytes)),
        plot("Objects in the snapshot", points, places, |point| point.objects, None, |point| count(point.objects)),
        plot("Duration", points, places, |point| point.seconds, None, |point| duration(point.seconds)),
        plot("Tables whole, of all", points, places, |point| point.tables_good, Some(|point| point.tables), tables),
    ]
}

fn plot(
    title: &'static str,
    points: &[TrendPoint],
    places: &Places,
    value: Value,
    whole: Option<Value>,
    said: impl Fn(&TrendPoint) -> String,
) -> Plot {
    let outer = whole.unwrap_or(value);
    let highest = points.iter().max_by_key(|point| outer(point));
    let most = highest.map_or(0, outer);
    let top = match (highest, whole) {
        (Some(point), None) => said(point),
        _ => count(most),
    };
    let place = share(1, places.number);
    let bars = points.iter().enumerate().map(|(index, point)| {
        let left = share(places.of(index, point.backup_date), places.number);
        let (y, height) = extent(value(point), most);
        PlotBar {
            x: percent(left + place * GAP / 2.0),
            middle: percent(left + place / 2.0),
            width: percent(place * (1.0 - GAP)),
            y,
            height,
            whole: whole.map(|whole| extent(whole(point), most)),
            degraded: point.outcome == Outcome::Degraded,
            said: format!("{}: {}", day(point.backup_date), said(point)),
        }
    });
    Plot { title, latest: points.last().map_or_else(String::new, &said), top, bars: bars.collect() }
}

/// The top and the height of a bar; what is not nothing can be seen.
fn extent(value: u64, most: u64) -> (String, String) {
    let height = share(value, most) * HEIGHT;
    let height = if value == 0 { 0.0 } else { height.max(1.5) };
    (pixels(HEIGHT - height), pixels(height))
}

impl TrendRow {
    fn new(point: &TrendPoint) -> Self {
        Self {
            date: day(point.backup_date),
            outcome: match point.outcome {
                Outcome::Complete => "complete",
                Outcome::Degraded => "degraded",
            },
            objects: count(point.objects),
            bytes: size(point.bytes),
            duration: duration(point.seconds),
            tables: format!("{} of {}", count(point.tables_good), count(point.tables)),
        }
    }
}
