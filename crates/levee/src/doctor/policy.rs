//! Policies of resources, as far as the doctor asks them: may this principal do that, and can anybody still do what must be
//! denied.
//!
//! Policies of accounts hold what nothing here knows. A condition that cannot be decided makes the answer "perhaps", which
//! is told as such; it is never taken for a yes or a no. Sources: "Policy evaluation logic" and "IAM JSON policy elements" of
//! the IAM User Guide.

mod condition;

use levee_twin::s3::pattern::matches;
use serde_json::Value;

use self::condition::Condition;

/// A policy document.
#[derive(Clone, Debug)]
pub(super) struct Document {
    statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    sid: String,
    allow: bool,
    principals: Principals,
    /// Lower case, and whether the statement is about all others.
    actions: (Vec<String>, bool),
    resources: (Vec<String>, bool),
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Principals {
    Anyone,
    /// The kinds (`AWS`, `Service`) with the names.
    These(Vec<(String, String)>),
    /// Everyone but these.
    AllBut(Vec<(String, String)>),
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who<'a> {
    /// A role, by its ARN.
    Role(&'a str),
    /// An AWS service, for example `s3.amazonaws.com`.
    Service(&'a str),
}

/// What is known of a condition key of the request.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Is(String),
    /// The request does not have the key.
    Absent,
}

/// A request, as far as it is known. Keys that are not among the facts can have any value.
pub(super) struct Request<'a> {
    pub(super) who: Who<'a>,
    pub(super) action: &'a str,
    pub(super) resource: String,
    pub(super) facts: Vec<(&'a str, Fact)>,
}

/// What a policy says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allowed,
    /// The statement that allows it holds perhaps.
    PerhapsAllowed(String),
    /// No statement applies.
    Silent,
    /// This statement denies it.
    Denied(String),
    /// This statement denies it perhaps.
    PerhapsDenied(String),
}

impl Document {
    /// Reads a policy.
    ///
    /// # Errors
    /// What in it is not understood.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let statements: Vec<&Value> = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err("it has no Statement".to_owned()),
        };
        let statements = statements.into_iter().enumerate();
        let statements = statements.map(|(index, statement)| Statement::parse(index, statement));
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }

    /// What the policy says: an explicit deny wins, and what may be one comes next.
    pub(super) fn answer(&self, request: &Request<'_>) -> Answer {
        let mut answer = Answer::Silent;
        for statement in &self.statements {
            let applies = statement.applies(request);
            let sid = || statement.sid.clone();
            let next = match (statement.allow, applies) {
                (_, Some(false)) => continue,
                (false, Some(true)) => return Answer::Denied(sid()),
                (false, None) => Answer::PerhapsDenied(sid()),
                (true, Some(true)) => Answer::Allowed,
                (true, None) => Answer::PerhapsAllowed(sid()),
            };
            let rank = |answer: &Answer| match answer {
                Answer::Silent => 0,
                Answer::PerhapsAllowed(_) => 1,
                Answer::Allowed => 2,
                Answer::PerhapsDenied(_) | Answer::Denied(_) => 3,
            };
            if rank(&next) > rank(&answer) {
                answer = next;
            }
        }
        answer
    }

    /// Whether plain HTTP is denied to everyone for everything of the two resources.
    pub(super) fn denies_plain_http(&self, resources: [&str; 2]) -> bool {
        self.statements.iter().any(|statement| {
            statement.denies_all("s3:*", &resources)
                && matches!(statement.conditions.as_slice(), [condition] if condition.is_plain_http())
        })
    }

    /// Whether `action` on `resource` is denied to everyone but AWS services and `exempt`.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn denies_to_all_but(&self, action: &str, resource: &str, exempt: &[String]) -> Result<(), String> {
        let mut reason = format!("no statement denies {action} to everyone");
        for statement in self.statements.iter().filter(|statement| statement.denies_all(action, &[resource])) {
            match statement.conditions.iter().find_map(|condition| condition.lets_out(exempt)) {
                None => return Ok(()),
                Some(why) => reason = format!("the statement {} lets out more than it should: {why}", statement.sid),
            }
        }
        Err(reason)
    }
}

