//! Where a run's records are.

use std::fmt;

use jiff::civil::Date;
use levee_stage::Execution;

use crate::state::Run;

/// The run that records belong to. Its records are `runs/<source>/<yyyy-mm-dd>/<execution-name>/…`, those of a restore
/// `restores/<source>/<id>/<execution-name>/…`.
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
    /// Which restore it is; none for a backup.
    pub restore: Option<String>,
}

impl RunKey {
    /// The run of an execution, which may be a restore.
    #[must_use]
    pub fn of(run: &Run, backup_date: Date, execution: &Execution) -> Self {
        match &run.restore {
            None => Self::new(&run.source, backup_date, execution),
            Some(restore) => {
                Self { restore: Some(restore.id.clone()), ..Self::new(&restore.of, backup_date, execution) }
            }
        }
    }

    /// The backup of an execution.
    pub fn new(source: impl Into<String>, backup_date: Date, execution: &Execution) -> Self {
        Self {
            source: source.into(),
            backup_date,
            execution_arn: execution.id.clone(),
            execution_name: execution.name.clone(),
            restore: None,
        }
    }

    /// The place of the execution's records, with a slash at the end.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{}{}/", self.day_prefix(), self.execution_name)
    }

    /// The key of one record: `<prefix><name>`, for example with the name `03-job-submit-attempt-1.json`.
    #[must_use]
    pub fn record(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    /// What all executions with the same work share: `runs/<source>/<yyyy-mm-dd>/`, or `restores/<source>/<id>/`.
    #[must_use]
    pub fn day_prefix(&self) -> String {
        match &self.restore {
            None => format!("runs/{}/{}/", self.source, self.backup_date),
            Some(id) => restore_prefix(&self.source, id),
        }
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, date, execution) = (&self.source, self.backup_date, &self.execution_name);
        match &self.restore {
            None => write!(f, "the backup of {source} for {date} (execution {execution})"),
            Some(id) => write!(f, "the restore {id} of {source} from the snapshot of {date} (execution {execution})"),
        }
    }
}

/// `restores/<source>/<id>/`: what a restore has in the ledger.
#[must_use]
pub fn restore_prefix(source: &str, id: &str) -> String {
    format!("restores/{source}/{id}/")
}
