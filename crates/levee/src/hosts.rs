//! The workers of all stages as a set that one process hosts.

use clap::ValueEnum;
use levee_bucket_provision::BucketProvision;
use levee_clock::Clock;
use levee_drill_close::DrillClose;
use levee_drill_plan::DrillPlanning;
use levee_job_poll::JobPoll;
use levee_job_submit::JobSubmit;
use levee_large_copy::LargeCopying;
use levee_manifest_ready::ManifestReady;
use levee_report_parse::ReportParse;
use levee_restore_plan::RestorePlanning;
use levee_run_close::RunClose;
use levee_snapshot_check::SnapshotCheck;
use levee_stage::{Aws, CommonSettings, HostedWorker, LogFormat, NoSettings, Stage, Worker};
use levee_table_verify::TableVerify;
use levee_thaw::ThawObjects;

use crate::deploy::{BUS, Plan};

/// A stage that has a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StageName {
    /// Waits for the inventory of the backup date.
    ManifestReady,
    /// Makes the snapshot bucket.
    BucketProvision,
    /// Makes the copy job.
    JobSubmit,
    /// Follows the copy job.
    JobPoll,
    /// Reads the completion report.
    ReportParse,
    /// Restores archived objects.
    Thaw,
    /// Copies the objects that are too large for a job.
    LargeCopy,
    /// Compares the snapshot bucket with the plan.
    SnapshotCheck,
    /// Says what the tables of the snapshot are worth.
    TableVerify,
    /// Closes the run with its receipt.
    RunClose,
    /// Begins a restore.
    RestorePlan,
    /// Begins a drill.
    DrillPlan,
    /// Closes a drill, and empties the scratch bucket.
    DrillClose,
}

impl StageName {
    /// Every stage: those of a night in its order, then those that restores and drills alone have.
    pub const ALL: [Self; 13] = [
        Self::ManifestReady,
        Self::BucketProvision,
        Self::JobSubmit,
        Self::JobPoll,
        Self::ReportParse,
        Self::Thaw,
        Self::LargeCopy,
        Self::SnapshotCheck,
        Self::TableVerify,
        Self::RunClose,
        Self::RestorePlan,
        Self::DrillPlan,
        Self::DrillClose,
    ];

    /// Those that every night goes through, in its order. The others are entered where the plan of a night asks for them.
    pub const EVERY_NIGHT: [Self; 8] = [
        Self::ManifestReady,
        Self::BucketProvision,
        Self::JobSubmit,
        Self::JobPoll,
        Self::ReportParse,
        Self::SnapshotCheck,
        Self::TableVerify,
        Self::RunClose,
    ];

    /// The stage's name as in its queue, for example `job-submit`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ManifestReady => ManifestReady::NAME,
            Self::BucketProvision => BucketProvision::NAME,
            Self::JobSubmit => JobSubmit::NAME,
            Self::JobPoll => JobPoll::NAME,
            Self::ReportParse => ReportParse::NAME,
            Self::Thaw => ThawObjects::NAME,
            Self::LargeCopy => LargeCopying::NAME,
            Self::SnapshotCheck => SnapshotCheck::NAME,
            Self::TableVerify => TableVerify::NAME,
            Self::RunClose => RunClose::NAME,
            Self::RestorePlan => RestorePlanning::NAME,
            Self::DrillPlan => DrillPlanning::NAME,
            Self::DrillClose => DrillClose::NAME,
        }
    }
}

/// The settings that some workers have beside the common ones.
#[derive(Clone, Debug)]
pub struct OwnSettings {
    /// Of bucket-provision.
    pub bucket_provision: levee_bucket_provision::Settings,
    /// Of the workers that make jobs.
    pub job_submit: levee_job_submit::Settings,
    /// Of large-copy.
    pub large_copy: levee_large_copy::Settings,
    /// Of table-verify.
    pub table_verify: levee_table_verify::Settings,
    /// Of run-close.
    pub run_close: levee_run_close::Settings,
}

