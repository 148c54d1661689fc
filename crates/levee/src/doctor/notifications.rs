//! The way from an event to a person: the bus, the rules, the topic and its subscriptions.

use aws_sdk_eventbridge::types::RuleState;
use futures::future::join_all;
use levee_stage::aws::error_code;
use sha2::{Digest, Sha256};

use super::{
    Examination, Finding,
    finding::{Check, Fault, problem, refused, unknown},
    policy::{Answer, Document, Fact, Request, Who},
};

/// The bus that Step Functions puts its events on.
const DEFAULT_BUS: &str = "default";
/// The longest name of a rule, by the API reference of PutRule.
const RULE_NAME_LIMIT: usize = 64;
const APPLY: &str = "run terraform apply for the backup module";
/// What SNS has in place of the ARN of a subscription that was not confirmed.
const PENDING: &str = "PendingConfirmation";

/// A rule by its bus and its name.
struct RuleName {
    bus: String,
    name: String,
    /// Whether its events go to the topic.
    tells: bool,
}

/// The rules on the bus of the deployment, without its name.
const OWN_RULES: [&str; 5] = ["run-started", "copy-failures", "tables-torn", "run-completed", "run-degraded"];

impl Examination<'_> {
    /// The bus and every rule.
    pub(super) async fn bus_and_rules(&self) -> Vec<Finding> {
        let bus = &self.deployment.event_bus;
        let mut findings = vec![Finding::new("bus/exists", bus, self.bus(bus).await)];
        findings.extend(join_all(self.rules().into_iter().map(|rule| self.rule_findings(rule))).await.concat());
        findings
    }

    async fn rule_findings(&self, rule: RuleName) -> Vec<Finding> {
        let found = self.rule(&rule).await;
        // Completed runs are seen by a rule for the alarm of silence, which counts what it matches; run-close tells of them.
        let tells = found.is_ok() && rule.tells;
        let mut findings = vec![Finding::new("rule/enabled", &rule.name, found)];
        if tells {
            findings.push(Finding::new("rule/target", &rule.name, self.rule_target(&rule).await));
        }
        findings
    }

    /// The rules of a deployment, as the backup module names them.
    fn rules(&self) -> Vec<RuleName> {
        let (name, own) = (&self.deployment.name, &self.deployment.event_bus);
        let on = |bus: &str, what: &str| RuleName { bus: bus.to_owned(), name: format!("{name}-{what}"), tells: true };
        let mut rules: Vec<_> = OWN_RULES.map(|what| on(own, what)).into();
        rules.push(on(DEFAULT_BUS, "run-failed"));
        rules.extend(self.sources.iter().map(|source| RuleName {
            bus: DEFAULT_BUS.to_owned(),
            name: completed_rule(name, &source.name),
            tells: false,
        }));
        rules
    }

    async fn bus(&self, bus: &str) -> Check {
        match self.backup.aws.events.describe_event_bus().name(bus).send().await {
            Ok(_) => Ok("the bus is there".to_owned()),
            Err(error) if error_code(&error) == Some("ResourceNotFoundException") => {
                Err(problem("there is no such bus: what the workers tell goes nowhere", APPLY))
            }
            Err(error) => {
                let arn =
                    format!("arn:aws:events:{}:{}:event-bus/{bus}", self.deployment.region, self.deployment.account);
                Err(refused("events:DescribeEventBus", &arn, &error))
            }
        }
    }

    async fn rule(&self, rule: &RuleName) -> Check {
        let ask = self.backup.aws.events.describe_rule().name(&rule.name).event_bus_name(&rule.bus);
        match ask.send().await {
            Ok(found) if found.state() == Some(&RuleState::Enabled) => Ok("the rule is enabled".to_owned()),
            Ok(found) => {
                let state = found.state().map_or("unknown", RuleState::as_str);
                let remedy = format!("aws events enable-rule --name {} --event-bus-name {}", rule.name, rule.bus);
                Err(problem(format!("the rule is {state}: nobody is told"), remedy))
            }
            Err(error) if error_code(&error) == Some("ResourceNotFoundException") => {
                Err(problem(format!("there is no such rule on the bus {}: nobody is told", rule.bus), APPLY))
            }
            Err(error) => Err(refused("events:DescribeRule", &self.rule_arn(rule), &error)),
        }
    }

    async fn rule_target(&self, rule: &RuleName) -> Check {
        let topic = &self.deployment.topic_arn;
        let mut token = None;
        loop {
            let ask = self.backup.aws.events.list_targets_by_rule().rule(&rule.name).event_bus_name(&rule.bus);
            let page = ask.set_next_token(token).send().await;
            let page = page.map_err(|error| refused("events:ListTargetsByRule", &self.rule_arn(rule), &error))?;
            if page.targets().iter().any(|target| target.arn() == topic) {
                return Ok(format!("its events go to {topic}"));
            }
            token = page.next_token;
            if token.is_none() {
                return Err(problem(format!("{topic} is not among its targets: nobody is told"), APPLY));
            }
        }
    }

    fn rule_arn(&self, rule: &RuleName) -> String {
        // The ARNs of rules on the default bus do not name it.
        let bus = if rule.bus == DEFAULT_BUS { String::new() } else { format!("{}/", rule.bus) };
        format!("arn:aws:events:{}:{}:rule/{bus}{}", self.deployment.region, self.deployment.account, rule.name)
    }

    /// The topic and who listens to it.
    pub(super) async fn topic(&self) -> Vec<Finding> {
        let arn = &self.deployment.topic_arn;
        let finding = |check: &str, found| Finding::new(format!("topic/{check}"), arn, found);
        let attributes = match self.backup.sns.get_topic_attributes().topic_arn(arn).send().await {
            Ok(found) => found.attributes.unwrap_or_default(),
            Err(error) if matches!(error_code(&error), Some("NotFound" | "NotFoundException")) => {
                return vec![finding("exists", Err(problem("there is no such topic: nobody is told", APPLY)))];
            }
            Err(error) => {
                return vec![finding("exists", Err(refused("sns:GetTopicAttributes", arn, &error)))];
            }
        };
        vec![
            finding("exists", Ok("the topic is there".to_owned())),
            finding("policy", self.publishers(attributes.get("Policy").map(String::as_str))),
            finding("subscriptions", self.subscriptions().await),
        ]
    }

    /// Every rule may publish, and so may the deployment's alarms.
    fn publishers(&self, policy: Option<&str>) -> Check {
        let policy = Document::parse(policy.unwrap_or(r#"{"Statement":[]}"#));
        let policy = policy.map_err(|why| {
            let remedy =
                format!("look at it yourself: aws sns get-topic-attributes --topic-arn {}", self.deployment.topic_arn);
            unknown(format!("the topic's policy is not understood: {why}"), remedy)
        })?;
        // EventBridge does not tell a topic which rule it acts for: "You can't use Condition blocks in Amazon SNS topic
        // policies for EventBridge" (EventBridge User Guide, "Amazon SNS permissions").
        let rules = [("events.amazonaws.com", None)];
        let (region, account, name) = (&self.deployment.region, &self.deployment.account, &self.deployment.name);
        // The names of the alarms begin with the deployment's.
        let alarm = format!("arn:aws:cloudwatch:{region}:{account}:alarm:{name}-alarm");
        for (service, source) in rules.into_iter().chain([("cloudwatch.amazonaws.com", Some(alarm))]) {
            match policy.answer(&self.publish_request(service, source.as_deref())) {
                Answer::Allowed => {}
                Answer::Silent => {
                    let condition = if source.is_none() { " without a condition, which it never meets" } else { "" };
                    let detail = format!("the topic's policy does not let {service} publish{condition}");
                    return Err(problem(detail, APPLY));
                }
                Answer::Denied(sid) => {
                    let detail = format!("the statement {sid} of the topic's policy keeps {service} from publishing");
                    return Err(problem(detail, APPLY));
                }
                Answer::PerhapsAllowed(sid) | Answer::PerhapsDenied(sid) => {
                    let detail = format!(
                        "whether {service} may publish depends on conditions of the statement {sid} that cannot be decided"
                    );
                    return Err(unknown(
                        detail,
                        "take the condition away, or send a test message by a rule of your own",
                    ));
                }
            }
        }
        Ok("rules and alarms may publish".to_owned())
    }

    /// What a service asks of the topic, on behalf of `source` where it tells that.
    fn publish_request<'a>(&self, service: &'a str, source: Option<&str>) -> Request<'a> {
        let is = |value: &str| Fact::Is(value.to_owned());
        let told = |value: &str| source.map_or(Fact::Absent, |_| is(value));
        let facts = vec![
            ("aws:SourceArn", told(source.unwrap_or_default())),
            ("aws:SourceAccount", told(&self.deployment.account)),
            // In the policy that a topic has by default, which lets no service in.
            ("aws:SourceOwner", Fact::Absent),
            ("aws:SecureTransport", is("true")),
            ("aws:PrincipalIsAWSService", is("true")),
            ("aws:PrincipalArn", Fact::Absent),
            ("aws:PrincipalAccount", Fact::Absent),
        ];
        Request {
            who: Who::Service(service),
            action: "sns:Publish",
            resource: self.deployment.topic_arn.clone(),
            facts,
        }
    }

    async fn subscriptions(&self) -> Check {
        let arn = &self.deployment.topic_arn;
        let pages = self.backup.sns.list_subscriptions_by_topic().topic_arn(arn).into_paginator().send();
        let pages: Result<Vec<_>, Fault> = pages
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(|error| refused("sns:ListSubscriptionsByTopic", arn, &error));
        let pages = pages?;
        let all: Vec<_> = pages.iter().flat_map(|page| page.subscriptions()).collect();
        let pending: Vec<String> = all
            .iter()
            .filter(|subscription| subscription.subscription_arn().is_none_or(|arn| arn == PENDING))
            .map(|subscription| {
                format!(
                    "{} {}",
                    subscription.protocol().unwrap_or_default(),
                    subscription.endpoint().unwrap_or_default()
                )
            })
            .collect();
        if all.is_empty() {
            let remedy = "add somebody to the variable subscriptions; run terraform apply for the backup module";
            return Err(problem("nobody subscribed: a failed night would go unnoticed", remedy));
        }
        if pending.is_empty() {
            return Ok(format!("{} subscription(s), all confirmed", all.len()));
        }
        let remedy = "open the link in the message that SNS sent there; when it is lost or older than two days: remove the subscription and run terraform apply for the backup module";
        Err(problem(format!("not confirmed: {}", pending.join(", ")), remedy))
    }
}

