//! What a deployment has beyond the bare one: protected buckets, a canary bucket, schedules, and the way from an event to
//! whoever subscribed. With it a deployment is one that `levee doctor` finds nothing wrong with.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_eventbridge::types::{InputTransformer, Target};
use levee_bucket_provision::{Wanted, protect, statements};
use levee_ledger::state::{ObjectLock, ObjectLockMode};
use serde_json::{Value, json};

use super::{Accounts, BUS, Deployed, Plan, Timetable, buckets, queues, schedule};
use crate::doctor::{Clients, Deployment, Snapshot, Source, completed_rule};

/// The name of the deployment: what the names of its resources begin with.
const NAME: &str = "levee";
const TOPIC: &str = "levee-notifications";
const CANARY_BUCKET: &str = "levee-canary";
const DEFAULT_BUS: &str = "default";

/// What is guarded, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The principals that may still delete and change the protection: role ARNs.
    pub break_glass_arns: Vec<String>,
    /// Default retention of the ledger bucket.
    pub ledger_lock: ObjectLock,
    /// The key of Levee's own buckets; SSE-S3 without one.
    pub kms_key_arn: Option<String>,
    /// The queue that subscribes to the topic, by its name.
    pub subscriber: String,
    /// When the sources are backed up.
    pub timetable: Timetable,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            break_glass_arns: Vec::new(),
            ledger_lock: ObjectLock { mode: ObjectLockMode::Governance, days: 365 },
            kms_key_arn: None,
            subscriber: "levee-operators".to_owned(),
            timetable: Timetable {
                expression: "cron(0 3 * * ? *)".to_owned(),
                time_zone: "UTC".to_owned(),
                settle_days: 2,
                between: None,
            },
        }
    }
}

/// Guards what [`deploy_all`](super::deploy_all) has set up, and describes it as the Terraform module would. `backup` are
/// clients of the backup account.
///
/// # Errors
/// There is no plan; or the first call that AWS refuses, with what was being set up.
pub async fn guard(
    accounts: &Accounts,
    backup: &Clients,
    plans: &[Plan],
    deployed: &Deployed,
    guard: &Guard,
) -> Result<Deployment> {
    let plan = plans.first().context("there is no source to guard")?;
    let deployment = describe(plans, plan, deployed, guard);
    for plan in plans {
        buckets::policy(&accounts.warehouse, &plan.source, &readable(plan, &deployment.role_arn("doctor"))).await?;
    }
    buckets::bucket(&accounts.backup, CANARY_BUCKET).await?;
    for (_, name) in deployment.buckets() {
        let wanted = Wanted {
            bucket: name.to_owned(),
            account: plan.backup_account.clone(),
            object_lock: (name == plan.ledger_bucket).then_some(guard.ledger_lock),
            kms_key_arn: guard.kms_key_arn.clone(),
            tags: BTreeMap::from([("levee:deployment".to_owned(), NAME.to_owned())]),
            policy: statements(name, &guard.break_glass_arns),
        };
        protect(&accounts.backup.s3, &wanted).await.with_context(|| format!("cannot protect the bucket {name}"))?;
    }
    for name in ["events-dlq", "notifications-dlq"] {
        queues::queue(&accounts.backup, &format!("{}{name}", plan.queue_prefix), None).await?;
    }
    for plan in plans {
        schedule(&backup.scheduler, &accounts.backup, plan, deployed, &guard.timetable).await?;
    }
    topic(accounts, backup, plan, guard).await?;
    rules(accounts, plans, &deployment).await?;
    Ok(deployment)
}

fn describe(plans: &[Plan], plan: &Plan, deployed: &Deployed, guard: &Guard) -> Deployment {
    let source = |plan: &Plan| Source {
        name: plan.source.clone(),
        account: plan.warehouse_account.clone(),
        inventory_id: plan.inventory_id.clone(),
        schedule: format!("{NAME}-{}", plan.short_source()),
        enabled: true,
        kms_key_arns: Vec::new(),
        snapshot: Snapshot::default(),
    };
    Deployment {
        version: 1,
        name: NAME.to_owned(),
        region: plan.region.clone(),
        account: plan.backup_account.clone(),
        manifest_bucket: plan.manifest_bucket.clone(),
        report_bucket: plan.report_bucket.clone(),
        ledger_bucket: plan.ledger_bucket.clone(),
        canary_bucket: CANARY_BUCKET.to_owned(),
        inventory_prefix: plan.inventory_prefix.clone(),
        queue_prefix: plan.queue_prefix.clone(),
        state_machine_arn: deployed.state_machine_arn.clone(),
        event_bus: BUS.to_owned(),
        topic_arn: topic_arn(plan),
        copy_role_arn: plan.copy_role_arn.clone(),
        schedule_group: "default".to_owned(),
        break_glass_arns: guard.break_glass_arns.clone(),
        kms_key_arn: guard.kms_key_arn.clone(),
        ledger_lock: guard.ledger_lock,
        sources: plans.iter().map(source).collect(),
    }
}

fn topic_arn(plan: &Plan) -> String {
    format!("arn:aws:sns:{}:{}:{TOPIC}", plan.region, plan.backup_account)
}

