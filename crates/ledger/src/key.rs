//! Where a run's records are.

use std::fmt;

use jiff::civil::Date;
use levee_stage::Execution;

/// The run that records belong to. Its records are `runs/<source>/<yyyy-mm-dd>/<execution-name>/…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunKey {
    /// The source bucket.
    pub source: String,
    /// The day that the snapshot stands for.
    pub backup_date: Date,
    /// The execution's ARN.
    pub execution_arn: String,
    /// The execution's name.
    pub execution_name: String,
}

impl RunKey {
    /// The run of an execution.
    pub fn new(source: impl Into<String>, backup_date: Date, execution: &Execution) -> Self {
        Self {
            source: source.into(),
            backup_date,
            execution_arn: execution.id.clone(),
            execution_name: execution.name.clone(),
        }
    }

    /// `runs/<source>/<yyyy-mm-dd>/<execution-name>/`.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{}{}/", self.day_prefix(), self.execution_name)
    }

    /// The key of one record: `<prefix><name>`, for example with the name `03-job-submit-attempt-1.json`.
    #[must_use]
    pub fn record(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    /// `runs/<source>/<yyyy-mm-dd>/`: what all executions for this source and day share.
    #[must_use]
    pub fn day_prefix(&self) -> String {
        format!("runs/{}/{}/", self.source, self.backup_date)
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the backup of {} for {} (execution {})", self.source, self.backup_date, self.execution_name)
    }
}