/// The rule of completed runs of a source, as the backup module names it: with as much of the source's name as fits into the
/// 64 characters that EventBridge allows, but 40 characters at most.
pub(crate) fn completed_rule(deployment: &str, source: &str) -> String {
    let digest = hex::encode(Sha256::digest(source));
    let id: String = digest.chars().take(8).collect();
    let room = RULE_NAME_LIMIT.saturating_sub(deployment.len() + "-completed--".len() + id.len());
    let short: String = source.chars().take(room.min(40)).collect();
    format!("{deployment}-completed-{short}-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("levee", "lake-events", "levee-completed-lake-events-9c254293")]
    #[case("levee", &"x".repeat(51), &format!("levee-completed-{}-", "x".repeat(39)))]
    #[case("my", &"x".repeat(51), &format!("my-completed-{}-", "x".repeat(40)))]
    #[case(&"n".repeat(20), &"x".repeat(51), &format!("{}-completed-{}-", "n".repeat(20), "x".repeat(24)))]
    fn rules_of_completed_runs_fit_into_the_limit_of_names(
        #[case] deployment: &str,
        #[case] source: &str,
        #[case] beginning: &str,
    ) {
        let name = completed_rule(deployment, source);
        assert!(name.len() <= RULE_NAME_LIMIT, "{name} has {} characters", name.len());
        assert!(name.starts_with(beginning), "{name}");
    }
}
