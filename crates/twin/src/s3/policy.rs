//! Bucket policies: read strictly, kept as text, evaluated for each call.
//!
//! What the evaluator does not know (a condition key, an operator, a kind of principal) is refused when the policy is
//! put, so that a kept policy is always a policy that is enforced in full.

mod condition;
mod document;
pub mod pattern;

use self::{condition::Condition, pattern::matches};
use crate::{
    facts::Fact,
    service::{Caller, Principal},
};

/// A bucket policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// The text as it was put.
    pub(crate) text: String,
    statements: Vec<Statement>,
}

/// What a policy is asked: may this caller do this to that?
pub(crate) struct Question<'a> {
    pub(crate) caller: &'a Caller,
    /// The IAM name of the action, for example `s3:GetObject`.
    pub(crate) action: &'a str,
    /// The ARN of the bucket or the object.
    pub(crate) resource: &'a str,
    pub(crate) facts: &'a Facts,
}

/// What the request says of itself, for conditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) source_arn: Option<String>,
    pub(crate) source_account: Option<String>,
    pub(crate) acl: Option<String>,
    pub(crate) encryption: Option<String>,
}

impl Facts {
    /// As the record of calls has them.
    pub(crate) fn told(&self) -> Vec<Fact> {
        let facts = [
            ("aws:SourceArn", &self.source_arn),
            ("aws:SourceAccount", &self.source_account),
            ("s3:x-amz-acl", &self.acl),
            ("s3:x-amz-server-side-encryption", &self.encryption),
        ];
        facts.into_iter().filter_map(|(key, value)| Some(Fact::new(key, value.as_deref()?))).collect()
    }
}

/// What a policy says to a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// A statement denies it; nothing else matters.
    Deny,
    Allow,
    /// No statement applies.
    Silent,
}

#[derive(Clone, Debug)]
struct Statement {
    allow: bool,
    principals: Vec<PrincipalPattern>,
    negated_actions: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum PrincipalPattern {
    Anyone,
    Account(String),
    Role(String),
    Service(String),
}

impl Policy {
    /// Reads a policy for `bucket`.
    ///
    /// # Errors
    /// The message of a `MalformedPolicy` answer: what is wrong with the policy, or what in it the twin does not model.
    pub(crate) fn parse(text: &str, bucket: &str) -> Result<Self, String> {
        document::parse(text, bucket).map(|statements| Self { text: text.to_owned(), statements })
    }

    /// What the policy says; an explicit deny wins.
    pub(crate) fn verdict(&self, question: &Question<'_>) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in self.statements.iter().filter(|statement| statement.applies(question)) {
            if !statement.allow {
                return Verdict::Deny;
            }
            verdict = Verdict::Allow;
        }
        verdict
    }

    /// Whether it lets anyone in: an allow for everyone that no condition ties to a principal, account or source.
    pub(crate) fn is_public(&self) -> bool {
        self.statements.iter().any(|statement| {
            statement.allow
                && statement.principals.iter().any(|principal| matches!(principal, PrincipalPattern::Anyone))
                && !statement.conditions.iter().any(Condition::ties_down)
        })
    }
}

impl Statement {
    fn applies(&self, question: &Question<'_>) -> bool {
        let action = question.action.to_ascii_lowercase();
        let named = self.actions.iter().any(|pattern| matches(pattern, &action));
        named != self.negated_actions
            && self.principals.iter().any(|principal| principal.covers(question.caller))
            && self.resources.iter().any(|pattern| matches(pattern, question.resource))
            && self.conditions.iter().all(|condition| condition.holds(question))
    }
}

impl PrincipalPattern {
    fn covers(&self, caller: &Caller) -> bool {
        match (self, &caller.principal) {
            (Self::Anyone, _) => true,
            (Self::Account(account), Principal::Root | Principal::Role(_)) => *account == caller.account,
            (Self::Role(arn), Principal::Role(role)) => arn == role,
            (Self::Service(name), Principal::Service(service)) => name == service,
            _ => false,
        }
    }
}
