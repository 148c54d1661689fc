//! Reading the JSON of a bucket policy.

use serde_json::{Map, Value};

use super::{PrincipalPattern, Statement, condition::Condition, pattern::matches};

/// The largest policy, in bytes.
const LARGEST: usize = 20 * 1024;

/// Reads the statements of a policy for `bucket`.
pub(super) fn parse(text: &str, bucket: &str) -> Result<Vec<Statement>, String> {
    if text.len() > LARGEST {
        return Err("Policies must not be larger than 20 KB".into());
    }
    let document: Value =
        serde_json::from_str(text).map_err(|error| format!("Policies must be valid JSON : {error}"))?;
    let document = document.as_object().ok_or("Policies must be a JSON object")?;
    known(document, &["Version", "Id", "Statement"])?;
    match document.get("Version") {
        None => {}
        Some(Value::String(version)) if version == "2012-10-17" || version == "2008-10-17" => {}
        Some(other) => return Err(format!("The policy must contain a valid version string, not {other}")),
    }
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => return Err("Missing required field Statement".into()),
    };
    statements.into_iter().map(|statement| read_statement(statement, bucket)).collect()
}

fn read_statement(statement: &Value, bucket: &str) -> Result<Statement, String> {
    let statement = statement.as_object().ok_or("A statement must be a JSON object")?;
    known(statement, &["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "Condition"])?;
    let allow = match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err("Invalid effect : Allow and Deny are valid".into()),
    };
    let (negated_actions, actions) = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), None) => (false, actions),
        (None, Some(actions)) => (true, actions),
        _ => return Err("Missing required field Action".into()),
    };
    let actions = strings(actions, "Action")?;
    if let Some(action) = actions.iter().find(|action| *action != "*" && !action.to_lowercase().starts_with("s3:")) {
        return Err(format!("Policy has invalid action : {action}"));
    }
    let resources = strings(statement.get("Resource").ok_or("Missing required field Resource")?, "Resource")?;
    if let Some(resource) = resources.iter().find(|resource| !within(resource, bucket)) {
        return Err(format!("Policy has invalid resource : {resource}"));
    }
    Ok(Statement {
        allow,
        principals: read_principals(statement.get("Principal").ok_or("Missing required field Principal")?)?,
        negated_actions,
        actions: actions.iter().map(|action| action.to_ascii_lowercase()).collect(),
        resources,
        conditions: read_conditions(statement.get("Condition"))?,
    })
}

/// Whether a resource can name something of the bucket.
fn within(resource: &str, bucket: &str) -> bool {
    let name = resource.strip_prefix("arn:aws:s3:::");
    let name = name.map(|path| path.split_once('/').map_or(path, |(name, _)| name));
    name.is_some_and(|name| matches(name, bucket) || name.strip_suffix('*').is_some_and(|name| name == bucket))
}

fn read_principals(principal: &Value) -> Result<Vec<PrincipalPattern>, String> {
    let invalid = |what: &str| format!("Invalid principal in policy : {what}");
    match principal {
        Value::String(any) if any == "*" => Ok(vec![PrincipalPattern::Anyone]),
        Value::Object(kinds) if !kinds.is_empty() => {
            let mut principals = Vec::new();
            for (kind, names) in kinds {
                for name in strings(names, "Principal")? {
                    principals.push(read_principal(kind, &name).ok_or_else(|| invalid(&format!("{kind} {name}")))?);
                }
            }
            Ok(principals)
        }
        other => Err(invalid(&other.to_string())),
    }
}

fn read_principal(kind: &str, name: &str) -> Option<PrincipalPattern> {
    let account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    match kind {
        "AWS" if name == "*" => Some(PrincipalPattern::Anyone),
        "AWS" if account(name) => Some(PrincipalPattern::Account(name.to_owned())),
        "AWS" => {
            let (id, rest) = name.strip_prefix("arn:aws:iam::")?.split_once(':')?;
            if !account(id) || name.contains(['*', '?']) {
                None
            } else if rest == "root" {
                Some(PrincipalPattern::Account(id.to_owned()))
            } else {
                rest.strip_prefix("role/").map(|_| PrincipalPattern::Role(name.to_owned()))
            }
        }
        "Service" if name.ends_with(".amazonaws.com") && !name.contains('*') => {
            Some(PrincipalPattern::Service(name.to_owned()))
        }
        _ => None,
    }
}

fn read_conditions(conditions: Option<&Value>) -> Result<Vec<Condition>, String> {
    let Some(conditions) = conditions else { return Ok(Vec::new()) };
    let conditions = conditions.as_object().ok_or("Condition must be a JSON object")?;
    let mut read = Vec::new();
    for (operator, keys) in conditions {
        let keys = keys.as_object().ok_or_else(|| format!("Invalid condition : {operator}"))?;
        for (key, values) in keys {
            read.push(Condition::parse(operator, key, values)?);
        }
    }
    Ok(read)
}

/// Refuses members that would change the meaning and are not read.
fn known(object: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(format!("Unknown field {name} (the twin does not model it)")),
        None => Ok(()),
    }
}

/// A string or a list of strings.
fn strings(value: &Value, field: &str) -> Result<Vec<String>, String> {
    let values = match value {
        Value::Array(values) if !values.is_empty() => values.iter().collect(),
        one @ Value::String(_) => vec![one],
        _ => return Err(format!("Invalid {field} : a string or a list of strings is valid")),
    };
    values
        .into_iter()
        .map(|value| match value.as_str() {
            Some(text) if text.contains("${") => {
                Err(format!("Invalid {field} : {text} (the twin does not model policy variables)"))
            }
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("Invalid {field} : {value}")),
        })
        .collect()
}
