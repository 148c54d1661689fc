//! Who is told: the rules, the topic and their dead-letter queues, named as the Terraform module names them.

use anyhow::{Context, Result};
use aws_sdk_eventbridge::types::{DeadLetterConfig, Target};
use aws_sdk_sqs::types::QueueAttributeName;
use levee::deploy::{BUS, RESTORE_STATE_MACHINE_NAME, STATE_MACHINE_NAME};
use levee_tests::Rig;
use levee_twin::service::Principal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The queue of somebody who has subscribed. It is no part of the deployment.
pub(crate) const SUBSCRIBERS_QUEUE: &str = "on-call";
const DEFAULT_BUS: &str = "default";

/// Tells every event to a subscriber's queue.
pub(crate) async fn subscribe(rig: &Rig) -> Result<()> {
    let config = rig.twin.sdk_config(&rig.plan.backup_account, &Principal::Root);
    let sns = aws_sdk_sns::Client::new(&config);
    let topic = sns.create_topic().name("levee-notifications").send().await?;
    let topic = topic.topic_arn().context("CreateTopic answered no ARN")?;
    let (subscriber, events_dlq, topics_dlq) = (
        queue(rig, SUBSCRIBERS_QUEUE).await?,
        queue(rig, "levee-events-dlq").await?,
        queue(rig, "levee-notifications-dlq").await?,
    );
    let redrive = json!({ "deadLetterTargetArn": topics_dlq }).to_string();
    let subscription = sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(subscriber);
    subscription.attributes("RedrivePolicy", redrive).send().await?;

    let machine = rig.deployed.state_machine_arn.as_str();
    let restores = machine.replace(STATE_MACHINE_NAME, RESTORE_STATE_MACHINE_NAME);
    let machines = [machine, restores.as_str()];
    let status = |detail: Value| json!({ "source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"], "detail": detail });
    let source = &rig.plan.source;
    let digest: String = Sha256::digest(source.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let completed = format!("levee-completed-{}-{digest}", source.chars().take(39).collect::<String>());
    let ended = ["FAILED", "TIMED_OUT", "ABORTED"];
    let of_this_source = [false, true]
        .map(|space| json!({ "wildcard": format!("*\"source\":{}\"{source}\"*", if space { " " } else { "" }) }));
    let closed = |outcomes: Value| json!({ "source": ["levee"], "detail-type": ["Run Completed"], "detail": { "outcome": outcomes } });
    let rules = [
        (BUS, "levee-run-started", json!({ "source": ["levee"], "detail-type": ["Run Started"] })),
        (BUS, "levee-copy-failures", json!({ "source": ["levee"], "detail-type": ["Copy Failures"] })),
        (BUS, "levee-tables-torn", json!({ "source": ["levee"], "detail-type": ["Tables Torn"] })),
        (BUS, "levee-run-completed", closed(json!(["complete"]))),
        (BUS, "levee-run-degraded", closed(json!([{ "anything-but": "complete" }]))),
        (DEFAULT_BUS, "levee-run-failed", status(json!({ "stateMachineArn": machines, "status": ended }))),
        (
            DEFAULT_BUS,
            completed.as_str(),
            status(json!({ "stateMachineArn": [machine], "status": ["SUCCEEDED"], "input": of_this_source })),
        ),
    ];
    let events = &rig.accounts.backup.events;
    for (bus, rule, pattern) in rules {
        events.put_rule().name(rule).event_bus_name(bus).event_pattern(pattern.to_string()).send().await?;
        // Completed runs are seen for the alarm of silence; run-close tells of them.
        if rule == completed {
            continue;
        }
        let aside = DeadLetterConfig::builder().arn(&events_dlq).build();
        let target = Target::builder().id("topic").arn(topic).dead_letter_config(aside).build()?;
        events.put_targets().rule(rule).event_bus_name(bus).targets(target).send().await?;
    }
    Ok(())
}

/// Makes a queue and answers its ARN.
async fn queue(rig: &Rig, name: &str) -> Result<String> {
    let sqs = &rig.accounts.backup.sqs;
    let made = sqs.create_queue().queue_name(name).send().await?;
    let ask = sqs.get_queue_attributes().set_queue_url(made.queue_url).attribute_names(QueueAttributeName::QueueArn);
    let answer = ask.send().await?;
    let arn = answer.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
    arn.cloned().with_context(|| format!("the queue {name} answered no ARN"))
}
