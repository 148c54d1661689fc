//! How time and memory grow with the work: ours alone, at ten times the size.

use std::fs;

use anyhow::Result;
use serde::Serialize;

use super::{
    Settings, TaskName,
    contest::{Contest, Measured},
};
use crate::make::{Kind, Size};

/// A task at two sizes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Growth {
    pub(super) task: TaskName,
    pub(super) small: At,
    pub(super) large: At,
    /// How many times as many rows, seconds and MiB.
    pub(super) rows_ratio: f64,
    pub(super) seconds_ratio: f64,
    pub(super) memory_ratio: f64,
}

/// What was measured at one size.
#[derive(Clone, Debug, Serialize)]
pub(super) struct At {
    pub(super) rows: u64,
    pub(super) measured: Measured,
}

/// Measures every task at both sizes, one kind of data after the other: the large data is removed when it has been read.
pub(super) fn measure(settings: &Settings) -> Result<Vec<Growth>> {
    let mut all = Vec::new();
    for kind in [Kind::Inventory, Kind::Report, Kind::Table] {
        let tasks: Vec<_> = settings.tasks().filter(|task| task.kind() == kind).collect();
        if tasks.is_empty() {
            continue;
        }
        let (small, large) = (settings.size(kind, false), settings.size(kind, true));
        let folders = (settings.data(kind, small)?, settings.data(kind, large)?);
        for task in tasks {
            let small = at(task, &small, &folders.0, settings)?;
            let large = at(task, &large, &folders.1, settings)?;
            all.push(Growth::of(task, small, large));
        }
        if kind != Kind::Table {
            fs::remove_dir_all(folders.1)?;
        }
    }
    Ok(all)
}

fn at(task: TaskName, size: &Size, folder: &std::path::Path, settings: &Settings) -> Result<At> {
    let mut result = Contest::new(task, size.rows, folder, settings)?.ours_alone().run(settings.large_times)?;
    Ok(At { rows: size.rows, measured: result.contestants.swap_remove(0) })
}

impl Growth {
    fn of(task: TaskName, small: At, large: At) -> Self {
        let ratio = |value: fn(&At) -> f64| value(&large) / value(&small);
        Self {
            task,
            rows_ratio: ratio(|at| crate::number(at.rows)),
            seconds_ratio: ratio(|at| at.measured.seconds.median),
            memory_ratio: ratio(|at| at.measured.peak_mib.median),
            small,
            large,
        }
    }
}
