// Calls that nobody may make, with a reason each; and a few that must not be cut off with them.
//
// Callers that are no role of the deployment have every right that an account can give: `admin` and `root` of the backup
// account, of the warehouse's account, and of a stranger's. So they are stopped by what is tested here or by nothing.

import { ownerOf } from "./lib/calls.mjs";

const role = (name) => `arn:aws:iam::222222222222:role/${name}`;
const own = (name) => role(`levee-${name}`);
const STAGES = ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"];
const WORKERS = STAGES.map((stage) => own(`worker-${stage}`));
const COPY = own("batch-copy");
// What copy jobs of restores are made with.
const RESTORE = own("batch-restore");
// And those of drills.
const DRILL = own("batch-drill");
const ROLES = [...WORKERS, COPY, RESTORE, DRILL, own("state-machine"), own("scheduler"), own("task-execution"), own("doctor")];
const ADMIN = role("admin");
const ROOT = "arn:aws:iam::222222222222:root";
const BREAK_GLASS = role("break-glass");
const WAREHOUSE = ["arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:role/admin"];
const STRANGER = "arn:aws:iam::333333333333:role/admin";

const bucket = (name) => `arn:aws:s3:::${name}`;
const [MANIFESTS, REPORTS, LEDGER, CANARY] = ["levee-manifests", "levee-reports", "levee-ledger", "levee-canary"].map(bucket);
// What drills restore into, and delete again.
const SCRATCH = bucket("levee-scratch");
const SNAPSHOTS = ["lake-events-31-mar-2026", "lake-payments-31-mar-2026"].map(bucket);
const SOURCES = ["lake-events", "lake-payments"].map(bucket);
// Restores may write into the one of them.
const [TARGET, NO_TARGET] = SOURCES;
const LOG = `${TARGET}/events/_delta_log/00000000000000000042.json`;
const PROTECTED = [MANIFESTS, REPORTS, LEDGER, CANARY, ...SNAPSHOTS];
const KEYS = {
  source: "arn:aws:kms:us-east-1:111111111111:key/11111111-0000-4000-8000-000000000001",
  snapshots: "arn:aws:kms:us-east-1:222222222222:key/22222222-0000-4000-8000-000000000002",
  deployment: "arn:aws:kms:us-east-1:222222222222:key/22222222-0000-4000-8000-000000000003",
  target: "arn:aws:kms:us-east-1:111111111111:key/11111111-0000-4000-8000-000000000004",
};
const queue = (name) => `arn:aws:sqs:us-east-1:222222222222:levee-${name}`;
const QUEUES = [...STAGES, ...STAGES.map((stage) => `${stage}-dlq`), "schedules-dlq", "events-dlq", "notifications-dlq"].map(queue);
// Which remember the drills of a source that succeeded.
const DRILLED = ["drilled-lake-events-9c254293", "drilled-lake-payments-d19e7cc3"].map(queue);
const TOPIC = "arn:aws:sns:us-east-1:222222222222:levee-notifications";
const MACHINE = "arn:aws:states:us-east-1:222222222222:stateMachine:levee-backup";
const EXECUTION = "arn:aws:states:us-east-1:222222222222:execution:levee-backup:lake-events-2026-03-31";
const RESTORE_MACHINE = "arn:aws:states:us-east-1:222222222222:stateMachine:levee-restore";
const RESTORE_EXECUTION = "arn:aws:states:us-east-1:222222222222:execution:levee-restore:restore-0123456789ab-2026-03-31";
const DRILL_MACHINE = "arn:aws:states:us-east-1:222222222222:stateMachine:levee-drill";
const DRILL_EXECUTION = "arn:aws:states:us-east-1:222222222222:execution:levee-drill:lake-events-0123456789abcdef";
const BUS = "arn:aws:events:us-east-1:222222222222:event-bus/levee";
const RULE = "arn:aws:events:us-east-1:222222222222:rule/levee-run-failed";
const SCHEDULE = "arn:aws:scheduler:us-east-1:222222222222:schedule/default/levee-lake-events";
const JOB = "arn:aws:s3:us-east-1:222222222222:job/00000000-0000-4000-8000-000000000000";
const COMPLETED = "arn:aws:logs:us-east-1:222222222222:log-group:/aws/events/levee/completed:log-stream:0";

