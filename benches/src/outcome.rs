//! What a contestant prints.

use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Seconds of the work alone: without the start of the process and what it loads.
    pub seconds: f64,
    /// Rows, or files of a table.
    pub rows: u64,
    /// Bytes: of the files as they are, and for a decoder those that came out.
    pub bytes: u64,
    /// What was found, by name. A name that two contestants have must have the same value.
    pub answer: Map<String, Value>,
}

impl Outcome {
    /// An outcome of work that began at `began` and ends now.
    #[must_use]
    pub fn since(began: Instant, rows: u64, bytes: u64, answer: Value) -> Self {
        let answer = match answer {
            Value::Object(answer) => answer,
            other => Map::from_iter([("answer".to_owned(), other)]),
        };
        Self { seconds: began.elapsed().as_secs_f64(), rows, bytes, answer }
    }

    /// The line.
    ///
    /// # Errors
    /// A number that JSON does not have.
    pub fn line(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}

/// A count in figures for people.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub const fn number(count: u64) -> f64 {
    count as f64
}
