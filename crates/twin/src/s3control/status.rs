//! The statuses of a job and the ways between them.

/// The 13 statuses, as the service names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Just created.
    New,
    /// The manifest is being read.
    Preparing,
    /// Waiting for its confirmation.
    Suspended,
    /// Waiting to run.
    Ready,
    /// Running tasks.
    Active,
    /// About to pause for a job of higher priority.
    Pausing,
    /// Paused for a job of higher priority.
    Paused,
    /// All tasks have run; the report is being written.
    Completing,
    /// Every task has been tried: it does not say that any succeeded.
    Complete,
    /// Being cancelled.
    Cancelling,
    /// Cancelled.
    Cancelled,
    /// Failing.
    Failing,
    /// Failed.
    Failed,
}

impl JobStatus {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::New,
        Self::Preparing,
        Self::Suspended,
        Self::Ready,
        Self::Active,
        Self::Pausing,
        Self::Paused,
        Self::Completing,
        Self::Complete,
        Self::Cancelling,
        Self::Cancelled,
        Self::Failing,
        Self::Failed,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Preparing => "Preparing",
            Self::Suspended => "Suspended",
            Self::Ready => "Ready",
            Self::Active => "Active",
            Self::Pausing => "Pausing",
            Self::Paused => "Paused",
            Self::Completing => "Completing",
            Self::Complete => "Complete",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
            Self::Failing => "Failing",
            Self::Failed => "Failed",
        }
    }

    /// The status of that name on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether nothing follows it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Cancelled | Self::Failed)
    }

    /// Whether `next` may follow this status.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        if self.is_terminal() {
            return false;
        }
        match (self, next) {
            (Self::New, Self::Preparing)
            | (Self::Preparing, Self::Suspended | Self::Ready)
            | (Self::Suspended, Self::Ready)
            | (Self::Ready | Self::Paused, Self::Active)
            | (Self::Active, Self::Pausing | Self::Completing)
            | (Self::Pausing, Self::Paused)
            | (Self::Completing, Self::Complete)
            | (Self::Cancelling, Self::Cancelled)
            | (Self::Failing, Self::Failed) => true,
            (Self::Cancelling | Self::Failing, _) => false,
            (_, Self::Cancelling | Self::Failing) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_only_three_are_terminal() {
        assert!(JobStatus::ALL.into_iter().all(|status| JobStatus::parse(status.name()) == Some(status)));
        assert_eq!(JobStatus::parse("Completed"), None);
        assert_eq!(JobStatus::ALL.into_iter().filter(|status| status.is_terminal()).count(), 3);
    }

    #[test]
    fn nothing_follows_a_terminal_status_and_every_other_reaches_one() {
        for status in JobStatus::ALL {
            let next = JobStatus::ALL.into_iter().filter(|next| status.may_become(*next)).count();
            assert_eq!(next == 0, status.is_terminal(), "{status:?}");
        }
    }
}