// What takes copies away, or opens a way to.
export const REMOVING = [
  "s3:BypassGovernanceRetention",
  "s3:DeleteBucket",
  "s3:DeleteBucketPolicy",
  "s3:DeleteObject",
  "s3:DeleteObjectVersion",
  "s3:PutBucketObjectLockConfiguration",
  "s3:PutBucketOwnershipControls",
  "s3:PutBucketPolicy",
  "s3:PutBucketPublicAccessBlock",
  "s3:PutBucketVersioning",
  "s3:PutEncryptionConfiguration",
  "s3:PutLifecycleConfiguration",
  "s3:PutReplicationConfiguration",
];
const onObject = (action) => /Object(Version|Retention|Tagging|Acl)?$|Bypass|AbortMultipartUpload/.test(action);
const target = (action, arn) => (onObject(action) ? `${arn}/runs/lake-events/2026-03-31/any` : arn);

const accountOf = (principal) => principal.split(":")[4] ?? "222222222222";
const all = [];
const fine = [];

// Adds every combination to the list.
function each(list, why, principals, actions, resources, more = {}) {
  for (const principal of [principals].flat()) {
    for (const action of [actions].flat()) {
      for (const resource of [resources].flat()) {
        const what = action.startsWith("s3:") ? target(action, resource) : resource;
        const ask = { principal, account: accountOf(principal), action, resource: what, owner: ownerOf(what), facts: {}, why };
        list.push({ ...ask, ...more });
      }
    }
  }
}
const never = (...what) => each(all, ...what);
const always = (...what) => each(fine, ...what);

