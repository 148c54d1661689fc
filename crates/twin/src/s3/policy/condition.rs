//! Conditions of bucket policies: the operators and keys that backups of buckets use.

use serde_json::Value;

use super::{
    Question,
    pattern::{matches, matches_arn},
};
use crate::service::Principal;

/// One operator with one key and its values.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    operator: Operator,
    if_exists: bool,
    key: Key,
    values: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Equals { negated: bool },
    Like { negated: bool },
    Arn { negated: bool },
    Bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    PrincipalArn,
    PrincipalAccount,
    PrincipalIsAwsService,
    SourceArn,
    SourceAccount,
    SecureTransport,
    Acl,
    Encryption,
}

const OPERATORS: [(&str, Operator); 9] = [
    ("StringEquals", Operator::Equals { negated: false }),
    ("StringNotEquals", Operator::Equals { negated: true }),
    ("StringLike", Operator::Like { negated: false }),
    ("StringNotLike", Operator::Like { negated: true }),
    ("ArnEquals", Operator::Arn { negated: false }),
    ("ArnLike", Operator::Arn { negated: false }),
    ("ArnNotEquals", Operator::Arn { negated: true }),
    ("ArnNotLike", Operator::Arn { negated: true }),
    ("Bool", Operator::Bool),
];

const KEYS: [(&str, Key); 8] = [
    ("aws:PrincipalArn", Key::PrincipalArn),
    ("aws:PrincipalAccount", Key::PrincipalAccount),
    ("aws:PrincipalIsAWSService", Key::PrincipalIsAwsService),
    ("aws:SourceArn", Key::SourceArn),
    ("aws:SourceAccount", Key::SourceAccount),
    ("aws:SecureTransport", Key::SecureTransport),
    ("s3:x-amz-acl", Key::Acl),
    ("s3:x-amz-server-side-encryption", Key::Encryption),
];

impl Condition {
    /// Reads `operator: {key: values}`; the error names what is not known.
    pub(super) fn parse(operator: &str, key: &str, values: &Value) -> Result<Self, String> {
        let (name, if_exists) = match operator.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (operator, false),
        };
        let operator = OPERATORS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, operator)| *operator)
            .ok_or_else(|| format!("Invalid Condition type : {operator} (the twin does not model it)"))?;
        let key = KEYS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(key))
            .map(|(_, key)| *key)
            .ok_or_else(|| format!("Policy has an invalid condition key : {key} (the twin does not model it)"))?;
        let values = texts(values)?;
        if operator == Operator::Bool && values.iter().any(|value| value != "true" && value != "false") {
            return Err("Invalid value for a Bool condition : use true or false".into());
        }
        Ok(Self { operator, if_exists, key, values })
    }

    /// Whether the request meets the condition.
    pub(super) fn holds(&self, question: &Question<'_>) -> bool {
        let negated = match self.operator {
            Operator::Equals { negated } | Operator::Like { negated } | Operator::Arn { negated } => negated,
            Operator::Bool => false,
        };
        // A negated operator holds for a key that the request does not have, a plain one does not.
        let Some(actual) = self.key.value(question) else { return negated || self.if_exists };
        let any = self.values.iter().any(|value| match self.operator {
            Operator::Equals { .. } | Operator::Bool => *value == actual,
            Operator::Like { .. } => matches(value, &actual),
            Operator::Arn { .. } => matches_arn(value, &actual),
        });
        any != negated
    }

    /// Whether it ties a statement to certain principals, accounts or sources.
    pub(super) fn ties_down(&self) -> bool {
        let positive = matches!(
            self.operator,
            Operator::Equals { negated: false } | Operator::Like { negated: false } | Operator::Arn { negated: false }
        );
        positive
            && matches!(self.key, Key::PrincipalArn | Key::PrincipalAccount | Key::SourceArn | Key::SourceAccount)
            && !self.values.iter().any(|value| value == "*")
    }
}

impl Key {
    /// The value in the request. A service has no principal ARN and no principal account.
    fn value(self, question: &Question<'_>) -> Option<String> {
        let (caller, facts) = (question.caller, question.facts);
        let service = matches!(caller.principal, Principal::Service(_));
        match self {
            Self::PrincipalArn => (!service).then(|| caller.principal_arn()),
            Self::PrincipalAccount => (!service).then(|| caller.account.clone()),
            Self::PrincipalIsAwsService => Some(service.to_string()),
            Self::SourceArn => facts.source_arn.clone(),
            Self::SourceAccount => facts.source_account.clone(),
            Self::SecureTransport => Some(true.to_string()),
            Self::Acl => facts.acl.clone(),
            Self::Encryption => facts.encryption.clone(),
        }
    }
}

/// A string, a boolean, or a list of these.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let values = match value {
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    };
    values
        .into_iter()
        .map(|value| match value {
            Value::String(text) if text.contains("${") => {
                Err(format!("Invalid condition value : {text} (the twin does not model policy variables)"))
            }
            Value::String(text) => Ok(text.clone()),
            Value::Bool(flag) => Ok(flag.to_string()),
            other => Err(format!("Invalid condition value : {other}")),
        })
        .collect()
}