impl Statement {
    fn parse(index: usize, statement: &Value) -> Result<Self, String> {
        let sid = statement.get("Sid").and_then(Value::as_str);
        let sid = sid.map_or_else(|| format!("number {}", index + 1), str::to_owned);
        let within = |what: String| format!("in the statement {sid}: {what}");
        let allow = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            other => return Err(within(format!("the effect {other:?}"))),
        };
        let either = |name: &str| -> Result<(Vec<String>, bool), String> {
            let not = format!("Not{name}");
            match (statement.get(name), statement.get(&not)) {
                (Some(value), None) => Ok((texts(value)?, false)),
                (None, Some(value)) => Ok((texts(value)?, true)),
                _ => Err(format!("exactly one of {name} and {not} is expected")),
            }
        };
        let (actions, but) = either("Action").map_err(within)?;
        Ok(Self {
            allow,
            principals: Principals::parse(statement).map_err(within)?,
            actions: (actions.iter().map(|action| action.to_ascii_lowercase()).collect(), but),
            resources: either("Resource").map_err(within)?,
            conditions: Condition::parse_all(statement.get("Condition")).map_err(within)?,
            sid,
        })
    }

    /// Whether the statement applies to the request; nothing when that depends on what is not known.
    fn applies(&self, request: &Request<'_>) -> Option<bool> {
        let firm = self.principals.cover(request.who)
            && self.is_about(&self.actions, &request.action.to_ascii_lowercase())
            && self.is_about(&self.resources, &request.resource);
        if !firm {
            return Some(false);
        }
        let mut known = true;
        for condition in &self.conditions {
            match condition.holds(&request.facts) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => known = false,
            }
        }
        known.then_some(true)
    }

    fn is_about(&self, (patterns, all_others): &(Vec<String>, bool), text: &str) -> bool {
        patterns.iter().any(|pattern| matches(pattern, text)) != *all_others
    }

    /// Whether it denies everyone, under whatever conditions, the action on all of the resources. A resource may end with
    /// `*`: then it stands for everything that begins so.
    fn denies_all(&self, action: &str, resources: &[&str]) -> bool {
        let action = action.to_ascii_lowercase();
        !self.allow
            && matches!(self.principals, Principals::Anyone)
            && !self.actions.1
            && !self.resources.1
            && self.is_about(&self.actions, &action)
            && resources.iter().all(|resource| self.is_about(&self.resources, resource))
    }
}

impl Principals {
    fn parse(statement: &Value) -> Result<Self, String> {
        match (statement.get("Principal"), statement.get("NotPrincipal")) {
            (Some(Value::String(any)), None) if any == "*" => Ok(Self::Anyone),
            (Some(kinds @ Value::Object(_)), None) => {
                let names = named(kinds)?;
                let anyone = names.iter().any(|(kind, name)| kind == "AWS" && name == "*");
                Ok(if anyone { Self::Anyone } else { Self::These(names) })
            }
            (None, Some(kinds @ Value::Object(_))) => Ok(Self::AllBut(named(kinds)?)),
            _ => Err("the principal is not understood".to_owned()),
        }
    }

    fn cover(&self, who: Who<'_>) -> bool {
        let among = |names: &[(String, String)]| names.iter().any(|(kind, name)| who.is(kind, name));
        match self {
            Self::Anyone => true,
            Self::These(names) => among(names),
            Self::AllBut(names) => !among(names),
        }
    }
}

impl Who<'_> {
    /// Whether a principal of a policy stands for it: the account stands for its roles.
    fn is(self, kind: &str, name: &str) -> bool {
        match self {
            Self::Role(arn) => {
                let account = arn.split(':').nth(4).unwrap_or_default();
                let root = name.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root"));
                kind == "AWS" && (name == arn || name == account || root == Some(account))
            }
            Self::Service(service) => kind == "Service" && name == service,
        }
    }
}

fn named(kinds: &Value) -> Result<Vec<(String, String)>, String> {
    let mut all = Vec::new();
    for (kind, names) in kinds.as_object().into_iter().flatten() {
        all.extend(texts(names)?.into_iter().map(|name| (kind.clone(), name)));
    }
    Ok(all)
}

/// A text or a list of texts; booleans and numbers count as their text, as IAM has it.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let values = match value {
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    };
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        other => Err(format!("{other} is not a text")),
    };
    values.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests;