/// What all workers of a process share.
#[derive(Clone, Debug)]
pub struct Hosted {
    aws: Aws,
    clock: Clock,
    common: CommonSettings,
    own: OwnSettings,
}

impl Hosted {
    /// Workers with these settings.
    #[must_use]
    pub fn new(aws: Aws, clock: Clock, common: CommonSettings, own: OwnSettings) -> Self {
        Self { aws, clock, common, own }
    }

    /// Workers for what [`deploy`](crate::deploy::deploy) has set up, with the settings that a deployment has by default.
    #[must_use]
    pub fn in_process(backup: &Aws, plan: &Plan, clock: Clock) -> Self {
        Self {
            aws: backup.clone(),
            clock,
            common: CommonSettings {
                account: plan.backup_account.clone(),
                ledger_bucket: plan.ledger_bucket.clone(),
                event_bus: BUS.to_owned(),
                queue_prefix: plan.queue_prefix.clone(),
                concurrency: 4,
                heartbeat_limit_seconds: 900,
                shutdown_grace_seconds: 20,
                log_format: LogFormat::Auto,
            },
            own: OwnSettings {
                bucket_provision: levee_bucket_provision::Settings { break_glass_arn: plan.break_glass_arns.clone() },
                job_submit: levee_job_submit::Settings {
                    copy_role_arn: plan.copy_role_arn.clone(),
                    restore_role_arn: plan.restore_role_arn.clone(),
                    drill_role_arn: plan.drill_role_arn.clone(),
                    report_bucket: plan.report_bucket.clone(),
                },
                large_copy: levee_large_copy::Settings::default(),
                table_verify: levee_table_verify::Settings::default(),
                run_close: levee_run_close::Settings { receipt_signing_key_arn: plan.receipt_signing_key_arn.clone() },
            },
        }
    }

    /// The same with so many tasks of a stage at a time.
    #[must_use]
    pub fn with_concurrency(mut self, tasks: u16) -> Self {
        self.common.concurrency = tasks;
        self
    }

    /// The same with a worker of table-verify that holds so many objects at once.
    #[must_use]
    pub fn with_objects_at_once(mut self, objects: u32) -> Self {
        self.own.table_verify.objects_at_once = objects;
        self
    }

    /// The workers of the named stages.
    #[must_use]
    pub fn workers(&self, stages: &[StageName]) -> Vec<Box<dyn HostedWorker>> {
        stages.iter().map(|stage| self.worker(*stage)).collect()
    }

    fn worker(&self, stage: StageName) -> Box<dyn HostedWorker> {
        let (aws, common, own, none) = (&self.aws, &self.common, &self.own, &NoSettings {});
        match stage {
            StageName::ManifestReady => self.boxed(ManifestReady::new(aws, common, none)),
            StageName::BucketProvision => self.boxed(BucketProvision::new(aws, common, &own.bucket_provision)),
            StageName::JobSubmit => self.boxed(JobSubmit::new(aws, common, &own.job_submit)),
            StageName::JobPoll => self.boxed(JobPoll::new(aws, common, none)),
            StageName::ReportParse => self.boxed(ReportParse::new(aws, common, none)),
            StageName::Thaw => self.boxed(ThawObjects::new(aws, common, &own.job_submit)),
            StageName::LargeCopy => self.boxed(LargeCopying::new(aws, common, &own.large_copy)),
            StageName::SnapshotCheck => self.boxed(SnapshotCheck::new(aws, common, none)),
            StageName::TableVerify => self.boxed(TableVerify::new(aws, common, &own.table_verify)),
            StageName::RunClose => self.boxed(RunClose::new(aws, common, &own.run_close)),
            StageName::RestorePlan => self.boxed(RestorePlanning::new(aws, common, none)),
            StageName::DrillPlan => self.boxed(DrillPlanning::new(aws, common, none)),
            StageName::DrillClose => self.boxed(DrillClose::new(aws, common, none)),
        }
    }

    fn boxed<S: Stage>(&self, stage: S) -> Box<dyn HostedWorker> {
        Box::new(Worker::new(stage, &self.aws, self.common.worker_settings(S::NAME), self.clock.clone()))
    }
}