/// The policy of a source that the doctor may read, too.
fn readable(plan: &Plan, doctor: &str) -> Value {
    let mut policy = buckets::source_bucket_policy(plan);
    if let Some(statements) = policy.get_mut("Statement").and_then(Value::as_array_mut) {
        statements.extend(buckets::reader(plan, doctor, ["DoctorReads", "DoctorLists"]));
    }
    policy
}

/// The topic, which the rules and alarms of the account may publish to, and its subscriber.
async fn topic(accounts: &Accounts, backup: &Clients, plan: &Plan, guard: &Guard) -> Result<()> {
    // EventBridge meets no condition: it does not tell a topic for whom it acts.
    let own_account = json!({ "StringEquals": { "aws:SourceAccount": plan.backup_account } });
    let publishers = [("events.amazonaws.com", json!({})), ("cloudwatch.amazonaws.com", own_account)];
    let publishers = publishers.map(|(service, condition)| {
        json!({
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "sns:Publish",
            "Resource": topic_arn(plan),
            "Condition": condition,
        })
    });
    let policy = json!({ "Version": "2012-10-17", "Statement": publishers });
    let make = backup.sns.create_topic().name(TOPIC).attributes("Policy", policy.to_string());
    make.send().await.with_context(|| format!("cannot create the topic {TOPIC}"))?;
    let subscriber = queues::queue(&accounts.backup, &guard.subscriber, None).await?;
    let subscriber = queues::arn(&accounts.backup, &subscriber).await?;
    let subscribe = backup.sns.subscribe().topic_arn(topic_arn(plan)).protocol("sqs").endpoint(subscriber);
    subscribe.send().await.with_context(|| format!("cannot subscribe {}", guard.subscriber))?;
    Ok(())
}

/// A rule whose events go to the topic.
struct Rule<'a> {
    bus: &'a str,
    name: String,
    pattern: Value,
    severity: &'a str,
    event: &'a str,
    /// Whether the topic is told; else only the alarm of silence counts what the rule matches.
    tells: bool,
}

async fn rules(accounts: &Accounts, plans: &[Plan], deployment: &Deployment) -> Result<()> {
    let own = |what: &str, event: &'static str, severity: &'static str| Rule {
        bus: BUS,
        name: format!("{NAME}-{what}"),
        pattern: json!({ "source": ["levee"], "detail-type": [event] }),
        severity,
        event,
        tells: true,
    };
    let closed = |what: &str, outcomes: Value, severity: &'static str| Rule {
        pattern: json!({ "source": ["levee"], "detail-type": ["Run Completed"], "detail": { "outcome": outcomes } }),
        ..own(what, "Run Completed", severity)
    };
    let machine = &deployment.state_machine_arn;
    let ended = |statuses: &[&str]| {
        json!({
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": { "stateMachineArn": [machine], "status": statuses },
        })
    };
    let mut rules = vec![
        own("run-started", "Run Started", "info"),
        own("copy-failures", "Copy Failures", "warning"),
        own("tables-torn", "Tables Torn", "warning"),
        closed("run-completed", json!(["complete"]), "info"),
        closed("run-degraded", json!([{ "anything-but": "complete" }]), "warning"),
        Rule {
            bus: DEFAULT_BUS,
            name: format!("{NAME}-run-failed"),
            pattern: ended(&["FAILED", "TIMED_OUT", "ABORTED"]),
            severity: "critical",
            event: "Run Failed",
            tells: true,
        },
    ];
    for plan in plans {
        let mut pattern = ended(&["SUCCEEDED"]);
        let quoted = |space: &str| json!({ "wildcard": format!("*\"source\":{space}\"{}\"*", plan.source) });
        if let Some(detail) = pattern.get_mut("detail").and_then(Value::as_object_mut) {
            detail.insert("input".to_owned(), json!([quoted(""), quoted(" ")]));
        }
        let name = completed_rule(NAME, &plan.source);
        rules.push(Rule { bus: DEFAULT_BUS, name, pattern, severity: "info", event: "Run Completed", tells: false });
    }
    for rule in rules {
        put(accounts, &rule, &deployment.topic_arn)
            .await
            .with_context(|| format!("cannot make the rule {}", rule.name))?;
    }
    Ok(())
}

async fn put(accounts: &Accounts, rule: &Rule<'_>, topic: &str) -> Result<()> {
    let events = &accounts.backup.events;
    let make = events.put_rule().name(&rule.name).event_bus_name(rule.bus).event_pattern(rule.pattern.to_string());
    make.send().await?;
    if !rule.tells {
        return Ok(());
    }
    let template =
        format!(r#"{{"severity":"{}","event":"{}","time":<time>,"detail":<detail>}}"#, rule.severity, rule.event);
    let transformer = InputTransformer::builder()
        .input_paths_map("time", "$.time")
        .input_paths_map("detail", "$.detail")
        .input_template(template)
        .build()?;
    let target = Target::builder().id("topic").arn(topic).input_transformer(transformer).build()?;
    let targets = events.put_targets().rule(&rule.name).event_bus_name(rule.bus).targets(target).send().await?;
    anyhow::ensure!(targets.failed_entry_count() == 0, "the target was not taken: {:?}", targets.failed_entries());
    Ok(())
}