// The wall.
never("nobody takes copies, records or proofs away, an administrator included", ADMIN, REMOVING, PROTECTED);
never("nor does the root of the account", ROOT, REMOVING.filter((action) => !/BucketPolicy$/.test(action)), PROTECTED);
never("no role of Levee's removes anything or shortens a retention", ROLES, ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObjectRetention"], [...PROTECTED, ...SOURCES]);
never("once the policy of a snapshot bucket is in place, its maker cannot change it or go round it", own("worker-bucket-provision"), REMOVING, SNAPSHOTS);
never("no worker changes the settings of Levee's own buckets", WORKERS, REMOVING, [MANIFESTS, REPORTS, LEDGER, CANARY]);
never("only bucket-provision has settings of snapshot buckets to write", ROLES.filter((arn) => arn !== own("worker-bucket-provision")), [...REMOVING, "s3:PutBucketOwnershipControls", "s3:PutBucketTagging"], SNAPSHOTS);
never("plain HTTP is nobody's way, break-glass included", [ADMIN, BREAK_GLASS, COPY], ["s3:GetObject", "s3:PutObject", "s3:ListBucket"], PROTECTED, { facts: { "aws:SecureTransport": "false" } });
never("plain HTTP is nobody's way", ADMIN, ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:PurgeQueue"], [...QUEUES, ...DRILLED], { facts: { "aws:SecureTransport": "false" } });
never("plain HTTP is nobody's way", [ADMIN, DRILL], ["s3:GetObject", "s3:PutObject", "s3:ListBucket"], SCRATCH, { facts: { "aws:SecureTransport": "false" } });
never("plain HTTP is nobody's way", ADMIN, "sns:Publish", TOPIC, { facts: { "aws:SecureTransport": "false" } });
// The scratch bucket.
const EMPTYING = own("worker-drill-close");
never("the scratch bucket is emptied by the stage that closes drills, and by no other role", ROLES.filter((arn) => arn !== EMPTYING), ["s3:DeleteObject", "s3:DeleteObjectVersion"], SCRATCH);
never("who empties the scratch bucket has no other business there", EMPTYING, [...REMOVING.filter((action) => action !== "s3:DeleteObject"), "s3:PutObject", "s3:GetObjectVersion", "s3:PutBucketTagging"], SCRATCH);
never("a scratch bucket of that name may be a stranger's", EMPTYING, "s3:DeleteObject", SCRATCH, { owner: "333333333333" });

// Reading.
// report-parse alone looks there, by HEAD, for what a report says is gone; the action is that of a GET.
const LOOKING = own("worker-report-parse");
// large-copy copies there what is too large for a job.
const LARGE = own("worker-large-copy");
// table-verify reads both sides, and copies what a table lacks.
const VERIFY = own("worker-table-verify");
// thaw looks, by HEAD, whether archived objects are restored, in sources that have them restored.
const THAWING = own("worker-thaw");
never("who waits for archived objects looks where they are restored, and does nothing else there", THAWING, ["s3:GetObjectVersion", "s3:GetObjectTagging", "s3:RestoreObject", "s3:PutObject", "s3:DeleteObject"], SOURCES);
never("archived objects are waited for where they are restored", THAWING, ["s3:GetObject", "s3:ListBucket"], bucket("lake-events"));
never("archived objects are restored where a source asks for it", COPY, "s3:RestoreObject", bucket("lake-events"));
// restore-plan reads snapshots and targets: whether a plan still holds, and what is in the way.
const PLANNING = own("worker-restore-plan");
// drill-plan reads snapshots: which tables are drilled, and what they are made of.
const CHOOSING = own("worker-drill-plan");
never("archived objects are restored by copy jobs", ROLES.filter((arn) => arn !== COPY), "s3:RestoreObject", SOURCES);
never("workers read no data of the warehouse", WORKERS.filter((arn) => ![LOOKING, LARGE, VERIFY, THAWING, PLANNING].includes(arn)), ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"], SOURCES);
never("who plans restores looks where they go, and nowhere else", PLANNING, ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"], NO_TARGET);
never("who plans restores has no other business there", PLANNING, ["s3:GetObjectVersion", "s3:GetObjectTagging", "s3:PutObject", "s3:DeleteObject", "s3:GetBucketPolicy"], TARGET);
never("who looks for objects has no other business with them", LOOKING, ["s3:GetObjectVersion", "s3:GetObjectTagging", "s3:PutObject", "s3:DeleteObject", "s3:GetBucketPolicy"], SOURCES);
never("who copies has no other business with sources", [LARGE, VERIFY], ["s3:GetObjectAcl", "s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketPolicy"], NO_TARGET);
never("who copies back has no other business with a target", [LARGE, VERIFY], ["s3:GetObjectAcl", "s3:PutObjectAcl", "s3:DeleteObject", "s3:GetBucketPolicy"], TARGET);
never("who verifies writes logs of a target, and no data", VERIFY, ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"], TARGET);
never("large-copy copies back objects as they are", LARGE, "s3:GetObjectAcl", SNAPSHOTS);
never("large-copy copies back the version that it has looked at, with its tags", LARGE, "s3:GetObjectTagging", SNAPSHOTS);
// For restores, report-parse and thaw look at copies by HEAD, and restore-plan reads their logs.
const SEEING = [LOOKING, THAWING, PLANNING, CHOOSING];
never("workers read no copies", WORKERS.filter((arn) => ![LARGE, VERIFY, ...SEEING].includes(arn)), ["s3:GetObject", "s3:GetObjectVersion"], SNAPSHOTS);
never("workers read no copies but the newest", [VERIFY, ...SEEING], ["s3:GetObjectVersion", "s3:GetObjectTagging"], SNAPSHOTS);
never("each worker reads its own things", ["bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "run-close", "restore-plan", "drill-plan", "drill-close"].map((stage) => own(`worker-${stage}`)), ["s3:GetObject", "s3:ListBucket"], MANIFESTS);
never("each worker reads its own things", ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "large-copy", "snapshot-check", "table-verify", "restore-plan", "drill-plan", "drill-close"].map((stage) => own(`worker-${stage}`)), ["s3:GetObject", "s3:ListBucket"], REPORTS);
never("the manifests of its plan are pinned: who compares with them looks for no others", [own("worker-snapshot-check"), VERIFY], "s3:ListBucket", MANIFESTS);
never("other buckets are nobody's business", ROLES, ["s3:GetObject", "s3:ListBucket", "s3:PutObject", "s3:GetBucketPolicy"], [bucket("payroll"), bucket("lake-orders"), bucket("lake-eventsource-31-mar-2026")]);
never("the copy role reads what it copies, not what it has copied, nor the ledger", COPY, "s3:GetObject", [...SNAPSHOTS, LEDGER, REPORTS]);
never("the role of restores reads snapshots, not what it has restored, nor the ledger", RESTORE, "s3:GetObject", [...SOURCES, LEDGER, MANIFESTS, REPORTS, CANARY]);
never("the role of drills reads snapshots, not what it has restored, nor the ledger", DRILL, "s3:GetObject", [...SOURCES, LEDGER, MANIFESTS, REPORTS, CANARY, SCRATCH]);
never("what is drilled is seen by who copies and verifies it, and by who opens it", ROLES.filter((arn) => ![LARGE, VERIFY, EMPTYING].includes(arn)), ["s3:GetObject", "s3:GetObjectVersion"], SCRATCH);
never("the list of all buckets says what there is to attack", ROLES.filter((arn) => arn !== own("doctor")), "s3:ListAllMyBuckets", "*");

// Writing.
never("a bucket of that name may be a stranger's", [LARGE, VERIFY], ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"], SNAPSHOTS, { owner: "333333333333" });
never("a bucket of that name may be a stranger's", COPY, ["s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectAcl"], [...SNAPSHOTS, REPORTS], { owner: "333333333333" });
never("a target of that name may be a stranger's", [RESTORE, LARGE], ["s3:PutObject", "s3:PutObjectTagging"], TARGET, { owner: "333333333333" });
never("a target of that name may be a stranger's", VERIFY, "s3:PutObject", TARGET, { owner: "333333333333", resource: LOG });
never("a bucket of that name may be a stranger's", RESTORE, "s3:PutObject", REPORTS, { owner: "333333333333" });
never("restores write into their targets", [RESTORE, LARGE, VERIFY], ["s3:PutObject", "s3:PutObjectTagging"], NO_TARGET);
never("restores write into their targets", RESTORE, ["s3:PutObject", "s3:PutObjectTagging"], [...SNAPSHOTS, MANIFESTS, LEDGER, CANARY]);
never("a bucket of that name may be a stranger's", [DRILL, LARGE], ["s3:PutObject", "s3:PutObjectTagging"], SCRATCH, { owner: "333333333333" });
never("a bucket of that name may be a stranger's", VERIFY, "s3:PutObject", SCRATCH, { owner: "333333333333", resource: `${SCRATCH}/lake-events/drill/events/_delta_log/_last_checkpoint` });
never("a bucket of that name may be a stranger's", DRILL, "s3:PutObject", REPORTS, { owner: "333333333333" });
never("drills write into the scratch bucket, whatever restores may", DRILL, ["s3:PutObject", "s3:PutObjectTagging"], [...SOURCES, ...SNAPSHOTS, MANIFESTS, LEDGER, CANARY]);
never("restores and copies write elsewhere", [RESTORE, COPY], ["s3:PutObject", "s3:PutObjectTagging"], SCRATCH);
never("who verifies writes logs of what is drilled, and no data", VERIFY, ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"], SCRATCH);
never("the scratch bucket is written by drills", ROLES.filter((arn) => ![DRILL, LARGE, VERIFY].includes(arn)), "s3:PutObject", SCRATCH);
never("targets are written by restores", ROLES.filter((arn) => ![RESTORE, LARGE, VERIFY].includes(arn)), "s3:PutObject", TARGET, { resource: LOG });
never("what is copied is not written back", COPY, ["s3:PutObject", "s3:PutObjectTagging"], [...SOURCES, MANIFESTS, LEDGER]);
never("copies are written by copy jobs, large-copy and table-verify alone", [...WORKERS.filter((arn) => ![LARGE, VERIFY].includes(arn)), own("doctor"), own("state-machine")], "s3:PutObject", SNAPSHOTS);
never("inventories are written by S3, reports by copy jobs", WORKERS, "s3:PutObject", [MANIFESTS, REPORTS]);
for (const [stage, record] of [["manifest-ready", "05-report-parse-attempt-1.json"], ["bucket-provision", "claim-0002.json"], ["job-submit", "04-job-poll-attempt-1.json"], ["job-poll", "05-report-parse-attempt-1.json"], ["report-parse", "01-manifest-ready.json"], ["thaw", "05-report-parse-attempt-1.json"], ["large-copy", "05-report-parse-attempt-1.json"], ["snapshot-check", "05-report-parse-attempt-1.json"], ["table-verify", "07-snapshot-check-attempt-1.json"], ["table-verify", "06-large-copy.json"], ["run-close", "08-table-verify.json"], ["table-verify", "receipt.json"]]) {
  all.push({ principal: own(`worker-${stage}`), account: "222222222222", action: "s3:PutObject", resource: `${LEDGER}/runs/lake-events/2026-03-31/night/${record}`, owner: "222222222222", facts: {}, why: "a stage writes its own records and no other's" });
}
for (const [stage, record] of [["restore-plan", "plan.json"], ["restore-plan", "night/03-job-submit-attempt-1.json"], ["job-submit", "planned.json"], ["manifest-ready", "plan-batch.csv"], ["snapshot-check", "night/07-snapshot-check-attempt-1.json"], ["table-verify", "night/receipt.json"], ["table-verify", "night/06-large-copy/0123456789abcdef0123456789abcdef-upload-1.json"], ["run-close", "planned.json"], ["run-close", "night/report.html"], ["drill-plan", "planned.json"], ["drill-plan", "night/09-drill-close.json"], ["drill-close", "plan.json"], ["drill-close", "night/receipt.json"]]) {
  never("a stage writes its own records of a restore, and never the plan", own(`worker-${stage}`), "s3:PutObject", LEDGER, { resource: `${LEDGER}/restores/lake-events/0123456789ab-2026-03-31/${record}` });
}
never("who plans restores has no business with records of nights", PLANNING, ["s3:GetObject", "s3:PutObject"], LEDGER, { resource: `${LEDGER}/runs/lake-events/2026-03-31/claim-0002.json` });
never("nights have nothing to read of restores", ["manifest-ready", "bucket-provision", "snapshot-check"].map((stage) => own(`worker-${stage}`)), "s3:GetObject", LEDGER, { resource: `${LEDGER}/restores/lake-events/0123456789ab-2026-03-31/plan.json` });
never("what came of drills is written by who closes them", ROLES.filter((arn) => arn !== EMPTYING), "s3:PutObject", LEDGER, { resource: `${LEDGER}/drills/lake-events/2026-04-05-drill.json` });
never("what drills are made of is written by who plans them", ROLES.filter((arn) => arn !== CHOOSING), ["s3:PutObject", "s3:GetObject"], LEDGER, { resource: `${LEDGER}/drill-plans/lake-events/drill.json` });
never("nobody but the stages of drills reads of them", ROLES.filter((arn) => ![CHOOSING, EMPTYING].includes(arn)), "s3:GetObject", LEDGER, { resource: `${LEDGER}/drills/lake-events/2026-04-05-drill.json` });
never("records of nights are nothing that drills write", [CHOOSING, EMPTYING], "s3:PutObject", LEDGER, { resource: `${LEDGER}/runs/lake-events/2026-03-31/claim-0002.json` });
never("snapshot buckets are the only ones that are made", own("worker-bucket-provision"), ["s3:CreateBucket", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"], [bucket("payroll"), bucket("lake-events-copy"), bucket("lake-orders-31-mar-2026"), ...SOURCES]);
never("making buckets is one worker's job", ROLES.filter((arn) => arn !== own("worker-bucket-provision")), "s3:CreateBucket", SNAPSHOTS);
never("Object Lock is written where it is asked for", own("worker-bucket-provision"), "s3:PutBucketObjectLockConfiguration", SNAPSHOTS[0], { bare: true });

never("receipts are written by the stage that closes runs", ROLES.filter((arn) => arn !== own("worker-run-close")), ["s3:PutObject", "s3:GetObject"], `${LEDGER}/receipts/lake-events`);
never("without a signing key nobody signs", ROLES, "kms:Sign", Object.values(KEYS));
never("histories are read by the stage that closes runs", ROLES.filter((arn) => arn !== own("worker-run-close")), "states:GetExecutionHistory", [EXECUTION, RESTORE_EXECUTION, DRILL_EXECUTION]);
never("who owns a claim is asked by who claims", ROLES.filter((arn) => arn !== PLANNING), "states:DescribeExecution", RESTORE_EXECUTION);
never("who owns a claim is asked by who claims", PLANNING, "states:DescribeExecution", EXECUTION);
never("whether a drill still runs is asked by who empties", ROLES.filter((arn) => arn !== EMPTYING), "states:DescribeExecution", DRILL_EXECUTION);
never("other executions are nothing to who empties", EMPTYING, "states:DescribeExecution", [EXECUTION, RESTORE_EXECUTION]);

// Roles, jobs, executions.
const MAKING = [own("worker-job-submit"), own("worker-thaw")];
never("the canary is no restore and no drill", own("doctor"), "iam:PassRole", [RESTORE, DRILL]);
never("the roles of jobs are the only ones that are handed over", [...MAKING, own("doctor")], "iam:PassRole", [...WORKERS, own("state-machine"), own("scheduler"), own("task-execution"), ADMIN, BREAK_GLASS]);
never("only who makes jobs hands a role over", ROLES.filter((arn) => ![...MAKING, own("doctor")].includes(arn)), "iam:PassRole", [COPY, RESTORE, DRILL, ADMIN]);
never("nobody makes himself rights", ROLES, ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePolicy"], [COPY, RESTORE, DRILL, BREAK_GLASS]);
never("nobody becomes break-glass", ROLES, "sts:AssumeRole", [...ROLES, BREAK_GLASS]);
never("jobs are made by job-submit, thaw and the canary", [...WORKERS.filter((arn) => !MAKING.includes(arn)), COPY, RESTORE, DRILL, own("state-machine"), own("scheduler")], "s3:CreateJob", "*");
never("jobs are an operator's to cancel or confirm", ROLES, ["s3:UpdateJobStatus", "s3:UpdateJobPriority"], JOB);
never("executions are an operator's to stop, start and redrive", WORKERS, ["states:StopExecution", "states:RedriveExecution"], [EXECUTION, RESTORE_EXECUTION, DRILL_EXECUTION]);
never("the schedule starts runs, and stops none", own("scheduler"), ["states:StopExecution", "states:RedriveExecution"], [EXECUTION, DRILL_EXECUTION]);
never("nobody changes the state machines", ROLES, ["states:UpdateStateMachine", "states:DeleteStateMachine"], [MACHINE, RESTORE_MACHINE, DRILL_MACHINE]);
never("restores are started by operators, and by no schedule", ROLES, "states:StartExecution", RESTORE_MACHINE);
never("runs and drills are started by schedules", ROLES.filter((arn) => arn !== own("scheduler")), "states:StartExecution", [MACHINE, DRILL_MACHINE]);
never("the schedule starts Levee's runs and nothing else", own("scheduler"), "states:StartExecution", "arn:aws:states:us-east-1:222222222222:stateMachine:payroll");
never("nobody changes schedules and rules", ROLES, ["scheduler:UpdateSchedule", "scheduler:DeleteSchedule"], SCHEDULE);
never("nobody changes schedules and rules", ROLES, ["events:PutRule", "events:DeleteRule", "events:DisableRule", "events:RemoveTargets"], RULE);

// Queues, bus, topic.
for (const stage of STAGES) {
  const others = STAGES.filter((other) => other !== stage).map(queue);
  never("a worker reads its own queue", own(`worker-${stage}`), ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"], others);
  never("what is set aside is an operator's to take out", own(`worker-${stage}`), ["sqs:ReceiveMessage", "sqs:DeleteMessage"], QUEUES.filter((arn) => arn.endsWith("-dlq")));
}
never("nobody empties, removes or opens a queue", ROLES, ["sqs:PurgeQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:AddPermission"], [...QUEUES, ...DRILLED]);
never("no role says of itself that a drill has succeeded, or that none has", ROLES, ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"], DRILLED);
never("the state machine sends tasks, and reads none", own("state-machine"), ["sqs:ReceiveMessage", "sqs:DeleteMessage"], STAGES.map(queue));
never("the state machine sends to the queues of stages", own("state-machine"), "sqs:SendMessage", QUEUES.filter((arn) => arn.endsWith("-dlq")));
never("schedules send nothing to stages", own("scheduler"), "sqs:SendMessage", STAGES.map(queue));
never("only those with something to tell tell it", ["bucket-provision", "job-submit", "job-poll", "drill-plan"].map((stage) => own(`worker-${stage}`)), "events:PutEvents", BUS);
never("Levee's bus is the only one", WORKERS, "events:PutEvents", "arn:aws:events:us-east-1:222222222222:event-bus/default");
never("nobody publishes past the rules, or subscribes himself", ROLES, ["sns:Publish", "sns:Subscribe", "sns:SetTopicAttributes", "sns:DeleteTopic"], TOPIC);
never("a key of the warehouse opens data of the warehouse", [...WORKERS.filter((arn) => ![LARGE, VERIFY].includes(arn)), own("state-machine"), own("scheduler")], "kms:Decrypt", KEYS.source);
never("workers open no copies", WORKERS.filter((arn) => ![LARGE, VERIFY, PLANNING, CHOOSING].includes(arn)), "kms:Decrypt", KEYS.snapshots);
never("a key of a target opens what is there to those who look", [...WORKERS.filter((arn) => ![LARGE, VERIFY, PLANNING].includes(arn)), own("state-machine"), own("scheduler")], "kms:Decrypt", KEYS.target);
never("data keys of a target are for what is restored", ROLES.filter((arn) => ![RESTORE, LARGE, VERIFY].includes(arn)), "kms:GenerateDataKey", KEYS.target);
never("nothing is written under the key of a source that is no target", ROLES, "kms:GenerateDataKey", KEYS.source);
never("nobody does away with keys", ROLES, ["kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy", "kms:CreateGrant"], Object.values(KEYS));
never("logs stay", ROLES, "logs:DeleteLogGroup", "arn:aws:logs:us-east-1:222222222222:log-group:/aws/events/levee/completed");

// The warehouse's account and strangers.
for (const principal of [...WAREHOUSE, STRANGER]) {
  const why = "no principal of another account has rights in the backup account";
  never(why, principal, ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucket", "s3:PutBucketPolicy", "s3:DeleteBucket", "s3:PutLifecycleConfiguration"], PROTECTED);
  never(why, principal, ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:PurgeQueue"], [...QUEUES, ...DRILLED]);
  never(why, principal, ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"], SCRATCH);
  never(why, principal, ["sns:Publish", "sns:Subscribe"], TOPIC);
  never(why, principal, "states:StartExecution", [MACHINE, RESTORE_MACHINE, DRILL_MACHINE]);
  never(why, principal, "events:PutEvents", BUS);
  never(why, principal, "sts:AssumeRole", ROLES);
  never(why, principal, ["kms:Decrypt", "kms:ScheduleKeyDeletion"], [KEYS.snapshots, KEYS.deployment]);
}
never("the backup account writes nothing in the warehouse", [ADMIN, ROOT], ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:PutBucketPolicy"], SOURCES);

// Services, led astray.
const inventory = { "aws:SourceArn": SOURCES[0], "aws:SourceAccount": "111111111111", "s3:x-amz-acl": "bucket-owner-full-control" };
const S3 = "s3.amazonaws.com";
never("an inventory of a bucket that is no source", S3, "s3:PutObject", MANIFESTS, { facts: { ...inventory, "aws:SourceArn": bucket("lake-orders") } });
never("a bucket of a source's name in a stranger's account", S3, "s3:PutObject", MANIFESTS, { facts: { ...inventory, "aws:SourceAccount": "333333333333" } });
never("an object that S3 would keep for itself", S3, "s3:PutObject", MANIFESTS, { facts: { ...inventory, "s3:x-amz-acl": "private" } });
never("S3 acting for nobody", S3, "s3:PutObject", MANIFESTS);
never("an inventory that is not sent over TLS", S3, "s3:PutObject", MANIFESTS, { facts: { ...inventory, "aws:SecureTransport": "false" } });
never("inventories go to the manifest bucket", S3, "s3:PutObject", [REPORTS, LEDGER, CANARY, ...SNAPSHOTS], { facts: inventory });
never("S3 delivers, and takes nothing", S3, ["s3:GetObject", "s3:DeleteObject", "s3:ListBucket"], MANIFESTS, { facts: inventory });
never("other services deliver nothing", ["logging.s3.amazonaws.com", "cloudtrail.amazonaws.com"], "s3:PutObject", [MANIFESTS, LEDGER], { facts: inventory });
const rule = (arn) => ({ facts: { "aws:SourceArn": arn, "aws:SourceAccount": arn.split(":")[4] } });
// Rules of others and the topic are not here: EventBridge does not tell topics which rule it acts for.
never("rules publish, and change nothing", "events.amazonaws.com", ["sns:Subscribe", "sns:SetTopicAttributes"], TOPIC);
never("a rule of a stranger", "events.amazonaws.com", "sqs:SendMessage", queue("events-dlq"), rule("arn:aws:events:us-east-1:333333333333:rule/levee-run-failed"));
never("a rule of a stranger", "events.amazonaws.com", "sqs:SendMessage", DRILLED, rule("arn:aws:events:us-east-1:333333333333:rule/levee-drilled-lake-events-9c254293"));
never("another rule of the account says nothing of drills", "events.amazonaws.com", "sqs:SendMessage", DRILLED, rule(RULE));
never("rules send nothing to stages", "events.amazonaws.com", "sqs:SendMessage", STAGES.map(queue), rule(RULE));
never("rules take nothing out", "events.amazonaws.com", "sqs:ReceiveMessage", queue("events-dlq"), rule(RULE));
never("a topic of a stranger", "sns.amazonaws.com", "sqs:SendMessage", queue("notifications-dlq"), rule("arn:aws:sns:us-east-1:333333333333:levee-notifications"));
never("the topic sends nothing to stages", "sns.amazonaws.com", "sqs:SendMessage", STAGES.map(queue), rule(TOPIC));
never("an alarm of a stranger", "cloudwatch.amazonaws.com", "sns:Publish", TOPIC, rule("arn:aws:cloudwatch:us-east-1:333333333333:alarm:levee-x"));
never("another alarm of the account", "cloudwatch.amazonaws.com", "sns:Publish", TOPIC, rule("arn:aws:cloudwatch:us-east-1:222222222222:alarm:payroll"));
never("a rule of a stranger", "events.amazonaws.com", "logs:PutLogEvents", COMPLETED, rule("arn:aws:events:us-east-1:333333333333:rule/levee-completed-lake-events-00000000"));
never("a role is for its service", ["lambda.amazonaws.com", "ec2.amazonaws.com"], "sts:AssumeRole", ROLES);
never("the state machine of a stranger", "states.amazonaws.com", "sts:AssumeRole", own("state-machine"), rule("arn:aws:states:us-east-1:333333333333:stateMachine:levee-backup"));
never("the state machine of a stranger", "states.amazonaws.com", "sts:AssumeRole", own("state-machine"), rule("arn:aws:states:us-east-1:333333333333:stateMachine:levee-restore"));
never("the state machine of a stranger", "states.amazonaws.com", "sts:AssumeRole", own("state-machine"), rule("arn:aws:states:us-east-1:333333333333:stateMachine:levee-drill"));
never("another state machine of the account", "states.amazonaws.com", "sts:AssumeRole", own("state-machine"), rule("arn:aws:states:us-east-1:222222222222:stateMachine:payroll"));
never("a schedule of a stranger", "scheduler.amazonaws.com", "sts:AssumeRole", own("scheduler"), rule("arn:aws:scheduler:us-east-1:333333333333:schedule-group/default"));
never("a task of a stranger", "ecs-tasks.amazonaws.com", "sts:AssumeRole", WORKERS, rule("arn:aws:ecs:us-east-1:333333333333:task/levee/0"));
never("an administrator whom no role trusts", ADMIN, "sts:AssumeRole", ROLES);

// The doctor looks, and makes one object and one job.
never("the doctor reads no records and no copies", own("doctor"), "s3:GetObject", [LEDGER, MANIFESTS, ...SNAPSHOTS]);
never("the doctor writes nothing but its canary", own("doctor"), "s3:PutObject", [LEDGER, MANIFESTS, REPORTS, ...SOURCES]);
never("the doctor mends nothing", own("doctor"), ["s3:PutBucketPolicy", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration"], [...PROTECTED, ...SOURCES]);

// What must go on.
always("break-glass can do what nobody else can", BREAK_GLASS, REMOVING, PROTECTED);
always("S3 delivers inventories of every source", S3, "s3:PutObject", MANIFESTS, { facts: inventory });
always("S3 delivers inventories of every source", S3, "s3:PutObject", MANIFESTS, { facts: { ...inventory, "aws:SourceArn": SOURCES[1] } });
always("administrators see everything and may write", ADMIN, ["s3:GetObject", "s3:ListBucket", "s3:PutObject"], PROTECTED);
always("an operator stops, starts and redrives", ADMIN, ["states:StopExecution", "states:RedriveExecution"], [EXECUTION, RESTORE_EXECUTION, DRILL_EXECUTION]);
always("an operator starts restores, and drills beside those of the schedule", ADMIN, "states:StartExecution", [RESTORE_MACHINE, DRILL_MACHINE]);
always("the schedule starts drills", own("scheduler"), "states:StartExecution", DRILL_MACHINE);
always("an operator takes messages out of dead-letter queues", ADMIN, ["sqs:ReceiveMessage", "sqs:DeleteMessage"], QUEUES);
always("the warehouse's account has its bucket", WAREHOUSE, ["s3:GetObject", "s3:DeleteObject"], SOURCES);

export const forbidden = all;
export const mustStayAllowed = fine;
