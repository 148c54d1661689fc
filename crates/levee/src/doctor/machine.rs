//! The state machine.

use aws_sdk_sfn::types::StateMachineType;
use levee_stage::aws::error_code;
use serde_json::Value;

use super::{
    Examination, Finding,
    finding::{Check, problem, refused, unknown},
};
use crate::{deploy::definition, hosts::StageName};

const APPLY: &str = "run terraform apply for the backup module";

impl Examination<'_> {
    /// The state machine is there, and the one of this version.
    pub(super) async fn state_machine(&self) -> Vec<Finding> {
        let arn = &self.deployment.state_machine_arn;
        let finding = |check: &str, found| Finding::new(format!("state-machine/{check}"), arn, found);
        let found = match self.backup.aws.sfn.describe_state_machine().state_machine_arn(arn).send().await {
            Ok(found) => found,
            Err(error) if error_code(&error) == Some("StateMachineDoesNotExist") => {
                return vec![finding("exists", Err(problem("there is no such state machine", APPLY)))];
            }
            Err(error) => {
                return vec![finding("exists", Err(refused("states:DescribeStateMachine", arn, &error)))];
            }
        };
        let kind = match found.r#type() {
            StateMachineType::Standard => Ok("it is STANDARD".to_owned()),
            other => {
                let detail = format!("it is {}: only STANDARD ones last for hours and can be redriven", other.as_str());
                Err(problem(detail, "destroy it, then run terraform apply for the backup module"))
            }
        };
        let wanted = self.deployment.role_arn("state-machine");
        let role = if found.role_arn() == wanted {
            Ok(format!("it acts as {wanted}"))
        } else {
            Err(problem(format!("it acts as {}, not as {wanted}", found.role_arn()), APPLY))
        };
        vec![
            finding("exists", Ok("the state machine is there".to_owned())),
            finding("type", kind),
            finding("definition", self.definition(found.definition()).await),
            finding("role", role),
        ]
    }

    /// The queues may be named as this endpoint names them, or as SQS does in the Region, which is how Terraform writes them.
    async fn definition(&self, found: &str) -> Check {
        let (region, account, prefix) =
            (&self.deployment.region, &self.deployment.account, &self.deployment.queue_prefix);
        let of_region = format!("https://sqs.{region}.amazonaws.com/{account}/{prefix}");
        let parse = |text: &str| {
            let not_json = |error| unknown(format!("a definition is not JSON: {error}"), APPLY);
            serde_json::from_str::<Value>(text).map_err(not_json)
        };
        let found = parse(found)?;
        let mut difference = None;
        for prefix in [of_region, self.queue_url_prefix().await?] {
            difference = first_difference(&parse(&definition(&prefix))?, &found, String::new());
            if difference.is_none() {
                break;
            }
        }
        match difference {
            None => Ok("its definition is the one of this version".to_owned()),
            Some(pointer) => {
                let detail =
                    format!("its definition is not the one of this version: the first difference is at {pointer}");
                let remedy =
                    "run terraform apply with the backup module of this version, or use the levee of that version";
                Err(problem(detail, remedy))
            }
        }
    }

    /// What the URLs of the queues begin with, as this endpoint has them.
    async fn queue_url_prefix(&self) -> Result<String, super::finding::Fault> {
        let stage = StageName::ManifestReady.name();
        let url = self.queue_url(&format!("{}{stage}", self.deployment.queue_prefix)).await.map_err(|_| {
            unknown(format!("the URL of the queue of {stage} is not known"), "see to the queues first (queue/exists)")
        })?;
        url.strip_suffix(stage).map(str::to_owned).ok_or_else(|| {
            unknown(format!("the URL {url} does not end with {stage}"), "see to the queues first (queue/exists)")
        })
    }
}

/// The JSON pointer of the first place where the values differ, in the order of `wanted`; `/` for the whole.
fn first_difference(wanted: &Value, found: &Value, at: String) -> Option<String> {
    let below = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let missing = Value::Null;
            let of_wanted = wanted
                .iter()
                .find_map(|(name, value)| first_difference(value, found.get(name).unwrap_or(&missing), below(name)));
            of_wanted.or_else(|| found.keys().find(|name| !wanted.contains_key(*name)).map(|name| below(name)))
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.find_map(|(index, (wanted, found))| first_difference(wanted, found, format!("{at}/{index}")))
        }
        _ if wanted == found => None,
        _ if at.is_empty() => Some("/".to_owned()),
        _ => Some(at),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::equal(json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 2}]}), None)]
    #[case::other_order(json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), None)]
    #[case::value(json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 3}]}), Some("/a/1/b"))]
    #[case::missing(json!({"a": 1, "b": 2}), json!({"a": 1}), Some("/b"))]
    #[case::more(json!({"a": 1}), json!({"a": 1, "x/y": 2}), Some("/x~1y"))]
    #[case::length(json!({"a": [1]}), json!({"a": [1, 2]}), Some("/a"))]
    #[case::whole(json!({}), json!([]), Some("/"))]
    fn first_difference_is_named_by_its_pointer(
        #[case] wanted: Value,
        #[case] found: Value,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(first_difference(&wanted, &found, String::new()).as_deref(), expected);
    }
}
